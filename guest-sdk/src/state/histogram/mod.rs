//! How values are distributed.

mod encoding;

use super::{NoMemory, filled};
use crate::Refusal;
use alloc::vec::Vec;
use core::fmt;

/// A histogram that keeps every value to so many significant digits: that of Gil Tene's HdrHistogram.
///
/// ```
/// use perigee_guest::state::Histogram;
///
/// // Gaps from a nanosecond to an hour, to two digits.
/// let mut gaps = Histogram::new(1, 3_600_000_000_000, 2)?;
/// for gap in [67, 67, 68, 1_200] {
///     gaps.record(gap);
/// }
/// assert_eq!((gaps.count(), gaps.quantile(500_000), gaps.max()), (4, 67, 1_207));
/// # Ok::<(), perigee_guest::state::BadHistogram>(())
/// ```
///
/// The buckets' width grows with the value: recording is a few shifts and an addition, without a search, and the memory
/// depends on the range and the digits alone ([`bytes`](Self::bytes)).
///
/// [`encode`](Self::encode) writes HdrHistogram's format V2, which a host program reads with the crate `hdrhistogram`, and
/// others with HdrHistogram in their language.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    clamped: u64,
    shape: Shape,
}

/// Why there is no such histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHistogram {
    /// The lowest value must be 1 or more, the highest at least twice that, the digits 0 to 5, and both together have
    /// 63 bits.
    Shape,
    /// The heap is too small.
    Memory(NoMemory),
    /// The bytes are not a histogram in format V2 of this shape.
    Encoding,
}

impl BadHistogram {
    /// What is wrong.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Shape => {
                "a histogram's lowest value is 1 or more, its highest at least twice that, its digits 0 to 5"
            }
            Self::Memory(_) => "the heap is too small for the histogram",
            Self::Encoding => "the bytes are not a histogram of this shape in HdrHistogram's format V2",
        }
    }
}

impl fmt::Display for BadHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for BadHistogram {}

impl From<NoMemory> for BadHistogram {
    fn from(error: NoMemory) -> Self {
        Self::Memory(error)
    }
}

impl From<BadHistogram> for Refusal {
    fn from(error: BadHistogram) -> Self {
        match error {
            BadHistogram::Memory(error) => error.into(),
            _ => Self::new(error.text()),
        }
    }
}

/// Which values share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    lowest: u64,
    highest: u64,
    digits: u8,
    /// Lower bits that are never told apart.
    unit_bits: u32,
    /// Bits that are told apart, less one.
    half_bits: u32,
}

impl Shape {
    fn new(lowest: u64, highest: u64, digits: u8) -> Result<Self, BadHistogram> {
        if lowest == 0 || highest / 2 < lowest || digits > 5 {
            return Err(BadHistogram::Shape);
        }
        // So that up to 2 * 10^digits each number has a bucket of its own.
        let largest = 2 * 10_u64.pow(digits.into());
        let half_bits = (largest.next_power_of_two().ilog2()).max(1) - 1;
        let unit_bits = lowest.ilog2();
        if unit_bits + half_bits + 1 > 63 {
            return Err(BadHistogram::Shape);
        }
        Ok(Self { lowest, highest, digits, unit_bits, half_bits })
    }

    /// Number of buckets: two halves for the smallest values, and one for each doubling up to the highest.
    fn buckets(self) -> usize {
        let told_apart = self.unit_bits + self.half_bits + 1;
        let doublings = (self.highest.ilog2() + 1).saturating_sub(told_apart) as usize;
        (doublings + 2) << self.half_bits
    }

    /// The bucket of a value.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "what is left after the shift has at most 18 bits")]
    fn index(self, value: u64) -> usize {
        // All values of the first two halves look like the largest of them, so they are shifted alike.
        let all = (2 << (self.half_bits + self.unit_bits)) - 1;
        let doublings = (value | all).ilog2() - (self.half_bits + self.unit_bits);
        let part = (value >> (doublings + self.unit_bits)) as usize;
        ((doublings as usize) << self.half_bits) + part
    }

    /// The smallest value of a bucket.
    fn low(self, index: usize) -> u64 {
        let (doublings, part) = self.split(index);
        part << (doublings + self.unit_bits)
    }

    /// The largest value of a bucket.
    fn high(self, index: usize) -> u64 {
        let (doublings, _) = self.split(index);
        self.low(index) | ((1 << (doublings + self.unit_bits)) - 1)
    }

    #[allow(clippy::cast_possible_truncation, reason = "there are at most 63 doublings")]
    fn split(self, index: usize) -> (u32, u64) {
        let half = 1 << self.half_bits;
        let doublings = (index >> self.half_bits).saturating_sub(1);
        let part = if index < 2 * half { index } else { half + index % half };
        (doublings as u32, part as u64)
    }
}

impl Histogram {
    /// An empty histogram of values up to `highest` (at least twice the lowest), in which values from `lowest` (1 or more)
    /// on are kept to `digits` (0 to 5) significant digits.
    ///
    /// # Errors
    ///
    /// There is no such histogram, or the heap is too small.
    pub fn new(lowest: u64, highest: u64, digits: u8) -> Result<Self, BadHistogram> {
        let shape = Shape::new(lowest, highest, digits)?;
        Ok(Self { counts: filled(shape.buckets(), 0)?, total: 0, clamped: 0, shape })
    }

    /// Counts a value. One above the highest counts as the highest ([`clamped`](Self::clamped)).
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value `n` times.
    #[inline]
    pub fn record_n(&mut self, value: u64, n: u64) {
        let kept = value.min(self.shape.highest);
        if kept != value {
            self.clamped = self.clamped.saturating_add(n);
        }
        if let Some(count) = self.counts.get_mut(self.shape.index(kept)) {
            *count = count.saturating_add(n);
            self.total = self.total.saturating_add(n);
        }
    }

    /// Counts what another histogram has counted.
    pub fn merge(&mut self, other: &Self) {
        for (index, &n) in other.counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            self.record_n(other.shape.low(index), n);
        }
        self.clamped = self.clamped.saturating_add(other.clamped);
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.total, self.clamped) = (0, 0);
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// How many of them were above the highest value.
    #[must_use]
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// The value that so many millionths of all values do not exceed: 500,000 for the median, 999,000 for the 99.9th
    /// percentile. The largest value of its bucket; 0 where nothing was counted. Costs as much as there are buckets.
    #[must_use]
    pub fn quantile(&self, millionths: u32) -> u64 {
        let rank = (u128::from(self.total) * u128::from(millionths.min(1_000_000))).div_ceil(1_000_000).max(1);
        let mut below = 0_u128;
        for (index, &count) in self.counts.iter().enumerate() {
            below += u128::from(count);
            if below >= rank {
                return self.shape.high(index);
            }
        }
        0
    }

    /// The smallest value, to the precision of its bucket; 0 where nothing was counted.
    #[must_use]
    pub fn min(&self) -> u64 {
        self.counts.iter().position(|&count| count > 0).map_or(0, |index| self.shape.low(index))
    }

    /// The largest value, to the precision of its bucket; 0 where nothing was counted.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.counts.iter().rposition(|&count| count > 0).map_or(0, |index| self.shape.high(index))
    }

    /// The mean, to the precision of the buckets; 0 where nothing was counted.
    #[must_use]
    pub fn mean(&self) -> u64 {
        let middle = |index| u128::from(self.shape.low(index)).midpoint(u128::from(self.shape.high(index)));
        let sum: u128 = self.counts.iter().enumerate().map(|(index, &n)| middle(index).saturating_mul(n.into())).sum();
        u64::try_from(sum / u128::from(self.total.max(1))).unwrap_or(u64::MAX)
    }

    /// Bytes of heap for such a histogram.
    ///
    /// # Errors
    ///
    /// There is no such histogram.
    pub fn bytes(lowest: u64, highest: u64, digits: u8) -> Result<usize, BadHistogram> {
        Ok(Shape::new(lowest, highest, digits)?.buckets() * size_of::<u64>())
    }
}
