//! What knows DPDK: environment, memory region, pools, packets, ports, rings. Nothing here knows of wasm.
#![allow(unsafe_code, reason = "DPDK is C: every call crosses into it")]

pub mod burst;
mod describe;
pub mod device;
pub mod dma;
pub mod eal;
mod events;
pub mod flow;
pub mod leftovers;
pub mod log;
mod memif;
pub mod observer;
mod on_bus;
mod on_interface;
pub mod pacing;
pub mod packet;
mod packet_bytes;
mod packet_socket;
pub mod pool;
pub mod port;
mod port_clock;
pub mod port_info;
pub mod region;
pub mod ring;
mod rss;
mod rx_tx;
mod stamp_trial;
pub mod timestamp;
pub mod trust;

pub use describe::describe;
pub use port_clock::clocks;

use std::ffi::{CStr, CString};

/// What `perigee-config` knows of DPDK without having it.
const _: () = {
    use perigee_config::{drivers, sizes};
    assert!(drivers::TAP_QUEUES == perigee_dpdk_sys::PERIGEE_TAP_QUEUES);
    assert!(sizes::MAX_LCORE == perigee_dpdk_sys::RTE_MAX_LCORE);
    assert!(sizes::CACHE_MAX == perigee_dpdk_sys::RTE_MEMPOOL_CACHE_MAX_SIZE);
};

/// DPDK's version, as the library says it.
pub fn version() -> String {
    // SAFETY:
    // - returns a pointer to a constant string.
    let text = unsafe { perigee_dpdk_sys::rte_version() };
    // SAFETY:
    // - the string is terminated and never goes away.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The text of an error number of DPDK, positive or negative.
pub fn strerror(code: i32) -> String {
    // SAFETY:
    // - rte_strerror takes any number and returns a string that lives as long as the thread.
    let text = unsafe { perigee_dpdk_sys::rte_strerror(code.saturating_abs()) };
    // SAFETY:
    // - the pointer above is never null and points to a terminated string, copied before the next call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The text of this thread's last error.
pub fn last_error() -> String {
    // SAFETY:
    // - reads a per-thread variable.
    strerror(unsafe { perigee_dpdk_sys::perigee_errno() })
}

/// A C string of a text that has no zero byte; what follows one is cut.
pub fn c_string(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}
