//! The structures in shared memory, with their sizes and offsets asserted.

use crate::{MAX_BATCH, MAX_COUNTERS, MAX_OUTPUTS, MAX_PORTS, MAX_SPARES};
use core::mem::{offset_of, size_of};

/// One packet as a module sees it: where its bytes are, what is known of it, and what shall become of it.
///
/// The first half is hot: the host writes it for each packet and reads it back. The second half (from `hash` on) is
/// written where `rx_flags` is not 0, and read back where `tx_flags` is not 0; without these its content is stale.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketDesc {
    /// Address of the first byte in the module's memory. In and out: a module moves it to add or remove headers; it must
    /// stay inside the packet's room.
    pub addr: u32,
    /// Bytes of the packet, without frame check sequence. In and out. In `generate` it is what `prefill` left in the first
    /// room, so a generator of one size need not write it; without `prefill` it is 60.
    pub len: u16,
    /// Number of the port that it came from; for a generated packet 0xffff.
    pub port: u16,
    /// What shall become of it ([`crate::verdict`]). The host writes [`crate::verdict::DROP`].
    pub verdict: u32,
    /// A mark that travels with the packet from stage to stage and through rings. In and out; 0 on a fresh packet.
    pub mark: u32,
    /// The packet's room: offset from the start of the mapped window in units of [`crate::SLOT_UNIT`].
    pub slot: u32,
    /// With `slot` the packet's identity towards this module: the low half of the sequence number of the batch that
    /// handed it over.
    pub generation: u32,
    /// What the port found out ([`crate::rx_flags`]). In.
    pub rx_flags: u32,
    /// What is asked of the way out ([`crate::tx_flags`]). Out.
    pub tx_flags: u32,
    /// RSS hash, where `rx_flags` says so. In.
    pub hash: u32,
    /// In: rx queue. Out: tx queue, where `tx_flags` says so.
    pub queue: u16,
    /// In: TCI of the stripped VLAN tag. Out: TCI to insert.
    pub vlan: u16,
    /// Out: length of the link layer (Ethernet and tags) in bytes, for checksums.
    pub l2_len: u8,
    /// Out: length of the network layer with its options or extension headers in bytes, for checksums.
    pub l3_len: u8,
    /// Out: where the host writes the time of departure, in bytes from the packet's beginning ([`crate::tx_flags::STAMP`]).
    pub stamp: u16,
    /// In the output list: which packet this entry speaks of ([`crate::source`]).
    pub source: u32,
    /// In: when it came, in nanoseconds of the run's clock. Out: departure time on the same clock, or gap.
    pub time: u64,
    /// Reserved, 0.
    pub reserved2: u64,
}

/// Facts of a batch; the module writes only `out_count` and `finished`.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// Packets in this batch. Written before each call.
    pub count: u32,
    /// What is special about this batch ([`crate::batch_flags`]). Written before each call.
    pub flags: u32,
    /// Nanoseconds since the run began, read once for the batch. Written before each call.
    pub time_ns: u64,
    /// Number of this batch, from 1. Written before each call.
    pub sequence: u64,
    /// Entries of the output list. The host writes 0 before each call; the module writes how many it made.
    pub out_count: u32,
    /// Packets that the module holds now. Written before each call.
    pub held: u32,
    /// Rooms in `spares`. Written when it changes.
    pub spare_count: u32,
    /// Most packets that this instance may hold.
    pub hold_quota: u32,
    /// Bytes from one descriptor to the next; 64 in this version.
    pub stride: u32,
    /// The host's ABI version.
    pub abi: u32,
    /// Address where the packets' rooms are mapped: inside the declared window, a multiple of 2 MiB.
    pub window: u32,
    /// Bytes mapped there.
    pub window_len: u32,
    /// Seed for random numbers: differs by instance, and is the same again in a run with the same seed.
    pub seed: u64,
    /// Unix time at the run's beginning in nanoseconds; plus `time_ns` it is the time of day.
    pub start_unix_ns: u64,
    /// Which of the module's instances this is, from 0.
    pub instance: u32,
    /// How many instances of the module run in this chain, one per lcore.
    pub instances: u32,
    /// Ports of the run: valid entries of `ports`.
    pub port_count: u32,
    /// Rings of the run.
    pub ring_count: u32,
    /// Bytes before a fresh packet's first byte that belong to its room.
    pub headroom: u32,
    /// Number of the port that a packet passed on by the last stage leaves by; 0xffff where there is none.
    pub next_port: u32,
    /// Largest packet that fits a fresh room, in bytes: the same for all packets of the run.
    pub room_len: u32,
    /// Version of the state that `restore` shall take over: what the instance that saved it has in its export
    /// [`crate::names::STATE_VERSION`]. Written before `restore`.
    pub state_version: u32,
    /// Address of the flat state region: inside the declared range, a multiple of [`crate::STATE_ALIGN`]; 0 where there is
    /// none.
    pub state: u32,
    /// Bytes of it: a multiple of [`crate::STATE_UNIT`].
    pub state_len: u32,
    /// Written by a generator alone: anything but 0 when it will make no more packets.
    pub finished: u32,
    /// By what packets leave at the times that the module asks for ([`crate::pacing`]). Written before `init`.
    pub pacing: u32,
    /// Packets of this instance that left late: by more than the configuration's `late_after`. Refreshed at each tick.
    pub late: u64,
}

/// A port as a module sees it. Written before `init`; the link is refreshed while the run goes on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortInfo {
    /// MAC address.
    pub mac: [u8; 6],
    /// Largest layer-3 packet in bytes.
    pub mtu: u16,
    /// 1 where the link is up.
    pub link_up: u32,
    /// Speed in Mbit/s; 0 where unknown.
    pub speed_mbps: u32,
    /// What it does in hardware ([`crate::offloads`]).
    pub offloads: u32,
    /// 1 where this instance may send to it.
    pub may_tx: u32,
    /// Reserved, 0.
    pub reserved: [u32; 2],
}

/// The area that host and module share, declared by the module (export [`crate::names::BATCH`]).
#[repr(C, align(64))]
pub struct Batch {
    /// Facts of the batch.
    pub header: Header,
    /// The run's ports, by number.
    pub ports: [PortInfo; MAX_PORTS],
    /// Counters that the host reads and shows under the names given in `init`.
    pub counters: [u64; MAX_COUNTERS],
    /// The packets of the batch.
    pub packets: [PacketDesc; MAX_BATCH],
    /// Empty rooms that the module may make packets of, by an entry of the output list. They stay until used.
    pub spares: [PacketDesc; MAX_SPARES],
    /// The output list: descriptors copied from `packets`, `spares` or from what the module holds, in the order in which
    /// they shall go, after the packets that have a verdict in place. The first entry that names a packet moves it; each
    /// further one that names a packet of this batch makes a copy (a spare or held packet can be named once).
    pub outputs: [PacketDesc; MAX_OUTPUTS],
}

const _: () = {
    assert!(size_of::<PacketDesc>() == 64);
    assert!(offset_of!(PacketDesc, len) == 4);
    assert!(offset_of!(PacketDesc, port) == 6);
    assert!(offset_of!(PacketDesc, verdict) == 8);
    assert!(offset_of!(PacketDesc, mark) == 12);
    assert!(offset_of!(PacketDesc, slot) == 16);
    assert!(offset_of!(PacketDesc, generation) == 20);
    assert!(offset_of!(PacketDesc, rx_flags) == 24);
    assert!(offset_of!(PacketDesc, tx_flags) == 28);
    assert!(offset_of!(PacketDesc, hash) == 32);
    assert!(offset_of!(PacketDesc, queue) == 36);
    assert!(offset_of!(PacketDesc, vlan) == 38);
    assert!(offset_of!(PacketDesc, l2_len) == 40);
    assert!(offset_of!(PacketDesc, l3_len) == 41);
    assert!(offset_of!(PacketDesc, stamp) == 42);
    assert!(offset_of!(PacketDesc, source) == 44);
    assert!(offset_of!(PacketDesc, time) == 48);
    assert!(size_of::<Header>() == 128);
    assert!(offset_of!(Header, time_ns) == 8);
    assert!(offset_of!(Header, sequence) == 16);
    assert!(offset_of!(Header, out_count) == 24);
    assert!(offset_of!(Header, held) == 28);
    assert!(offset_of!(Header, spare_count) == 32);
    assert!(offset_of!(Header, window) == 48);
    assert!(offset_of!(Header, seed) == 56);
    assert!(offset_of!(Header, instance) == 72);
    assert!(offset_of!(Header, headroom) == 88);
    assert!(offset_of!(Header, next_port) == 92);
    assert!(offset_of!(Header, room_len) == 96);
    assert!(offset_of!(Header, state_version) == 100);
    assert!(offset_of!(Header, state) == 104);
    assert!(offset_of!(Header, state_len) == 108);
    assert!(offset_of!(Header, finished) == 112);
    assert!(offset_of!(Header, pacing) == 116);
    assert!(offset_of!(Header, late) == 120);
    assert!(size_of::<PortInfo>() == 32);
    assert!(offset_of!(Batch, ports) == 128);
    assert!(offset_of!(Batch, counters) == 1_152);
    assert!(offset_of!(Batch, packets) == 1_664);
    assert!(offset_of!(Batch, spares) == 18_048);
    assert!(offset_of!(Batch, outputs) == 22_144);
    assert!(size_of::<Batch>() == 38_528);
};
