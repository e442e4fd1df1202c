//! A histogram of times that one lcore writes and others read without a lock, with the buckets of HdrHistogram.
//!
//! The crate `hdrhistogram` keeps a histogram that is its writer's alone. This one counts into the same buckets, each a number of
//! its own, and [`Buckets::read`] makes one of theirs of it.

use crate::run::Span;
use crate::tally::Tally;
use crate::times::Times;
use hdrhistogram::{CreationError, Histogram};
use std::num::NonZero;

/// How far and how finely times are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// The longest time that has a bucket, nanoseconds. Longer ones are counted as beyond.
    pub max_ns: u64,
    /// Decimal digits that are kept, 1 to 5. A histogram up to 10 s takes 200 KiB with 3 of them, and 27 KiB with 2.
    pub digits: u8,
}

impl Precision {
    /// Three digits up to 10 s.
    pub const FINE: Self = Self { max_ns: 10_000_000_000, digits: 3 };
    /// Two digits up to 10 s.
    pub const COARSE: Self = Self { max_ns: 10_000_000_000, digits: 2 };

    /// An empty histogram of the other crate. It does not grow.
    fn histogram(self) -> Result<Histogram<u64>, CreationError> {
        Histogram::new_with_bounds(1, self.max_ns, self.digits)
    }
}

/// Counts of times.
pub struct Buckets {
    counts: Box<[Tally]>,
    /// Times below 2 to this have buckets of 1 ns, and each power of two above has as many buckets.
    bits: u32,
    /// A time of so many bits, and the shortest: never 0.
    least: NonZero<u64>,
    min: Tally,
    max: Tally,
    sum: Tally,
    beyond: Tally,
    negative: Tally,
    empty: Histogram<u64>,
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").field("len", &self.counts.len()).finish_non_exhaustive()
    }
}

impl Buckets {
    /// Without times. All memory is taken here; fails where the precision is one that `hdrhistogram` does not have.
    pub fn new(precision: Precision) -> Result<Self, CreationError> {
        let empty = precision.histogram()?;
        let bits = (2 * 10_u64.pow(precision.digits.into())).next_power_of_two().ilog2() - 1;
        let mut made = Self {
            counts: Box::default(),
            bits,
            least: NonZero::<u64>::MIN | 1 << bits,
            min: Tally::new(u64::MAX),
            max: Tally::default(),
            sum: Tally::default(),
            beyond: Tally::default(),
            negative: Tally::default(),
            empty,
        };
        made.counts = (0..=made.index(precision.max_ns)).map(|_| Tally::default()).collect();
        Ok(made)
    }

    /// Counts the time between two moments, nanoseconds. One that is negative is counted as such and nowhere else; then there is no
    /// answer.
    #[inline]
    pub fn record_between(&self, from: u64, to: u64) -> Option<u64> {
        let Some(ns) = to.checked_sub(from) else {
            self.negative.add(1);
            return None;
        };
        self.record(ns);
        Some(ns)
    }

    /// Counts a time.
    #[inline]
    pub fn record(&self, ns: u64) {
        // Least and most first: who reads a bucket's count has them already.
        self.min.lower(ns);
        self.max.raise(ns);
        self.count(ns);
    }

    /// Counts a time that so many have taken; none is counted where there are none.
    #[inline]
    pub fn record_all(&self, ns: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.min.lower(ns);
        self.max.raise(ns);
        self.sum.add(ns.wrapping_mul(times));
        self.add(ns, times);
    }

    /// Counts a time whose most somebody else keeps ([`Times::up_to`]).
    #[inline]
    pub fn count(&self, ns: u64) {
        self.sum.add(ns);
        self.add(ns, 1);
    }

    /// Counts times of which none is negative; returns what they span.
    #[inline]
    pub(crate) fn record_each(&self, times: impl ExactSizeIterator<Item = u64> + Clone) -> Span {
        let span = Span::of(times.clone());
        self.min.lower(span.least);
        self.max.raise(span.most);
        self.count_within(span, times);
        span
    }

    /// Counts times whose least and most somebody else keeps ([`Times::up_to`]).
    #[inline]
    pub(crate) fn count_each(&self, times: impl ExactSizeIterator<Item = u64> + Clone) {
        self.count_within(Span::of(times.clone()), times);
    }

    #[inline]
    fn count_within(&self, span: Span, times: impl ExactSizeIterator<Item = u64>) {
        self.sum.add(span.sum);
        // Those of a burst often have one length: then a bucket would wait for itself each time.
        if span.least == span.most {
            return self.add(span.least, times.len() as u64);
        }
        times.for_each(|ns| self.add(ns, 1));
    }

    /// So many times more of that length.
    #[inline]
    fn add(&self, ns: u64, times: u64) {
        match self.counts.get(self.index(ns)) {
            Some(count) => count.add(times),
            None => self.beyond.add(times),
        }
    }

    /// The bucket of a time, as HdrHistogram reckons it.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "at most 58 times as many as one power of two has")]
    fn index(&self, ns: u64) -> usize {
        let shift = (self.least | ns).ilog2() - self.bits;
        ((u64::from(shift) << self.bits) + (ns >> shift)) as usize
    }

    /// The shortest time in a bucket.
    fn lowest(&self, index: usize) -> u64 {
        let index = index as u64;
        let shift = (index >> self.bits).saturating_sub(1);
        (index - (shift << self.bits)) << shift
    }

    /// What was counted so far. Times that are counted while it reads may be in it or not; least and most are those of all
    /// times that are in it, or of a few more.
    pub fn read(&self) -> Times {
        let mut histogram = self.empty.clone();
        for (index, count) in self.counts.iter().enumerate() {
            let count = count.read();
            if count > 0 {
                // A bucket that exists is within the bounds of theirs.
                histogram.saturating_record_n(self.lowest(index), count);
            }
        }
        Times {
            beyond: self.beyond.read(),
            negative: self.negative.read(),
            sum: self.sum.read(),
            min: self.min.read(),
            max: self.max.read(),
            histogram,
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::times::{Lost, PERCENTILES, samples_needed};
    use perigee_report::PercentileValue;
    use proptest::prelude::*;

    fn buckets() -> Buckets {
        Buckets::new(Precision { max_ns: 1_000_000, digits: 3 }).unwrap()
    }

    #[test]
    fn what_is_beyond_and_what_is_negative_is_told() {
        let buckets = buckets();
        assert_eq!(buckets.record_between(10, 9), None);
        assert_eq!(buckets.record_between(10, 10), Some(0));
        buckets.record(5_000_000_000);
        let times = buckets.read();
        assert_eq!((times.negative(), times.beyond(), times.count()), (1, 1, 2));
        assert_eq!((times.min(), times.max()), (Some(0), Some(5_000_000_000)));
        assert_eq!(times.mean(), Some(2_500_000_000.0));
        assert_eq!((times.at(50_000), times.at(99_000)), (Some(0), Some(5_000_000_000)));
    }

    #[test]
    fn without_times_there_is_no_figure() {
        let times = buckets().read();
        assert_eq!(
            (times.count(), times.min(), times.max(), times.mean(), times.at(50_000)),
            (0, None, None, None, None)
        );
    }

    #[test]
    fn a_percentile_with_too_few_samples_is_refused() {
        assert_eq!(PERCENTILES.map(samples_needed)[3..], [20, 40, 100, 1_000, 10_000, 100_000, 1_000_000]);
        assert_eq!(samples_needed(1_000), 1_000);
        let buckets = buckets();
        (0..999).for_each(|ns| buckets.record(ns));
        let told = buckets.read().percentiles(Lost::default());
        let texts: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(texts[3], "p50 499 ns");
        assert_eq!(texts[6], "p99 needs 1,000 samples, there are 999");
        assert_eq!(texts[9], "p99.999 needs 1,000,000 samples, there are 999");
    }

    #[test]
    fn what_was_lost_is_longer_than_all_that_came() {
        let buckets = buckets();
        (0..900).for_each(|_| buckets.record(100));
        let told = buckets.read().percentiles(Lost { count: 100, at_least_ns: 1_000_000 });
        let values: Vec<_> = told.into_iter().map(|told| told.value).collect();
        assert_eq!(values[3], PercentileValue::Ns(100));
        assert_eq!(values[5], PercentileValue::Ns(100), "the 900th of 1,000");
        assert_eq!(values[6], PercentileValue::AtLeast(1_000_000));
    }

    proptest! {
        #[test]
        fn it_counts_as_hdrhistogram_does(values in proptest::collection::vec(0..2_000_000_u64, 1..200), digits in 1..5_u8) {
            let precision = Precision { max_ns: 1_500_000, digits };
            let (ours, mut theirs) = (Buckets::new(precision).unwrap(), precision.histogram().unwrap());
            let mut beyond = 0;
            for value in &values {
                ours.record(*value);
                // Theirs has room for some more than it was asked for.
                if ours.index(*value) < ours.counts.len() { theirs.record(*value).unwrap() } else { beyond += 1 }
            }
            let times = ours.read();
            prop_assert_eq!(times.beyond(), beyond);
            for (mine, other) in times.histogram().iter_recorded().zip(theirs.iter_recorded()) {
                prop_assert_eq!(mine.value_iterated_to(), other.value_iterated_to());
                prop_assert_eq!(mine.count_at_value(), other.count_at_value());
            }
            prop_assert_eq!(times.histogram().len(), theirs.len());
        }

        #[test]
        fn figures_are_in_order(values in proptest::collection::vec(0..1_500_000_u64, 1..3_000), parts: bool) {
            let buckets = buckets();
            let half = if parts { values.len() / 2 } else { values.len() };
            values[..half].iter().for_each(|value| buckets.record(*value));
            let mut times = buckets.read();
            let rest = Buckets::new(Precision::COARSE).unwrap();
            values[half..].iter().for_each(|value| rest.record(*value));
            times.add(&rest.read());
            let (min, max) = (times.min().unwrap(), times.max().unwrap());
            prop_assert_eq!((Some(&min), Some(&max)), (values.iter().min(), values.iter().max()));
            prop_assert_eq!(times.count(), values.len() as u64);
            let mut last = min;
            for part in PERCENTILES {
                let at = times.at(part).unwrap();
                prop_assert!(last <= at && at <= max);
                last = at;
            }
            let mean = times.mean().unwrap();
            prop_assert!(min as f64 <= mean && mean <= max as f64);
        }

        #[test]
        fn percentiles_are_those_of_a_sorted_list(mut values in proptest::collection::vec(0..1_000_000_u64, 1..500)) {
            let buckets = buckets();
            values.iter().for_each(|value| buckets.record(*value));
            values.sort_unstable();
            for part in PERCENTILES {
                let rank = (values.len() * part as usize).div_ceil(100_000).max(1) - 1;
                let at = buckets.read().at(part).unwrap();
                prop_assert!(at >= values[rank] && at <= values[rank] + values[rank] / 1_000, "{at} for {}", values[rank]);
            }
        }
    }
}
