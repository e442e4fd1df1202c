//! The state that goes from an instance to the one that takes its place: rates that messages changed, what is in the buckets, flows, and
//! packets that wait.
//!
//! Little-endian. The number of classes, and of each: the length of its name, its name, its rates as configured and as they are, its
//! schedule, its tallies, the number of packets that wait, and these. The number of prefixes, and of each: family, address, length,
//! buckets. Then flows, the one that was used last at the end: the flow, its class, buckets, time. Where the
//! mailbox is too small for all flows, those that were used last are saved. When this layout changes, `state_version` in `module!` is
//! counted up.

use crate::class::{Class, Tally};
use crate::meter::Meter;
use crate::rates::Rates;
use crate::shaper::{Schedule, Waiting};
use crate::{Member, Policer, messages};
use alloc::vec::Vec;
use core::net::IpAddr;
use perigee_guest::state::{FiveTuple, Prefix, Saved};
use perigee_guest::{Buffer, Held, Refusal};

/// Bytes of state at most: a mailbox of 8 MiB.
const STATE: usize = 8 << 20;
/// Bytes of a packet that waits: its time, its bytes that count, and where it is.
const WAITING: usize = 8 + 8 + 28;
/// Bytes of a prefix: family, address, length and buckets.
const PREFIX: usize = 1 + 16 + 1 + 16;
/// Bytes of a flow: itself, its class, buckets, and time of last use.
const FLOW: usize = FiveTuple::BYTES + 2 + 16 + 8;
/// Packets and bytes by colour, passed on, and overflowed.
const TALLIES: usize = 5;

pub(crate) fn save(policer: &Policer, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    state.push(&count(policer.classes.len()))?;
    for class in &policer.classes {
        save_class(class, state)?;
    }
    state.push(&count(policer.members.v4.len() + policer.members.v6.len()))?;
    for (prefix, member) in policer.members.v4.iter() {
        save_prefix(prefix.address().into(), prefix.len(), *member, policer.now, state)?;
    }
    for (prefix, member) in policer.members.v6.iter() {
        save_prefix(prefix.address().into(), prefix.len(), *member, policer.now, state)?;
    }
    let places = (STATE - state.len().min(STATE)) / FLOW;
    for flow in policer.flows.iter().skip(policer.flows.len().saturating_sub(places)) {
        let mut member = *flow.value;
        state.push(&flow.key.to_bytes())?;
        state.push(&member.class.to_le_bytes())?;
        save_numbers(member.meter.tokens(policer.now).into_iter().chain([flow.used]), state)?;
    }
    Ok(())
}

fn save_class(class: &Class, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    let name = class.name.as_bytes();
    state.push(&[u8::try_from(name.len()).unwrap_or(0)])?;
    state.push(name)?;
    save_numbers(class.configured.values().into_iter().chain(class.rates.values()), state)?;
    save_numbers([class.shaper.schedule.next, class.shaper.schedule.part], state)?;
    save_numbers(tallies(class).into_iter().flat_map(|tally| [tally.packets, tally.bytes]), state)?;
    state.push(&count(class.shaper.waiting.len()))?;
    for packet in &class.shaper.waiting {
        save_numbers([packet.leaves, packet.bytes], state)?;
        for word in packet.held.to_words() {
            state.push(&word.to_le_bytes())?;
        }
    }
    Ok(())
}

fn tallies(class: &Class) -> [Tally; TALLIES] {
    let [green, yellow, red] = class.colours;
    [green, yellow, red, class.passed, class.overflowed]
}

fn save_prefix(address: IpAddr, len: u8, mut member: Member, now: u64, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    let mut bytes = [0; 16];
    let family = match address {
        IpAddr::V4(address) => {
            bytes[..4].copy_from_slice(&address.octets());
            4
        }
        IpAddr::V6(address) => {
            bytes = address.octets();
            6
        }
    };
    state.push(&[family])?;
    state.push(&bytes)?;
    state.push(&[len])?;
    save_numbers(member.meter.tokens(now), state)
}

fn save_numbers(numbers: impl IntoIterator<Item = u64>, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    numbers.into_iter().try_for_each(|number| Ok(state.push(&number.to_le_bytes())?))
}

fn count(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// Takes the state over. Classes are known by their names; rates that messages changed are kept where the configuration has not changed.
/// Packets that waited in a class that is there no more are left to the host.
pub(crate) fn restore(policer: &mut Policer, state: &[u8]) -> Result<(), Refusal> {
    let mut rest = Rest(state);
    // New numbers of the old classes.
    let mut numbers = Vec::new();
    for _ in 0..u32::from_le_bytes(rest.take()?) {
        numbers.push(restore_class(policer, &mut rest)?);
    }
    let now = policer.now;
    for _ in 0..u32::from_le_bytes(rest.take()?) {
        restore_prefix(policer, rest.take::<PREFIX>()?)?;
    }
    let (flows, odd) = rest.0.as_chunks::<FLOW>();
    if !odd.is_empty() || flows.iter().any(|flow| !matches!(flow[0], 4 | 6)) {
        return Err(bad());
    }
    let classes = &policer.classes;
    let saved = flows.iter().map(|bytes| {
        let class = u16::from_le_bytes([bytes[38], bytes[39]]);
        let number = numbers.get(usize::from(class)).copied().flatten();
        // One without a class is made anew when it comes.
        let (number, mut meter) = match number.and_then(|number| Some((number, classes.get(usize::from(number))?))) {
            Some((number, class)) => (number, Meter::new(&class.rates, now).unwrap_or(Meter::None)),
            None => (u16::MAX, Meter::None),
        };
        meter.set_tokens([number_at(bytes, 40), number_at(bytes, 48)], now);
        let edition = classes.get(usize::from(number)).map_or(0, |class| class.edition);
        let key = FiveTuple::from_bytes(bytes.first_chunk().unwrap_or(&[0; FiveTuple::BYTES]));
        let used = number_at(bytes, 56);
        Saved { key, value: Member { class: number, edition, meter }, created: used, used }
    });
    Ok(policer.flows.restore(saved)?)
}

/// The class's new number, where it is still there.
fn restore_class(policer: &mut Policer, rest: &mut Rest<'_>) -> Result<Option<u16>, Refusal> {
    let [len] = rest.take()?;
    let name = core::str::from_utf8(rest.slice(len.into())?).map_err(|_| bad())?;
    let (configured, rates) = (Rates::of(rest.numbers()?), Rates::of(rest.numbers()?));
    let [next, part] = rest.numbers()?;
    let tallies: [u64; 2 * TALLIES] = rest.numbers()?;
    let waiting = u32::from_le_bytes(rest.take()?) as usize;
    let packets = rest.slice(waiting.checked_mul(WAITING).ok_or_else(bad)?)?;
    let Some(at) = policer.classes.iter().position(|class| class.name.as_str() == name) else { return Ok(None) };
    let class = &mut policer.classes[at];
    let longest = policer.longest[class.counts as usize];
    if class.configured == configured && rates != configured && rates.mistake(longest).is_none() {
        messages::set(class, rates, policer.now)?;
    }
    class.shaper.reserve(class.rates.queue.max(waiting as u64))?;
    class.shaper.waiting.extend(packets.as_chunks::<WAITING>().0.iter().map(|bytes| {
        let word = |at: usize| u32::from_le_bytes(bytes[at..].first_chunk().copied().unwrap_or_default());
        let words = core::array::from_fn(|index| word(16 + 4 * index));
        Waiting { leaves: number_at(bytes, 0), bytes: number_at(bytes, 8), held: Held::from_words(words) }
    }));
    policer.waiting += u32::try_from(waiting).unwrap_or(0);
    let class = &mut policer.classes[at];
    class.shaper.schedule = Schedule { next, part };
    if class.rates.shape > 0 && class.rates.shape != rates.shape {
        class.shaper.change_rate(class.rates.shape);
    }
    let tally = |index: usize| Tally { packets: tallies[2 * index], bytes: tallies[2 * index + 1] };
    class.colours = [tally(0), tally(1), tally(2)];
    (class.passed, class.overflowed) = (tally(3), tally(4));
    let number = u16::try_from(at).ok();
    number.into_iter().for_each(|number| policer.set_timer(number));
    Ok(number)
}

/// Gives the meter of a prefix what was in its buckets, where it is still there.
fn restore_prefix(policer: &mut Policer, bytes: [u8; PREFIX]) -> Result<(), Refusal> {
    let address: [u8; 16] = bytes[1..].first_chunk().copied().unwrap_or_default();
    let (len, now) = (bytes[17], policer.now);
    let member = match bytes[0] {
        4 => {
            let [a, b, c, d, ..] = address;
            let prefix = Prefix::new([a, b, c, d].into(), len).ok_or_else(bad)?;
            policer.members.v4.get_mut(prefix)
        }
        6 => {
            let prefix = Prefix::new(address.into(), len).ok_or_else(bad)?;
            policer.members.v6.get_mut(prefix)
        }
        _ => return Err(bad()),
    };
    let Some(member) = member else { return Ok(()) };
    if let Some(class) = policer.classes.get(usize::from(member.class)) {
        member.edition = class.edition;
        member.meter = Meter::new(&class.rates, now)?;
        member.meter.set_tokens([number_at(&bytes, 18), number_at(&bytes, 26)], now);
    }
    Ok(())
}

fn bad() -> Refusal {
    Refusal::new("this is no state of a policer of version 1")
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |number| u64::from_le_bytes(*number))
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn slice(&mut self, len: usize) -> Result<&'a [u8], Refusal> {
        let (first, behind) = self.0.split_at_checked(len).ok_or_else(bad)?;
        self.0 = behind;
        Ok(first)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        self.slice(N)?.first_chunk().copied().ok_or_else(bad)
    }

    fn numbers<const N: usize>(&mut self) -> Result<[u64; N], Refusal> {
        let (numbers, _) = self.slice(8 * N)?.as_chunks::<8>();
        let mut values = [0; N];
        values.iter_mut().zip(numbers).for_each(|(value, bytes)| *value = u64::from_le_bytes(*bytes));
        Ok(values)
    }
}
