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
