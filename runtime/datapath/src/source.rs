//! Where a chain's packets come from: an rx queue, a ring, or a generator's pool.

use super::border::Border;
use crate::entrance::Entrance;
use crate::flow::Sorter;
use crate::ledger::Ledger;
use crate::offload;
use crate::port::{PortFacts, RxEnd};
use crate::probing::Listening;
use crate::recorder::Spot;
use crate::taps::Taps;
use perigee_core::counters::Counter;
use perigee_core::judge::MIN_LEN;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::port::VlanStrip;
use perigee_dpdk::ring::Ring;
use perigee_dpdk::timestamp::RxTimestamp;
use perigee_dpdk_sys::flags;
use std::sync::Arc;

/// What a stage knows of its chain's source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meta {
    /// The rx queue that it reads.
    pub queue: u16,
    /// DPDK's flag for an rx timestamp, where the source's port gives them; and where it is; and its unit.
    pub timestamp: Option<RxTimestamp>,
}

/// A chain's source on one lcore.
#[derive(Debug)]
pub enum Source {
    /// An rx queue.
    Port(RxQueue),
    /// A ring that other chains fill.
    Ring(RingEnd),
    /// Rooms for the first stage, which is a generator.
    Rooms(Arc<Pool>),
}

/// An rx queue, and what it takes to bring its packets into the window.
#[derive(Debug)]
pub struct RxQueue {
    /// Where its packets come from.
    pub end: RxEnd,
    /// What it knows of its port.
    pub facts: PortFacts,
    /// The queue's number.
    pub queue: u16,
    /// Where its packets come in.
    pub border: Border,
    /// It reads a capture, which ends.
    pub ends: bool,
    /// The port's flow rules that are done in software.
    pub sorter: Option<Box<Sorter>>,
    /// What is done before its first module.
    pub entrance: Option<Box<Entrance>>,
    /// Where probes of streams come in.
    pub listening: Option<Box<Listening>>,
    /// Where packets of paths are seen.
    pub taps: Option<Box<Taps>>,
}

/// The end of a ring at which packets come out.
#[derive(Debug)]
pub struct RingEnd {
    /// The ring.
    pub ring: Arc<Ring>,
    /// Where its packets may be of other trust domains.
    pub border: Option<Border>,
    /// What is done before its first module.
    pub entrance: Option<Box<Entrance>>,
}

impl Source {
    /// What the first stage is told of it.
    pub fn meta(&self) -> Meta {
        match self {
            Self::Port(rx) => Meta { queue: rx.queue, timestamp: rx.facts.timestamp },
            _ => Meta::default(),
        }
    }

    /// Rooms of the pool that a generator fills; 0 of any other source.
    pub fn rooms(&self) -> u32 {
        if let Self::Rooms(pool) = self { pool.size() } else { 0 }
    }

    /// Takes up to `max` packets (or rooms) into the empty burst; returns how many.
    #[inline]
    pub fn fill(&mut self, burst: &mut Box<Burst>, max: usize, ledger: &mut Ledger) -> usize {
        match self {
            Self::Port(rx) if rx.sorter.is_some() => rx.fill_sorted(burst, max, ledger),
            Self::Port(rx) => {
                let n = rx.receive(burst, max, ledger);
                if n != 0 {
                    rx.admit(burst, ledger);
                }
                n
            }
            Self::Ring(end) => {
                let n = end.ring.take(burst, max);
                ledger.add(Counter::FromRing, n);
                if let Some(entrance) = &mut end.entrance {
                    entrance.sift_taken(&end.ring, burst, ledger);
                }
                if let Some(border) = &mut end.border {
                    border.bring_in(burst, ledger);
                }
                n
            }
            Self::Rooms(pool) => {
                let n = pool.take_in_turn(burst, max);
                ledger.add(Counter::PoolEmpty, usize::from(n == 0));
                n
            }
        }
    }
}

impl Source {
    /// Packets that wait here to be handed on.
    pub fn waiting(&self) -> usize {
        if let Self::Port(RxQueue { sorter: Some(sorter), .. }) = self { sorter.waiting() } else { 0 }
    }

    /// Packets that backpressure has turned away since this was asked last.
    pub fn take_turned_away(&mut self) -> usize {
        let Self::Port(RxQueue { entrance: Some(entrance), .. }) = self else { return 0 };
        entrance.take_turned_away()
    }

    /// Probes may still come in time.
    pub fn listens(&self) -> bool {
        matches!(self, Self::Port(RxQueue { listening: Some(listening), .. }) if listening.waits())
    }

    /// Probes may come at any time, and the moment at which somebody looks is when they have come.
    pub fn is_awake(&self) -> bool {
        let Self::Port(RxQueue { listening, taps, .. }) = self else { return false };
        listening.as_ref().is_some_and(|listening| listening.is_awake())
            || taps.as_ref().is_some_and(|taps| taps.is_awake())
    }

    /// Where probes of streams come in.
    pub fn listening(&mut self) -> Option<&mut Listening> {
        if let Self::Port(rx) = self { rx.listening.as_deref_mut() } else { None }
    }

    /// A packet is due so soon that an lcore that slept would be late for it.
    pub fn is_near(&self, now: u64) -> bool {
        matches!(self, Self::Port(rx) if rx.end.is_near(now))
    }

    /// The rules of its port, where it takes part in carrying them out.
    pub fn sorter(&mut self) -> Option<&mut Sorter> {
        if let Self::Port(rx) = self { rx.sorter.as_deref_mut() } else { None }
    }
}

/// What a burst is like as it came.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Some packet is not of the domain's own.
    foreign: bool,
    /// Some packet is shorter than an Ethernet header.
    short: bool,
    /// The bits of all marks: none, nearly always.
    marks: u32,
}

impl RxQueue {
    #[inline]
    fn receive(&mut self, burst: &mut Burst, max: usize, ledger: &mut Ledger) -> usize {
        let first = burst.len();
        let n = self.end.rx(burst, max);
        ledger.add(Counter::Received, n);
        if n != 0 {
            ledger.look(Spot::PortRx, burst, first);
        }
        if n != 0
            && let Some(taps) = &mut self.taps
        {
            taps.came();
        }
        if n != 0
            && let Some(listening) = &mut self.listening
        {
            listening.look(burst, first);
        }
        // A file that somebody has shortened since it was counted is over as well.
        if n == 0 && (self.ends || self.end.is_over()) {
            ledger.add(Counter::Dry, 1);
        }
        n
    }

    /// As [`Source::fill`], where flow rules are done in software: what other queues have brought here, then what has come.
    #[inline(never)]
    fn fill_sorted(&mut self, burst: &mut Box<Burst>, max: usize, ledger: &mut Ledger) -> usize {
        let Some(sorter) = &mut self.sorter else { return 0 };
        let brought = sorter.take(burst, max, ledger);
        let may_read = sorter.may_read(ledger) && brought < max;
        let n = if may_read { self.receive(burst, max - brought, ledger) } else { 0 };
        if brought != 0
            && let Some(taps) = &mut self.taps
        {
            taps.came();
        }
        self.forget_marks(burst);
        if let Some(sorter) = &mut self.sorter {
            sorter.sort(burst, brought, ledger);
        }
        if !burst.is_empty() {
            self.admit(burst, ledger);
        }
        brought + n
    }

    /// Where mbufs come with the flags of their last way, rules and filters would believe them.
    fn forget_marks(&self, burst: &mut Burst) {
        if self.facts.stale_flags {
            let stale = flags::RX_FDIR | flags::RX_FDIR_ID | flags::RX_VLAN_STRIPPED;
            burst.iter_mut().for_each(|packet| packet.set_flags(packet.flags() & !stale));
        }
    }

    /// Makes what the driver gave packets of ours: from our port's number, with a mark, in the region, in one segment.
    #[inline]
    fn admit(&mut self, burst: &mut Box<Burst>, ledger: &mut Ledger) {
        if self.entrance.is_some() {
            self.sift(burst, ledger);
        }
        // Marks that rules have made here are told by flags.
        let anew = self.facts.stale_flags && self.sorter.is_none();
        let seen = if anew { self.look::<true>(burst) } else { self.look::<false>(burst) };
        if seen.marks != 0 {
            clear_marks(burst, anew);
        }
        if seen.foreign {
            self.border.bring_in(burst, ledger);
        }
        if self.facts.stale_flags && (seen.foreign || !anew) {
            burst.iter_mut().for_each(|p| p.set_flags(0));
        }
        if let Some(taps) = &mut self.taps {
            taps.look(burst);
        }
        if self.facts.vlan_strip != VlanStrip::Off {
            self.strip_tags(burst);
        }
        if seen.short {
            drop_short(burst, ledger);
        }
    }

    /// Looks at each packet once, and writes our number of the port where the driver has another one. With `ANEW` its flags, which are those
    /// of its last way, go in the same store; but of a packet that is to be copied they say what its room is, until then.
    #[inline]
    fn look<const ANEW: bool>(&self, burst: &mut Burst) -> Seen {
        let (mut seen, number) = (Seen::default(), self.facts.number);
        for packet in burst.iter_mut() {
            let foreign = self.border.is_foreign(packet);
            seen.foreign |= foreign;
            seen.short |= packet.len() < MIN_LEN;
            seen.marks |= packet.mark();
            if ANEW && !foreign {
                packet.begin_anew(number);
            } else if ANEW || self.facts.renumbers {
                packet.set_port(number);
            }
        }
        seen
    }

    #[inline(never)]
    fn sift(&mut self, burst: &mut Burst, ledger: &mut Ledger) {
        if self.sorter.is_none() {
            self.forget_marks(burst);
        }
        if let Some(entrance) = &mut self.entrance {
            entrance.sift(burst, ledger);
        }
    }

    #[cold]
    fn strip_tags(&self, burst: &mut Burst) {
        for packet in burst.iter_mut() {
            if self.facts.vlan_strip == VlanStrip::Software && packet.flags() & flags::RX_VLAN_STRIPPED == 0 {
                // Without a tag there is nothing to take off.
                packet.vlan_strip();
            }
            offload::keep_tag(packet);
        }
    }
}

/// Marks are those that rules have made, which a flag says; with `all` there are none of these.
#[cold]
fn clear_marks(burst: &mut Burst, all: bool) {
    for packet in burst.iter_mut() {
        if all || packet.flags() & flags::RX_FDIR_ID == 0 {
            packet.set_mark(0);
        }
    }
}

/// Modules get frames: what is shorter than an Ethernet header is none. What was in several segments is whole by now.
#[cold]
fn drop_short(burst: &mut Burst, ledger: &mut Ledger) {
    burst.change(|packet| {
        if packet.len() >= MIN_LEN {
            return Some(packet);
        }
        ledger.drop_one(Counter::TooShort, packet);
        None
    });
}
