//! Bindings to the installed libdpdk (allow-listed, by bindgen), to `flow.c`, and to `shim.c`, which wraps DPDK's static inline
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
