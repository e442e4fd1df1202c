//! The queues at the ends of a wire: where packets go in, and where they come out.

use crate::hold::Gate;
use crate::way::{Flight, Way};
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::timestamp::RxTimestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Where packets are sent into a wire. Several of one end share its line.
#[derive(Debug)]
pub struct TxEnd {
    way: Arc<Way>,
    /// Where the end may hold packets back.
    gate: Option<Box<Gate>>,
}

impl TxEnd {
    pub(crate) fn new(way: Arc<Way>, gate: Option<Box<Gate>>) -> Self {
        Self { way, gate }
    }

    /// Sends packets from the front of the burst; what the port does not take stays in it.
    pub fn tx(&mut self, burst: &mut Burst) -> usize {
        self.way.send(burst, self.gate.as_deref_mut())
    }

    /// The link is down.
    pub fn is_shut(&self) -> bool {
        !self.way.link.is_up()
    }

    /// When it takes packets again, in nanoseconds of the run's clock; `None` where it does now, or only the other end knows.
    pub fn due(&self) -> Option<u64> {
        match &self.gate {
            Some(gate) => gate.takes_again(),
            None => self.way.takes_again(),
        }
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
        let coming = self.coming.peek().map(|Reverse(flight)| flight.due);
        [coming, self.way.next_held()].into_iter().flatten().min()
    }

    fn fetch(&mut self) {
        self.way.go_on();
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
