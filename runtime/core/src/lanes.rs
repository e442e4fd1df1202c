//! Four 32-bit numbers in one vector register. Descriptors and mbuf headers are written, read and compared 16 bytes at a
//! time: the data path is bound by the number of its instructions, and this halves it.
#![allow(unsafe_code, reason = "vector instructions, of the kind that every x86-64 has")]

use std::arch::x86_64::{
    __m128i, _MM_HINT_T0, _mm_add_epi32, _mm_and_si128, _mm_cvtsi32_si128, _mm_max_epi16, _mm_min_epi16, _mm_or_si128,
    _mm_prefetch, _mm_set_epi32, _mm_srli_epi32, _mm_sub_epi32, _mm_xor_si128,
};

/// Bytes of a line of the caches.
const LINE: usize = 64;

/// Asks for bytes that will be read soon: who reads them then does not wait for memory. Nothing else comes of it.
#[inline]
pub fn fetch_ahead(bytes: &[u8]) {
    for line in bytes.chunks(LINE) {
        // SAFETY:
        // - SSE is a part of x86-64; a prefetch reads and writes nothing that a program could see, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// Four numbers. In memory like an array of them.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Lanes(__m128i);

// SAFETY (of all blocks below):
// - SSE2 is a part of x86-64, for which alone this crate is built (dpdk-sys reads the time stamp counter the same way).
impl Lanes {
    /// Four numbers, the first in the lowest lane.
    #[inline]
    pub fn new([a, b, c, d]: [u32; 4]) -> Self {
        let [a, b, c, d] = [a, b, c, d].map(u32::cast_signed);
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_set_epi32(d, c, b, a) })
    }

    /// The first number; the others are 0.
    #[inline]
    pub fn first(a: u32) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_cvtsi32_si128(a.cast_signed()) })
    }

    /// Sums, lane by lane.
    #[inline]
    pub fn plus(self, other: Self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_add_epi32(self.0, other.0) })
    }

    /// Differences, lane by lane.
    #[inline]
    pub fn minus(self, other: Self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_sub_epi32(self.0, other.0) })
    }

    /// Bits that both have.
    #[inline]
    pub fn and(self, other: Self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_and_si128(self.0, other.0) })
    }

    /// Bits that either has.
    #[inline]
    pub fn or(self, other: Self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_or_si128(self.0, other.0) })
    }

    /// Bits in which they differ.
    #[inline]
    pub fn xor(self, other: Self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_xor_si128(self.0, other.0) })
    }

    /// The smaller of each two halves of a lane, as signed numbers of 16 bits.
    #[inline]
    pub fn min_halves(self, other: Self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_min_epi16(self.0, other.0) })
    }

    /// The larger of each two halves of a lane, as signed numbers of 16 bits.
    #[inline]
    pub fn max_halves(self, other: Self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_max_epi16(self.0, other.0) })
    }

    /// Each lane, shifted to the right.
    #[inline]
    pub fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY:
        // - as above.
        Self(unsafe { _mm_srli_epi32::<BITS>(self.0) })
    }

    /// The numbers.
    #[inline]
    pub fn get(self) -> [u32; 4] {
        // SAFETY:
        // - both types have 16 bytes, and any of them are four numbers.
        unsafe { std::mem::transmute(self.0) }
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new([0; 4])
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn each_lane_is_on_its_own() {
        let a = Lanes::new([1, 2, 3, u32::MAX]);
        assert_eq!(a.plus(Lanes::new([u32::MAX, 1, 0, 1])).get(), [0, 3, 3, 0]);
        assert_eq!(a.minus(Lanes::first(2)).get(), [u32::MAX, 2, 3, u32::MAX]);
        assert_eq!(a.xor(Lanes::new([1; 4])).get(), [0, 3, 2, u32::MAX - 1]);
        assert_eq!(a.and(Lanes::new([2; 4])).or(Lanes::first(4)).get(), [4, 2, 2, 2]);
        assert_eq!(a.shift_right::<1>().get(), [0, 1, 1, u32::MAX >> 1]);
        let b = Lanes::new([0x0005_0006, 2, 2, 2]);
        assert_eq!(a.min_halves(b).get(), [1, 2, 2, u32::MAX]);
        assert_eq!(a.max_halves(b).get(), [0x0005_0006, 2, 3, 2]);
    }
}
