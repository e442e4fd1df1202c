//! Whether measured gaps are those of a Poisson process.

use crate::draws::exp;
use std::fmt;

/// Bins of the histogram; they reach to 16 times the mean at least.
const BINS: usize = 4_096;
/// A mean has so many bins at least.
const BINS_OF_MEAN: u64 = 128;
/// Kolmogorov's distribution: a greater deviation happens to one process of twenty.
const ONE_OF_TWENTY: f64 = 1.358;

/// The gaps of a stream, in whole nanoseconds, as far as a run keeps them: some sums and a histogram.
///
/// A gap is counted in a few instructions. At the end [`Fit::judge`] compares the histogram with the exponential distribution that was
/// asked for (Kolmogorov and Smirnov), at the edges of its bins. Departures are whole nanoseconds: what that does to the
/// distribution is taken into account.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The mean that was asked for, in nanoseconds.
    asked: f64,
    /// A bin is 2^shift nanoseconds.
    shift: u32,
    bins: Vec<u64>,
    samples: u64,
    mean: f64,
    /// Sum of squares of what gaps differ from their mean.
    squares: f64,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Gaps that were measured.
    pub samples: u64,
    /// Their mean in nanoseconds.
    pub mean_ns: f64,
    /// Their standard deviation in nanoseconds; that of an exponential distribution is its mean.
    pub deviation_ns: f64,
    /// Packets per second.
    pub lambda: f64,
    /// Packets per second that were asked for.
    pub asked_lambda: f64,
    /// The greatest distance of the two distribution functions.
    pub statistic: f64,
    /// What one of twenty true processes goes beyond.
    pub critical: f64,
}

impl Fit {
    /// Nothing measured yet; `mean_gap_ns` is what was asked for.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean gap in whole nanoseconds")]
    pub fn new(mean_gap_ns: f64) -> Self {
        let width = (mean_gap_ns as u64 / BINS_OF_MEAN).max(1);
        Self { asked: mean_gap_ns, shift: width.ilog2(), bins: vec![0; BINS], samples: 0, mean: 0.0, squares: 0.0 }
    }

    /// Counts a gap between the departures of two packets.
    #[inline]
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "gaps are below 2^53 ns, bins below 2^12"
    )]
    pub fn add(&mut self, gap_ns: u64) {
        self.bins[(gap_ns >> self.shift).min(BINS as u64 - 1) as usize] += 1;
        self.samples += 1;
        let (gap, before) = (gap_ns as f64, self.mean);
        self.mean += (gap - before) / self.samples as f64;
        self.squares += (gap - before) * (gap - self.mean);
    }

    /// Adds what another lcore has measured of the same stream.
    #[allow(clippy::cast_precision_loss, reason = "counts are below 2^53")]
    pub fn merge(&mut self, other: &Self) {
        if other.samples == 0 || other.shift != self.shift {
            return;
        }
        self.bins.iter_mut().zip(&other.bins).for_each(|(own, others)| *own += others);
        let (own, others) = (self.samples as f64, other.samples as f64);
        let apart = other.mean - self.mean;
        self.mean += apart * others / (own + others);
        self.squares += other.squares + apart * apart * own * others / (own + others);
        self.samples += other.samples;
    }

    /// Compares what was measured with what was asked for; `None` below 100 gaps, which say nothing.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts are below 2^53")]
    pub fn judge(&self) -> Option<Verdict> {
        if self.samples < 100 {
            return None;
        }
        let all = self.samples as f64;
        let (mut below, mut statistic) = (0_u64, 0.0_f64);
        // The last bin has all that is longer.
        for (bin, count) in self.bins[..BINS - 1].iter().enumerate() {
            below += count;
            let last = (((bin as u64 + 1) << self.shift) - 1) as f64;
            statistic = statistic.max((below as f64 / all - self.expected(last)).abs());
        }
        Some(Verdict {
            samples: self.samples,
            mean_ns: self.mean,
            deviation_ns: (self.squares / (all - 1.0)).sqrt(),
            lambda: 1e9 / self.mean,
            asked_lambda: 1e9 / self.asked,
            statistic,
            critical: ONE_OF_TWENTY / all.sqrt(),
        })
    }

    /// Which part of the gaps is `last` whole nanoseconds or less. Both departures are rounded down, so a gap of x becomes `floor(x)`
    /// or one more, by where in its nanosecond it begins: the mean of the distribution function over one nanosecond.
    fn expected(&self, last: f64) -> f64 {
        let rate = 1.0 / self.asked;
        // (1 - e^-r) / r without a difference of numbers that are almost the same.
        let share = if rate < 1e-5 { 1.0 - rate / 2.0 } else { (1.0 - exp(-rate)) / rate };
        1.0 - exp(-rate * last) * share
    }
}

/// Part of a histogram of gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The longest gap in it, nanoseconds.
    pub last: u64,
    /// One in its middle.
    pub middle: u64,
    /// How many there are.
    pub count: u64,
}

impl Verdict {
    /// As [`Fit::judge`], of gaps that were counted in buckets, which follow each other; `beyond` are longer than all of them. The
    /// distribution functions are compared at the ends of the buckets, where the measured one is exact. The mean of all is `mean_ns`.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts are below 2^53")]
    pub fn of(asked_ns: f64, mean_ns: f64, buckets: impl Iterator<Item = Bucket>, beyond: u64) -> Option<Self> {
        let fit = Fit { asked: asked_ns, shift: 0, bins: Vec::new(), samples: 0, mean: 0.0, squares: 0.0 };
        let buckets: Vec<Bucket> = buckets.collect();
        let samples = buckets.iter().map(|bucket| bucket.count).sum::<u64>() + beyond;
        if samples < 100 {
            return None;
        }
        let (all, mut below, mut statistic, mut squares) = (samples as f64, 0_u64, 0.0_f64, 0.0_f64);
        for bucket in &buckets {
            below += bucket.count;
            statistic = statistic.max((below as f64 / all - fit.expected(bucket.last as f64)).abs());
            squares += (bucket.middle as f64 - mean_ns).powi(2) * bucket.count as f64;
        }
        Some(Self {
            samples,
            mean_ns,
            deviation_ns: (squares / (all - 1.0)).sqrt(),
            lambda: 1e9 / mean_ns,
            asked_lambda: 1e9 / asked_ns,
            statistic,
            critical: ONE_OF_TWENTY / all.sqrt(),
        })
    }

    /// Whether the gaps are those of the Poisson process that was asked for, as far as the samples tell. One of twenty true ones
    /// fails.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.statistic <= self.critical
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, mean_ns, deviation_ns, lambda, asked_lambda, statistic, critical } = self;
        let fits = if self.fits() { "fits" } else { "does not fit" };
        write!(
            f,
            "{samples} gaps: mean {mean_ns:.1} ns, deviation {deviation_ns:.1} ns, lambda {lambda:.0}/s of {asked_lambda:.0}/s; \
             Kolmogorov-Smirnov {statistic:.5}, 5 % beyond {critical:.5}: {fits}"
        )
    }
}
