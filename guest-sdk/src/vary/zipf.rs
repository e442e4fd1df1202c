//! Zipf's law: few things are frequent, many are rare.

use super::Draw;
use super::uniform::fraction;
use crate::{Lcg64, Refusal};

/// Ranks from 0, of which rank `k` is as likely as `(k + 1)^-exponent`.
///
/// Exact, without a table, for any number of ranks: rejection-inversion (Hörmann and Derflinger 1996), which draws
/// again in less than one of three cases. The mathematics is that of `libm` on every target, so the same seed gives the
/// same ranks everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    exponent: f64,
    ranks: f64,
    /// The integral of the hat below the first rank.
    low: f64,
    /// The integral up to the last rank.
    high: f64,
    /// Up to this distance a point under the hat needs no further look.
    near: f64,
}

impl Zipf {
    /// `ranks` ranks, at most 2^53. An exponent of 0 makes all ranks as likely, one of 1 is Zipf's own.
    ///
    /// # Errors
    ///
    /// There are no ranks or more than 2^53, or the exponent is not a number from 0 to 100.
    #[allow(clippy::cast_precision_loss, reason = "checked to be exact")]
    pub fn new(ranks: u64, exponent: f64) -> Result<Self, Refusal> {
        if ranks == 0 || ranks > 1 << 53 {
            return Err(Refusal::new("a Zipf draw takes 1 to 2^53 values"));
        }
        if !(0.0..=100.0).contains(&exponent) {
            return Err(Refusal::new("exponent: must be 0 to 100"));
        }
        let ranks = ranks as f64;
        let low = integral(1.5, exponent) - 1.0;
        let high = integral(ranks + 0.5, exponent);
        let near = 2.0 - inverse(integral(2.5, exponent) - density(2.0, exponent), exponent);
        Ok(Self { exponent, ranks, low, high, near })
    }
}

#[cfg(feature = "config")]
impl Zipf {
    /// Its numbers, as those of the host's words: see [`Self::of_bits`].
    pub(super) fn to_bits(self) -> [u64; 5] {
        [self.exponent, self.ranks, self.low, self.high, self.near].map(f64::to_bits)
    }

    /// Of what [`Self::to_bits`] gave.
    pub(super) fn of_bits(bits: [u64; 5]) -> Self {
        let [exponent, ranks, low, high, near] = bits.map(f64::from_bits);
        Self { exponent, ranks, low, high, near }
    }
}

impl Draw for Zipf {
    type Value = u64;

    #[inline(never)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the rank is within 1 to 2^53")]
    fn next(&mut self, random: &mut Lcg64) -> u64 {
        loop {
            let area = self.high + fraction(random) * (self.low - self.high);
            let x = inverse(area, self.exponent);
            // Not `clamp`, whose panic would bring in the code that prints such numbers.
            let rank = libm::floor(x + 0.5).max(1.0).min(self.ranks);
            if rank - x <= self.near || area >= integral(rank + 0.5, self.exponent) - density(rank, self.exponent) {
                return rank as u64 - 1;
            }
        }
    }
}

/// The hat's height.
fn density(x: f64, exponent: f64) -> f64 {
    libm::exp(-exponent * libm::log(x))
}

/// The hat's integral: `(x^(1 - exponent) - 1) / (1 - exponent)`, and `ln x` where the exponent is 1.
fn integral(x: f64, exponent: f64) -> f64 {
    let log = libm::log(x);
    let t = (1.0 - exponent) * log;
    // `(e^t - 1) / t`, by its series where both are too small to be divided.
    let ratio = if t.abs() > 1e-8 { libm::expm1(t) / t } else { 1.0 + t * 0.5 * (1.0 + t / 3.0 * (1.0 + 0.25 * t)) };
    ratio * log
}

/// The inverse of [`integral`].
fn inverse(area: f64, exponent: f64) -> f64 {
    // What rounding may take below -1 is no logarithm's argument.
    let t = (area * (1.0 - exponent)).max(-1.0);
    let ratio = if t.abs() > 1e-8 { libm::log1p(t) / t } else { 1.0 - t * (0.5 - t * (1.0 / 3.0 - 0.25 * t)) };
    libm::exp(ratio * area)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_widest_and_the_narrowest() {
        let mut random = Lcg64::new(1);
        for exponent in [0.0, 0.5, 1.0, 1.000_000_001, 2.0, 100.0] {
            let mut one = Zipf::new(1, exponent).unwrap();
            let mut many = Zipf::new(1 << 53, exponent).unwrap();
            for _ in 0..1_000 {
                assert_eq!(one.next(&mut random), 0);
                assert!(many.next(&mut random) < 1 << 53);
            }
        }
    }

    #[test]
    fn what_is_no_law_is_refused() {
        assert!(Zipf::new(0, 1.0).is_err() && Zipf::new((1 << 53) + 1, 1.0).is_err());
        for exponent in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert!(Zipf::new(10, exponent).is_err());
        }
    }
}
