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
/// // The second of two instances takes every other value.
/// let mut share = Steps::new(10, 16, 1)?.split(1, 2);
/// assert_eq!([(); 4].map(|()| share.next(&mut random)), [11, 13, 15, 11]);
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
    /// Index with which a round begins.
    first: u64,
    /// Indexes between two values: the number of instances.
    stride: u64,
    stays: bool,
    ended: bool,
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
        Ok(Self { base, step: step.cast_unsigned(), index: 0, last, first: 0, stride: 1, stays: false, ended: false })
    }

    /// The numbers in `0..=last`: an index into something.
    pub(super) const fn indexes(last: u64) -> Self {
        Self { base: 0, step: 1, index: 0, last, first: 0, stride: 1, stays: false, ended: false }
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

    /// Leaves every value but the `instance`-th of `instances` to others: together they take all, each of them once in a
    /// round. Where there are fewer values than instances, some share one.
    #[must_use]
    pub fn split(mut self, instance: u32, instances: u32) -> Self {
        let (own, all) = (u64::from(instance), u64::from(instances.max(1)));
        self.stride = all;
        self.first = if own <= self.last { own } else { own % (self.last + 1) };
        // From where the counter starts to the next index that is this instance's own.
        let skip = (own % all + all - self.index % all) % all;
        self.index = match self.index.checked_add(skip) {
            Some(index) if index <= self.last => index,
            _ => self.first,
        };
        self
    }
}

impl Draw for Steps {
    type Value = u64;

    #[inline]
    fn next(&mut self, _random: &mut Lcg64) -> u64 {
        let value = self.base.wrapping_add(self.index.wrapping_mul(self.step));
        self.ended = self.last - self.index < self.stride;
        if !self.ended {
            self.index += self.stride;
        } else if !self.stays {
            self.index = self.first;
        }
        value
    }

    #[inline]
    fn ended(&self) -> bool {
        self.ended
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
    fn instances_share_all_values_without_overlap() {
        for (values, start, instances) in [(10_u64, 0, 3_u32), (12, 5, 4), (7, 6, 7), (100, 33, 8)] {
            let all = Steps::new(1000, 999 + values, 1).unwrap().start_at(1000 + start).unwrap();
            let mut seen = Vec::new();
            for instance in 0..instances {
                let share = all.split(instance, instances);
                // Its own round, wherever it starts: as many values as it has.
                let own = (values - u64::from(instance)).div_ceil(u64::from(instances));
                seen.extend(take(share, usize::try_from(own).unwrap()));
            }
            seen.sort_unstable();
            assert_eq!(seen, (1000..1000 + values).collect::<Vec<_>>());
        }
        // More instances than values: they share.
        assert_eq!(take(Steps::new(0, 1, 1).unwrap().split(4, 5), 3), [0, 0, 0]);
    }
}
