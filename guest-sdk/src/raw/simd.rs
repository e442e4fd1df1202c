//! What takes vector instructions that LLVM does not find by itself.
#![allow(unsafe_code, reason = "vector loads and stores take pointers")]

/// Swaps bytes 0 to 5 with bytes 6 to 11 by one shuffle. From the plain code below LLVM makes four loads and four stores,
/// which cost a third of the time of the whole reflector.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(crate) fn swap_macs(head: &mut [u8; 16]) {
    use core::arch::wasm32::{i8x16_shuffle, v128, v128_load, v128_store};
    /// Of alignment 1, as a volatile load wants it here.
    #[repr(C, packed)]
    struct Unaligned(v128);
    let place = head.as_mut_ptr().cast::<v128>();
    // SAFETY:
    // - The sixteen bytes are there; the instruction needs no alignment.
    let one = unsafe { v128_load(place) };
    // Loaded again, in a way that LLVM does not see through: of a shuffle of one vector it makes a shuffle with a vector of
    // zeros, which an engine keeps on its stack in a loop and loads from there for each packet. That took as long as all
    // the rest of the reflector.
    // SAFETY: as above.
    let Unaligned(same) = unsafe { place.cast::<Unaligned>().read_volatile() };
    let swapped = i8x16_shuffle::<6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 12, 13, 14, 15>(one, same);
    // SAFETY: as above, and `head` is borrowed mutably.
    unsafe { v128_store(place, swapped) };
}

/// Swaps bytes 0 to 5 with bytes 6 to 11.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) fn swap_macs(head: &mut [u8; 16]) {
    head[..12].rotate_left(6);
}

/// The sum of the 16-bit words of `data`, which has 16 bytes or more, in the machine's order. Of a last odd byte the word is
/// that byte and a 0.
///
/// One multiplication takes all words of a vector and adds pairs of them, but as signed numbers; so the words are made
/// signed by taking 0x8000 from each, and what was taken is in the sum before the first is added. That is three instructions
/// for 16 bytes.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(crate) fn sum_words(data: &[u8]) -> u64 {
    /// A lane's sum then has at most 30 bits.
    const BLOCK: usize = 1 << 16;
    let mut sum = 0;
    let mut rest = data;
    while let Some((block, behind)) = rest.split_at_checked(BLOCK).filter(|(_, behind)| behind.len() >= 16) {
        let lanes = sum_block(block);
        sum += (lanes & 0xffff_ffff) + (lanes >> 32);
        rest = behind;
    }
    sum + sum_block(rest)
}

/// As [`sum_words`], for a block: two sums of 32 bits, to be added.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "a block has at most 4,096 vectors")]
fn sum_block(data: &[u8]) -> u64 {
    use core::arch::wasm32::{i32x4_add, i32x4_splat, u64x2_extract_lane, v128_and};
    let (words, odd) = data.split_at(data.len() & !1);
    let Some(last) = words.last_chunk() else { return 0 };
    let (vectors, rest) = words.as_chunks::<16>();
    // The last vector overlaps the one before; what that has counted is masked.
    let last = v128_and(load(last), load(&MASKS[rest.len() % 16]));
    let (fours, few) = vectors.as_chunks::<4>();
    let mut sum = i32x4_add(i32x4_splat((vectors.len() as i32 + 1) << 16), signed_pairs(last));
    let mut other = i32x4_splat(0);
    for four in fours {
        let [a, b, c, d] = four.each_ref().map(|bytes| signed_pairs(load(bytes)));
        sum = i32x4_add(sum, i32x4_add(a, b));
        other = i32x4_add(other, i32x4_add(c, d));
    }
    sum = i32x4_add(sum, other);
    for bytes in few {
        sum = i32x4_add(sum, signed_pairs(load(bytes)));
    }
    let odd = odd.first().map_or(0, |byte| u64::from(*byte));
    u64x2_extract_lane::<0>(sum) + u64x2_extract_lane::<1>(sum) + odd
}

/// The sums of the pairs of words of a vector, each word less 0x8000.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn signed_pairs(words: core::arch::wasm32::v128) -> core::arch::wasm32::v128 {
    use core::arch::wasm32::{i32x4_dot_i16x8, u16x8_splat, v128_xor};
    i32x4_dot_i16x8(v128_xor(words, u16x8_splat(0x8000)), u16x8_splat(1))
}

/// The last so many bytes of a vector.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
static MASKS: [[u8; 16]; 16] = {
    let mut masks = [[0; 16]; 16];
    let mut len = 1;
    while len < 16 {
        masks[len] = masks[len - 1];
        masks[len][16 - len] = 0xff;
        len += 1;
    }
    masks
};

/// LLVM makes one load of it, of alignment 1, which is all that is known of packet bytes.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn load(bytes: &[u8; 16]) -> core::arch::wasm32::v128 {
    let (halves, _) = bytes.as_chunks::<8>();
    core::arch::wasm32::u64x2(u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1]))
}
