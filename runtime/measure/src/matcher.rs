//! Packets that pass by: the same one seen at two places, by its identity. Whoever sees packets writes what it sees into a ring
//! ([`crate::sights`]); one lcore takes it all out, in the order of its times, and matches. So nobody shares a table, and what is
//! decided follows from identities and times, whichever lcore was faster.

use crate::buckets::Precision;
use crate::delay::Delay;
use crate::memory::{Fate, Memory};
use crate::sights::{Sight, SightCounts, Sights};
use crate::tally::Tally;
use crate::times::{Lost, Times};
use hdrhistogram::CreationError;
use perigee_report::{PathCounts, PathStats};
use std::sync::Arc;

/// What was seen is matched after so long, nanoseconds: until then an lcore that is behind may bring what was seen before. One that
/// is further behind is waited for all the same, but what was ambiguous meanwhile may have been matched.
const REST_NS: u64 = 1_000_000;

/// Entries that a tick looks at after their time-out: the rest follows at the next one.
const MOST_JUDGED: usize = 1 << 14;

/// Packets with identities that come again and again, which are kept when room is made.
const MOST_KEPT: usize = 8;

/// At which place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where packets come first.
    First,
    /// And then.
    Then,
}

/// How a path is measured.
#[derive(Clone, Copy, Debug)]
pub struct PathOptions {
    /// What was not seen again after so long is lost, nanoseconds.
    pub timeout_ns: u64,
    /// Packets that are remembered.
    pub places: u32,
}

/// What is counted of a path: by one lcore, and read by others.
#[derive(Debug)]
pub struct Passed {
    timeout_ns: u64,
    first: Tally,
    in_time: Tally,
    late: Tally,
    in_time_from_lost: Tally,
    late_from_lost: Tally,
    called_lost: Tally,
    overrun: Tally,
    ambiguous: Tally,
    then: Tally,
    twice: Tally,
    ambiguous_then: Tally,
    only_then: Tally,
    reordered: Tally,
    delay: Delay,
    sights: Vec<(Place, SightCounts)>,
}

impl Passed {
    /// Counts at one moment. What has become of packets is read before how many there were, so nothing is negative.
    #[must_use]
    pub fn counts(&self) -> PathCounts {
        let [late_from_lost, in_time_from_lost] = [&self.late_from_lost, &self.in_time_from_lost].map(Tally::read);
        let [in_time, late, twice, ambiguous_then, only_then] =
            [&self.in_time, &self.late, &self.twice, &self.ambiguous_then, &self.only_then].map(Tally::read);
        let [ambiguous, overrun, called_lost] = [&self.ambiguous, &self.overrun, &self.called_lost].map(Tally::read);
        let [reordered, then, first] = [&self.reordered, &self.then, &self.first].map(Tally::read);
        let (in_time, late) = (in_time + in_time_from_lost, late + late_from_lost);
        let lost = called_lost - in_time_from_lost - late_from_lost;
        let sum = |of: Place, count: fn(&SightCounts) -> u64| {
            self.sights.iter().filter(|(place, _)| *place == of).map(|(_, sights)| count(sights)).sum()
        };
        let both = |count| [sum(Place::First, count), sum(Place::Then, count)];
        PathCounts {
            first,
            in_time,
            late,
            lost,
            ambiguous,
            outstanding: first.saturating_sub(in_time + late + lost + ambiguous),
            then,
            twice,
            ambiguous_then,
            only_then,
            waiting: then.saturating_sub(in_time + late + twice + ambiguous_then + only_then),
            reordered,
            overrun,
            nameless: both(SightCounts::nameless),
            unlooked: both(SightCounts::unlooked),
        }
    }

    /// Something may still come in time, or is not matched yet.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.counts().outstanding != 0 || !self.sights.iter().all(|(_, sights)| sights.is_empty())
    }

    /// From the first place to the second, as it is read now.
    #[must_use]
    pub fn latency(&self) -> Times {
        self.delay.read().real
    }

    /// As it is told, under this name.
    #[must_use]
    pub fn told(&self, name: &str) -> PathStats {
        let (packets, delays) = (self.counts(), self.delay.read());
        let lost = Lost { count: packets.lost, at_least_ns: self.timeout_ns };
        PathStats {
            name: name.to_owned(),
            packets,
            latency: delays.real.told(Some(lost)),
            variation: delays.variation(),
            ..PathStats::default()
        }
    }
}

/// Matches what was seen of a path.
#[derive(Debug)]
pub struct Matcher {
    sights: Vec<(Place, Sights)>,
    memory: Memory,
    passed: Arc<Passed>,
    timeout_ns: u64,
    /// The next packet that is seen at the first place gets it.
    number: u64,
    /// What is seen for the first time later than that does not count.
    stopped_ns: u64,
    /// The number behind the highest one that was seen at the second place.
    next: u64,
}

impl Matcher {
    /// Of what these rings bring. All memory is taken here.
    ///
    /// # Errors
    /// There is a histogram's precision that `hdrhistogram` does not have.
    pub fn new(options: PathOptions, mut sights: Vec<(Place, Sights)>) -> Result<Self, CreationError> {
        sights.sort_by_key(|(place, _)| *place == Place::Then);
        let passed = Passed {
            timeout_ns: options.timeout_ns,
            first: Tally::default(),
            in_time: Tally::default(),
            late: Tally::default(),
            in_time_from_lost: Tally::default(),
            late_from_lost: Tally::default(),
            called_lost: Tally::default(),
            overrun: Tally::default(),
            ambiguous: Tally::default(),
            then: Tally::default(),
            twice: Tally::default(),
            ambiguous_then: Tally::default(),
            only_then: Tally::default(),
            reordered: Tally::default(),
            delay: Delay::new(Precision::FINE, Precision::COARSE)?,
            sights: sights.iter().map(|(place, sights)| (*place, sights.counts())).collect(),
        };
        Ok(Self {
            sights,
            memory: Memory::new(options.places),
            passed: Arc::new(passed),
            timeout_ns: options.timeout_ns,
            number: 0,
            stopped_ns: u64::MAX,
            next: 0,
        })
    }

    /// What others read.
    #[must_use]
    pub fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.passed)
    }

    /// Matches up to `most` packets of those that were seen long enough ago.
    #[inline]
    pub fn work(&mut self, now_ns: u64, most: usize) {
        let until = now_ns.saturating_sub(REST_NS);
        for _ in 0..most {
            match self.take(until) {
                Some((Place::First, sight)) => self.first(sight),
                Some((Place::Then, sight)) => self.then(sight),
                None => return,
            }
        }
    }

    /// Matches all of it, and looks at what was to come by now: about once a millisecond.
    pub fn tick(&mut self, now_ns: u64) {
        self.work(now_ns, usize::MAX);
        // What was seen later than this is not matched yet.
        let until_ns = now_ns.saturating_sub(REST_NS);
        self.judge(until_ns, MOST_JUDGED);
        self.forget(until_ns);
    }

    /// What is seen for the first time from now on does not count: only what is on its way is waited for.
    pub fn stop(&mut self, now_ns: u64) {
        self.stopped_ns = now_ns;
    }

    /// Nothing comes any more: what has not come is lost.
    pub fn finish(&mut self) {
        self.work(u64::MAX, usize::MAX);
        self.judge(u64::MAX, usize::MAX);
    }

    /// Takes out what was seen first of all that waits, unless it was seen later than `until`. Of several of one moment it is the one
    /// at the first place.
    #[inline]
    fn take(&mut self, until: u64) -> Option<(Place, Sight)> {
        let mut earliest: Option<(usize, Sight)> = None;
        for (number, (_, sights)) in self.sights.iter_mut().enumerate() {
            let sight = sights.first();
            if let Some(sight) = sight.filter(|sight| earliest.is_none_or(|(_, first)| sight.ns < first.ns)) {
                earliest = Some((number, sight));
            }
        }
        let (number, sight) = earliest.filter(|(_, sight)| sight.ns <= until)?;
        let (place, sights) = &mut self.sights[number];
        sights.pop();
        Some((*place, sight))
    }

    #[inline]
    fn first(&mut self, Sight { id, ns }: Sight) {
        if ns > self.stopped_ns {
            return;
        }
        let passed = &*self.passed;
        passed.first.add(1);
        let number = self.number;
        self.number += 1;
        let Some(entry) = self.memory.find(id) else {
            self.make_room();
            return self.memory.push(id, ns, number, Fate::Waiting);
        };
        match entry.fate {
            Fate::OnlyThen(copies) => {
                let then_ns = std::mem::replace(&mut entry.ns, ns);
                (entry.number, entry.fate) = (number, Fate::Matched);
                passed.twice.add(u64::from(copies) - 1);
                self.matched(number, ns, then_ns);
            }
            fate => {
                // One that waits is ambiguous from now on, and counted no other way; of all others it was decided.
                passed.ambiguous.add(1 + u64::from(fate == Fate::Waiting));
                (entry.ns, entry.fate) = (ns, Fate::Ambiguous);
            }
        }
    }

    #[inline]
    fn then(&mut self, Sight { id, ns }: Sight) {
        let passed = &*self.passed;
        let Some(entry) = self.memory.find(id) else {
            if ns > self.stopped_ns {
                return;
            }
            passed.then.add(1);
            self.make_room();
            return self.memory.push(id, ns, 0, Fate::OnlyThen(1));
        };
        passed.then.add(1);
        match &mut entry.fate {
            Fate::Waiting => {
                let (number, first_ns) = (entry.number, entry.ns);
                entry.fate = Fate::Matched;
                self.matched(number, first_ns, ns);
            }
            Fate::Lost => {
                let (number, first_ns) = (entry.number, entry.ns);
                entry.fate = Fate::Matched;
                self.found(number, first_ns, ns);
            }
            Fate::OnlyThen(copies) => *copies = copies.saturating_add(1),
            Fate::Ambiguous => passed.ambiguous_then.add(1),
            Fate::Matched | Fate::Forgotten => passed.twice.add(1),
        }
    }

    /// A packet was seen at both places.
    #[inline]
    fn matched(&mut self, number: u64, first_ns: u64, then_ns: u64) {
        let in_time = then_ns.saturating_sub(first_ns) <= self.timeout_ns;
        let count = if in_time { &self.passed.in_time } else { &self.passed.late };
        count.add(1);
        self.arrive(number, first_ns, then_ns);
    }

    /// A packet was seen at the second place that had been called lost: it is late, or the lcore that saw it was behind.
    #[cold]
    fn found(&mut self, number: u64, first_ns: u64, then_ns: u64) {
        let in_time = then_ns.saturating_sub(first_ns) <= self.timeout_ns;
        let count = if in_time { &self.passed.in_time_from_lost } else { &self.passed.late_from_lost };
        count.add(1);
        self.arrive(number, first_ns, then_ns);
    }

    #[inline]
    fn arrive(&mut self, number: u64, first_ns: u64, then_ns: u64) {
        self.passed.delay.pass(number, first_ns, then_ns);
        if number < self.next {
            self.passed.reordered.add(1);
        } else {
            self.next = number + 1;
        }
    }

    /// Calls lost what has waited for its time-out.
    fn judge(&mut self, now_ns: u64, most: usize) {
        let passed = &*self.passed;
        for _ in 0..most {
            let Some(entry) = self.memory.unjudged() else { return };
            if now_ns.saturating_sub(entry.ns) <= self.timeout_ns {
                return;
            }
            match entry.fate {
                Fate::Waiting => {
                    entry.fate = Fate::Lost;
                    passed.called_lost.add(1);
                }
                Fate::OnlyThen(copies) => {
                    passed.only_then.add(copies.into());
                    self.memory.forget_unjudged();
                }
                _ => {}
            }
            self.memory.judge();
        }
    }

    /// Forgets what is older than twice the time-out; it was looked at.
    fn forget(&mut self, now_ns: u64) {
        let after = self.timeout_ns.saturating_mul(2);
        for _ in 0..MOST_JUDGED {
            let Some(entry) = self.memory.oldest() else { return };
            // What is ambiguous has the time at which it was seen last, and moves to its place among those of that time.
            let is_moved = entry.fate == Fate::Ambiguous && now_ns.saturating_sub(entry.ns) <= after;
            if !is_moved && entry.fate != Fate::Forgotten && now_ns.saturating_sub(entry.ns) <= after {
                return;
            }
            self.memory.forget_oldest();
            if is_moved {
                self.memory.push(entry.id, entry.ns, entry.number, entry.fate);
            }
        }
    }

    /// Where all places are taken, the oldest packet makes room, whatever is known of it.
    #[inline]
    fn make_room(&mut self) {
        if self.memory.is_full() {
            self.give_up_oldest();
        }
    }

    #[cold]
    fn give_up_oldest(&mut self) {
        let passed = &*self.passed;
        for kept in 0..=MOST_KEPT {
            if self.memory.oldest().is_none() {
                match self.memory.unjudged().map(|entry| entry.fate) {
                    Some(Fate::Waiting) => {
                        passed.overrun.add(1);
                        passed.called_lost.add(1);
                    }
                    Some(Fate::OnlyThen(copies)) => passed.only_then.add(copies.into()),
                    _ => {}
                }
                self.memory.judge();
            }
            let oldest = self.memory.oldest();
            self.memory.forget_oldest();
            // An identity that all packets have would else be one that is new again and again.
            match oldest.filter(|entry| entry.fate == Fate::Ambiguous && kept < MOST_KEPT) {
                Some(entry) => self.memory.push(entry.id, entry.ns, entry.number, entry.fate),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
