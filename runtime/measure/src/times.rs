//! Times that were counted, as they were read at one moment: for the control side, which may allocate.

use hdrhistogram::Histogram;
use perigee_report::{Percentile, PercentileValue, TimeStats};

/// Which percentiles are told, in parts of 100,000.
pub const PERCENTILES: [u32; 10] = [1_000, 5_000, 25_000, 50_000, 75_000, 90_000, 99_000, 99_900, 99_990, 99_999];

/// The whole, of which percentiles are parts.
const WHOLE: u64 = 100_000;

/// Samples that must lie beyond a percentile, on its farther side.
const BEYOND: u64 = 10;

/// What was lost, for percentiles that count it: so many, of which is known that they took at least so long.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lost {
    /// How many.
    pub count: u64,
    /// The time-out, nanoseconds.
    pub at_least_ns: u64,
}

/// Times in nanoseconds. Least, most, sum and count are exact; where between them they lie is known to the histogram's digits.
#[derive(Clone, Debug)]
pub struct Times {
    pub(crate) histogram: Histogram<u64>,
    pub(crate) beyond: u64,
    pub(crate) negative: u64,
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) sum: u64,
}

impl Times {
    /// As a histogram of the crate `hdrhistogram`, for its log format and for plots. What lies beyond its end is not in it.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// How many there are, those beyond the histogram's end with them.
    pub fn count(&self) -> u64 {
        self.histogram.len() + self.beyond
    }

    /// The same times, none of which is longer than this, where least and most were not kept. The least is that of its bucket.
    #[must_use]
    pub fn up_to(self, max: u64) -> Self {
        let min = match self.histogram.is_empty() {
            true if self.beyond == 0 => u64::MAX,
            true => max,
            false => self.histogram.min().min(max),
        };
        Self { min, max, ..self }
    }

    /// The buckets with something in them, the shortest first: the longest time in each, one in its middle, and how many there are.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let of = |upper| (upper, self.histogram.median_equivalent(upper));
        self.histogram.iter_recorded().map(move |bucket| {
            let (upper, middle) = of(bucket.value_iterated_to());
            (upper, middle, bucket.count_at_value())
        })
    }

    /// Those that are longer than the histogram holds. They are in all figures but in no bucket.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Times that ended before they began: a clock is wrong. They are in no other figure.
    pub fn negative(&self) -> u64 {
        self.negative
    }

    /// The shortest, exactly; `None` where there is none.
    pub fn min(&self) -> Option<u64> {
        (self.count() > 0).then_some(self.min)
    }

    /// The longest, exactly.
    pub fn max(&self) -> Option<u64> {
        (self.count() > 0).then_some(self.max)
    }

    /// The mean; exact when nothing is counted meanwhile. Read in the middle, sum and count may be a few samples apart, and it is kept
    /// between the shortest and the longest.
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| (self.sum as f64 / count as f64).clamp(self.min as f64, self.max as f64))
    }

    /// Adds what another lcore, or another flow, has counted.
    pub fn add(&mut self, other: &Self) {
        if self.histogram.add(&other.histogram).is_err() {
            // Only where the other one reaches farther.
            for value in other.histogram.iter_recorded() {
                if self.histogram.record_n(value.value_iterated_to(), value.count_at_value()).is_err() {
                    self.beyond += value.count_at_value();
                }
            }
        }
        self.beyond += other.beyond;
        self.negative += other.negative;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The percentiles of [`PERCENTILES`], each or why it is refused. What was lost counts as longer than all that came.
    pub fn percentiles(&self, lost: Lost) -> Vec<Percentile> {
        let samples = self.count() + lost.count;
        let values = self.at_ranks(&PERCENTILES.map(|part| rank(part, samples)));
        let of = |(part, at): (u32, Option<u64>)| {
            let needs = samples_needed(part);
            let value = match at {
                _ if samples < needs => PercentileValue::Refused { needs, samples },
                Some(ns) => PercentileValue::Ns(ns),
                None => PercentileValue::AtLeast(lost.at_least_ns),
            };
            Percentile { name: name(part), value }
        };
        PERCENTILES.into_iter().zip(values).map(of).collect()
    }

    /// As they are told; with percentiles that count what was lost, where that has a meaning.
    pub fn told(&self, lost: Option<Lost>) -> TimeStats {
        TimeStats {
            count: self.count(),
            min_ns: self.min(),
            mean_ns: self.mean(),
            max_ns: self.max(),
            percentiles: self.percentiles(Lost::default()),
            percentiles_with_lost: lost.map(|lost| self.percentiles(lost)).unwrap_or_default(),
            beyond: self.beyond,
            before_departure: self.negative,
        }
    }

    /// The time at a part of 100,000, with no regard for how many samples there are; rounded up to its bucket's end, but never past
    /// the longest.
    pub fn at(&self, part: u32) -> Option<u64> {
        if self.count() == 0 { None } else { self.at_ranks(&[rank(part, self.count())])[0] }
    }

    /// The times at ranks from 1, which rise; `None` for what lies behind all that came.
    fn at_ranks(&self, ranks: &[u64]) -> Vec<Option<u64>> {
        let mut buckets = self.histogram.iter_recorded();
        let (mut seen, mut upper) = (0, 0);
        let of = |rank: &u64| {
            while seen < *rank {
                let Some(bucket) = buckets.next() else { break };
                seen += bucket.count_at_value();
                upper = bucket.value_iterated_to().clamp(self.min, self.max);
            }
            match *rank {
                rank if rank <= seen => Some(upper),
                rank => (rank <= seen + self.beyond).then_some(self.max),
            }
        };
        ranks.iter().map(of).collect()
    }
}

/// Which sample of so many is the percentile's: the first that so large a part does not exceed.
fn rank(part: u32, samples: u64) -> u64 {
    let rank = (u128::from(samples) * u128::from(part)).div_ceil(u128::from(WHOLE));
    u64::try_from(rank).unwrap_or(u64::MAX).max(1)
}

/// How many samples there must be for a percentile to be told.
pub fn samples_needed(part: u32) -> u64 {
    let part = u64::from(part);
    (BEYOND * WHOLE).div_ceil(part.min(WHOLE - part).max(1))
}

/// As in `p99.9`.
fn name(part: u32) -> String {
    let (whole, rest) = (part / 1_000, part % 1_000);
    let rest = format!("{rest:03}");
    match rest.trim_end_matches('0') {
        "" => format!("p{whole}"),
        rest => format!("p{whole}.{rest}"),
    }
}
