//! The contract between Perigee and packet modules, ABI version 3: its numbers, and what lies in shared memory.
//! docs/abi.md explains each of them. All integers are little-endian, as in WebAssembly.

const std = @import("std");

/// Version of this contract; the host refuses a module that was built for another.
pub const version: u32 = 3;
/// Most packets in a batch.
pub const max_batch = 256;
/// Most spare rooms that a module can ask for.
pub const max_spares = 64;
/// Most entries of the output list.
pub const max_outputs = 256;
/// Most ports of a run.
pub const max_ports = 32;
/// Most counters of a module.
pub const max_counters = 64;
/// The host maps the packets at the first multiple of this inside the window.
pub const window_align = 2 << 20;
/// A slot times this is where its room begins in the mapped window, in bytes.
pub const slot_unit = 64;
/// Longest log line in bytes; the rest is cut.
pub const log_max = 240;
pub const tell_max = 16384;
/// Number of a port that there is not: that of a packet made here, and `next_port` where there is none.
pub const no_port: u16 = 0xffff;

/// What becomes of a packet. `.drop` is what the host writes before each call.
pub const Verdict = packed struct(u32) {
    kind: Kind,
    argument: u16 = 0,

    pub const Kind = enum(u16) { drop, next, tx, ring, hold, listed, _ };

    /// Free it.
    pub const drop: Verdict = .{ .kind = .drop };
    /// Pass it to the next stage; after the last one, to the chain's first tx port.
    pub const next: Verdict = .{ .kind = .next };
    /// The output list says what becomes of it; where it does not, the packet is dropped.
    pub const listed: Verdict = .{ .kind = .listed };

    /// Send it to a port, by its number in the run.
    pub fn tx(port: u16) Verdict {
        return .{ .kind = .tx, .argument = port };
    }

    /// Put it into a ring to another lcore.
    pub fn ring(number: u16) Verdict {
        return .{ .kind = .ring, .argument = number };
    }
};

/// What is special about a batch.
pub const BatchFlags = packed struct(u32) {
    /// The source gave as many packets as were asked for: more are waiting.
    more: bool = false,
    /// A tick, without packets.
    tick: bool = false,
    /// The run is ending: what is still held after this call is freed.
    drain: bool = false,
    reserved: u29 = 0,
};

/// What the port found out about a packet.
pub const RxFlags = packed struct(u32) {
    ip_checksum_good: bool = false,
    ip_checksum_bad: bool = false,
    l4_checksum_good: bool = false,
    l4_checksum_bad: bool = false,
    /// A tag was taken off; `vlan` holds its TCI.
    vlan_stripped: bool = false,
    /// `hash` is valid.
    hash: bool = false,
    /// `time` is valid.
    time: bool = false,
    reserved: u25 = 0,
};

/// What is asked of the way out. What the port's hardware cannot do, the host does in software.
pub const TxFlags = packed struct(u32) {
    /// The IPv4 header checksum.
    ip_checksum: bool = false,
    /// The UDP checksum.
    udp_checksum: bool = false,
    /// The TCP checksum; not together with UDP's.
    tcp_checksum: bool = false,
    /// The network layer is IPv4; with any checksum, exactly one of this and the next is set.
    ipv4: bool = false,
    /// The network layer is IPv6.
    ipv6: bool = false,
    /// A tag with the TCI in `vlan`; set beforehand where the host took one off.
    vlan_insert: bool = false,
    /// From the lcore's tx queue number `queue`.
    queue: bool = false,
    /// At `time`, in nanoseconds of the run's clock. This and the next two need the grant `pace`.
    time: bool = false,
    /// `time` nanoseconds after the packet before it.
    gap: bool = false,
    /// The host writes the real departure at `stamp`, 8 bytes in network order; the two behind keep checksums right.
    stamp: bool = false,
    reserved: u22 = 0,
};

/// What a port does in hardware.
pub const Offloads = packed struct(u32) {
    tx_vlan: bool = false,
    tx_ip_checksum: bool = false,
    tx_udp_checksum: bool = false,
    tx_tcp_checksum: bool = false,
    rx_checksum: bool = false,
    rx_time: bool = false,
    tx_time: bool = false,
    reserved: u25 = 0,
};

/// Values of `Packet.source` in the output list: which packet an entry speaks of.
pub const source = struct {
    /// Plus i: packet i of this batch.
    pub const input: u32 = 0;
    /// Plus i: spare room i.
    pub const spare: u32 = 0x1_0000;
    /// A held packet, found by its slot and generation.
    pub const held: u32 = 0x2_0000;
};

/// Facts of the batch and of the run. A module writes only `out_count`.
pub const Header = extern struct {
    /// Packets in this batch.
    count: u32,
    flags: BatchFlags,
    /// Nanoseconds since the run began, read once for the batch.
    time_ns: u64,
    /// Number of the batch, from 1.
    sequence: u64,
    /// Entries of the output list; the host writes 0 before each call.
    out_count: u32,
    /// Packets that the module holds now.
    held: u32,
    /// Entries of `spares`.
    spare_count: u32,
    /// Most packets that the module may hold.
    hold_quota: u32,
    /// Bytes from one descriptor to the next: 64.
    stride: u32,
    /// The host's ABI version.
    abi: u32,
    /// Address where the rooms are mapped.
    window: u32,
    /// Bytes mapped there.
    window_len: u32,
    /// For random numbers: differs by instance, the same again in a run with the same seed.
    seed: u64,
    /// Unix time when the run began; plus `time_ns` it is the time of day.
    start_unix_ns: u64,
    /// Which of the chain's workers this is, from 0.
    instance: u32,
    /// How many there are.
    instances: u32,
    /// Valid entries of `ports`.
    port_count: u32,
    /// Rings of the run.
    ring_count: u32,
    /// Bytes of a fresh room in front of the packet.
    headroom: u32,
    /// Number of the port that `.next` leads to after the last stage, or `no_port`.
    next_port: u32,
    /// Largest packet that fits a fresh room.
    room_len: u32,
    /// Version of the state that `restore` shall take over.
    state_version: u32,
    /// Address of the flat state region; 0 where there is none.
    state: u32,
    /// Bytes of it.
    state_len: u32,
    /// Written by a generator: not 0 when it will make no more packets.
    finished: u32,
    /// By what packets leave at their times: 0 nothing, 1 the host's software.
    pacing: u32,
    /// Packets of this instance that left late.
    late: u64,
};

/// A port of the run.
pub const Port = extern struct {
    mac: [6]u8,
    /// Largest layer-3 packet in bytes.
    mtu: u16,
    /// 1 where the link is up.
    link_up: u32,
    /// 0 where unknown.
    speed_mbps: u32,
    offloads: Offloads,
    /// 1 where this instance may send to it.
    may_tx: u32,
    reserved: [2]u32,
};

/// Fails to compile where a field is not at its offset or the whole has another size.
pub fn assertLayout(comptime T: type, comptime offsets: anytype, comptime size: usize) void {
    for (std.meta.fieldNames(@TypeOf(offsets))) |name| {
        if (@offsetOf(T, name) != @field(offsets, name)) @compileError(@typeName(T) ++ "." ++ name);
    }
    if (@sizeOf(T) != size) @compileError("size of " ++ @typeName(T));
}

comptime {
    assertLayout(Header, .{
        .time_ns = 8,
        .sequence = 16,
        .out_count = 24,
        .held = 28,
        .spare_count = 32,
        .window = 48,
        .seed = 56,
        .instance = 72,
        .headroom = 88,
        .next_port = 92,
        .room_len = 96,
        .state_version = 100,
        .state = 104,
        .pacing = 116,
        .late = 120,
    }, 128);
    assertLayout(Port, .{ .mtu = 6, .link_up = 8, .speed_mbps = 12, .offloads = 16, .may_tx = 20 }, 32);
}

test "verdicts and flags are the numbers of the contract" {
    const bits = struct {
        fn of(value: anytype) u32 {
            return @bitCast(value);
        }
    };
    try std.testing.expectEqual(0x3_0002, bits.of(Verdict.tx(3)));
    try std.testing.expectEqual(0x7_0003, bits.of(Verdict.ring(7)));
    try std.testing.expectEqual(5, bits.of(Verdict.listed));
    try std.testing.expectEqual(4, bits.of(BatchFlags{ .drain = true }));
    try std.testing.expectEqual(64, bits.of(RxFlags{ .time = true }));
    try std.testing.expectEqual(256, bits.of(TxFlags{ .gap = true }));
    try std.testing.expectEqual(512, bits.of(TxFlags{ .stamp = true }));
    try std.testing.expectEqual(64, bits.of(Offloads{ .tx_time = true }));
}
