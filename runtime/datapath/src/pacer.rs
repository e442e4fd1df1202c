//! When packets leave a chain: made ahead of their time, they wait here for it.
//!
//! A stream's schedule says when each packet leaves, or the module that makes it does (the ABI's TIME and GAP). Those whose time has
//! come are handed to the lanes of their ports in one burst; the clock is read once for it, but each has its own time. Nothing that
//! waits depends on what comes behind it.
//!
//! So the software does it. Where the port holds packets until their times, or a line is kept busy up to them, they are handed over as
//! long before as they are made; where the port limits the rate of a queue, they go as the queue takes them.

use crate::ledger::Ledger;
use crate::stream::Change;
use perigee_abi::MAX_BATCH;
use perigee_config::stream::{Late, Method};
use perigee_core::clock::{Clock, Now};
use perigee_core::counters::{Counter, Counters};
use perigee_dpdk::burst::Burst;
use perigee_dpdk::timestamp::TxMarks;
use perigee_pace::{Due, Schedule, Wheel};

mod filling;
mod line;
mod parts;

pub use filling::Filling;
use parts::Phase;
pub use parts::{Paced, Piece, Taken, Terms, Waiting, Whole};

/// Packets are made this long before they leave, nanoseconds: enough for an lcore's longest turn, and so short that a change of rate is
/// felt at once.
const AHEAD: u64 = 50_000;
/// Packets that wait at most.
const PLACES: usize = 1_024;
/// Nanoseconds in a bucket of the wheel.
const GRAIN: u64 = 256;
/// Buckets of the wheel.
const BUCKETS: usize = 4_096;

/// Holds the packets of one chain on one lcore until their time has come.
#[derive(Debug)]
pub struct Pacer {
    paced: Option<Paced>,
    terms: Terms,
    marks: TxMarks,
    wheel: Wheel<Waiting>,
    /// Times of the packets of the burst of the moment.
    times: Box<[u64; MAX_BATCH]>,
    /// By so much all that the schedule says is moved, nanoseconds: what was late, where it is not to be made up for.
    shift: u64,
    /// The departure of the packet before.
    last: u64,
    /// When packets were handed over last.
    left_at: u64,
    /// So long before its time a packet is handed over, nanoseconds.
    lead: u64,
}

impl Pacer {
    /// Nothing waits. Without a schedule only the module's own times count.
    pub fn new(paced: Option<Paced>, terms: Terms, marks: TxMarks) -> Self {
        let lead = match terms.method {
            Method::LaunchTime | Method::Filler => AHEAD,
            Method::Software | Method::RateLimit => 0,
        };
        Self {
            lead,
            paced,
            terms,
            marks,
            wheel: Wheel::new(GRAIN, BUCKETS, PLACES),
            times: Box::new([0; MAX_BATCH]),
            shift: 0,
            last: 0,
            left_at: 0,
        }
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
            // A tick comes up to a millisecond behind the end, and the rate would look lower by that.
            let by_schedule = paced.schedule.over_at(self.last).saturating_add(self.shift);
            paced.stream.end(by_schedule.max(self.left_at).min(now_ns));
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
    pub fn change(&mut self, change: &Change, now_ns: u64) -> Result<(), String> {
        let Some(paced) = &mut self.paced else { return Err("no stream paces this chain".to_owned()) };
        let now = now_ns.saturating_sub(self.shift);
        match change {
            Change::Rate(rate) => paced.schedule.set_rate(*rate, now)?,
            Change::Pattern(pattern, rate) => paced.schedule.set_pattern(pattern, *rate)?,
            Change::Pause => paced.schedule.pause(now),
            Change::Resume => paced.schedule.resume(now),
        }
        paced.stream.change(change, now_ns);
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
            // The queue says when; the schedule, how many.
            Some(paced) if self.terms.method == Method::RateLimit => match paced.peek() {
                Some(_) => paced.schedule.due(now.ns, u64::MAX, most),
                None => 0,
            },
            Some(paced) => {
                let now = now.ns.saturating_sub(self.shift);
                let soon = paced.peek().is_some_and(|next| next <= now.saturating_add(AHEAD / 2));
                if soon { paced.schedule.wanted(now, AHEAD, most) } else { 0 }
            }
            None if self.wheel.is_empty() || self.last <= now.ns.saturating_add(AHEAD / 2) => most,
            None => 0,
        }
    }

    /// When packets are to be made next, in nanoseconds of the run's clock; never, where the stream has paused or is over; `None` where
    /// nobody can say.
    pub fn next_made(&self) -> Option<u64> {
        match &self.paced {
            Some(paced) if self.terms.method == Method::RateLimit => Some(paced.peek().map_or(u64::MAX, |_| 0)),
            Some(paced) => {
                let next = paced.peek().map(|next| next.saturating_add(self.shift).saturating_sub(AHEAD / 2));
                Some(next.unwrap_or(u64::MAX))
            }
            None if self.wheel.is_empty() => None,
            None => Some(self.last.saturating_sub(AHEAD / 2)),
        }
    }

    /// When the next one that waits is handed over, or its line must be filled on, in nanoseconds of the run's clock.
    pub fn next_leaves(&self) -> Option<u64> {
        let handed = self.wheel.next_time().map(|time| time.saturating_add(self.shift).saturating_sub(self.lead));
        let running = self.paced.as_ref().filter(|paced| paced.filling.is_some() && paced.peek().is_some());
        match running.and_then(|paced| paced.filling.as_ref()) {
            Some(line) => handed.into_iter().chain([line.free_at_ns().saturating_sub(AHEAD / 4)]).min(),
            None => handed,
        }
    }

    /// Something waits, or a line is to be kept busy.
    #[inline]
    pub fn has_work(&self) -> bool {
        !self.wheel.is_empty() || self.fills()
    }

    /// It keeps a line busy between its packets.
    pub fn fills(&self) -> bool {
        self.paced.as_ref().is_some_and(|paced| paced.filling.is_some())
    }

    /// Those that leave until then are handed over now.
    #[inline]
    pub fn horizon(&self, now_ns: u64) -> u64 {
        now_ns.saturating_add(self.lead)
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
                if self.terms.method == Method::RateLimit {
                    paced.schedule.take(packet.len());
                    return Taken::Leaves(waiting);
                }
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

    /// Takes in a whole burst for one lane, where its times come from the schedule alone: then a packet costs little more than its
    /// place in the schedule. With `timed` each packet is to know its time, for a probe that it may become.
    #[inline]
    pub fn take_burst(
        &mut self,
        lane: usize,
        burst: &mut Burst,
        timed: bool,
        now_ns: u64,
        counters: &mut Ledger,
    ) -> Whole {
        let Some(paced) = self.paced.as_mut().filter(|_| self.terms.makes && !self.terms.by_module) else {
            return Whole::Singly;
        };
        if self.terms.method == Method::RateLimit {
            burst.iter_mut().for_each(|packet| {
                paced.schedule.take(packet.len());
                packet.set_dynamic_u64(self.marks.offset, 0);
            });
            self.left_at = now_ns;
            return Whole::Leaves;
        }
        let now = now_ns.saturating_sub(self.shift);
        let may_leave = self.lead == 0
            && self.wheel.is_empty()
            && (self.terms.late == Late::CatchUp
                || paced.peek().is_some_and(|at| now.saturating_sub(at) <= self.terms.late_after));
        let packets = burst.len();
        if may_leave
            && !timed
            && let Some(due) = paced.schedule.take_due(now, u16::try_from(packets).unwrap_or(u16::MAX))
        {
            self.note_even(due, packets, now, counters);
            self.left_at = now_ns;
            return Whole::Leaves;
        }
        for (place, packet) in self.times.iter_mut().zip(burst.iter_mut()) {
            *place = paced.schedule.take(packet.len());
        }
        let times = &self.times[..packets.min(MAX_BATCH)];
        self.last = times.last().copied().unwrap_or(self.last);
        if may_leave && self.last <= now {
            let first = times.first().copied().unwrap_or(now);
            if now.saturating_sub(first) > self.terms.late_after {
                let late = times.iter().filter(|at| now.saturating_sub(**at) > self.terms.late_after).count();
                note_late(now - first, late, counters);
            }
            if timed {
                let (times, at) = (times.iter().map(|at| at.saturating_add(self.shift)), self.marks.offset);
                burst.iter_mut().zip(times).for_each(|(packet, time)| packet.set_dynamic_u64(at, time));
            }
            self.left_at = now_ns;
            return Whole::Leaves;
        }
        for (packet, at) in burst.drain().zip(times) {
            if let Err(waiting) = self.wheel.push(*at, Waiting { lane, prepare: false, packet }) {
                counters.drop_one(Counter::TxFull, waiting.packet);
            }
        }
        Whole::Waits
    }

    /// Counts what is late of so many packets that are evenly spaced.
    fn note_even(&mut self, due: Due, packets: usize, now: u64, counters: &mut Counters) {
        self.last = due.last;
        let late = now.saturating_sub(due.first);
        if late > self.terms.late_after {
            // As many are late as lie before that moment.
            let (until, apart) = (late - self.terms.late_after, (due.last - due.first) / (packets as u64 - 1).max(1));
            let n = until.div_ceil(apart.max(1)).min(packets as u64);
            note_late(late, usize::try_from(n).unwrap_or(packets), counters);
        }
    }

    /// The next packet that leaves until `horizon` ([`Self::horizon`]); what is too late for the operator is dropped on the way. What is
    /// handed over now leaves at `now_ns` at the earliest.
    #[inline]
    pub fn pop(&mut self, horizon: u64, now_ns: u64, counters: &mut Ledger) -> Option<Waiting> {
        while let Some(next) = self.pop_one(horizon, now_ns, counters) {
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// As [`Self::pop`]; nothing in it where that one packet was dropped.
    #[inline]
    fn pop_one(&mut self, horizon: u64, now_ns: u64, counters: &mut Ledger) -> Option<Option<Waiting>> {
        let (at, mut waiting) = self.wheel.pop_due(horizon.saturating_sub(self.shift))?;
        let at = at.saturating_add(self.shift);
        let late = now_ns.saturating_sub(at);
        let mut intended = at;
        if late > self.terms.late_after {
            match self.terms.late {
                Late::Drop => {
                    let worst = counters.get(Counter::WorstLate).max(late);
                    counters.set(Counter::WorstLate, worst);
                    counters.drop_one(Counter::Late, waiting.packet);
                    return Some(None);
                }
                Late::Shift => {
                    self.shift += late;
                    counters.set(Counter::Moved, self.shift);
                    intended = now_ns;
                }
                Late::CatchUp => {}
            }
            note_late(late, 1, counters);
        }
        waiting.packet.set_dynamic_u64(self.marks.offset, intended);
        self.left_at = now_ns;
        Some(Some(waiting))
    }

    /// Packets whose time has come and that are still here, or not even made: of these about how many, where gaps are drawn.
    pub fn owed(&self, now_ns: u64) -> u64 {
        let now = now_ns.saturating_sub(self.shift);
        let overdue = self.wheel.next_time().is_some_and(|at| at.saturating_add(self.terms.late_after) < now);
        let waiting = if overdue { self.wheel.len() as u64 } else { 0 };
        let unmade = match &self.paced {
            Some(paced) if self.terms.method == Method::RateLimit || !paced.is_running() => 0,
            Some(paced) if self.terms.makes => paced.schedule.about_due(now),
            _ => 0,
        };
        waiting.saturating_add(unmade)
    }

    /// Takes out all that waits, when the run stops.
    pub fn give_up(&mut self, ledger: &mut Ledger) {
        self.wheel.drain().for_each(|(_, waiting)| ledger.drop_one(Counter::Stop, waiting.packet));
    }
}

/// So many packets leave late, the first of them by so many nanoseconds.
fn note_late(worst: u64, packets: usize, counters: &mut Counters) {
    counters.set(Counter::WorstLate, counters.get(Counter::WorstLate).max(worst));
    counters.add(Counter::SentLate, packets);
}

/// A schedule for packets that come when they come: what was not there in time is not owed.
fn keep_up(schedule: &mut Schedule, now: u64) {
    if let Some(late) = schedule.peek().and_then(|next| now.checked_sub(next)) {
        schedule.shift(late);
    }
}
