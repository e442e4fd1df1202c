//! Random orders that come again: each number once, or the same random numbers in every round.

use super::{Draw, Steps};
use crate::random::seed_mix;
use crate::{Lcg64, Refusal};

/// All numbers of a range in a random order: each once, then all of them again in the same order.
///
/// It keeps no list. The place in the round is taken to another place by a permutation of the next power of two, again
/// and again until it falls into the range; that takes fewer than two turns in the mean.
#[derive(Clone, Copy, Debug)]
pub struct Shuffle {
    steps: Steps,
    from: u64,
    last: u64,
    mask: u64,
    half: u32,
    keys: [u64; 3],
}

impl Shuffle {
    /// The numbers in `from..=to`, in the order of `seed`.
    ///
    /// # Errors
    ///
    /// `from` is larger than `to`.
    pub fn new(from: u64, to: u64, seed: u64) -> Result<Self, Refusal> {
        let last = to.checked_sub(from).ok_or_else(|| Refusal::new("from: must not be larger than to"))?;
        let mask = if last == 0 { 0 } else { u64::MAX >> last.leading_zeros() };
        let half = mask.count_ones().div_ceil(2);
        let keys = [1, 2, 3].map(|round| seed_mix(seed_mix(seed).wrapping_add(round)));
        Ok(Self { steps: Steps::indexes(last), from, last, mask, half, keys })
    }

    /// Takes this instance's share: see [`Steps::split`].
    #[must_use]
    pub fn split(mut self, instance: u32, instances: u32) -> Self {
        self.steps = self.steps.split(instance, instances);
        self
    }

    /// Its place in the round.
    #[cfg(feature = "config")]
    pub(super) fn steps(&mut self) -> &mut Steps {
        &mut self.steps
    }

    /// In the host's words, where it gives indexes.
    #[cfg(feature = "config")]
    pub(super) fn plan(&self, plan: &mut perigee_abi::fields::Item) {
        self.steps.plan(plan);
        (plan.index_mask, plan.half) = (self.mask, self.half.into());
        [plan.key_0, plan.key_1, plan.key_2] = self.keys;
    }

    /// A permutation of the numbers under the mask: each step of it can be undone.
    #[inline]
    fn permute(&self, index: u64) -> u64 {
        let mut x = index;
        for key in self.keys {
            x = x.wrapping_mul(key | 1).wrapping_add(key >> 32) & self.mask;
            x ^= x >> self.half;
        }
        x
    }
}

impl Draw for Shuffle {
    type Value = u64;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> u64 {
        let index = self.steps.next(random);
        let mut x = self.permute(index);
        while x > self.last {
            x = self.permute(x);
        }
        self.from.wrapping_add(x)
    }

    #[inline]
    fn ended(&self) -> bool {
        self.steps.ended()
    }

    fn rounds_in(&self, values: u64) -> u64 {
        self.steps.rounds_in(values)
    }

    fn first_round(&self) -> u64 {
        self.steps.first_round()
    }
}

/// The first `period` values of another draw, over and over: a value depends on its place in the round and on a seed of
/// its own, not on what was drawn before. So instances can share a round as they share a counter.
///
/// ```
/// use perigee_guest::vary::{Draw, Repeatable, Uniform};
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let mut random = perigee_guest::Lcg64::new(1);
/// let mut draw = Repeatable::new(Uniform::new(0, 255)?, 5, 42)?;
/// let round = [(); 5].map(|()| draw.next(&mut random));
/// assert_eq!([(); 5].map(|()| draw.next(&mut random)), round);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Repeatable<D> {
    steps: Steps,
    draw: D,
    seed: u64,
}

impl<D: Draw> Repeatable<D> {
    /// `period` values of `draw`, which must not keep a state of its own.
    ///
    /// # Errors
    ///
    /// `period` is 0.
    pub fn new(draw: D, period: u64, seed: u64) -> Result<Self, Refusal> {
        let last = period.checked_sub(1).ok_or_else(|| Refusal::new("period: must not be 0"))?;
        Ok(Self { steps: Steps::indexes(last), draw, seed: seed_mix(seed) })
    }

    /// Takes this instance's share: see [`Steps::split`].
    #[must_use]
    pub fn split(mut self, instance: u32, instances: u32) -> Self {
        self.steps = self.steps.split(instance, instances);
        self
    }
}

impl<D> Repeatable<D> {
    /// Its place in the round.
    #[cfg(feature = "config")]
    pub(super) fn steps(&mut self) -> &mut Steps {
        &mut self.steps
    }
}

#[cfg(feature = "config")]
impl Repeatable<super::Uniform> {
    /// In the host's words, where it gives indexes.
    pub(super) fn plan(&self, plan: &mut perigee_abi::fields::Item) {
        self.steps.plan(plan);
        self.draw.plan(plan);
        plan.seed = self.seed;
    }
}

impl<D: Draw> Draw for Repeatable<D> {
    type Value = D::Value;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> D::Value {
        let place = self.steps.next(random);
        self.draw.next(&mut Lcg64::new(self.seed.wrapping_add(place)))
    }

    #[inline]
    fn ended(&self) -> bool {
        self.steps.ended()
    }

    fn rounds_in(&self, values: u64) -> u64 {
        self.steps.rounds_in(values)
    }

    fn first_round(&self) -> u64 {
        self.steps.first_round()
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::vary::Uniform;
    use std::vec::Vec;

    fn take<D: Draw>(mut draw: D, count: usize) -> Vec<D::Value> {
        let mut random = Lcg64::new(9);
        (0..count).map(|_| draw.next(&mut random)).collect()
    }

    #[test]
    fn a_shuffle_takes_each_number_once_in_a_round() {
        for count in [1_u64, 2, 3, 4, 5, 7, 8, 9, 100, 255, 256, 257, 1000, 4096] {
            let values = take(Shuffle::new(50, 49 + count, count).unwrap(), usize::try_from(2 * count).unwrap());
            let (first, second) = values.split_at(values.len() / 2);
            assert_eq!(first, second);
            let mut sorted = first.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (50..50 + count).collect::<Vec<_>>());
            assert!(count < 100 || sorted != first, "{count}");
        }
        assert!(take(Shuffle::new(0, u64::MAX, 1).unwrap(), 100).iter().any(|&value| value > 1 << 63));
        assert_ne!(take(Shuffle::new(0, 99, 1).unwrap(), 100), take(Shuffle::new(0, 99, 2).unwrap(), 100));
    }

    #[test]
    fn instances_share_a_shuffle_and_a_round() {
        let shuffle = Shuffle::new(0, 99, 3).unwrap();
        let mut seen: Vec<_> = (0..4).flat_map(|i| take(shuffle.split(i, 4), 25)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());

        let round = Repeatable::new(Uniform::new(0, 1 << 20).unwrap(), 40, 8).unwrap();
        let whole = take(round, 40);
        for i in 0..4 {
            let share: Vec<_> = whole.iter().copied().skip(i).step_by(4).collect();
            assert_eq!(take(round.split(u32::try_from(i).unwrap(), 4), 10), share);
        }
    }

    #[test]
    fn a_round_ends_with_its_last_value() {
        let mut draw = Repeatable::new(Uniform::new(0, 9).unwrap(), 3, 1).unwrap();
        let mut random = Lcg64::new(1);
        let ends = [(); 7].map(|()| {
            draw.next(&mut random);
            draw.ended()
        });
        assert_eq!(ends, [false, false, true, false, false, true, false]);
        assert!(Repeatable::new(Uniform::new(0, 9).unwrap(), 0, 1).is_err());
        assert!(Shuffle::new(2, 1, 0).is_err());
    }
}
