//! The one clock of the data path. Read once per burst; never the system's clock.

use perigee_dpdk_sys as sys;
use std::time::{SystemTime, UNIX_EPOCH};

/// Turns time stamp counter cycles into nanoseconds since the run began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: u64,
    start_unix_ns: u64,
    hz: u64,
    /// Nanoseconds per cycle as a 32.32 fixed-point number.
    ns_per_cycle: u64,
}

impl Clock {
    /// Starts now; `hz` is the counter's rate as DPDK measured it.
    pub(crate) fn start(hz: u64) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ns_per_cycle = (1_000_000_000_u128 << 32) / u128::from(hz.max(1));
        Self {
            start: sys::cycles(),
            start_unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
            hz,
            ns_per_cycle: u64::try_from(ns_per_cycle).unwrap_or(u64::MAX),
        }
    }

    /// As [`Self::start`], for a run that began at this Unix time.
    pub(crate) fn started_at(hz: u64, start_unix_ns: u64) -> Self {
        Self { start_unix_ns, ..Self::start(hz) }
    }

    /// Cycles now.
    #[inline]
    pub(crate) fn cycles(&self) -> u64 {
        sys::cycles()
    }

    /// Nanoseconds from the run's beginning to `cycles`.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "2^64 ns are 584 years")]
    pub(crate) fn ns(&self, cycles: u64) -> u64 {
        ((u128::from(cycles.wrapping_sub(self.start)) * u128::from(self.ns_per_cycle)) >> 32) as u64
    }

    /// Nanoseconds that so many cycles take.
    #[allow(clippy::cast_possible_truncation, reason = "2^64 ns are 584 years")]
    pub(crate) fn duration_ns(&self, cycles: u64) -> u64 {
        ((u128::from(cycles) * u128::from(self.ns_per_cycle)) >> 32) as u64
    }

    /// Cycles that `ns` nanoseconds take.
    pub(crate) fn cycles_in(&self, ns: u64) -> u64 {
        u64::try_from(u128::from(ns) * u128::from(self.hz) / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// The counter's rate in Hz.
    pub(crate) fn hz(&self) -> u64 {
        self.hz
    }

    /// Unix time at the run's beginning, nanoseconds.
    pub(crate) fn start_unix_ns(&self) -> u64 {
        self.start_unix_ns
    }
}

#[cfg(test)]
mod test {
    use super::*;

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
