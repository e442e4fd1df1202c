//! One direction of a wire: the packets that are under way, between the end that sends and the end that receives.

use crate::line::{Arrival, Cause, Fate, Line};
use crate::trace::Trace;
use crossbeam_queue::ArrayQueue;
use perigee_core::clock::Clock;
use perigee_core::lock;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::timestamp::RxTimestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A packet under way.
#[derive(Debug)]
struct Flight {
    due: u64,
    /// In the order in which they were sent, for those that arrive at the same time.
    number: u64,
    sent: u64,
    packet: Packet,
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Flight {}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

/// What is counted of one direction.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) early: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) duplicated: AtomicU64,
    pub(crate) not_duplicated: AtomicU64,
    pub(crate) corrupted: AtomicU64,
    pub(crate) reordered: AtomicU64,
    /// Came when the receiving ring was full, or nobody reads there.
    pub(crate) missed: AtomicU64,
    /// Were under way when the run ended.
    pub(crate) left: AtomicU64,
}

/// The link of a wire, which both directions share.
#[derive(Debug)]
pub(crate) struct Link {
    up: AtomicBool,
    pub(crate) downs: AtomicU64,
    /// When it went down last, and came up again.
    cut: [AtomicU64; 2],
}

impl Default for Link {
    fn default() -> Self {
        let never = || AtomicU64::new(u64::MAX);
        Self { up: AtomicBool::new(true), downs: AtomicU64::new(0), cut: [never(), never()] }
    }
}

impl Link {
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, up: bool, now: u64) {
        if self.up.swap(up, Ordering::Relaxed) != up {
            self.cut[usize::from(up)].store(now, Ordering::Relaxed);
            self.downs.fetch_add(u64::from(!up), Ordering::Relaxed);
        }
    }

    /// Whether it went down between these two moments: what was on the line is lost.
    fn cuts(&self, sent: u64, due: u64) -> bool {
        let cut = self.cut[0].load(Ordering::Relaxed);
        cut != u64::MAX && (sent..due).contains(&cut)
    }
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Way {
    line: Mutex<(Line, u64)>,
    flights: ArrayQueue<Flight>,
    /// Packets in `flights`, in the receiving end's hands, and in its ring.
    under_way: AtomicUsize,
    places: usize,
    /// Somebody reads at the other end.
    is_read: AtomicBool,
    /// Packets that come twice are copied into rooms of it.
    pool: Arc<Pool>,
    /// More loss than the line's own, for a while: the bits of a probability.
    more_loss: AtomicU64,
    pub(crate) link: Arc<Link>,
    pub(crate) counts: Counts,
    clock: Clock,
    trace: Option<Arc<Trace>>,
}

impl Way {
    pub(crate) fn new(
        line: Line,
        places: usize,
        pool: Arc<Pool>,
        link: Arc<Link>,
        clock: Clock,
        trace: Option<Arc<Trace>>,
    ) -> Self {
        let places = places.max(64);
        Self {
            line: Mutex::new((line, 0)),
            flights: ArrayQueue::new(places),
            under_way: AtomicUsize::new(0),
            places,
            is_read: AtomicBool::new(false),
            pool,
            more_loss: AtomicU64::new(0),
            link,
            counts: Counts::default(),
            clock,
            trace,
        }
    }

    pub(crate) fn set_more_loss(&self, chance: f64) {
        self.more_loss.store(chance.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed) as u64
    }

    /// Frees what nobody will fetch, once both ends are gone; how many packets that were.
    pub(crate) fn clear(&self) -> u64 {
        while let Some(flight) = self.flights.pop() {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            self.counts.left.fetch_add(1, Ordering::Relaxed);
            flight.packet.free();
        }
        self.counts.left.load(Ordering::Relaxed)
    }

    /// What was sent is what was received, what was lost by a named cause, and what was left.
    pub(crate) fn is_balanced(&self) -> bool {
        let c = &self.counts;
        let sum = |all: &[&AtomicU64]| all.iter().map(|n| n.load(Ordering::Relaxed)).sum::<u64>();
        let came = sum(&[&c.sent, &c.duplicated]);
        came == sum(&[&c.received, &c.lost, &c.queue_full, &c.early, &c.cut, &c.missed, &c.left]) + self.under_way()
    }

    /// Packets from the front of the burst go their way; what the port does not take stays. Returns how many it took.
    fn send(&self, burst: &mut Burst, port: u16) -> usize {
        let now = self.clock.ns(self.clock.cycles());
        let mut line = lock(&self.line);
        burst.take_front(|packet| {
            let len = packet.total_len();
            if self.under_way.load(Ordering::Relaxed) >= self.places {
                return Err(packet);
            }
            let fate = line.0.send(now, len);
            if let Some(trace) = self.trace.as_ref().filter(|_| fate != Fate::Refused) {
                trace.sent(port, now, &fate, &packet);
            }
            let lost = |packet: Packet, counter: &AtomicU64| {
                counter.fetch_add(1, Ordering::Relaxed);
                packet.free();
            };
            let c = &self.counts;
            match fate {
                Fate::Refused => return Err(packet),
                Fate::Lost(Cause::Queue) => lost(packet, &c.queue_full),
                Fate::Lost(Cause::Early) => lost(packet, &c.early),
                Fate::Lost(Cause::Line) => lost(packet, &c.lost),
                Fate::Arrives(arrival) => {
                    let more = f64::from_bits(self.more_loss.load(Ordering::Relaxed));
                    if line.0.loses(more) {
                        lost(packet, &c.lost);
                    } else if self.is_read.load(Ordering::Relaxed) {
                        line.1 = self.fly(packet, now, &arrival, line.1);
                    } else {
                        lost(packet, &c.missed);
                    }
                }
            }
            c.sent.fetch_add(1, Ordering::Relaxed);
            c.sent_bytes.fetch_add(len.into(), Ordering::Relaxed);
            Ok(())
        })
    }

    /// Puts a packet on the line, as number `number`. Returns the next number.
    fn fly(&self, mut packet: Packet, now: u64, arrival: &Arrival, mut number: u64) -> u64 {
        let c = &self.counts;
        if let Some(bit) = arrival.bit {
            packet.turn_bit_over(bit);
            c.corrupted.fetch_add(1, Ordering::Relaxed);
        }
        c.reordered.fetch_add(arrival.late.into(), Ordering::Relaxed);
        let twin = if arrival.twice { self.twin(&packet) } else { None };
        for packet in [Some(packet), twin].into_iter().flatten() {
            self.under_way.fetch_add(1, Ordering::Relaxed);
            let flight = Flight { due: arrival.due, number, sent: now, packet };
            number += 1;
            // The queue has a place for each packet that may be under way, but for a twin.
            if let Err(flight) = self.flights.push(flight) {
                self.under_way.fetch_sub(1, Ordering::Relaxed);
                c.missed.fetch_add(1, Ordering::Relaxed);
                flight.packet.free();
            }
        }
        number
    }

    fn twin(&self, packet: &Packet) -> Option<Packet> {
        let copy = self.pool.take_one().and_then(|mut room| {
            if room.copy_from(packet) {
                return Some(room);
            }
            room.free();
            None
        });
        let counter = if copy.is_some() { &self.counts.duplicated } else { &self.counts.not_duplicated };
        counter.fetch_add(1, Ordering::Relaxed);
        copy
    }
}

/// Where packets are sent into a wire. Several of one end share its line.
#[derive(Debug)]
pub struct TxEnd {
    way: Arc<Way>,
    port: u16,
}

impl TxEnd {
    pub(crate) fn new(way: Arc<Way>, port: u16) -> Self {
        Self { way, port }
    }

    /// Sends packets from the front of the burst; what the port does not take stays in it.
    pub fn tx(&mut self, burst: &mut Burst) -> usize {
        self.way.send(burst, self.port)
    }

    /// The link is down.
    pub fn is_shut(&self) -> bool {
        !self.way.link.is_up()
    }

    /// When it takes packets again, in nanoseconds of the run's clock; `None` where it does now, or only the other end knows.
    pub fn due(&self) -> Option<u64> {
        lock(&self.way.line).0.takes_again()
    }
}

/// Where packets come out of a wire: one queue, which one chain reads.
#[derive(Debug)]
pub struct RxEnd {
    way: Arc<Way>,
    port: u16,
    coming: BinaryHeap<Reverse<Flight>>,
    /// The receiving port's ring: what has arrived and was not fetched.
    ring: VecDeque<Packet>,
    descriptors: usize,
    timestamp: Option<RxTimestamp>,
}

impl RxEnd {
    pub(crate) fn new(way: Arc<Way>, port: u16, descriptors: u16, timestamp: Option<RxTimestamp>) -> Self {
        way.is_read.store(true, Ordering::Relaxed);
        let descriptors = usize::from(descriptors);
        let coming = BinaryHeap::with_capacity(way.places);
        Self { coming, ring: VecDeque::with_capacity(descriptors), way, port, descriptors, timestamp }
    }

    /// Appends up to `max` packets to the burst, of those that have arrived.
    pub fn rx(&mut self, burst: &mut Burst, max: usize) -> usize {
        let now = self.way.clock.ns(self.way.clock.cycles());
        self.arrive(now);
        let n = self.ring.len().min(max).min(burst.free());
        let mut bytes = 0;
        for mut packet in self.ring.drain(..n) {
            bytes += u64::from(packet.total_len());
            if let Some(trace) = &self.way.trace {
                trace.received(self.port, now, &packet);
            }
            packet.set_port(self.port);
            if let Err(packet) = burst.push(packet) {
                packet.free();
            }
        }
        if n != 0 {
            self.way.under_way.fetch_sub(n, Ordering::Relaxed);
            self.way.counts.received.fetch_add(n as u64, Ordering::Relaxed);
            self.way.counts.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        n
    }

    /// When the next packet is there, in nanoseconds of the run's clock: 0 where one is; `None` where none is under way.
    pub fn due(&mut self) -> Option<u64> {
        if !self.ring.is_empty() {
            return Some(0);
        }
        self.fetch();
        self.coming.peek().map(|Reverse(flight)| flight.due)
    }

    fn fetch(&mut self) {
        while let Some(flight) = self.way.flights.pop() {
            self.coming.push(Reverse(flight));
        }
    }

    /// What is due comes into the ring, or is missed where that is full.
    fn arrive(&mut self, now: u64) {
        self.fetch();
        while self.coming.peek().is_some_and(|Reverse(flight)| flight.due <= now) {
            let Some(Reverse(flight)) = self.coming.pop() else { return };
            let mut packet = flight.packet;
            let cut = self.way.link.cuts(flight.sent, flight.due);
            if cut || self.ring.len() >= self.descriptors {
                let c = &self.way.counts;
                let counter = if cut { &c.cut } else { &c.missed };
                counter.fetch_add(1, Ordering::Relaxed);
                self.way.under_way.fetch_sub(1, Ordering::Relaxed);
                packet.free();
                continue;
            }
            // What the sender asked for and knew of it does not travel.
            packet.set_mark(0);
            packet.set_flags(self.timestamp.map_or(0, |timestamp| timestamp.flag));
            if let Some(timestamp) = self.timestamp {
                packet.set_dynamic_u64(timestamp.offset, flight.due);
            }
            self.ring.push_back(packet);
        }
    }
}

/// What was not fetched is freed, and counted as left.
impl Drop for RxEnd {
    fn drop(&mut self) {
        self.way.is_read.store(false, Ordering::Relaxed);
        let coming = self.coming.drain().map(|Reverse(flight)| flight.packet);
        let n = self.ring.drain(..).chain(coming).map(Packet::free).count();
        self.way.under_way.fetch_sub(n, Ordering::Relaxed);
        self.way.counts.left.fetch_add(n as u64, Ordering::Relaxed);
    }
}
