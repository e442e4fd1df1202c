//! Fragments: all parts of a packet go where the first one goes, which alone has ports. Those that come before it wait for it.

use crate::outcome::{Count, Drop};
use crate::rewrite::Ip;
use crate::table::hash;
use alloc::vec::Vec;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::NoMemory;
use perigee_guest::{Buffer, Held, Packet, Refusal};

/// Packets whose keys share a hash, among which one is looked for.
const WAYS: usize = 8;
/// Words of a bit for each eight bytes of the longest packet.
const WORDS: usize = 65_536 / 8 / 64;
/// Packets that are looked at for their time in a call.
const PORTION: usize = 32;

/// How much is remembered.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Packets of which fragments are under way.
    pub(crate) packets: u16,
    /// Fragments that wait for their first one.
    pub(crate) held: u16,
    /// Milliseconds within which all fragments of a packet must come.
    pub(crate) ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { packets: 256, held: 64, ms: 800 }
    }
}

/// The addresses of a packet after translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) source: u32,
    pub(crate) destination: u32,
}

/// What becomes of a packet's fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The first one has not come yet.
    Unknown,
    /// They get these addresses.
    To(Addresses),
    /// They are dropped, for this reason.
    Nowhere(Drop),
}

/// A packet of which fragments are under way.
#[derive(Clone)]
struct Parts {
    /// Source, destination, identification, protocol. A protocol of 0: nobody has this place.
    key: (u32, u32, u16, u8),
    began: u32,
    way: Way,
    /// Length in units of eight bytes, once the last fragment has come.
    len: Option<u16>,
    /// Units that have come.
    count: u16,
    seen: [u64; WORDS],
}

/// A fragment that waits.
struct Waiting {
    held: Held,
    /// That of its packet; nowhere, once that is forgotten: somebody else may have the place then, whose way is none of this one's.
    place: Option<u16>,
    way: Way,
    /// It came in this call, in which the host does not take it back yet.
    is_fresh: bool,
}

/// All fragments under way.
pub(crate) struct Fragments {
    limits: Limits,
    seed: u64,
    parts: Vec<Parts>,
    waiting: Vec<Waiting>,
    /// Where the search for those whose time is over goes on.
    swept: usize,
}

impl Fragments {
    pub(crate) fn new(limits: Limits, seed: u64) -> Result<Self, Refusal> {
        if limits.ms == 0 || limits.ms > 60_000 {
            return Err(Refusal::new("fragments.ms: 1 to 60000"));
        }
        let count = usize::from(limits.packets).next_power_of_two().max(WAYS);
        let (mut parts, mut waiting) = (Vec::new(), Vec::new());
        let bytes = count * size_of::<Parts>() + usize::from(limits.held) * size_of::<Waiting>();
        let is_there = parts.try_reserve_exact(count).is_ok() && waiting.try_reserve_exact(limits.held.into()).is_ok();
        if !is_there {
            return Err(NoMemory { bytes }.into());
        }
        parts.resize(count, NOBODY);
        Ok(Self { limits, seed, parts, waiting, swept: 0 })
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, now: u32) {
        self.waiting.iter_mut().for_each(|waiting| waiting.is_fresh = false);
        self.expire(now);
    }

    /// Notes that a fragment has come: the place of its packet, and where the others go. An error drops this one.
    pub(crate) fn note(&mut self, ip: &Ip, now: u32) -> Result<(u16, Way), Drop> {
        let key = (ip.source, ip.destination, ip.identification, ip.protocol);
        let place = self.find(key).unwrap_or_else(|| self.make(key, now));
        let len = ip.len - ip.header_len;
        // All but the last have a multiple of eight bytes, and none goes beyond the longest packet.
        let units = u16::try_from(len.div_ceil(8)).map_err(|_| Drop::Malformed)?;
        let end = ip.offset + units;
        if units == 0 || ip.more && !len.is_multiple_of(8) || usize::from(end) > WORDS * 64 {
            return Err(Drop::Malformed);
        }
        let parts = &mut self.parts[place];
        let beyond = parts.len.is_some_and(|len| end > len || !ip.more && end != len);
        if beyond || !parts.add(ip.offset, end) {
            self.settle(place, Way::Nowhere(Drop::FragmentOverlap));
            return Err(Drop::FragmentOverlap);
        }
        if !ip.more {
            parts.len = Some(end);
        }
        match parts.way {
            Way::Nowhere(why) => Err(why),
            way => Ok((u16::try_from(place).unwrap_or_default(), way)),
        }
    }

    /// Says where the fragments of a packet go, those that wait among them.
    pub(crate) fn settle(&mut self, place: impl Into<usize>, way: Way) {
        let place = place.into();
        self.parts[place].way = way;
        for waiting in self.waiting_at(place) {
            if waiting.way == Way::Unknown || matches!(way, Way::Nowhere(_)) {
                waiting.way = way;
            }
        }
    }

    /// The fragments that wait of the packet at a place.
    fn waiting_at(&mut self, place: usize) -> impl Iterator<Item = &mut Waiting> {
        self.waiting.iter_mut().filter(move |waiting| waiting.place.is_some_and(|own| usize::from(own) == place))
    }

    /// Forgets a packet all of whose fragments have come.
    pub(crate) fn close(&mut self, place: u16) {
        let parts = &self.parts[usize::from(place)];
        if parts.len == Some(parts.count) {
            self.forget(place.into(), Drop::FragmentTimeout);
        }
    }

    /// Keeps a fragment until the first one comes. `quota`: as many may wait.
    pub(crate) fn hold(&mut self, packet: Packet<'_>, place: u16, quota: u32) -> Result<(), Drop> {
        let limit = usize::from(self.limits.held).min(quota as usize);
        if self.waiting.len() >= limit {
            self.settle(place, Way::Nowhere(Drop::FragmentsFull));
            return Err(Drop::FragmentsFull);
        }
        self.waiting.push(Waiting { held: packet.hold(), place: Some(place), way: Way::Unknown, is_fresh: true });
        Count::FragmentsHeld.add(1);
        Ok(())
    }

    /// A fragment that waits no longer, the one that came first, and where it goes.
    pub(crate) fn take_ready(&mut self) -> Option<(Held, Way)> {
        let at = self.waiting.iter().position(|waiting| waiting.way != Way::Unknown && !waiting.is_fresh)?;
        let ready = self.waiting.remove(at);
        Some((ready.held, ready.way))
    }

    /// Takes back one that there was no room for in the output list.
    pub(crate) fn put_back(&mut self, held: Held, way: Way) {
        self.waiting.insert(0, Waiting { held, place: None, way, is_fresh: false });
    }

    /// Forgets packets whose fragments did not come in time.
    fn expire(&mut self, now: u32) {
        for _ in 0..PORTION.min(self.parts.len()) {
            self.swept = (self.swept + 1) % self.parts.len();
            let parts = &self.parts[self.swept];
            if parts.key.3 != 0 && now.wrapping_sub(parts.began) >= self.limits.ms {
                self.forget(self.swept, Drop::FragmentTimeout);
            }
        }
    }

    fn ways(&self, key: (u32, u32, u16, u8)) -> core::ops::Range<usize> {
        let (source, destination, identification, protocol) = key;
        let first = u64::from(source) << 32 | u64::from(destination);
        let hash = hash(self.seed, first, u64::from(identification) << 8 | u64::from(protocol));
        let start = hash as usize % self.parts.len() / WAYS * WAYS;
        start..start + WAYS
    }

    fn find(&self, key: (u32, u32, u16, u8)) -> Option<usize> {
        self.ways(key).find(|place| self.parts[*place].key == key)
    }

    /// A place for a packet: a free one, else that of the one that began first.
    fn make(&mut self, key: (u32, u32, u16, u8), now: u32) -> usize {
        let age = |place: &usize| match self.parts[*place].key.3 {
            0 => u32::MAX,
            _ => now.wrapping_sub(self.parts[*place].began),
        };
        let place = self.ways(key).max_by_key(age).unwrap_or_default();
        self.forget(place, Drop::FragmentsFull);
        self.parts[place] = Parts { key, began: now, ..NOBODY };
        place
    }

    /// Forgets a packet; those of its fragments that still wait for the first one are dropped.
    fn forget(&mut self, place: usize, why: Drop) {
        self.parts[place].key.3 = 0;
        for waiting in self.waiting_at(place) {
            if waiting.way == Way::Unknown {
                waiting.way = Way::Nowhere(why);
            }
            waiting.place = None;
        }
    }
}

const NOBODY: Parts = Parts { key: (0, 0, 0, 0), began: 0, way: Way::Unknown, len: None, count: 0, seen: [0; WORDS] };

impl Parts {
    /// Notes units from `start` to `end`. False where one of them was there already.
    fn add(&mut self, start: u16, end: u16) -> bool {
        let (first, last) = (usize::from(start) / 64, usize::from(end - 1) / 64);
        for at in first..=last {
            let mut bits = !0_u64;
            if at == first {
                bits &= !0 << (start % 64);
            }
            if at == last {
                bits &= !0 >> (63 - (end - 1) % 64);
            }
            if self.seen[at] & bits != 0 {
                return false;
            }
            self.seen[at] |= bits;
        }
        self.count += end - start;
        true
    }
}

/// For the next instance: the fragments that wait, and the packets under way.
impl Fragments {
    /// Writes them: the number of packets, each with place, key, times and units, then those that wait.
    pub(crate) fn save(&self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        let known = self.parts.iter().filter(|parts| parts.key.3 != 0);
        state.push(&u32::try_from(known.clone().count()).unwrap_or_default().to_le_bytes())?;
        for parts in known {
            let (source, destination, identification, protocol) = parts.key;
            let (way, addresses) = way_to_words(parts.way);
            let len = parts.len.map_or(u32::from(u16::MAX), u32::from);
            let numbers = [source, destination, identification.into(), protocol.into(), parts.began, len];
            for number in numbers.into_iter().chain([u32::from(parts.count), way]).chain(addresses) {
                state.push(&number.to_le_bytes())?;
            }
            for word in parts.seen {
                state.push(&word.to_le_bytes())?;
            }
        }
        for waiting in &self.waiting {
            let (way, addresses) = way_to_words(waiting.way);
            let key = waiting
                .place
                .and_then(|place| self.parts.get(usize::from(place)))
                .map_or((0, 0, 0, 0), |parts| parts.key);
            let key = [key.0, key.1, key.2.into(), key.3.into()];
            for number in waiting.held.to_words().into_iter().chain([way]).chain(addresses).chain(key) {
                state.push(&number.to_le_bytes())?;
            }
        }
        Ok(())
    }

    /// Reads what `save` wrote.
    pub(crate) fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        let bad = || Refusal::new("the state is not one that this module saves");
        let mut rest = state;
        let mut number = || -> Result<u32, Refusal> {
            let (first, behind) = rest.split_first_chunk().ok_or_else(bad)?;
            rest = behind;
            Ok(u32::from_le_bytes(*first))
        };
        #[allow(clippy::cast_possible_truncation, reason = "as `save` has widened them")]
        for _ in 0..number()? {
            let key = (number()?, number()?, number()? as u16, number()? as u8);
            let (began, len, count) = (number()?, number()? as u16, number()? as u16);
            let way = way_from_words([number()?, number()?, number()?]);
            let mut parts = Parts { key, began, way, len: Some(len).filter(|len| *len != u16::MAX), count, ..NOBODY };
            for word in &mut parts.seen {
                *word = u64::from(number()?) | u64::from(number()?) << 32;
            }
            let place = self.make(key, began);
            self.parts[place] = parts;
        }
        self.restore_waiting(rest, bad)
    }

    fn restore_waiting(&mut self, rest: &[u8], bad: impl Fn() -> Refusal) -> Result<(), Refusal> {
        let (each, odd) = rest.as_chunks::<{ 4 * 14 }>();
        if !odd.is_empty() {
            return Err(bad());
        }
        // Those that came to the instance before wait on, though fewer may wait from now on.
        self.waiting.try_reserve_exact(each.len()).map_err(|_| NoMemory { bytes: rest.len() })?;
        for bytes in each {
            let word = |at: usize| {
                u32::from_le_bytes([bytes[at * 4], bytes[at * 4 + 1], bytes[at * 4 + 2], bytes[at * 4 + 3]])
            };
            let held = Held::from_words(core::array::from_fn(word));
            #[allow(clippy::cast_possible_truncation, reason = "as `save` has widened them")]
            let key = (word(10), word(11), word(12) as u16, word(13) as u8);
            let way = way_from_words([word(7), word(8), word(9)]);
            // Where no packet is, there are places with no key.
            let place = if key.3 == 0 { None } else { self.find(key).and_then(|place| u16::try_from(place).ok()) };
            let way = if place.is_none() && way == Way::Unknown { Way::Nowhere(Drop::FragmentsFull) } else { way };
            self.waiting.push(Waiting { held, place, way, is_fresh: false });
        }
        Ok(())
    }
}

/// A way as numbers: 0 unknown, 1 to addresses, from 2 on the reason why nowhere.
fn way_to_words(way: Way) -> (u32, [u32; 2]) {
    match way {
        Way::Unknown => (0, [0; 2]),
        Way::To(addresses) => (1, [addresses.source, addresses.destination]),
        Way::Nowhere(why) => (2 + why as u32, [0; 2]),
    }
}

fn way_from_words([way, source, destination]: [u32; 3]) -> Way {
    match way {
        0 => Way::Unknown,
        1 => Way::To(Addresses { source, destination }),
        why => {
            let known = Drop::ALL.get(why as usize - 2).map(|(why, _)| *why);
            Way::Nowhere(known.unwrap_or(Drop::FragmentsFull))
        }
    }
}
