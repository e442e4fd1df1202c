//! The one clock of the data path, read once per burst; and the CPU time of its thread, read once a millisecond at most.

#![allow(unsafe_code, reason = "the standard library has neither a cycle counter nor a clock of a thread")]

use super::bracket::narrowest;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time stamp counter, in its own cycles: about 25 of them to read, so once per burst.
#[inline]
pub fn cycles() -> u64 {
    // SAFETY:
    // - RDTSC is there on every x86-64, for which alone this crate is built.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Readings of both clocks when a run begins.
const READINGS: u32 = 4;

/// A moment: read once per poll.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time stamp counter.
    pub cycles: u64,
    /// Nanoseconds since the run began.
    pub ns: u64,
    /// Flags for the batches of this poll ([`perigee_abi::batch_flags`]).
    pub flags: u32,
}

/// Who moves a clock on.
#[derive(Clone, Copy, Debug)]
pub enum Hand {
    /// The machine: its time stamp counter.
    Tsc,
    /// Whoever writes here, in nanoseconds: time is what it is said to be.
    Set(&'static AtomicU64),
}

/// The one clock of a run: turns cycles of its hand into nanoseconds since the run began.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    hand: Hand,
    start: u64,
    start_unix_ns: u64,
    hz: u64,
    /// Nanoseconds per cycle as a 32.32 fixed-point number.
    ns_per_cycle: u64,
}

impl Clock {
    /// Starts now; `hz` is the counter's rate ([`crate::tsc::hz`]).
    pub fn start(hz: u64) -> Self {
        let unix = narrowest(READINGS, unix_now);
        let ns_per_cycle = (1_000_000_000_u128 << 32) / u128::from(hz.max(1));
        Self {
            hand: Hand::Tsc,
            start: unix.cycles,
            start_unix_ns: u64::try_from(unix.value.as_nanos()).unwrap_or(u64::MAX),
            hz,
            ns_per_cycle: u64::try_from(ns_per_cycle).unwrap_or(u64::MAX),
        }
    }

    /// As [`Self::start`], for a run that began at this Unix time.
    pub fn started_at(hz: u64, start_unix_ns: u64) -> Self {
        Self { start_unix_ns, ..Self::start(hz) }
    }

    /// A clock that stands where `now` says, in nanoseconds, of a run that began at this Unix time. Its cycles are nanoseconds.
    pub fn set_by(now: &'static AtomicU64, start_unix_ns: u64) -> Self {
        let start = now.load(Ordering::Relaxed);
        Self { hand: Hand::Set(now), start, start_unix_ns, hz: 1_000_000_000, ns_per_cycle: 1 << 32 }
    }

    /// Its hand is the machine's counter, and nobody sets it.
    pub fn is_the_machines(&self) -> bool {
        matches!(self.hand, Hand::Tsc)
    }

    /// Cycles at the run's beginning.
    pub fn start_cycles(&self) -> u64 {
        self.start
    }

    /// Cycles now.
    #[inline]
    pub fn cycles(&self) -> u64 {
        match self.hand {
            Hand::Tsc => cycles(),
            Hand::Set(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Lets time pass, where somebody sets it; the machine's passes by itself.
    pub fn pass(&self, ns: u64) {
        if let Hand::Set(now) = self.hand {
            now.fetch_add(ns, Ordering::Relaxed);
        }
    }

    /// What the calling thread has used of its CPU; of a time that is set, all of it.
    pub fn thread_time(&self) -> Duration {
        match self.hand {
            Hand::Tsc => thread_cpu_time(),
            Hand::Set(now) => Duration::from_nanos(now.load(Ordering::Relaxed)),
        }
    }

    /// Nanoseconds from the run's beginning until now.
    pub fn now_ns(&self) -> u64 {
        self.ns(self.cycles())
    }

    /// Nanoseconds from the run's beginning to `cycles`.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "2^64 ns are 584 years")]
    pub fn ns(&self, cycles: u64) -> u64 {
        ((u128::from(cycles.wrapping_sub(self.start)) * u128::from(self.ns_per_cycle)) >> 32) as u64
    }

    /// Nanoseconds that so many cycles take.
    #[allow(clippy::cast_possible_truncation, reason = "2^64 ns are 584 years")]
    pub fn duration_ns(&self, cycles: u64) -> u64 {
        ((u128::from(cycles) * u128::from(self.ns_per_cycle)) >> 32) as u64
    }

    /// Cycles that `ns` nanoseconds take.
    pub fn cycles_in(&self, ns: u64) -> u64 {
        u64::try_from(u128::from(ns) * u128::from(self.hz) / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// The counter's rate in Hz.
    pub fn hz(&self) -> u64 {
        self.hz
    }

    /// Unix time at the run's beginning, nanoseconds.
    pub fn start_unix_ns(&self) -> u64 {
        self.start_unix_ns
    }
}

/// The system's time (CLOCK_REALTIME), since 1970.
pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Nanoseconds of a time; the most that a number holds where it has more (584 years).
pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time of the calling thread.
pub fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY:
    // - the place for the answer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_clock_that_is_set_stands_where_it_was_set() {
        static NOW: AtomicU64 = AtomicU64::new(5_000);
        let clock = Clock::set_by(&NOW, 7);
        assert_eq!((clock.ns(clock.cycles()), clock.start_unix_ns(), clock.cycles_in(123)), (0, 7, 123));
        NOW.store(5_000 + u64::from(u32::MAX) * 1_000, Ordering::Relaxed);
        assert_eq!(clock.ns(clock.cycles()), u64::from(u32::MAX) * 1_000, "exact, however long it runs");
        NOW.fetch_add(1, Ordering::Relaxed);
        assert_eq!(clock.ns(clock.cycles()), u64::from(u32::MAX) * 1_000 + 1);
    }

    #[test]
    fn cycles_become_nanoseconds_without_drift() {
        let clock = Clock { start: 100, ..Clock::start(2_600_000_000) };
        assert_eq!(clock.ns(100), 0);
        let hour = 2_600_000_000 * 3_600;
        let ns = clock.ns(100 + hour);
        assert!(ns.abs_diff(3_600_000_000_000) < 10_000, "{ns}");
        assert_eq!(clock.cycles_in(1_000_000), 2_600_000);
    }
}
