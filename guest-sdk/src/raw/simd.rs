//! What takes vector instructions that LLVM does not find by itself.
#![allow(unsafe_code, reason = "vector loads and stores take pointers")]

/// Swaps bytes 0 to 5 with bytes 6 to 11: one load, one shuffle and one store. From the plain code below LLVM makes four
/// loads and four stores, which cost a third of the time of the whole reflector.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(crate) fn swap_macs(head: &mut [u8; 16]) {
    use core::arch::wasm32::{i8x16_shuffle, v128_load, v128_store};
    let place = head.as_mut_ptr().cast();
    // SAFETY:
    // - The sixteen bytes are there; the instruction needs no alignment.
    let both = unsafe { v128_load(place) };
    let swapped = i8x16_shuffle::<6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15>(both, both);
    // SAFETY: as above, and `head` is borrowed mutably.
    unsafe { v128_store(place, swapped) };
}

/// Swaps bytes 0 to 5 with bytes 6 to 11.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) fn swap_macs(head: &mut [u8; 16]) {
    head[..12].rotate_left(6);
}
