//! Bindings to the installed libdpdk (allow-listed, by bindgen) and to `shim.c`, which wraps DPDK's static inline
//! functions at the level of bursts. Nothing here is safe, and nothing here decides anything: `perigee-runtime` does.
//!
//! [`Mbuf`] is our own view of `struct rte_mbuf`, with the names of its fields; `shim.c` asserts each offset.

mod mbuf;

pub use bindings::*;
pub use mbuf::{Mbuf, flags, offload};

#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unnecessary_transmutes,
    clippy::all,
    reason = "generated from DPDK's headers, whose documentation is DPDK's"
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

/// The time stamp counter, in its own cycles: about 25 of them to read, so once per burst.
#[inline]
#[must_use]
pub fn cycles() -> u64 {
    // SAFETY:
    // - RDTSC is there on every x86-64, which is the only target (DPDK's flags in build.rs ask for more).
    unsafe { core::arch::x86_64::_rdtsc() }
}
