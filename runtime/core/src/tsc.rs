//! How fast the time stamp counter runs, measured: DPDK's own figure is a tenth of a second's count rounded to 10 MHz, which
//! is up to 0.2 % of a rate, and where the CPU names a ratio it divides whole numbers first (DPDK 22.11, `rte_get_tsc_hz`).
#![allow(unsafe_code, reason = "the standard library has no clock that nobody steers")]

use super::bracket::narrowest;
use std::sync::OnceLock;
use std::time::Duration;

/// The counter and the kernel's raw clock at one moment.
#[derive(Clone, Copy, Debug)]
struct Pair {
    cycles: u64,
    raw: Duration,
}

/// The first moment of this process that was looked at: the longer ago, the more exact.
static FIRST: OnceLock<Pair> = OnceLock::new();

/// Shorter than this nothing is measured. Readings are some 100 ns apart, so the rate is exact to a few millionths.
const LEAST: Duration = Duration::from_millis(50);

/// Nanoseconds between the reading of one clock and of the other.
const READING_NS: f64 = 100.0;

/// The measurement begins, if it did not yet: early, so that what is done meanwhile need not be waited for.
pub fn begin() {
    let _ = FIRST.get_or_init(Pair::read);
}

/// The counter's rate in Hz since [`begin`], by CLOCK_MONOTONIC_RAW; which is as exact as the machine's oscillator.
pub fn hz() -> u64 {
    let first = FIRST.get_or_init(Pair::read);
    let passed = Pair::read().raw.saturating_sub(first.raw);
    std::thread::sleep(LEAST.saturating_sub(passed));
    rate(*first, Pair::read())
}

/// How far from the truth [`hz`] may be now, in millionths: both ends are read some 100 ns apart.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub fn unsure_ppm() -> f64 {
    let first = FIRST.get_or_init(Pair::read);
    let passed = Pair::read().raw.saturating_sub(first.raw).max(LEAST);
    2.0 * READING_NS / passed.as_nanos() as f64 * 1e6
}

fn rate(from: Pair, to: Pair) -> u64 {
    let ns = to.raw.saturating_sub(from.raw).as_nanos().max(1);
    let cycles = u128::from(to.cycles.saturating_sub(from.cycles));
    u64::try_from((cycles * 1_000_000_000 + ns / 2) / ns).unwrap_or(u64::MAX).max(1)
}

impl Pair {
    fn read() -> Self {
        let moment = narrowest(8, raw_time);
        Self { cycles: moment.cycles, raw: moment.value }
    }
}

/// CLOCK_MONOTONIC_RAW, which nobody steers.
pub fn raw_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY:
    // - the place for the answer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_rate_is_not_rounded() {
        let at = |cycles, us| Pair { cycles, raw: Duration::from_micros(us) };
        assert_eq!(rate(at(1_000, 10), at(1_000 + 259_481_234, 100_010)), 2_594_812_340);
        assert_eq!(rate(at(5, 10), at(5, 10)), 1);
    }

    #[test]
    fn two_measurements_agree() {
        begin();
        let first = hz();
        let alone = Pair::read();
        std::thread::sleep(LEAST * 2);
        let second = rate(alone, Pair::read());
        assert!(first.abs_diff(second) < first / 10_000, "{first} {second}");
    }
}
