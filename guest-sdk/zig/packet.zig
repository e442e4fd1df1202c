//! A packet's descriptor and what can be done with it, and the area where host and module find it.

const std = @import("std");
const abi = @import("abi.zig");

/// All that host and module share, but for the packets' bytes and the mailbox.
pub const Area = extern struct {
    header: abi.Header,
    /// By number.
    ports: [abi.max_ports]abi.Port,
    /// Shown by the host where they have names.
    counters: [abi.max_counters]u64,
    /// The packets of the batch, or rooms for new ones.
    packets: [abi.max_batch]Packet,
    spares: [abi.max_spares]Packet,
    outputs: [abi.max_outputs]Packet,

    comptime {
        abi.assertLayout(Area, .{
            .ports = 128,
            .counters = 1_152,
            .packets = 1_664,
            .spares = 18_048,
            .outputs = 22_144,
        }, 38_528);
    }
};

/// The one of this instance. Modules reach it by `Batch` and `Setup`; a test that stands in for the host fills it.
pub var area: Area align(64) = std.mem.zeroes(Area);

/// A packet: where its bytes are, what is known of it, and what shall become of it. The first half is always true;
/// from `hash` on only where `rx` (on the way in) or `tx` (on the way out) is not 0. Addresses are good for this call
/// only.
pub const Packet = extern struct {
    /// Address of the first byte; see `bytes`.
    addr: u32,
    /// Bytes, without frame check sequence; see `setLen`.
    len: u16,
    /// Number of the port that it came from; `abi.no_port` for one that was made here.
    port: u16,
    /// What shall become of it.
    verdict: abi.Verdict,
    /// Travels with it from stage to stage and through rings.
    mark: u32,
    /// Its room: offset in the mapped window in units of 64 bytes.
    slot: u32,
    /// With `slot` its identity: low half of the batch's number.
    generation: u32,
    /// What the port found out.
    rx: abi.RxFlags,
    /// What is asked of the way out. Ask for nothing that is not needed: one request makes the whole batch dearer.
    tx: abi.TxFlags,
    /// RSS hash, where `rx` says so.
    hash: u32,
    /// In: rx queue. Out: tx queue, where `tx` says so.
    queue: u16,
    /// TCI of the tag that was taken off or is to be inserted; see `tag`.
    vlan: u16,
    /// Length of the Ethernet header and its tags, for checksums.
    l2_len: u8,
    /// Length of the IP header with options or extension headers, for checksums.
    l3_len: u8,
    /// Where the host writes the time of departure, where `tx` says so: bytes from the packet's beginning.
    stamp: u16,
    /// In the output list: which packet an entry speaks of.
    source: u32,
    /// In: when it came, in nanoseconds of the run's clock. Out: departure time, or gap.
    time: u64,
    reserved2: u64,

    comptime {
        abi.assertLayout(Packet, .{
            .len = 4,
            .port = 6,
            .verdict = 8,
            .mark = 12,
            .slot = 16,
            .generation = 20,
            .rx = 24,
            .tx = 28,
            .hash = 32,
            .queue = 36,
            .vlan = 38,
            .l2_len = 40,
            .l3_len = 41,
            .source = 44,
            .time = 48,
        }, 64);
    }

    /// The bytes, from the Ethernet header on.
    pub fn bytes(self: *const Packet) []u8 {
        return @as([*]u8, @ptrFromInt(self.addr))[0..self.len];
    }

    /// The first `n` bytes, where there are so many: what is read from an array at constant places is not checked
    /// again.
    pub fn head(self: *const Packet, comptime n: usize) ?*[n]u8 {
        return if (self.len < n) null else self.bytes()[0..n];
    }

    /// Bytes by which it can grow at its front.
    pub fn headroom(self: *const Packet) u32 {
        return self.addr -| (area.header.window +% self.slot *% abi.slot_unit);
    }

    /// Length that it can have at most where it begins now.
    pub fn capacity(self: *const Packet) u32 {
        return (area.header.headroom +% area.header.room_len) -| self.headroom();
    }

    /// Makes it `n` bytes longer at its front and gives its bytes; null where there is no such room.
    pub fn prepend(self: *Packet, n: u16) ?[]u8 {
        if (n > self.headroom() or @as(u32, self.len) + n > std.math.maxInt(u16)) return null;
        self.addr -= n;
        self.len += n;
        return self.bytes();
    }

    /// Takes `n` bytes off its front, and says whether it was that long.
    pub fn trim(self: *Packet, n: u16) bool {
        if (n > self.len) return false;
        self.addr += n;
        self.len -= n;
        return true;
    }

    /// Makes it longer or shorter at its end, and says whether it fits its room. New bytes hold anything.
    pub fn setLen(self: *Packet, len: u16) bool {
        if (len > self.len and len > self.capacity()) return false;
        self.len = len;
        return true;
    }

    /// The VLAN tag (TCI) that was taken off on rx. It is put back on tx, unless `removeTag` is called.
    pub fn tag(self: *const Packet) ?u16 {
        return if (self.rx.vlan_stripped) self.vlan else null;
    }

    /// Asks for a VLAN tag to be inserted on the way out.
    pub fn insertTag(self: *Packet, tci: u16) void {
        self.tx.vlan_insert = true;
        self.vlan = tci;
    }

    /// The packet leaves without the tag that was taken off on rx.
    pub fn removeTag(self: *Packet) void {
        self.tx.vlan_insert = false;
    }

    /// Asks for checksums on the way out: `.{ .ipv4 = true, .udp_checksum = true }`, with the lengths of the Ethernet
    /// header with its tags and of the IP header.
    pub fn askChecksums(self: *Packet, what: abi.TxFlags, l2_len: u8, l3_len: u8) void {
        self.tx = @bitCast(@as(u32, @bitCast(self.tx)) | @as(u32, @bitCast(what)));
        self.l2_len = l2_len;
        self.l3_len = l3_len;
    }

    /// Keeps it beyond this call: it comes back into play by `Batch.giveBack`. The host frees what is held for too
    /// long, and drops what is held beyond `header.hold_quota`.
    pub fn hold(self: *Packet) Held {
        self.verdict = .{ .kind = .hold };
        return .{
            .slot = self.slot,
            .generation = self.generation,
            .start = self.addr -% area.header.window,
            .mark = self.mark,
            .tx = .{ .vlan_insert = self.tx.vlan_insert },
            .len = self.len,
            .port = self.port,
            .vlan = self.vlan,
        };
    }
};

/// A packet that the module keeps. All of it are numbers that stay true in another instance of the module, so it may
/// be part of saved state.
pub const Held = extern struct {
    slot: u32,
    generation: u32,
    /// Where it begins in the window.
    start: u32,
    mark: u32,
    tx: abi.TxFlags,
    len: u16,
    port: u16,
    vlan: u16,
    reserved: u16 = 0,

    /// Its bytes; null where it does not lie in the window.
    pub fn bytes(self: Held) ?[]u8 {
        if (@as(u64, self.start) + self.len > area.header.window_len) return null;
        return @as([*]u8, @ptrFromInt(area.header.window + self.start))[0..self.len];
    }
};
