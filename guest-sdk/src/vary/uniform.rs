//! Random numbers in a range.

use super::Draw;
use crate::{Lcg64, Refusal};

/// Numbers of a range, each as likely as any other, exactly.
///
/// A range of a power of two takes its bits from the generator as they are. Others scale them by a multiplication and
/// draw again where that would favour some numbers (Lemire 2019, "Fast Random Integer Generation in an Interval").
///
/// ```
/// use perigee_guest::vary::{Draw, Uniform};
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let mut die = Uniform::new(1, 6)?;
/// assert!((1..=6).contains(&die.next(&mut perigee_guest::Lcg64::new(7))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Uniform {
    from: u64,
    scale: Scale,
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    /// So many upper bits, at most 32.
    Bits(u32),
    /// So many numbers, less than 2^32.
    Narrow(u32),
    /// So many numbers; 0 for all 2^64.
    Wide(u64),
}

impl Uniform {
    /// Numbers in `from..=to`.
    ///
    /// # Errors
    ///
    /// `from` is larger than `to`.
    pub fn new(from: u64, to: u64) -> Result<Self, Refusal> {
        if from > to {
            return Err(Refusal::new("from: must not be larger than to"));
        }
        Ok(Self { from, scale: Scale::of(to - from) })
    }

    /// The numbers in `0..=last`.
    pub(super) fn indexes(last: u64) -> Self {
        Self { from: 0, scale: Scale::of(last) }
    }
}

impl Uniform {
    /// The next number of a narrow range; nothing, and nothing drawn, of a wide one.
    #[cfg(feature = "config")]
    #[inline(always)]
    pub(super) fn next_narrow(&mut self, random: &mut Lcg64) -> Option<u64> {
        let number = match self.scale {
            Scale::Bits(bits) => (random.next_u64() >> 32) << bits >> 32,
            Scale::Narrow(count) => narrow(random, count),
            Scale::Wide(_) => return None,
        };
        Some(self.from.wrapping_add(number))
    }
}

#[cfg(feature = "config")]
impl Uniform {
    /// In the host's words, where it gives indexes.
    pub(super) fn plan(&self, plan: &mut perigee_abi::fields::Item) {
        use perigee_abi::fields::scale;
        (plan.scale, plan.count) = match self.scale {
            Scale::Bits(bits) => (scale::BITS, bits.into()),
            Scale::Narrow(count) => (scale::NARROW, count.into()),
            Scale::Wide(count) => (scale::WIDE, count),
        };
    }
}

impl Scale {
    fn of(last: u64) -> Self {
        let count = last.wrapping_add(1);
        if count.is_power_of_two() && count <= 1 << 32 {
            return Self::Bits(count.trailing_zeros());
        }
        u32::try_from(count).ok().filter(|&count| count != 0).map_or(Self::Wide(count), Self::Narrow)
    }
}

impl Draw for Uniform {
    type Value = u64;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> u64 {
        self.from.wrapping_add(match self.scale {
            // Two shifts, because one by 64 does not exist.
            Scale::Bits(bits) => (random.next_u64() >> 32) << bits >> 32,
            Scale::Narrow(count) => narrow(random, count),
            Scale::Wide(count) => wide(random, count),
        })
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
fn narrow(random: &mut Lcg64, count: u32) -> u64 {
    loop {
        let product = (random.next_u64() >> 32) * u64::from(count);
        let rest = product as u32;
        // The remainder of 2^32 by `count` is less than `count`, so it is computed only where it may matter.
        if rest >= count || rest >= count.wrapping_neg() % count {
            return product >> 32;
        }
    }
}

#[inline(never)]
#[allow(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
fn wide(random: &mut Lcg64, count: u64) -> u64 {
    loop {
        // The lower bits of the generator are poor, so the upper halves of two draws are joined.
        let bits = random.next_u64() >> 32 << 32 | random.next_u64() >> 32;
        if count == 0 {
            return bits;
        }
        let product = u128::from(bits) * u128::from(count);
        let rest = product as u64;
        if rest >= count || rest >= count.wrapping_neg() % count {
            return (product >> 64) as u64;
        }
    }
}

/// A number between 0 and 1, never either of them.
#[inline]
#[allow(clippy::cast_precision_loss, reason = "53 bits are what a number of this type holds")]
pub(super) fn fraction(random: &mut Lcg64) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    ((random.next_u64() >> 11) as f64 + 0.5) * STEP
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn every_kind_of_range_covers_its_bounds() {
        let mut random = Lcg64::new(3);
        for (from, to) in [(5, 5), (0, 1), (10, 13), (1, 6), (250, 349), (u64::MAX - 2, u64::MAX)] {
            let mut range = Uniform::new(from, to).unwrap();
            let (mut low, mut high) = (u64::MAX, 0);
            for _ in 0..5_000 {
                let value = range.next(&mut random);
                low = low.min(value);
                high = high.max(value);
            }
            assert_eq!((low, high), (from, to));
        }
        assert!(Uniform::new(1, 0).is_err());
    }

    #[test]
    fn wide_ranges_use_all_their_bits() {
        for to in [u64::MAX, u64::MAX - 1, 1 << 40, (1 << 40) - 1, 1 << 32, (1 << 32) - 1] {
            let (mut range, mut random) = (Uniform::new(0, to).unwrap(), Lcg64::new(4));
            let (mut ones, mut zeros) = (0, 0);
            for _ in 0..200 {
                let value = range.next(&mut random);
                assert!(value <= to);
                ones |= value;
                zeros |= !value;
            }
            let mask = u64::MAX >> to.leading_zeros();
            assert_eq!(ones & mask | (to & (1 << (63 - to.leading_zeros()))), mask, "{to:#x}");
            assert_eq!(zeros & mask, mask, "{to:#x}");
        }
    }

    #[test]
    fn a_fraction_is_never_0_or_1() {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        assert!(0.5 * STEP > 0.0 && ((1_u64 << 53) as f64 - 0.5) * STEP < 1.0 + f64::EPSILON);
        let mut random = Lcg64::new(5);
        assert!((0..10_000).map(|_| fraction(&mut random)).all(|x| x > 0.0 && x < 1.0));
    }
}
