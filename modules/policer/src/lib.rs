//! Holds prefixes, addresses and flows to rates: colours packets (RFC 2697, RFC 2698), passes, drops or remarks them by their colour, and
//! shapes classes, whose packets wait until the rate lets them go.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod class;
mod config;
mod messages;
mod meter;
mod rates;
mod saved;
mod seen;
mod shaper;
#[cfg(test)]
mod tests;
mod values;

use alloc::vec::Vec;
use class::{Class, Counts, Per};
use config::{Config, Side};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use meter::Meter;
use perigee_guest::state::{Colour, FiveTuple, FlowLimits, FlowTable, Lpm, Wheel};
use perigee_guest::{Batch, Buffer, Counter, Level, Module, Outputs, Packet, Refusal, Setup, Verdict};
use seen::{Seen, Unseen, remark};
use shaper::Waiting;
use values::Action;

perigee_guest::module!(
    Policer: process, message, state;
    window = 192 * MIB, heap = 32 * MIB, mailbox = 8 * MIB, state_version = 1
);

perigee_guest::counters! {
    /// Packets that came.
    PACKETS = "packets",
    /// Packets that went on.
    PASSED = "passed",
    /// Packets that are not IP: passed on, at no rate.
    OTHER = "other",
    /// Packets dropped because they say that they are IP, and contradict themselves.
    MALFORMED = "malformed",
    /// Packets of no class: passed on, at no rate.
    UNMATCHED = "unmatched",
    /// Packets of classes by colour.
    GREEN = "green",
    YELLOW = "yellow",
    RED = "red",
    /// Packets dropped for their colour.
    POLICED = "policed",
    /// Packets that got another code point for their colour.
    REMARKED = "remarked",
    /// Packets dropped because as many waited in their class as may.
    QUEUE_FULL = "queue_full",
    /// Packets dropped because the instance may not hold as many.
    HOLD_FULL = "hold_full",
    /// Packets that waited.
    HELD = "held",
    /// Nanoseconds by which packets that waited went on after their time, all together.
    LATE = "late_ns",
    /// Flows and addresses that were made, forgotten, and pushed out by others.
    FLOWS = "flows",
    EXPIRED = "flows.expired",
    EVICTED = "flows.evicted",
}

/// Most flows that are forgotten with a batch.
const EXPIRE_IN_BATCH: usize = 64;
/// Nanoseconds of a tick of the timers: a packet that waits goes on with the first call at or after its tick.
const RESOLUTION: u64 = 1_000;

/// The policer.
pub struct Policer {
    classes: Vec<Class>,
    members: Members,
    flows: FlowTable<FiveTuple, Member>,
    side: Side,
    /// A timer for each class in which packets wait: the time of the first one.
    timers: Wheel<u16>,
    /// Classes whose timers ran in this call.
    due: Vec<u16>,
    /// Packets that wait in all classes, and may.
    waiting: u32,
    quota: u32,
    /// Counts calls.
    call: u64,
    now: u64,
    is_told: bool,
    /// The longest packet that can come, by what of it counts: IP, frame, wire.
    longest: [u64; 3],
}

/// The class of a prefix, or of a flow or address in it, and its meter.
#[derive(Clone, Copy)]
struct Member {
    class: u16,
    /// The edition of the class's rates that the meter has.
    edition: u32,
    meter: Meter,
}

/// The prefixes of all classes.
struct Members {
    v4: Lpm<Ipv4Addr, Member>,
    v6: Lpm<Ipv6Addr, Member>,
}

impl Members {
    #[inline]
    fn lookup_mut(&mut self, address: IpAddr) -> Option<&mut Member> {
        match address {
            IpAddr::V4(address) => self.v4.lookup_mut(address),
            IpAddr::V6(address) => self.v6.lookup_mut(address),
        }
    }
}

impl Member {
    /// The colour of a packet. A meter that has the rates of before a message takes the new ones over first, as of the time when the
    /// message came; of several messages since its last packet, as of the last one.
    #[inline]
    fn mark(&mut self, class: &Class, bytes: u64, before: Colour, now: u64) -> Colour {
        if self.edition != class.edition {
            self.edition = class.edition;
            // The rates were looked at when the message came.
            let _ = self.meter.change(&class.rates, class.changed);
        }
        self.meter.mark(bytes, before, now)
    }
}

impl Module for Policer {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let (classes, now) = (config.classes(setup)?, setup.now_ns());
        let has_flows = classes.iter().any(|class| class.per != Per::Prefix);
        let flows = if has_flows { config.flows.max(1) } else { 1 };
        let limits = FlowLimits::new(flows, setup.seed()).idle(config::flow_idle(&classes));
        let mut due = Vec::new();
        due.try_reserve_exact(classes.len())
            .map_err(|_| Refusal::new("the module's heap has no room for the classes"))?;
        Ok(Self {
            members: config.members(&classes, now)?,
            flows: FlowTable::new(limits)?,
            side: config.side,
            timers: Wheel::new(classes.len(), RESOLUTION)?,
            due,
            classes,
            waiting: 0,
            quota: 0,
            call: 0,
            now,
            is_told: false,
            longest: [Counts::Ip, Counts::Frame, Counts::Wire].map(|counts| config::longest(setup, counts)),
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        self.now = batch.time_ns();
        self.quota = batch.hold_quota();
        self.call += 1;
        EXPIRED.add(self.flows.expire(self.now, EXPIRE_IN_BATCH, |_, _| ()) as u64);
        self.release(&mut batch.outputs());
        PACKETS.add(batch.len() as u64);
        let (packets, mut outputs) = batch.split();
        for packet in packets {
            self.police(packet, &mut outputs);
        }
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        messages::answer(self, request, reply)
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        saved::save(self, state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        saved::restore(self, state)
    }
}

impl Policer {
    /// Colours a packet, and does what its colour asks for.
    #[inline]
    fn police(&mut self, mut packet: Packet<'_>, outputs: &mut Outputs<'_>) {
        let seen = match Seen::of(packet.bytes()) {
            Ok(seen) => seen,
            Err(Unseen::Malformed) => return MALFORMED.add(1),
            Err(Unseen::Other) => return pass(packet, OTHER),
        };
        let Some((number, colour, bytes)) = self.colour(&seen, &packet) else { return pass(packet, UNMATCHED) };
        let Some(class) = self.classes.get_mut(usize::from(number)) else { return };
        class.colours[colour as usize].add(bytes);
        [GREEN, YELLOW, RED][colour as usize].add(1);
        match class.actions[colour as usize] {
            Action::Pass => {}
            Action::Drop => return POLICED.add(1),
            Action::Remark(dscp) if dscp != seen.dscp => {
                REMARKED.add(1);
                remark(&mut packet.bytes_mut()[seen.start..], seen.source.is_ipv4(), dscp);
            }
            Action::Remark(_) => {}
        }
        self.leave(packet, number, bytes, outputs);
    }

    /// The class of a packet, its colour there, and how many of its bytes count. Nothing where it is in no class.
    #[inline]
    fn colour(&mut self, seen: &Seen, packet: &Packet<'_>) -> Option<(u16, Colour, u64)> {
        let address = if self.side == Side::Source { seen.source } else { seen.destination };
        let member = self.members.lookup_mut(address)?;
        let (number, now) = (member.class, self.now);
        let class = self.classes.get(usize::from(number))?;
        let (bytes, before) = (class.counts.bytes(seen.len, packet.len().into()), class.before.colour(seen.dscp));
        let key = match class.per {
            Per::Prefix => return Some((number, member.mark(class, bytes, before, now), bytes)),
            Per::Address => Seen::host(address),
            Per::Flow => seen.flow(packet.bytes()),
        };
        let fresh = || Member {
            class: number,
            edition: class.edition,
            meter: Meter::new(&class.rates, now).unwrap_or(Meter::None),
        };
        // Where the table is full, the flow goes that was not used for longest.
        let found = self.flows.find_or_insert(key, now, fresh)?;
        FLOWS.add(found.is_new.into());
        EVICTED.add(found.evicted.is_some().into());
        if found.value.class != number {
            *found.value = fresh();
        }
        Some((number, found.value.mark(class, bytes, before, now), bytes))
    }

    /// Passes a packet on, now or when the rate of its class lets it go.
    #[inline]
    fn leave(&mut self, packet: Packet<'_>, number: u16, bytes: u64, outputs: &mut Outputs<'_>) {
        let (now, call) = (self.now, self.call);
        let Some(class) = self.classes.get_mut(usize::from(number)) else { return };
        let (rates, shaper) = (&class.rates, &mut class.shaper);
        let is_first = shaper.waiting.is_empty();
        if rates.shape == 0 && is_first && shaper.released != call {
            class.passed.add(bytes);
            return pass(packet, PASSED);
        }
        let mut schedule = shaper.schedule;
        let leaves =
            if rates.shape == 0 { now } else { schedule.departure(now, bytes * 8, rates.shape, class.burst_ns) };
        if is_first && leaves <= now && (shaper.released != call || outputs.remaining() > 0) {
            shaper.schedule = schedule;
            class.passed.add(bytes);
            if shaper.released != call {
                return pass(packet, PASSED);
            }
            // Those before it are in the list, and what has its verdict in place goes before that.
            let listed = packet.list();
            PASSED.add(outputs.put(&listed, Verdict::NEXT).into());
            return;
        }
        let places = if rates.shape == 0 { shaper.waiting.capacity() as u64 } else { rates.queue };
        if shaper.waiting.len() as u64 >= places {
            class.overflowed.add(bytes);
            return QUEUE_FULL.add(1);
        }
        if self.waiting >= self.quota {
            class.overflowed.add(bytes);
            return self.refuse();
        }
        shaper.schedule = schedule;
        let leaves = shaper.waiting.back().map_or(leaves, |last| last.leaves.max(leaves));
        shaper.waiting.push_back(Waiting { leaves, bytes, held: packet.hold() });
        self.waiting += 1;
        HELD.add(1);
        self.set_timer(number);
    }

    /// Has the class of the first packet that waits called when its time comes.
    fn set_timer(&mut self, number: u16) {
        let Some(class) = self.classes.get_mut(usize::from(number)) else { return };
        if let (Some(first), false) = (class.shaper.waiting.front(), class.shaper.is_timed) {
            // There is a place for each class.
            class.shaper.is_timed = self.timers.schedule(first.leaves, number).is_ok();
        }
    }

    /// Lets those go on whose time has come, as far as the output list has room.
    fn release(&mut self, outputs: &mut Outputs<'_>) {
        self.due.clear();
        let (timers, due) = (&mut self.timers, &mut self.due);
        // A class has one timer, which goes down ten levels at most.
        timers.advance(self.now, 11 * self.classes.len(), |number| due.push(number));
        for index in 0..self.due.len() {
            let Some(&number) = self.due.get(index) else { break };
            self.release_class(number, outputs);
            self.set_timer(number);
        }
    }

    fn release_class(&mut self, number: u16, outputs: &mut Outputs<'_>) {
        let Some(class) = self.classes.get_mut(usize::from(number)) else { return };
        class.shaper.is_timed = false;
        while let Some(first) = class.shaper.waiting.pop_front_if(|first| first.leaves <= self.now) {
            let Waiting { leaves, bytes, held } = first;
            if let Err(held) = outputs.give_back(held, Verdict::NEXT) {
                class.shaper.waiting.push_front(Waiting { leaves, bytes, held });
                return;
            }
            class.shaper.released = self.call;
            class.passed.add(bytes);
            self.waiting = self.waiting.saturating_sub(1);
            PASSED.add(1);
            LATE.add(self.now - leaves);
        }
    }

    /// A packet is dropped because no more may be held, which is told once.
    fn refuse(&mut self) {
        HOLD_FULL.add(1);
        if !self.is_told {
            self.is_told = true;
            Level::Warn.log("packets are dropped: more wait than this module may hold (`grants.hold`)");
        }
    }
}

/// Passes a packet on at once.
#[inline]
fn pass(packet: Packet<'_>, why: Counter) {
    why.add(1);
    packet.next();
}
