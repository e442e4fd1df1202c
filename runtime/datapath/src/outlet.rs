//! Where packets leave a chain: ports, rings, and the free pool. Each way out is counted here and nowhere else.

use crate::ledger::Ledger;
use crate::offload;
use crate::pacer::{Pacer, Waiting, Whole};
use crate::port::Port;
use crate::probing::Probing;
use crate::shape::Shape;
use crate::stamp;
use crate::taps::Taps;
use perigee_abi::MAX_PORTS;
use perigee_config::WhenFull;
use perigee_core::clock::Clock;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use std::sync::Arc;

mod lane;
mod paced;
mod rings;
mod untaken;

use lane::Lane;
pub use lane::Launch;
pub use paced::Fillers;
use rings::RingLane;
pub use rings::Valve;
use untaken::Stuck;

/// How long a full port may keep packets waiting before it is asked what it refuses, in nanoseconds.
const PATIENCE_NS: u64 = 100_000_000;

/// All ways out of one chain on one lcore.
#[derive(Debug)]
pub struct Outlets {
    lanes: Vec<Lane>,
    /// First lane of each port, and how many follow it.
    by_port: [Option<(u8, u8)>; MAX_PORTS],
    rings: Vec<RingLane>,
    /// What stands before rings that may press.
    pub valve: Option<Box<Valve>>,
    next: Option<usize>,
    when_full: WhenFull,
    clock: Clock,
    /// Cycles that a lane waits before it is asked what keeps it from sending.
    patience: u64,
    /// Where packets stand while those behind them are tried; empty otherwise.
    aside: Box<Burst>,
    /// Where packets leave at times of their own.
    pub pacer: Option<Box<Pacer>>,
    /// Where some of its packets are probes.
    pub probing: Option<Box<Probing>>,
    /// What lies between its packets on a line that is kept busy.
    fillers: Option<Fillers>,
    /// What the chain has counted.
    pub counters: Ledger,
}

impl Outlets {
    /// No way out yet.
    pub fn new(when_full: WhenFull, clock: Clock) -> Self {
        Self {
            lanes: Vec::new(),
            by_port: [None; MAX_PORTS],
            rings: Vec::new(),
            valve: None,
            next: None,
            when_full,
            clock,
            patience: clock.cycles_in(PATIENCE_NS),
            aside: Burst::new(),
            pacer: None,
            probing: None,
            fillers: None,
            counters: Ledger::new(clock.is_the_machines()),
        }
    }

    /// Grants tx queues `first..first + count` of a port. The first port granted as `next` is where Next leads.
    pub fn add_port(&mut self, port: &Arc<dyn Port>, first: u16, count: u16, next: bool) {
        let (lane, facts) = (self.lanes.len(), port.facts());
        self.lanes.extend((first..first + count).map(|queue| Lane::new(Arc::clone(port).tx_end(queue), facts)));
        let entry = u8::try_from(lane).ok().zip(u8::try_from(count).ok());
        self.by_port[usize::from(facts.number)] = entry;
        if next && self.next.is_none() {
            self.next = Some(lane);
        }
    }

    /// Packets of paths are seen at the next of a port's queues that has no taps yet.
    pub fn add_taps(&mut self, port: u16, taps: Box<Taps>) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.facts.number == port && lane.taps.is_none()) {
            lane.taps = Some(taps);
        }
    }

    /// Number of the port that Next leads to; 0xffff where there is none.
    pub fn next_port(&self) -> u32 {
        self.next.map_or(0xffff, |lane| u32::from(self.lanes[lane].facts.number))
    }

    /// True where packets may be sent to this port.
    pub fn may_tx(&self, port: usize) -> bool {
        self.by_port.get(port).is_some_and(Option::is_some)
    }

    /// Frees one packet.
    pub fn drop_one(&mut self, cause: Counter, packet: Packet) {
        self.counters.drop_one(cause, packet);
    }

    /// Frees a whole burst.
    #[inline]
    pub fn drop_all(&mut self, cause: Counter, burst: &mut Burst) {
        self.counters.drop_all(cause, burst);
    }

    /// Which of the lcore's own queues on a port a packet gets that asks for this one; the first where it has none there.
    pub fn own_queue(&self, port: u16, queue: u16) -> u16 {
        match self.by_port.get(usize::from(port)) {
            Some(&Some((_, count))) => queue % u16::from(count),
            _ => 0,
        }
    }

    /// Sends a packet to a port's lane (`queue` counts the lcore's own queues there).
    #[inline]
    pub fn tx(&mut self, port: u16, queue: u16, packet: Packet) {
        let Some(&Some((first, count))) = self.by_port.get(usize::from(port)) else {
            return self.drop_one(Counter::NotGranted, packet);
        };
        self.tx_lane(usize::from(first) + usize::from(queue % u16::from(count)), packet);
    }

    #[inline]
    fn tx_lane(&mut self, index: usize, mut packet: Packet) {
        let lane = &mut self.lanes[index];
        if packet.len() > lane.facts.max_frame {
            return self.drop_one(Counter::TooLong, packet);
        }
        let mut prepare = false;
        if offload::has_tx_flags(packet.flags()) {
            let len = packet.len();
            match offload::prepare(&mut packet, lane.facts.offloads) {
                Ok(hardware) => prepare = hardware,
                Err(()) => return self.drop_one(Counter::BadOffload, packet),
            }
            let longer = packet.len().saturating_sub(len);
            if longer != 0 && self.pacer.as_ref().is_some_and(|pacer| packet.flags() & pacer.marks().stamp != 0) {
                stamp::move_place(&mut packet, longer);
            }
        }
        if self.pacer.is_some() {
            return self.pace(Waiting { lane: index, prepare, packet });
        }
        lane.prepare |= prepare;
        self.push(index, packet);
    }

    /// Puts a packet into a lane, to leave with what is there.
    #[inline]
    fn push(&mut self, index: usize, packet: Packet) {
        let lane = &mut self.lanes[index];
        lane.bytes += u64::from(packet.len());
        if let Err(packet) = lane.burst.push(packet) {
            lane.bytes -= u64::from(packet.len());
            self.flush_lane(index);
            self.retry(index, packet);
        }
    }

    /// The lane was full and has been flushed: once more, then the packet is lost.
    fn retry(&mut self, index: usize, packet: Packet) {
        let lane = &mut self.lanes[index];
        let len = u64::from(packet.len());
        match lane.burst.push(packet) {
            Ok(()) => lane.bytes += len,
            Err(packet) => self.drop_one(Counter::TxFull, packet),
        }
    }

    /// Sends a whole burst to a port: the common case, in which only two pointers change places.
    #[inline]
    pub fn tx_all(&mut self, port: u16, burst: &mut Box<Burst>, shape: Shape) {
        match self.by_port.get(usize::from(port)) {
            Some(&Some((first, _))) => self.tx_lane_all(first.into(), burst, shape),
            _ => self.drop_all(Counter::NotGranted, burst),
        }
    }

    #[inline]
    fn tx_lane_all(&mut self, index: usize, burst: &mut Box<Burst>, shape: Shape) {
        let lane = &mut self.lanes[index];
        let whole = lane.burst.is_empty() && !shape.tx_flags && shape.max_len <= lane.facts.max_frame;
        let whole = match &mut self.pacer {
            Some(pacer) if whole && pacer.has_schedule() => {
                let (timed, now) = (self.probing.is_some(), self.clock.now_ns());
                pacer.take_burst(index, burst, timed, now, &mut self.counters)
            }
            Some(pacer) if pacer.has_schedule() => Whole::Singly,
            _ if whole => Whole::Leaves,
            _ => Whole::Singly,
        };
        if whole == Whole::Leaves {
            std::mem::swap(&mut lane.burst, burst);
            lane.bytes = shape.bytes;
            return;
        }
        for packet in burst.drain() {
            self.tx_lane(index, packet);
        }
    }

    /// Sends what the last stage passed on.
    #[inline]
    pub fn forward(&mut self, burst: &mut Box<Burst>, shape: Option<Shape>) {
        if burst.is_empty() {
            return;
        }
        let Some(next) = self.next else { return self.drop_all(Counter::NoNext, burst) };
        let shape = shape.unwrap_or_else(|| Shape::of(burst));
        self.tx_lane_all(next, burst, shape);
    }

    /// Hands everything over; what a full port or ring does not take waits or is dropped, as the chain says.
    #[inline]
    pub fn flush(&mut self) {
        if self.pacer.as_ref().is_some_and(|pacer| pacer.has_work()) {
            self.release();
        }
        for index in 0..self.lanes.len() {
            if !self.lanes[index].burst.is_empty() {
                self.flush_lane(index);
            }
        }
        for index in 0..self.rings.len() {
            if !self.rings[index].burst.is_empty() {
                self.flush_ring(index);
            }
        }
    }

    #[inline]
    fn flush_lane(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        if lane.prepare {
            self.prepare_lane(index);
        }
        let lane = &mut self.lanes[index];
        if lane.end.is_shut() {
            return self.hold_lane(index);
        }
        let sent = lane.send(&self.clock, self.probing.as_deref_mut(), &mut self.counters);
        self.note_sent(index, sent);
        if !self.lanes[index].burst.is_empty() {
            self.untaken(index, sent);
        }
        let lane = &mut self.lanes[index];
        if lane.burst.is_empty() {
            lane.prepare = false;
            lane.stamps = None;
            lane.stuck = Stuck::default();
        }
    }

    /// Counts packets that a port has taken of a lane, and the bytes that are gone with them.
    #[inline]
    fn note_sent(&mut self, index: usize, sent: usize) {
        let lane = &mut self.lanes[index];
        let left = if lane.burst.is_empty() { 0 } else { lane.bytes_of_packets() };
        self.counters.add(Counter::Sent, sent);
        // A driver that inserts a tag and then finds its ring full leaves the packet longer than it was.
        self.counters.add(Counter::SentBytes, usize::try_from(lane.bytes.saturating_sub(left)).unwrap_or(0));
        lane.bytes = left;
    }

    /// The port's interface is down: its packets wait for it, or are dropped, as the chain says.
    #[cold]
    fn hold_lane(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        if self.when_full == WhenFull::Drop {
            lane.drop_all(Counter::LinkDown, &mut self.counters);
        }
    }

    /// Lets the driver prepare offloads; a packet that it refuses is dropped.
    fn prepare_lane(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        loop {
            let ready = lane.end.tx_prepare(&mut lane.burst);
            // Where all are ready, there is none behind them.
            let Some(packet) = lane.burst.remove(ready) else { return };
            lane.bytes -= u64::from(packet.len());
            self.counters.drop_one(Counter::BadOffload, packet);
        }
    }

    /// Packets that wait for a full port or ring.
    pub fn pending(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(|l| l.burst.len()).sum();
        lanes + self.rings.iter().map(|r| r.burst.len()).sum::<usize>()
    }

    /// When what waits may go on, in nanoseconds of the run's clock; `None` where nothing waits, 0 where nobody can say.
    pub fn due(&self) -> Option<u64> {
        let lanes = self.lanes.iter().filter(|lane| !lane.burst.is_empty()).map(|lane| lane.end.due().unwrap_or(0));
        let rings = self.rings.iter().filter(|ring| !ring.burst.is_empty()).map(|_| 0);
        lanes.chain(rings).min()
    }

    /// Lets a benchmark have what waits to be sent.
    pub fn with_pending(&mut self, mut take: impl FnMut(&mut Box<Burst>)) {
        for lane in &mut self.lanes {
            take(&mut lane.burst);
            lane.bytes = 0;
        }
    }

    /// Frees what still waits when the run stops.
    pub fn give_up(&mut self) {
        let Self { lanes, rings, pacer, counters, .. } = self;
        lanes.iter_mut().for_each(|lane| lane.drop_all(Counter::Stop, counters));
        rings.iter_mut().for_each(|ring| counters.drop_all(Counter::Stop, &mut ring.burst));
        pacer.iter_mut().for_each(|pacer| pacer.give_up(counters));
    }
}

/// For `bench`, which measures the parts of a turn.
impl Outlets {
    /// Gives back what was about to be sent.
    pub fn take_back(&mut self, burst: &mut Box<Burst>) {
        self.with_pending(|lane| {
            if burst.is_empty() {
                std::mem::swap(lane, burst);
            }
        });
    }
}
