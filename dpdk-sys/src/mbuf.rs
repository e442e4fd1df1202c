//! `struct rte_mbuf` with plain field names, instead of bindgen's numbered unions.

use crate::bindings::rte_mbuf;

/// The packet buffer header of DPDK 22.11 to 24.11 (`rte_mbuf_core.h`); `shim.c` asserts the offsets.
#[repr(C, align(64))]
#[allow(missing_docs, reason = "the fields are DPDK's and documented there")]
pub struct Mbuf {
    pub buf_addr: *mut u8,
    pub buf_iova: u64,
    pub data_off: u16,
    pub refcnt: u16,
    pub nb_segs: u16,
    pub port: u16,
    pub ol_flags: u64,
    pub packet_type: u32,
    pub pkt_len: u32,
    pub data_len: u16,
    pub vlan_tci: u16,
    /// RSS hash: the low half of `hash`.
    pub rss: u32,
    /// Flow director's mark on rx: the high half of `hash`. Perigee keeps the packet's mark in it.
    pub mark: u32,
    pub vlan_tci_outer: u16,
    pub buf_len: u16,
    pub pool: *mut crate::rte_mempool,
    pub next: *mut Mbuf,
    /// Bit field: l2_len 7, l3_len 9, l4_len 8, tso_segsz 16, and more.
    pub tx_offload: u64,
    pub shinfo: *mut core::ffi::c_void,
    pub priv_size: u16,
    pub timesync: u16,
    pub dynfield: [u32; 9],
}

const _: () = assert!(size_of::<Mbuf>() == size_of::<rte_mbuf>());

/// Bits of [`Mbuf::ol_flags`] (`RTE_MBUF_F_*`), which are 64-bit macros that bindgen does not evaluate.
#[allow(missing_docs, reason = "the flags are DPDK's and documented there")]
pub mod flags {
    pub const RX_VLAN: u64 = 1 << 0;
    pub const RX_RSS_HASH: u64 = 1 << 1;
    pub const RX_FDIR: u64 = 1 << 2;
    pub const RX_L4_CKSUM_BAD: u64 = 1 << 3;
    pub const RX_IP_CKSUM_BAD: u64 = 1 << 4;
    pub const RX_VLAN_STRIPPED: u64 = 1 << 6;
    pub const RX_IP_CKSUM_GOOD: u64 = 1 << 7;
    pub const RX_L4_CKSUM_GOOD: u64 = 1 << 8;
    pub const RX_IEEE1588_TMST: u64 = 1 << 10;
    pub const RX_FDIR_ID: u64 = 1 << 13;
    pub const TX_IEEE1588_TMST: u64 = 1 << 51;
    pub const TX_TCP_CKSUM: u64 = 1 << 52;
    pub const TX_UDP_CKSUM: u64 = 3 << 52;
    pub const TX_IP_CKSUM: u64 = 1 << 54;
    pub const TX_IPV4: u64 = 1 << 55;
    pub const TX_IPV6: u64 = 1 << 56;
    pub const TX_VLAN: u64 = 1 << 57;
}

/// Bits of a port's offload capabilities (`RTE_ETH_RX_OFFLOAD_*`, `RTE_ETH_TX_OFFLOAD_*`) and of its RSS functions.
#[allow(missing_docs, reason = "the flags are DPDK's and documented there")]
pub mod offload {
    pub const RX_VLAN_STRIP: u64 = 1 << 0;
    pub const RX_IPV4_CKSUM: u64 = 1 << 1;
    pub const RX_UDP_CKSUM: u64 = 1 << 2;
    pub const RX_TCP_CKSUM: u64 = 1 << 3;
    pub const RX_SCATTER: u64 = 1 << 13;
    pub const RX_TIMESTAMP: u64 = 1 << 14;
    pub const RX_RSS_HASH: u64 = 1 << 19;
    pub const TX_VLAN_INSERT: u64 = 1 << 0;
    pub const TX_IPV4_CKSUM: u64 = 1 << 1;
    pub const TX_UDP_CKSUM: u64 = 1 << 2;
    pub const TX_TCP_CKSUM: u64 = 1 << 3;
    pub const TX_MULTI_SEGS: u64 = 1 << 15;
    pub const TX_MBUF_FAST_FREE: u64 = 1 << 16;
    pub const TX_SEND_ON_TIMESTAMP: u64 = 1 << 21;
    /// IPv4, IPv6, TCP and UDP: what a flow is spread over queues by.
    pub const RSS_IP_L4: u64 = 0x3ffc;
}
