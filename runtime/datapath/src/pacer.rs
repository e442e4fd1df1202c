//! When packets leave a chain: made ahead of their time, they wait here for it.
//!
//! A stream's schedule says when each packet leaves, or the module that makes it does (the ABI's TIME and GAP). Those whose time has
//! come are handed to the lanes of their ports in one burst; the clock is read once for it, but each has its own time. Nothing that
//! waits depends on what comes behind it.

use crate::stream::{Change, Stream};
use perigee_config::stream::Late;
use perigee_core::clock::{Clock, Now};
use perigee_core::counters::{Counter, Counters};
use perigee_dpdk::packet::Packet;
use perigee_dpdk::timestamp::TxMarks;
use perigee_pace::{Schedule, Wheel};
use std::sync::Arc;

/// Packets are made this long before they leave, nanoseconds: enough for an lcore's longest turn, and so short that a change of rate is
/// felt at once.
const AHEAD: u64 = 50_000;
/// Packets that wait at most.
const PLACES: usize = 1_024;
/// Nanoseconds in a bucket of the wheel.
const GRAIN: u64 = 256;
/// Buckets of the wheel.
const BUCKETS: usize = 4_096;

/// Without a stream, a packet is late from so many nanoseconds on.
const LATE_AFTER: u64 = 10_000;

/// A packet that waits for its time.
#[derive(Debug)]
pub struct Waiting {
    /// The lane that it leaves by.
    pub lane: usize,
    /// The lane's port is to prepare offloads.
    pub prepare: bool,
    /// The packet itself.
    pub packet: Packet,
}

/// What a pacer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What becomes of the schedule when a packet is late.
    pub late: Late,
    /// From so many nanoseconds on a packet is late.
    pub late_after: u64,
    /// The module says the times of the stream's packets.
    pub by_module: bool,
    /// Packets are made when they are due, and not received.
    pub makes: bool,
    /// What finds no place waits outside, and is not dropped.
    pub waits: bool,
}

impl Terms {
    /// For the times that a module asks for, without a stream.
    pub fn of_module(makes: bool) -> Self {
        Self { late: Late::CatchUp, late_after: LATE_AFTER, by_module: true, makes, waits: makes }
    }
}

/// What became of a packet that came to the pacer.
#[derive(Debug)]
pub enum Taken {
    /// It waits for its time.
    Waits,
    /// Nothing is asked of its time: it leaves now.
    Leaves(Waiting),
    /// There is no place for it.
    Full(Waiting),
}

/// A stream on one lcore.
#[derive(Debug)]
pub struct Paced {
    /// When its packets leave here.
    pub schedule: Schedule,
    /// What its lcores share.
    pub stream: Arc<Stream>,
    /// How far it is here.
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    Over,
}

impl Paced {
    /// One that has not begun; the times of its schedule are from its beginning on.
    pub fn new(schedule: Schedule, stream: Arc<Stream>) -> Self {
        Self { schedule, stream, phase: Phase::Waiting }
    }

    /// The departure of the next packet that is not made.
    #[inline]
    fn peek(&self) -> Option<u64> {
        if self.phase == Phase::Running { self.schedule.peek() } else { None }
    }
}

/// Holds the packets of one chain on one lcore until their time has come.
#[derive(Debug)]
pub struct Pacer {
    paced: Option<Paced>,
    terms: Terms,
    marks: TxMarks,
    wheel: Wheel<Waiting>,
    /// By so much all that the schedule says is moved, nanoseconds: what was late, where it is not to be made up for.
    shift: u64,
    /// The departure of the packet before.
    last: u64,
}

impl Pacer {
    /// Nothing waits. Without a schedule only the module's own times count.
    pub fn new(paced: Option<Paced>, terms: Terms, marks: TxMarks) -> Self {
        Self { paced, terms, marks, wheel: Wheel::new(GRAIN, BUCKETS, PLACES), shift: 0, last: 0 }
    }

    /// Looks, once a tick, whether the stream begins or is over here.
    pub fn tend(&mut self, now_ns: u64) {
        let Some(paced) = &mut self.paced else { return };
        if paced.phase == Phase::Waiting
            && let Some(begin) = paced.stream.begin(now_ns)
        {
            paced.schedule.shift(begin);
            paced.phase = Phase::Running;
        }
        let now = now_ns.saturating_sub(self.shift);
        if paced.phase == Phase::Running && paced.schedule.is_over_by(now) && self.wheel.is_empty() {
            paced.stream.end(now_ns);
            paced.phase = Phase::Over;
        }
    }

    /// Its stream has no more packets.
    pub fn is_over(&self) -> bool {
        self.paced.as_ref().is_some_and(|paced| paced.phase == Phase::Over)
    }

    /// Changes the stream, where there is one here.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn change(&mut self, change: Change, now_ns: u64) -> Result<(), String> {
        let Some(paced) = &mut self.paced else { return Err("no stream paces this chain".to_owned()) };
        let now = now_ns.saturating_sub(self.shift);
        match change {
            Change::Rate(rate) => paced.schedule.set_rate(rate, now)?,
            Change::Pause => paced.schedule.pause(now),
            Change::Resume => paced.schedule.resume(now),
        }
        if change == Change::Pause || change == Change::Resume {
            paced.stream.set_paused(change == Change::Pause);
        }
        Ok(())
    }

    /// What stands in packets of their times.
    pub fn marks(&self) -> TxMarks {
        self.marks
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.wheel.len()
    }

    /// None waits.
    pub fn is_empty(&self) -> bool {
        self.wheel.is_empty()
    }

    /// How many packets may come in, of `most`: as many as are due soon, where they are made for it, and as have a place.
    #[inline]
    pub fn wants(&mut self, most: usize, now: Now) -> usize {
        let free = PLACES - self.wheel.len();
        let most = if self.terms.waits || self.terms.makes { most.min(free) } else { most };
        if !self.terms.makes {
            return most;
        }
        match &mut self.paced {
            // Half of the time ahead must be used up first, so that packets are made in bursts.
            Some(paced) => {
                let now = now.ns.saturating_sub(self.shift);
                let soon = paced.peek().is_some_and(|next| next <= now.saturating_add(AHEAD / 2));
                if soon { paced.schedule.due(now, AHEAD, most) } else { 0 }
            }
            None if self.wheel.is_empty() || self.last <= now.ns.saturating_add(AHEAD / 2) => most,
            None => 0,
        }
    }

    /// When packets are to be made next, in nanoseconds of the run's clock; never, where the stream has paused or is over; `None` where
    /// nobody can say.
    pub fn next_made(&self) -> Option<u64> {
        match &self.paced {
            Some(paced) => {
                let next = paced.peek().map(|next| next.saturating_add(self.shift).saturating_sub(AHEAD / 2));
                Some(next.unwrap_or(u64::MAX))
            }
            None if self.wheel.is_empty() => None,
            None => Some(self.last.saturating_sub(AHEAD / 2)),
        }
    }

    /// When the next one that waits leaves, in nanoseconds of the run's clock.
    pub fn next_leaves(&self) -> Option<u64> {
        Some(self.wheel.next_time()?.saturating_add(self.shift))
    }

    /// All packets have a time of their own, whether they ask for it or not.
    #[inline]
    pub fn has_schedule(&self) -> bool {
        self.paced.is_some()
    }

    /// Takes a packet in.
    #[inline]
    pub fn take(&mut self, waiting: Waiting, clock: &Clock, counters: &mut Counters) -> Taken {
        let packet = &waiting.packet;
        let asked = packet.flags() & (self.marks.time | self.marks.gap);
        let at = match &mut self.paced {
            Some(paced) if asked == 0 || !self.terms.by_module => {
                counters.add(Counter::TxTimeIgnored, usize::from(asked != 0));
                if !self.terms.makes {
                    keep_up(&mut paced.schedule, clock.now_ns().saturating_sub(self.shift));
                }
                paced.schedule.take(packet.len())
            }
            None if asked == 0 => return Taken::Leaves(waiting),
            _ => {
                let (time, is_gap) = (packet.dynamic_u64(self.marks.offset), asked == self.marks.gap);
                self.asked_time(time, is_gap, packet.len(), clock)
            }
        };
        self.last = at;
        match self.wheel.push(at, waiting) {
            Ok(()) => Taken::Waits,
            Err(waiting) => Taken::Full(waiting),
        }
    }

    /// The time that a module asks for, on the schedule's clock.
    fn asked_time(&mut self, time: u64, is_gap: bool, len: u16, clock: &Clock) -> u64 {
        match &mut self.paced {
            Some(paced) if is_gap => paced.schedule.take_after(time, len),
            Some(paced) => paced.schedule.take_at(time.saturating_sub(self.shift), len),
            // Without a stream nothing is owed: from the packet that left before, or from now on.
            None if is_gap => self.last.saturating_add(time).max(clock.now_ns()),
            None => time,
        }
    }

    /// All packets of a burst are due now, and leave at once, without a wait in the wheel. Then the schedule has gone on.
    #[inline]
    pub fn takes_all(&mut self, packets: usize, now_ns: u64, counters: &mut Counters) -> bool {
        let Some(paced) = self.paced.as_mut().filter(|_| self.wheel.is_empty()) else { return false };
        let now = now_ns.saturating_sub(self.shift);
        let is_plain = self.terms.makes && !self.terms.by_module;
        let in_time = |at| self.terms.late == Late::CatchUp || now.saturating_sub(at) <= self.terms.late_after;
        if !is_plain || !paced.peek().is_some_and(in_time) {
            return false;
        }
        let Some(due) = paced.schedule.take_due(now, u16::try_from(packets).unwrap_or(u16::MAX)) else { return false };
        let late = now.saturating_sub(due.first);
        if late > self.terms.late_after {
            counters.set(Counter::WorstLate, counters.get(Counter::WorstLate).max(late));
            // They are evenly spaced: as many are late as lie before that moment.
            let (until, apart) = (late - self.terms.late_after, (due.last - due.first) / (packets as u64 - 1).max(1));
            let n = until.div_ceil(apart.max(1)).min(packets as u64);
            counters.add(Counter::SentLate, usize::try_from(n).unwrap_or(packets));
        }
        self.last = due.last;
        true
    }

    /// The next packet whose time has come; what is too late for the operator is dropped on the way.
    #[inline]
    pub fn pop(&mut self, now_ns: u64, counters: &mut Counters) -> Option<Waiting> {
        while let Some((at, mut waiting)) = self.wheel.pop_due(now_ns.saturating_sub(self.shift)) {
            let at = at.saturating_add(self.shift);
            let late = now_ns.saturating_sub(at);
            let mut intended = at;
            if late > self.terms.late_after {
                counters.set(Counter::WorstLate, counters.get(Counter::WorstLate).max(late));
                match self.terms.late {
                    Late::Drop => {
                        counters.add(Counter::Late, 1);
                        waiting.packet.free();
                        continue;
                    }
                    Late::Shift => {
                        self.shift += late;
                        counters.set(Counter::Moved, self.shift);
                        intended = now_ns;
                    }
                    Late::CatchUp => {}
                }
                counters.add(Counter::SentLate, 1);
            }
            waiting.packet.set_dynamic_u64(self.marks.offset, intended);
            return Some(waiting);
        }
        None
    }

    /// Packets whose time has come and that are still here, or not even made: at most `u16::MAX` of these.
    pub fn owed(&self, now_ns: u64) -> u64 {
        let now = now_ns.saturating_sub(self.shift);
        let overdue = self.wheel.next_time().is_some_and(|at| at.saturating_add(self.terms.late_after) < now);
        let waiting = if overdue { self.wheel.len() } else { 0 };
        let unmade = match &self.paced {
            Some(paced) if self.terms.makes && paced.phase == Phase::Running => {
                paced.schedule.due(now, 0, u16::MAX.into())
            }
            _ => 0,
        };
        (waiting + unmade) as u64
    }

    /// Takes out all that waits, when the run stops.
    pub fn give_up(&mut self) -> usize {
        self.wheel.drain().map(|(_, waiting)| waiting.packet.free()).count()
    }
}

/// A schedule for packets that come when they come: what was not there in time is not owed.
fn keep_up(schedule: &mut Schedule, now: u64) {
    if let Some(late) = schedule.peek().and_then(|next| now.checked_sub(next)) {
        schedule.shift(late);
    }
}
