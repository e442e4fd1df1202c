//! How long polls with packets take, as a histogram that one lcore writes and others read without a lock.

use crate::clock::Clock;
use perigee_report::BatchTime;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets in each power of two: a bucket is at most a sixteenth wider than where it begins.
const STEPS_BITS: u32 = 4;
const STEPS: usize = 1 << STEPS_BITS;
/// The longest time that has a bucket of its own: 2^40 cycles are some minutes.
const MAX_BITS: u32 = 40;
const BUCKETS: usize = (MAX_BITS - STEPS_BITS) as usize * STEPS;

/// Times of one chain on one lcore, in cycles.
pub struct BatchTimes {
    buckets: [AtomicU64; BUCKETS],
    max: AtomicU64,
}

impl Default for BatchTimes {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], max: AtomicU64::new(0) }
    }
}

impl std::fmt::Debug for BatchTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchTimes").field("max", &self.max).finish_non_exhaustive()
    }
}

impl BatchTimes {
    /// Counts a poll. One writer only: loads and stores without a locked instruction.
    #[inline]
    pub fn record(&self, cycles: u64) {
        let bucket = &self.buckets[index(cycles)];
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if cycles > self.max.load(Ordering::Relaxed) {
            self.max.store(cycles, Ordering::Relaxed);
        }
    }

    /// What was counted so far. Polls that end while it reads may be in it or not.
    pub fn read(&self, clock: &Clock) -> BatchTime {
        let ns = |cycles: u64| clock.duration_ns(cycles);
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let max = self.max.load(Ordering::Relaxed);
        let count = counts.iter().sum();
        let quantile = |per_mille: u64| ns(quantile(&counts, count, per_mille).min(max));
        let filled = counts.iter().enumerate().filter(|(_, n)| **n != 0);
        BatchTime {
            count,
            p50_ns: quantile(500),
            p99_ns: quantile(990),
            p999_ns: quantile(999),
            max_ns: ns(max),
            buckets: filled.map(|(index, n)| (ns(upper(index)), *n)).collect(),
        }
    }
}

/// The bucket of a time.
#[inline]
fn index(cycles: u64) -> usize {
    // The leading bit chooses the group and the next four the bucket in it. No poll takes less than the first group's.
    let cycles = cycles.clamp(STEPS as u64, (1 << MAX_BITS) - 1);
    let shift = cycles.ilog2() - STEPS_BITS;
    let step = usize::try_from(cycles >> shift).unwrap_or(0) - STEPS;
    shift as usize * STEPS + step
}

/// The longest time in a bucket.
fn upper(index: usize) -> u64 {
    let (group, step) = (index / STEPS, (index % STEPS) as u64);
    ((STEPS as u64 + step + 1) << group) - 1
}

/// The time that `per_mille` of 1,000 polls do not exceed.
fn quantile(counts: &[u64], count: u64, per_mille: u64) -> u64 {
    let wanted = u64::try_from((u128::from(count) * u128::from(per_mille)).div_ceil(1000)).unwrap_or(u64::MAX);
    let mut seen = 0;
    for (index, n) in counts.iter().enumerate() {
        seen += n;
        if seen >= wanted && seen != 0 {
            return upper(index);
        }
    }
    0
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn each_time_is_in_its_bucket_and_buckets_are_narrow() {
        let mut last = 0;
        for cycles in (16..4096).chain((12..MAX_BITS).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) * 3 / 2])) {
            let at = index(cycles);
            let end = upper(at);
            assert!(cycles <= end && (end - cycles) * 16 <= cycles, "{cycles} in a bucket to {end}");
            assert!(at == 0 || cycles > upper(at - 1), "{cycles} belongs to an earlier bucket");
            last = last.max(at);
        }
        assert_eq!(last, index((1 << (MAX_BITS - 1)) * 3 / 2));
        assert_eq!(index(u64::MAX), BUCKETS - 1);
        assert_eq!(upper(BUCKETS - 1), (1 << MAX_BITS) - 1);
    }

    #[test]
    fn quantiles_are_those_of_a_sorted_list() {
        let times = BatchTimes::default();
        let mut list: Vec<u64> = (0..10_000_u64).map(|i| i * i % 7919 + 300).collect();
        list.iter().for_each(|cycles| times.record(*cycles));
        list.sort_unstable();
        let read = times.read(&Clock::start(1_000_000_000));
        assert_eq!(read.count, 10_000);
        assert_eq!(read.buckets.iter().map(|(_, n)| n).sum::<u64>(), 10_000);
        for (shown, rank) in [(read.p50_ns, 4999), (read.p99_ns, 9899), (read.p999_ns, 9989), (read.max_ns, 9999)] {
            // One nanosecond for the clock's rounding.
            assert!(shown + 1 >= list[rank] && shown <= list[rank] * 17 / 16 + 1, "{shown} for {}", list[rank]);
        }
    }

    #[test]
    fn without_polls_all_is_zero() {
        assert_eq!(BatchTimes::default().read(&Clock::start(1_000_000_000)), BatchTime::default());
    }
}
