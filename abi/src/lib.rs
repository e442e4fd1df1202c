//! The contract between Perigee's host and its packet modules, version [`ABI_VERSION`].
//!
//! A module is a core WebAssembly module. It defines one memory, and inside it declares three areas by address: the
//! [`Batch`] (the host's and the module's shared blackboard), the *window* (where the host maps the packets' data
//! rooms) and the *mailbox* (configuration, messages, replies, state). The host calls it once per batch, never per
//! packet. All integers are little-endian, as in WebAssembly. `docs/abi.md` says why each piece is as it is.
//!
//! The host trusts nothing that it reads here: every value is read once, by copy, and then checked.
#![no_std]

pub mod fields;
mod layout;
pub mod names;
pub mod verdict;

pub use layout::{Batch, Header, PacketDesc, PortInfo};

/// Version of this contract. A module states the version it was built for in its export [`names::ABI`]; the host
/// refuses any other. `cargo xtask tidy` fails when this crate's code changed and the number did not.
pub const ABI_VERSION: u32 = 3;

/// Most packets in one batch.
pub const MAX_BATCH: usize = 256;
/// Most spare rooms a module can ask for (export [`names::SPARES`]).
pub const MAX_SPARES: usize = 64;
/// Most entries of a batch's output list.
pub const MAX_OUTPUTS: usize = 256;
/// Most ports of one run.
pub const MAX_PORTS: usize = 32;
/// Most counters of one module that the host shows.
pub const MAX_COUNTERS: usize = 64;
/// Alignment of the window inside the memory: the host maps the packets at the first multiple of this inside the
/// declared range, so a module declares that much more than it wants.
pub const WINDOW_ALIGN: u32 = 2 << 20;
/// Alignment of the flat state region inside the memory, as of the window: the region begins at the first multiple of this
/// inside the declared range, and has this many bytes less.
pub const STATE_ALIGN: u32 = WINDOW_ALIGN;
/// The flat state region has a multiple of this many bytes: what is left of the declared range is not part of it.
pub const STATE_UNIT: u32 = 4_096;
/// A slot times this is the room's offset from the start of the mapped window, in bytes.
pub const SLOT_UNIT: u32 = 64;

/// Bits of [`Header::flags`]: what is special about this batch.
pub mod batch_flags {
    /// The source gave as many packets as were asked for: more are waiting.
    pub const MORE: u32 = 1 << 0;
    /// The call of a tick, without packets: time to run timers and give back held packets. It comes to `tick` at every tick,
    /// to `process` (of a module without `tick`) where no packets came since the last one.
    pub const TICK: u32 = 1 << 1;
    /// The run is ending, or another instance takes over without this one's state: what is still held after this call is
    /// freed and counted. A module goes on as if nothing had been where it is called again: the other one may have failed.
    pub const DRAIN: u32 = 1 << 2;
}

/// Bits of [`PacketDesc::rx_flags`]: what the port found out. The host writes them, the module reads them.
pub mod rx_flags {
    /// The port checked the IP header checksum, and it is right.
    pub const IP_CHECKSUM_GOOD: u32 = 1 << 0;
    /// The port checked the IP header checksum, and it is wrong.
    pub const IP_CHECKSUM_BAD: u32 = 1 << 1;
    /// The port checked the TCP, UDP or SCTP checksum, and it is right.
    pub const L4_CHECKSUM_GOOD: u32 = 1 << 2;
    /// The port checked the TCP, UDP or SCTP checksum, and it is wrong.
    pub const L4_CHECKSUM_BAD: u32 = 1 << 3;
    /// A VLAN tag was taken off the packet; `vlan` holds its TCI.
    pub const VLAN_STRIPPED: u32 = 1 << 4;
    /// `hash` holds the port's RSS hash.
    pub const HASH: u32 = 1 << 5;
    /// `time` says when the packet came, by the port: nanoseconds of the run's clock, as `time_ns` of the header.
    pub const TIME: u32 = 1 << 6;
}

/// Bits of [`PacketDesc::tx_flags`]: what the module asks of the way out. The port's hardware does it where it can, the
/// host's software where it cannot. Layer lengths must be right (`l2_len`, `l3_len`).
pub mod tx_flags {
    /// Compute the IPv4 header checksum.
    pub const IP_CHECKSUM: u32 = 1 << 0;
    /// Compute the UDP checksum.
    pub const UDP_CHECKSUM: u32 = 1 << 1;
    /// Compute the TCP checksum.
    pub const TCP_CHECKSUM: u32 = 1 << 2;
    /// The network layer is IPv4 (needed by every checksum bit, unless [`IPV6`] is set).
    pub const IPV4: u32 = 1 << 3;
    /// The network layer is IPv6.
    pub const IPV6: u32 = 1 << 4;
    /// Insert a VLAN tag with the TCI in `vlan`. The host sets this bit beforehand on a packet whose tag it stripped, so
    /// that a packet passed on untouched keeps its tag.
    pub const VLAN_INSERT: u32 = 1 << 5;
    /// Send from the lcore's tx queue number `queue` of the port (an lcore owns one, unless the configuration says more).
    pub const QUEUE: u32 = 1 << 6;
    /// `time` is the departure time in nanoseconds of the run's clock (`time_ns` of the header). This bit and the next two
    /// have an effect where `pace = true` is granted, and are counted as ignored elsewhere.
    pub const TIME: u32 = 1 << 7;
    /// `time` is the gap in nanoseconds between the departure of the packet before it and its own. Not with [`TIME`].
    pub const GAP: u32 = 1 << 8;
    /// The host writes the time of the real departure into the packet, as the last thing before the port has it: 8 bytes of
    /// nanoseconds of the run's clock, in network order, `stamp` bytes from the packet's beginning; and into the two bytes
    /// behind them what keeps checksums over all ten right (RFC 7820).
    pub const STAMP: u32 = 1 << 9;
    /// All bits that have a meaning; a packet with another bit is dropped and counted.
    pub const ALL: u32 = (1 << 10) - 1;
}

/// Bits of [`PortInfo::offloads`]: what a port does in hardware (the rest of it the host does in software).
pub mod offloads {
    /// Inserts VLAN tags on tx.
    pub const TX_VLAN: u32 = 1 << 0;
    /// Computes IPv4 header checksums on tx.
    pub const TX_IP_CHECKSUM: u32 = 1 << 1;
    /// Computes UDP checksums on tx.
    pub const TX_UDP_CHECKSUM: u32 = 1 << 2;
    /// Computes TCP checksums on tx.
    pub const TX_TCP_CHECKSUM: u32 = 1 << 3;
    /// Checks checksums on rx.
    pub const RX_CHECKSUM: u32 = 1 << 4;
    /// Gives rx timestamps.
    pub const RX_TIME: u32 = 1 << 5;
    /// Sends at a given time.
    pub const TX_TIME: u32 = 1 << 6;
}

/// Values of [`Header::pacing`]: by what packets leave at their times.
pub mod pacing {
    /// They leave when they are made: `pace` is not granted.
    pub const NONE: u32 = 0;
    /// The host waits for each packet's time.
    pub const SOFTWARE: u32 = 1;
    /// The port limits the rate of the queue: times have no effect.
    pub const RATE_LIMIT: u32 = 2;
    /// The port holds each packet until its time.
    pub const LAUNCH_TIME: u32 = 3;
    /// The line is kept busy between packets.
    pub const FILLER: u32 = 4;
}

/// Values of [`PacketDesc::source`] in the output list: where the host finds the packet that an entry speaks of.
pub mod source {
    /// Plus `i`: packet `i` of this batch.
    pub const INPUT: u32 = 0;
    /// Plus `i`: spare room `i`.
    pub const SPARE: u32 = 0x1_0000;
    /// A held packet, found by its slot and generation.
    pub const HELD: u32 = 0x2_0000;
}
