//! Bits of RSS functions (`RTE_ETH_RSS_*`), which are 64-bit macros that bindgen does not evaluate; `dpdk-sys/flow.c` asserts
//! each.
#![allow(missing_docs, reason = "the functions are DPDK's and documented there")]

pub const IPV4: u64 = 1 << 2;
pub const FRAG_IPV4: u64 = 1 << 3;
pub const IPV4_TCP: u64 = 1 << 4;
pub const IPV4_UDP: u64 = 1 << 5;
pub const IPV4_SCTP: u64 = 1 << 6;
pub const IPV4_OTHER: u64 = 1 << 7;
pub const IPV6: u64 = 1 << 8;
pub const FRAG_IPV6: u64 = 1 << 9;
pub const IPV6_TCP: u64 = 1 << 10;
pub const IPV6_UDP: u64 = 1 << 11;
pub const IPV6_SCTP: u64 = 1 << 12;
pub const IPV6_OTHER: u64 = 1 << 13;
pub const L2_PAYLOAD: u64 = 1 << 14;
pub const IPV6_EX: u64 = 1 << 15;
pub const IPV6_TCP_EX: u64 = 1 << 16;
pub const IPV6_UDP_EX: u64 = 1 << 17;
pub const PORT: u64 = 1 << 18;
pub const VXLAN: u64 = 1 << 19;
pub const GENEVE: u64 = 1 << 20;
pub const NVGRE: u64 = 1 << 21;
pub const GTPU: u64 = 1 << 23;
pub const ETH: u64 = 1 << 24;
pub const VLAN: u64 = 3 << 25;
pub const MPLS: u64 = 1 << 33;
pub const L4_DST_ONLY: u64 = 1 << 60;
pub const L4_SRC_ONLY: u64 = 1 << 61;
pub const L3_DST_ONLY: u64 = 1 << 62;
pub const L3_SRC_ONLY: u64 = 1 << 63;
