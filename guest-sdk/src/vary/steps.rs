//! Counters.

use super::Draw;
use crate::{Lcg64, Refusal};

/// A counter: `from`, `from + step`, ... up to `to`, or down, then from the beginning.
///
/// ```
/// use perigee_guest::vary::{Draw, Steps};
/// use perigee_guest::Lcg64;
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let mut random = Lcg64::new(1);
/// let mut down = Steps::new(0, 3, -1)?;
/// assert_eq!([(); 5].map(|()| down.next(&mut random)), [3, 2, 1, 0, 3]);
/// // The second of two instances takes every other value of the one counter, over its end too: 15, (16), 10.
/// let mut share = Steps::new(10, 16, 1)?.split(1, 2);
/// assert_eq!([(); 4].map(|()| share.next(&mut random)), [11, 13, 15, 10]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// The value of index 0.
    base: u64,
    /// Added for each index; a step down is the number that wraps around to it.
    step: u64,
    index: u64,
    /// Largest index.
    last: u64,
    /// Indexes between two values: the number of instances.
    stride: u64,
    stays: bool,
    /// Rounds that end between the value given last, or the counter's start, and the next one.
    crossed: u64,
}

impl Steps {
    /// Values in `from..=to`, `step` apart: from `from` upwards, or from `to` downwards where `step` is negative. A last
    /// step that would leave the range is not made.
    ///
    /// # Errors
    ///
    /// `step` is 0, or `from` is larger than `to`.
    pub fn new(from: u64, to: u64, step: i64) -> Result<Self, Refusal> {
        if from > to {
            return Err(Refusal::new("from: must not be larger than to"));
        }
        if step == 0 {
            return Err(Refusal::new("step: must not be 0"));
        }
        let last = (to - from) / step.unsigned_abs();
        let base = if step > 0 { from } else { to };
        Ok(Self { base, step: step.cast_unsigned(), ..Self::indexes(last) })
    }

    /// The numbers in `0..=last`: an index into something.
    pub(super) const fn indexes(last: u64) -> Self {
        Self { base: 0, step: 1, index: 0, last, stride: 1, stays: false, crossed: 0 }
    }

    /// Gives the indexes of the values instead of the values.
    #[cfg(feature = "config")]
    pub(super) const fn as_indexes(self) -> Self {
        Self { base: 0, step: 1, ..self }
    }

    /// Ends a round after `most` values.
    ///
    /// # Errors
    ///
    /// `most` is 0.
    pub fn limit(mut self, most: u64) -> Result<Self, Refusal> {
        let Some(last) = most.checked_sub(1) else { return Err(Refusal::new("limit: must not be 0")) };
        self.last = self.last.min(last);
        Ok(self)
    }

    /// Begins the first round at `value`; later ones begin where they would.
    ///
    /// # Errors
    ///
    /// `value` is none of the counter's values.
    pub fn start_at(mut self, value: u64) -> Result<Self, Refusal> {
        let up = self.step.cast_signed() > 0;
        let ahead = if up { value.checked_sub(self.base) } else { self.base.checked_sub(value) };
        let step = self.step.cast_signed().unsigned_abs();
        match ahead {
            Some(ahead) if ahead.is_multiple_of(step) && ahead / step <= self.last => {
                self.index = ahead / step;
                Ok(self)
            }
            _ => Err(Refusal::new("start: is none of the values that the counter takes")),
        }
    }

    /// Stays at the last value instead of beginning anew.
    #[must_use]
    pub fn staying(mut self) -> Self {
        self.stays = true;
        self
    }

    /// Leaves to others what is not the `instance`-th of each `instances` values, round after round: what all instances
    /// give, each as many values, is what one would have given, however many values and instances there are. Where the
    /// number of values is a multiple of the number of instances, each takes the same ones in every round.
    #[must_use]
    pub fn split(mut self, instance: u32, instances: u32) -> Self {
        self.crossed = self.skip(instance.into());
        self.stride = instances.max(1).into();
        self
    }

    /// Leaves out so many values. Returns how many rounds end before the next one.
    #[inline]
    pub(super) fn skip(&mut self, values: u64) -> u64 {
        let left = self.last - self.index;
        if values <= left {
            self.index += values;
            return 0;
        }
        if self.stays {
            self.index = self.last;
            return 1;
        }
        let over = values - left - 1;
        let (rounds, index) =
            if over <= self.last { (0, over) } else { (over / (self.last + 1), over % (self.last + 1)) };
        self.index = index;
        1 + rounds
    }

    /// Goes on to the value that comes `more` values after the next one. Returns how many rounds end before it, since the value
    /// given last.
    #[cfg(feature = "config")]
    #[inline]
    pub(super) fn go_on(&mut self, more: u64) -> u64 {
        self.crossed + if more == 0 { 0 } else { self.skip(more) }
    }
}

#[cfg(feature = "config")]
impl Steps {
    /// In the host's words, where it gives indexes.
    pub(super) fn plan(&self, plan: &mut perigee_abi::fields::Item) {
        (plan.last, plan.stride, plan.stays) = (self.last, self.stride, self.stays.into());
    }

    /// The next index, and the rounds before it.
    pub(super) fn state(&self) -> (u64, u64) {
        (self.index, self.crossed)
    }

    /// Goes to a state that another such counter had.
    pub(super) fn set_state(&mut self, index: u64, crossed: u64) {
        (self.index, self.crossed) = (index.min(self.last), crossed);
    }
}

impl Draw for Steps {
    type Value = u64;

    #[inline]
    fn next(&mut self, _random: &mut Lcg64) -> u64 {
        let value = self.base.wrapping_add(self.index.wrapping_mul(self.step));
        self.crossed = self.skip(self.stride);
        value
    }

    #[inline]
    fn ended(&self) -> bool {
        self.crossed != 0
    }

    fn first_round(&self) -> u64 {
        self.crossed
    }

    fn rounds_in(&self, values: u64) -> u64 {
        let Some(more) = values.checked_sub(1) else { return 0 };
        self.crossed + { *self }.skip(more.saturating_mul(self.stride))
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::vec::Vec;

    fn take(steps: Steps, count: usize) -> Vec<u64> {
        let (mut steps, mut random) = (steps, Lcg64::new(0));
        (0..count).map(|_| steps.next(&mut random)).collect()
    }

    #[test]
    fn bounds_are_hit_and_never_passed() {
        assert_eq!(take(Steps::new(0, 10, 3).unwrap(), 5), [0, 3, 6, 9, 0]);
        assert_eq!(take(Steps::new(0, 10, -3).unwrap(), 5), [10, 7, 4, 1, 10]);
        assert_eq!(take(Steps::new(7, 7, 1).unwrap(), 2), [7, 7]);
        assert_eq!(take(Steps::new(u64::MAX - 1, u64::MAX, 1).unwrap(), 3), [u64::MAX - 1, u64::MAX, u64::MAX - 1]);
        assert_eq!(take(Steps::new(0, u64::MAX, -1).unwrap(), 2), [u64::MAX, u64::MAX - 1]);
        assert_eq!(take(Steps::new(0, u64::MAX, i64::MIN).unwrap(), 3), [u64::MAX, u64::MAX >> 1, u64::MAX]);
    }

    #[test]
    fn start_limit_and_staying() {
        assert_eq!(take(Steps::new(0, 9, 1).unwrap().start_at(8).unwrap(), 4), [8, 9, 0, 1]);
        assert_eq!(take(Steps::new(0, 9, -1).unwrap().start_at(1).unwrap(), 4), [1, 0, 9, 8]);
        assert_eq!(take(Steps::new(5, 9, 1).unwrap().limit(2).unwrap(), 3), [5, 6, 5]);
        assert_eq!(take(Steps::new(5, 6, 1).unwrap().staying(), 4), [5, 6, 6, 6]);
        assert!(Steps::new(0, 9, 2).unwrap().start_at(3).is_err());
        assert!(Steps::new(0, 9, 2).unwrap().start_at(10).is_err());
        assert!(Steps::new(5, 9, 1).unwrap().start_at(4).is_err());
        assert!(Steps::new(1, 0, 1).is_err() && Steps::new(0, 1, 0).is_err());
        assert!(Steps::new(0, 1, 1).unwrap().limit(0).is_err());
    }

    #[test]
    fn instances_together_give_what_one_would() {
        for values in [1_u64, 2, 3, 5, 7, 8, 10, 12, 64, 100, u64::MAX] {
            for (start, stays) in [(0, false), (values / 3, false), (values - 1, false), (0, true), (values / 2, true)]
            {
                let whole = Steps::new(0, values - 1, 1).unwrap().start_at(start).unwrap();
                let whole = if stays { whole.staying() } else { whole };
                for instances in 1..=8_u32 {
                    let one = take(whole, 50 * instances as usize);
                    for instance in 0..instances {
                        let share = take(whole.split(instance, instances), 50);
                        let expected: Vec<_> =
                            one.iter().skip(instance as usize).step_by(instances as usize).copied().collect();
                        assert_eq!(share, expected, "{values} values, {instance} of {instances}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_of_all_values_comes() {
        let whole = Steps::new(0, u64::MAX, 1).unwrap().start_at(u64::MAX - 1).unwrap();
        assert_eq!(take(whole, 3), [u64::MAX - 1, u64::MAX, 0]);
        assert_eq!(take(whole.split(1, 2), 3), [u64::MAX, 1, 3]);
        assert_eq!(take(whole.split(2, 3), 2), [0, 3]);
    }

    #[test]
    fn rounds_are_counted_ahead() {
        for (values, instances) in [(1_u64, 1_u32), (1, 3), (2, 5), (3, 2), (7, 3), (10, 8), (4, 4)] {
            for instance in 0..instances {
                let (mut share, mut random) =
                    (Steps::new(0, values - 1, 1).unwrap().split(instance, instances), Lcg64::new(0));
                for n in 0..40 {
                    share.next(&mut random);
                    let round = |n: u64| (u64::from(instance) + n * u64::from(instances)) / values;
                    for ahead in 0..5 {
                        assert_eq!(share.rounds_in(ahead), round(n + ahead) - round(n));
                    }
                    assert_eq!(share.ended(), round(n + 1) > round(n));
                }
            }
        }
    }
}
