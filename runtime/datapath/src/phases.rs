//! Cycles by phase of a poll, of one poll in so many that brought packets: all others pay for a look at a number at each phase.

use perigee_core::clock::cycles;
use perigee_core::counters::{Counter, Counters};

/// Polls with packets from one that is measured to the next: a prime, so that it does not go along with what is done each so many times.
const EVERY: u32 = 251;
/// Readings of the counter of which the fastest says what one costs.
const READINGS: u32 = 64;

/// What a chain does with a burst. Freeing is told apart wherever it happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    /// Takes it from its source: a port, a ring, a pool of rooms.
    Rx,
    /// Tells a module of it.
    Publish,
    /// The module's call.
    Guest,
    /// Reads what the module said, and sorts packets by it.
    Collect,
    /// Hands packets to ports and rings.
    Tx,
}

impl Phase {
    /// What its cycles are counted as, in the order of phases.
    const COUNTERS: [Counter; 5] =
        [Counter::CyclesRx, Counter::CyclesPublish, Counter::CyclesGuest, Counter::CyclesCollect, Counter::CyclesTx];
}

/// The clock of a chain's phases.
#[derive(Debug)]
pub(crate) struct Phases {
    /// This poll is measured.
    is_on: bool,
    /// Polls with packets until the next one is; `None`: never.
    left: Option<u32>,
    /// When the phase began.
    begun: u64,
    /// What a reading of the counter costs.
    reading: u64,
    by_phase: [u64; Phase::COUNTERS.len()],
    free: u64,
}

impl Phases {
    /// Where time is the machine's: a simulation has no cycles.
    pub(crate) fn new(is_real: bool) -> Self {
        let reading = || {
            let begun = cycles();
            cycles().saturating_sub(begun)
        };
        let reading = (0..READINGS).map(|_| reading()).min().unwrap_or(0);
        let left = is_real.then_some(EVERY - 1);
        Self { is_on: false, left, begun: 0, reading, by_phase: [0; Phase::COUNTERS.len()], free: 0 }
    }

    /// A poll begins.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if self.left == Some(0) {
            self.is_on = true;
            (self.by_phase, self.free) = ([0; Phase::COUNTERS.len()], 0);
            self.begun = cycles();
        }
    }

    /// A phase is over.
    #[inline]
    pub(crate) fn over(&mut self, phase: Phase) {
        if self.is_on {
            self.add(phase);
        }
    }

    #[cold]
    fn add(&mut self, phase: Phase) {
        let now = cycles();
        if let Some(place) = self.by_phase.get_mut(phase as usize) {
            *place += now.saturating_sub(self.begun).saturating_sub(self.reading);
        }
        self.begun = now;
    }

    /// Frees something, in the middle of a phase.
    #[inline]
    pub(crate) fn free<T>(&mut self, free: impl FnOnce() -> T) -> T {
        if !self.is_on {
            return free();
        }
        let before = cycles();
        let freed = free();
        let took = cycles().saturating_sub(before);
        self.free += took.saturating_sub(self.reading);
        // The phase goes on as if it had not been, but for the second reading.
        self.begun += took + self.reading;
        freed
    }

    /// The poll is over, in which so many packets came.
    #[inline]
    pub(crate) fn end(&mut self, packets: usize, counters: &mut Counters) {
        if self.is_on {
            self.count(packets, counters);
        } else if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
    }

    #[cold]
    fn count(&mut self, packets: usize, counters: &mut Counters) {
        let number = |cycles: u64| usize::try_from(cycles).unwrap_or(0);
        counters.add(Counter::TimedPackets, packets);
        counters.add(Counter::CyclesFree, number(self.free));
        for (counter, cycles) in Phase::COUNTERS.into_iter().zip(self.by_phase) {
            counters.add(counter, number(cycles));
        }
        (self.is_on, self.left) = (false, Some(EVERY - 1));
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn spin() {
        let begun = cycles();
        while cycles() < begun + 200_000 {}
    }

    #[test]
    fn one_poll_in_so_many_is_measured_and_each_phase_has_its_own() {
        let (mut phases, mut counters) = (Phases::new(true), Counters::default());
        for _ in 0..2 * EVERY {
            phases.begin();
            let is_on = phases.is_on;
            phases.over(Phase::Rx);
            if is_on {
                spin();
                phases.free(spin);
            }
            phases.over(Phase::Guest);
            phases.end(10, &mut counters);
        }
        let of = |counter| counters.get(counter);
        assert_eq!((of(Counter::TimedPackets), of(Counter::CyclesPublish)), (20, 0));
        assert!(of(Counter::CyclesRx) < 100_000, "{}", of(Counter::CyclesRx));
        // An interruption of the thread may make either longer; nothing makes them shorter.
        assert!(of(Counter::CyclesGuest) > 390_000, "{}", of(Counter::CyclesGuest));
        assert!(of(Counter::CyclesFree) > 390_000, "{}", of(Counter::CyclesFree));
    }

    #[test]
    fn an_empty_poll_counts_for_nothing_and_a_simulation_has_none() {
        let (mut phases, mut counters) = (Phases::new(true), Counters::default());
        (0..EVERY).for_each(|_| phases.end(1, &mut counters));
        for _ in 0..3 {
            phases.begin();
            spin();
            phases.over(Phase::Rx);
        }
        phases.begin();
        phases.over(Phase::Rx);
        phases.end(1, &mut counters);
        assert!(counters.get(Counter::CyclesRx) < 200_000, "{}", counters.get(Counter::CyclesRx));
        let mut phases = Phases::new(false);
        for _ in 0..2 * EVERY {
            phases.begin();
            phases.over(Phase::Tx);
            phases.end(1, &mut counters);
        }
        assert_eq!((counters.get(Counter::TimedPackets), phases.is_on), (1, false));
    }
}
