//! Hostcalls and counters.
#![allow(unsafe_code, reason = "counters are written by address, and hostcalls are foreign functions")]

use crate::area;
use core::mem::offset_of;
use perigee_abi::Batch;

/// Adds to a counter of the batch area. Without a host (a unit test that calls a function of the module) it does nothing.
#[inline]
pub(crate) fn count(index: u8, amount: u64) {
    let area = area::batch();
    if cfg!(not(target_arch = "wasm32")) && area.is_null() {
        return;
    }
    let offset = offset_of!(Batch, counters) + usize::from(index) * size_of::<u64>();
    // SAFETY:
    // - `index` is below `MAX_COUNTERS` (checked in `Counter::at`), so the place is inside the area.
    let counter = unsafe { area.byte_add(offset) }.cast::<u64>();
    // SAFETY:
    // - The place is a `u64` of the area, aligned to 8; no reference to it is ever made.
    let before = unsafe { counter.read() };
    // SAFETY: as above.
    unsafe { counter.write(before.wrapping_add(amount)) };
}

#[cfg(target_arch = "wasm32")]
mod calls {
    #[link(wasm_import_module = "perigee")]
    unsafe extern "C" {
        #[link_name = "log"]
        pub(super) safe fn log(level: u32, ptr: *const u8, len: usize);
        #[link_name = "counter"]
        pub(super) safe fn counter(index: u32, ptr: *const u8, len: usize);
        #[link_name = "time"]
        pub(super) safe fn time() -> u64;
        #[link_name = "tell"]
        pub(super) safe fn tell(target: u32, ptr: *const u8, len: usize) -> i32;
        #[link_name = "region"]
        pub(super) safe fn region(question: i32) -> u64;
    }
}

/// Logs a line.
pub(crate) fn log(level: u32, line: &str) {
    #[cfg(target_arch = "wasm32")]
    calls::log(level, line.as_ptr(), line.len());
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::host_log(level, line);
}

/// Names a counter.
pub(crate) fn name_counter(index: usize, name: &str) {
    #[cfg(target_arch = "wasm32")]
    #[allow(clippy::cast_possible_truncation, reason = "an index below 64")]
    calls::counter(index as u32, name.as_ptr(), name.len());
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::host_counter(index, name);
}

/// Nanoseconds since the run began, now.
pub(crate) fn time() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return calls::time();
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::host_time();
}

/// Tells a module's instances something.
pub(crate) fn tell(target: u32, message: &[u8]) -> i32 {
    #[cfg(target_arch = "wasm32")]
    return calls::tell(target, message.as_ptr(), message.len());
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::host_tell(target, message);
}

/// Asks about the state region.
pub(crate) fn region(question: i32) -> u64 {
    #[cfg(target_arch = "wasm32")]
    return calls::region(question);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::host_region(question);
}
