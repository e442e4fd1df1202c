//! What knows DPDK: environment, memory region, pools, packets, ports, rings. Nothing here knows of wasm.
#![allow(unsafe_code, reason = "DPDK is C: every call crosses into it")]

pub(crate) mod device;
pub(crate) mod eal;
pub(crate) mod packet;
pub(crate) mod pool;
pub(crate) mod port;
pub(crate) mod port_info;
pub(crate) mod region;
pub(crate) mod ring;

use std::ffi::{CStr, CString};

/// DPDK's version, as the library says it.
pub(crate) fn version() -> String {
    // SAFETY:
    // - returns a pointer to a constant string.
    let text = unsafe { perigee_dpdk_sys::rte_version() };
    // SAFETY:
    // - the string is terminated and never goes away.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The text of an error number of DPDK, positive or negative.
pub(crate) fn strerror(code: i32) -> String {
    // SAFETY:
    // - rte_strerror takes any number and returns a string that lives as long as the thread.
    let text = unsafe { perigee_dpdk_sys::rte_strerror(code.saturating_abs()) };
    // SAFETY:
    // - the pointer above is never null and points to a terminated string, copied before the next call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The text of this thread's last error.
pub(crate) fn last_error() -> String {
    // SAFETY:
    // - reads a per-thread variable.
    strerror(unsafe { perigee_dpdk_sys::perigee_errno() })
}

/// A C string of a text that has no zero byte; what follows one is cut.
pub(crate) fn c_string(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}
