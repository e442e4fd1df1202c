//! Times of CLOCK_REALTIME on the run's clock. Whoever sets the system's clock slews or steps it while packets flow, and the run's own
//! is some millionths off: so where the run began on that clock is looked at all along.

use super::bracket::{Moment, narrowest};
use super::clock::{Clock, unix_now};
use std::sync::atomic::{AtomicU64, Ordering};

/// Readings of both clocks at one look.
const READINGS: u32 = 4;
/// A reading that took longer says nothing: this thread did not run in between.
const TOO_WIDE_NS: u64 = 20_000;

/// When the run began by CLOCK_REALTIME, as that clock reads now. All copies are one.
#[derive(Clone, Copy, Debug)]
pub struct UnixOrigin {
    clock: Clock,
    ns: &'static AtomicU64,
}

impl UnixOrigin {
    /// Of a run's clock. It stays where it is until the process ends: 8 bytes.
    pub fn new(clock: Clock) -> Self {
        let origin = Self { clock, ns: Box::leak(Box::new(AtomicU64::new(clock.start_unix_ns()))) };
        origin.look();
        origin
    }

    /// Nanoseconds since 1970 of the run's beginning.
    pub fn place(&self) -> &'static AtomicU64 {
        self.ns
    }

    /// Compares the clocks; to be called every few milliseconds. Only one thread does.
    pub fn look(&self) {
        // A clock that somebody sets has nothing to do with the system's.
        if self.clock.is_the_machines() {
            let moment = narrowest(READINGS, || unix_now().as_nanos());
            self.compare(&moment);
        }
    }

    fn compare(&self, moment: &Moment<u128>) {
        let half = self.clock.duration_ns(moment.width) / 2;
        let unix = u64::try_from(moment.value).unwrap_or(u64::MAX);
        let (now, kept) = (unix.saturating_sub(self.clock.ns(moment.cycles)), self.ns.load(Ordering::Relaxed));
        if half <= TOO_WIDE_NS / 2 {
            // What lies within the reading's own uncertainty stays as it is: it would only be noise.
            self.ns.store(kept.clamp(now.saturating_sub(half), now.saturating_add(half)), Ordering::Relaxed);
        }
    }

    /// A time of CLOCK_REALTIME on the run's clock, nanoseconds; `None` for one before the run.
    #[inline]
    pub fn run_ns(&self, unix_ns: u64) -> Option<u64> {
        unix_ns.checked_sub(self.ns.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::tsc;

    #[test]
    fn it_follows_a_clock_that_was_stepped_and_no_noise() {
        let clock = Clock::start(1_000_000_000);
        let origin = UnixOrigin::new(clock);
        let at = |unix, width| Moment { cycles: clock.start_cycles() + 1_000_000, width, value: unix };
        origin.ns.store(5_000_000_000, Ordering::Relaxed);
        origin.compare(&at(5_001_000_030, 100));
        assert_eq!(origin.run_ns(5_000_000_007), Some(7), "within half of the reading's width");
        origin.compare(&at(5_001_000_080, 100));
        assert_eq!(origin.run_ns(5_000_000_037), Some(7), "to the nearer end of what is possible");
        origin.compare(&at(9_001_000_000, 0));
        assert_eq!((origin.run_ns(9_000_000_007), origin.run_ns(8_999_999_999)), (Some(7), None));
        origin.compare(&at(5_001_000_000, 100_000));
        assert_eq!(origin.run_ns(9_000_000_007), Some(7), "a reading that was interrupted");
    }

    #[test]
    fn times_of_both_clocks_agree_all_along() {
        let clock = Clock::start(tsc::hz());
        let origin = UnixOrigin::new(clock);
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            origin.look();
            let moment = narrowest(8, || unix_now().as_nanos());
            let told = origin.run_ns(u64::try_from(moment.value).unwrap()).unwrap();
            let own = clock.ns(moment.cycles);
            assert!(told.abs_diff(own) < 20_000 + clock.duration_ns(moment.width), "{told} {own}");
        }
    }
}
