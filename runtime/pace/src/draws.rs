//! What is drawn at random, by a generator whose numbers do not change from version to version, and by functions that are made of
//! sums, products and quotients alone: those are the same on every machine, what a C library calls a logarithm is not.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::f64::consts::{LN_2, SQRT_2};

/// Where the random numbers of a stream begin: it follows from the run's seed and the stream's name.
#[must_use]
pub fn seed(run: u64, stream: &str) -> u64 {
    stream.bytes().fold(run, |seed, byte| splitmix(seed ^ u64::from(byte)))
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): spreads small seeds over all bits.
fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A source of random numbers that its seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Draws(Pcg64Mcg);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// Evenly from (0, 1], in steps of 2^-53.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// From an exponential distribution with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -ln(self.unit())
    }

    /// From a Pareto distribution of this shape with mean 1.
    pub(crate) fn pareto(&mut self, shape: f64) -> f64 {
        (shape - 1.0) / shape * exp(-ln(self.unit()) / shape)
    }
}

/// The natural logarithm of a number above 0 that is not too small to have all its bits.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "exponents have 11 bits")]
pub(crate) fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1_023;
    let mut mantissa = f64::from_bits((bits & MANTISSA) | 1.0_f64.to_bits());
    if mantissa > SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 (s + s^3/3 + s^5/5 + ...), and s is below 0.172.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..11).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    exponent as f64 * LN_2 + 2.0 * s * series
}

/// e to the power of a number; infinite where it is above 700, 0 where it is below -700.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from -1011 to 1011")]
pub(crate) fn exp(x: f64) -> f64 {
    if x > 700.0 {
        return f64::INFINITY;
    }
    if x < -700.0 {
        return 0.0;
    }
    let twos = (x / LN_2).round();
    let rest = x - twos * LN_2;
    // 1 + r (1 + r/2 (1 + r/3 (...))), and r is below 0.347.
    let series = (1..16).rev().fold(1.0, |sum, k| 1.0 + rest * sum / f64::from(k));
    series * f64::from_bits(((twos as i64 + 1_023) as u64) << 52)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn functions_are_those_of_the_library_to_the_last_digits() {
        let mut draws = Draws::new(1);
        for _ in 0..100_000 {
            let unit = draws.unit();
            assert!((ln(unit) - unit.ln()).abs() <= 4.0 * f64::EPSILON * unit.ln().abs().max(f64::EPSILON), "{unit}");
            let power = 50.0 * (unit - 0.5);
            assert!((exp(power) / power.exp() - 1.0).abs() < 1e-14, "{power}");
        }
        assert_eq!((ln(1.0), exp(0.0)), (0.0, 1.0));
        assert!((ln(0.5_f64.powi(53)) + 53.0 * LN_2).abs() < 1e-14);
    }

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut draws = Draws::new(7);
        let bits = [draws.exponential(), draws.exponential(), draws.pareto(1.5)].map(f64::to_bits);
        assert_eq!(bits, [4_600_358_787_541_377_514, 4_604_857_207_749_477_346, 4_605_349_276_411_979_162]);
    }
}
