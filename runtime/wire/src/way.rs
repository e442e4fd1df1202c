//! One direction of a wire: the packets that are under way, between the end that sends and the end that receives.

use crate::hold::{Gate, Held, PS};
use crate::line::{Arrival, Cause, Fate, Line};
use crate::trace::Trace;
use crossbeam_queue::ArrayQueue;
use perigee_core::clock::Clock;
use perigee_core::lock;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::timestamp::TxMarks;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A packet under way.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) due: u64,
    /// In the order in which they were sent, for those that arrive at the same time.
    number: u64,
    pub(crate) sent: u64,
    pub(crate) packet: Packet,
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
    /// Frames between packets, which nobody counts as packets.
    pub(crate) filler: AtomicU64,
    /// Came too late for the time that they carry.
    pub(crate) past: AtomicU64,
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
    pub(crate) fn cuts(&self, sent: u64, due: u64) -> bool {
        let cut = self.cut[0].load(Ordering::Relaxed);
        cut != u64::MAX && (sent..due).contains(&cut)
    }
}

/// The sending side of a direction.
#[derive(Debug)]
struct Out {
    line: Line,
    /// Of the next packet on the line.
    number: u64,
    /// What was taken and does not leave yet, whichever queue it came by.
    held: BinaryHeap<Reverse<Held>>,
    /// Of the next one that is held.
    next_held: u64,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Way {
    out: Mutex<Out>,
    /// The number of the port that sends.
    from: u16,
    /// The sending end may hold packets back.
    holds: bool,
    /// The flag of frames that only fill the line.
    filler: u64,
    pub(crate) flights: ArrayQueue<Flight>,
    /// Packets in `flights`, in the receiving end's hands, and in its ring.
    pub(crate) under_way: AtomicUsize,
    pub(crate) places: usize,
    /// Somebody reads at the other end.
    pub(crate) is_read: AtomicBool,
    /// Packets that come twice are copied into rooms of it.
    pool: Arc<Pool>,
    /// More loss than the line's own, for a while: the bits of a probability.
    more_loss: AtomicU64,
    pub(crate) link: Arc<Link>,
    pub(crate) counts: Counts,
    pub(crate) clock: Clock,
    pub(crate) trace: Option<Arc<Trace>>,
}

/// What a direction is made of at its sending end.
#[derive(Debug)]
pub(crate) struct Sending {
    /// The number of its port.
    pub(crate) from: u16,
    pub(crate) line: Line,
    /// It may hold packets back.
    pub(crate) holds: bool,
    /// Packets that may be under way.
    pub(crate) places: usize,
}

impl Way {
    pub(crate) fn new(
        sending: Sending,
        pool: Arc<Pool>,
        link: Arc<Link>,
        clock: Clock,
        trace: Option<Arc<Trace>>,
    ) -> Self {
        let Sending { from, line, holds, places } = sending;
        let places = places.max(64);
        let held = BinaryHeap::with_capacity(if holds { places } else { 0 });
        Self {
            out: Mutex::new(Out { line, number: 0, held, next_held: 0 }),
            from,
            holds,
            filler: TxMarks::get().map_or(0, |marks| marks.filler),
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
        for Reverse(held) in lock(&self.out).held.drain() {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            self.counts.left.fetch_add(1, Ordering::Relaxed);
            held.packet.free();
        }
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
    pub(crate) fn send(&self, burst: &mut Burst, gate: Option<&mut Gate>) -> usize {
        let now = self.clock.ns(self.clock.cycles());
        let mut out = lock(&self.out);
        match gate {
            None => burst.take_front(|packet| self.send_one(&mut out, packet, now)),
            Some(gate) => {
                self.let_go(&mut out, now);
                burst.take_front(|packet| self.hold(&mut out, packet, now, gate))
            }
        }
    }

    /// A packet goes onto the line, or only fills it.
    fn send_one(&self, out: &mut Out, packet: Packet, now: u64) -> Result<(), Packet> {
        let len = packet.total_len();
        if packet.flags() & self.filler != 0 {
            if !out.line.fill(now, len) {
                return Err(packet);
            }
            self.counts.filler.fetch_add(1, Ordering::Relaxed);
            packet.free();
            return Ok(());
        }
        if self.under_way.load(Ordering::Relaxed) >= self.places {
            return Err(packet);
        }
        let fate = out.line.send(now, len);
        if fate == Fate::Refused {
            return Err(packet);
        }
        self.count_sent(len);
        self.meet(out, packet, now, fate);
        Ok(())
    }

    fn count_sent(&self, len: u32) {
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        self.counts.sent_bytes.fetch_add(len.into(), Ordering::Relaxed);
    }

    /// A packet goes onto the line, or waits at its end until it may.
    fn hold(&self, out: &mut Out, packet: Packet, now: u64, gate: &mut Gate) -> Result<(), Packet> {
        if packet.flags() & self.filler != 0 {
            return self.send_one(out, packet, now);
        }
        if self.under_way.load(Ordering::Relaxed) >= self.places {
            return Err(packet);
        }
        let Some(release) = gate.admit(now, &packet) else { return Err(packet) };
        self.counts.past.fetch_add(release.is_past.into(), Ordering::Relaxed);
        self.count_sent(packet.total_len());
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let number = out.next_held;
        out.next_held += 1;
        out.held.push(Reverse(Held { at: release.at, number, packet }));
        self.let_go(out, now);
        Ok(())
    }

    /// Those whose time has come leave the sending end, in the order of their times.
    fn let_go(&self, out: &mut Out, now: u64) {
        let until = now.saturating_mul(PS);
        while out.held.peek().is_some_and(|Reverse(held)| held.at <= until) {
            let Some(Reverse(Held { at, packet, .. })) = out.held.pop() else { return };
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let fate = out.line.send_held(at, packet.total_len());
            self.meet(out, packet, at / PS, fate);
        }
    }

    /// A packet that the port has sent at `now` meets its fate.
    fn meet(&self, out: &mut Out, packet: Packet, now: u64, fate: Fate) {
        if let Some(trace) = &self.trace {
            trace.sent(self.from, now, &fate, &packet);
        }
        let c = &self.counts;
        let lost = |packet: Packet, counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
            packet.free();
        };
        match fate {
            // A port that has taken a packet does not refuse it.
            Fate::Refused | Fate::Lost(Cause::Queue) => lost(packet, &c.queue_full),
            Fate::Lost(Cause::Early) => lost(packet, &c.early),
            Fate::Lost(Cause::Line) => lost(packet, &c.lost),
            Fate::Arrives(arrival) => {
                let more = f64::from_bits(self.more_loss.load(Ordering::Relaxed));
                if out.line.loses(more) {
                    lost(packet, &c.lost);
                } else if self.is_read.load(Ordering::Relaxed) {
                    out.number = self.fly(packet, now, &arrival, out.number);
                } else {
                    lost(packet, &c.missed);
                }
            }
        }
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

    /// When its line takes packets again, in nanoseconds; `None` where it does now.
    pub(crate) fn takes_again(&self) -> Option<u64> {
        lock(&self.out).line.takes_again()
    }

    /// Lets go what the sending end holds and what may go by now.
    pub(crate) fn go_on(&self) {
        if self.holds {
            let now = self.clock.ns(self.clock.cycles());
            self.let_go(&mut lock(&self.out), now);
        }
    }

    /// When the sending end lets the next packet go, in nanoseconds; `None` where it holds none.
    pub(crate) fn next_held(&self) -> Option<u64> {
        let held = |out: &Out| out.held.peek().map(|Reverse(held)| held.at.div_ceil(PS));
        if self.holds { held(&lock(&self.out)) } else { None }
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
