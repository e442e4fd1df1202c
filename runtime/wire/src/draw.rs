//! What is drawn at random, by a generator whose numbers do not change from version to version.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A source of random numbers that its seed decides.
#[derive(Debug)]
pub struct Draws(Pcg64Mcg);

impl Draws {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// Evenly from [0, 1), in steps of 2^-53.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability. Where it is 0 or 1 nothing is drawn.
    pub fn happens(&mut self, chance: f64) -> bool {
        chance >= 1.0 || chance > 0.0 && self.unit() < chance
    }

    /// Evenly from 0 to `end`, without that; 0 where it is 0. Some numbers are likelier than others by 2^-64 of `end`.
    #[allow(clippy::cast_possible_truncation, reason = "the upper half is below `end`")]
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64 }
    }

    /// From an exponential distribution of that mean, to whole units.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time that is drawn"
    )]
    pub fn exponential(&mut self, mean: u64) -> u64 {
        (-(1.0 - self.unit()).ln() * mean as f64).round() as u64
    }
}
