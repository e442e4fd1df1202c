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

/// The sum of the 16-bit words of `vectors`, in the machine's order.
///
/// One multiplication takes all words of a vector and adds pairs of them, but as signed numbers; so the words are made
/// signed by taking 0x8000 from each, which is added again at the end. That is three instructions for 16 bytes.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(crate) fn sum_words(vectors: &[[u8; 16]]) -> u64 {
    use core::arch::wasm32::{
        i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_splat, u16x8_splat, v128, v128_xor,
    };
    /// 64 KiB: a lane of the sum then has at most 30 bits.
    const BLOCK: usize = 4_096;
    let (sign, ones) = (u16x8_splat(0x8000), u16x8_splat(1));
    let pairs = |bytes: &[u8; 16]| i32x4_dot_i16x8(v128_xor(load(bytes), sign), ones);
    let total = |sum: v128| {
        let lanes = [i32x4_extract_lane::<0>(sum), i32x4_extract_lane::<1>(sum), i32x4_extract_lane::<2>(sum)];
        i64::from(lanes[0] + lanes[1] + (lanes[2] + i32x4_extract_lane::<3>(sum)))
    };
    let mut signed = 0;
    for block in vectors.chunks(BLOCK) {
        let (fours, rest) = block.as_chunks::<4>();
        // Four sums, so that no addition waits for the one before.
        let mut sums = [i32x4_splat(0); 4];
        for four in fours {
            for (sum, bytes) in sums.iter_mut().zip(four) {
                *sum = i32x4_add(*sum, pairs(bytes));
            }
        }
        for bytes in rest {
            sums[0] = i32x4_add(sums[0], pairs(bytes));
        }
        signed += total(i32x4_add(i32x4_add(sums[0], sums[1]), i32x4_add(sums[2], sums[3])));
    }
    // 8 words of 0x8000 for each vector.
    (signed + ((vectors.len() as i64) << 18)) as u64
}

/// Of alignment 1, which is all that is known of packet bytes.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn load(bytes: &[u8; 16]) -> core::arch::wasm32::v128 {
    let (halves, _) = bytes.as_chunks::<8>();
    core::arch::wasm32::u64x2(u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1]))
}

/// The sum of the 16-bit words of `vectors`, in the machine's order.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
pub(crate) fn sum_words(vectors: &[[u8; 16]]) -> u64 {
    let (words, _) = vectors.as_flattened().as_chunks::<4>();
    words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum()
}
