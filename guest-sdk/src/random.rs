//! Random numbers for traffic: fast, reproducible, not for secrets.

/// Knuth's 64-bit linear congruential generator: one multiplication and one addition for each number.
///
/// The upper bits are good; the lower half is a generator of its own with a period of 2^32, good in its upper bits. So
/// one draw gives two numbers: [`Lcg64::pair`].
#[derive(Clone, Copy, Debug)]
pub struct Lcg64 {
    state: u64,
}

impl Lcg64 {
    /// A generator that starts from `seed`, such as the instance's own ([`crate::Setup::seed`]).
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed_mix(seed) }
    }

    /// A generator that goes on from where another one was.
    #[cfg(feature = "config")]
    pub(crate) fn with_state(state: u64) -> Self {
        Self { state }
    }

    /// Where it is.
    #[cfg(feature = "config")]
    pub(crate) fn state(&self) -> u64 {
        self.state
    }

    /// The next 64 bits; use the upper ones.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state
    }

    /// A number below `span`; 0 where `span` is 0. `span` may be 2^32.
    #[inline]
    pub fn below(&mut self, span: u64) -> u32 {
        scale(self.next_u64() >> 32, span)
    }

    /// Two numbers below `first` and below `second`, from one draw.
    #[inline]
    pub fn pair(&mut self, first: u64, second: u64) -> (u32, u32) {
        let draw = self.next_u64();
        (scale(draw >> 32, first), scale(draw & 0xffff_ffff, second))
    }
}

/// So that the distributions of `rand` and `rand_distr` can be drawn from it. A number of 64 bits is made of two draws:
/// `rand` uses the lower bits too.
impl rand_core::TryRng for Lcg64 {
    type Error = core::convert::Infallible;

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the upper half, which is the better one")]
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok((Self::next_u64(self) >> 32) as u32)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(Self::next_u64(self) >> 32 << 32 | Self::next_u64(self) >> 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(4) {
            let drawn = self.try_next_u32()?.to_le_bytes();
            for (byte, new) in chunk.iter_mut().zip(drawn) {
                *byte = new;
            }
        }
        Ok(())
    }
}

/// Takes `fraction` of 2^32 to the same fraction of `span`: a multiplication where others divide.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the product of two 32-bit numbers, shifted by 32, has 32 bits")]
const fn scale(fraction: u64, span: u64) -> u32 {
    (fraction.wrapping_mul(span) >> 32) as u32
}

/// Spreads the bits of a seed, so that neighbouring seeds give unrelated sequences (the last step of `splitmix64`).
#[inline]
#[must_use]
pub const fn seed_mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod test {
    use super::*;
    use rand_core::TryRng as _;

    #[test]
    fn both_numbers_of_a_pair_cover_their_ranges() {
        let mut random = Lcg64::new(1);
        let (mut first, mut second) = ([0_u32; 16], [0_u32; 10]);
        for _ in 0..16_000 {
            let (a, b) = random.pair(16, 10);
            first[a as usize] += 1;
            second[b as usize] += 1;
        }
        assert!(first.iter().all(|&n| (800..1_200).contains(&n)), "{first:?}");
        assert!(second.iter().all(|&n| (1_400..1_800).contains(&n)), "{second:?}");
    }

    #[test]
    fn the_traits_of_rand_use_the_upper_halves() {
        use rand_core::Rng as _;
        let (mut plain, mut random) = (Lcg64::new(3), Lcg64::new(3));
        let mut upper = || (Lcg64::next_u64(&mut plain) >> 32) as u32;
        let (first, second, third, fourth) = (upper(), upper(), upper(), upper());
        assert_eq!(random.next_u32(), first);
        assert_eq!(random.try_next_u64().unwrap(), u64::from(second) << 32 | u64::from(third));
        let mut bytes = [0; 3];
        random.fill_bytes(&mut bytes);
        assert_eq!(bytes, fourth.to_le_bytes()[..3]);
    }

    #[test]
    fn the_whole_range_is_allowed() {
        let mut random = Lcg64::new(2);
        assert!((0..100).any(|_| random.below(1 << 32) > 0xf000_0000));
        assert_eq!(random.below(1), 0);
        assert_eq!(random.below(0), 0);
    }
}
