//! Tests of perigee.zig, with this file in the host's place. They run natively: Zig links tests to addresses below 4
//! GiB, which fit the 32 bits of a descriptor.

const std = @import("std");
const perigee = @import("perigee.zig");
const abi = perigee.abi;
const area = perigee.area;
const expect = std.testing.expect;
const expectEqual = std.testing.expectEqual;

/// Where the texts of the configuration live.
var memory: [1024]u8 = undefined;

/// A module with all callbacks.
const Everything = struct {
    pub const options: perigee.Options = .{
        .window = 2 * perigee.MiB,
        .mailbox = 256,
        .spares = 2,
        .state_version = 7,
    };
    pub const Counter = enum { packets };

    config: Config,
    calls: u32 = 0,

    const Config = struct { size: u16 = 60, name: []const u8 = "none" };

    pub fn init(setup: perigee.Setup) perigee.Refused!Everything {
        const config = try setup.json(Config, &memory);
        if (config.size < 60) return perigee.refuse("size: {d} is less than 60", .{config.size});
        return .{ .config = config };
    }

    pub fn process(self: *Everything, batch: perigee.Batch) void {
        for (batch.packets) |*packet| packet.verdict = .tx(packet.port);
        perigee.count(Counter.packets, batch.packets.len);
        self.calls += 1;
    }

    pub fn tick(_: *Everything, batch: perigee.Batch) void {
        std.debug.assert(batch.packets.len == 0);
    }

    pub fn message(_: *Everything, mailbox: []u8, len: usize) perigee.Refused!usize {
        std.mem.reverse(u8, mailbox[0..len]);
        return len;
    }

    pub fn save(self: *Everything, mailbox: []u8) perigee.Refused!usize {
        std.mem.writeInt(u32, mailbox[0..4], self.calls, .little);
        return 4;
    }

    pub fn restore(self: *Everything, state: []const u8) perigee.Refused!void {
        if (state.len != 4) return perigee.refuse("a state has 4 bytes, this one {d}", .{state.len});
        self.calls = std.mem.readInt(u32, state[0..4], .little);
    }
};

comptime {
    _ = perigee.Module(Everything);
}

/// What is exported, as the host calls it.
const exported = struct {
    extern fn perigee_mailbox() u32;
    extern fn perigee_window() u32;
    extern fn perigee_window_len() u32;
    extern fn perigee_state_version() u32;
    extern fn init(len: u32) i32;
    extern fn process(count: u32) void;
    extern fn tick() void;
    extern fn message(len: u32) i32;
    extern fn save() i32;
    extern fn restore(len: u32) i32;
};

fn mail() *[256]u8 {
    return @ptrFromInt(exported.perigee_mailbox());
}

fn write(text: []const u8) u32 {
    @memcpy(mail()[0..text.len], text);
    return @intCast(text.len);
}

fn expectRefusal(text: []const u8, result: i32) !void {
    try expect(result < 0);
    try std.testing.expectEqualStrings(text, mail()[0..@intCast(-result)]);
}

/// As the host lays out rooms: the packet behind the headroom, in the room that begins at `slot`.
fn lay(packet: *perigee.Packet, slot: u32, len: u16) void {
    packet.* = std.mem.zeroes(perigee.Packet);
    packet.slot = slot;
    packet.addr = area.header.window + slot * abi.slot_unit + area.header.headroom;
    packet.len = len;
}

fn startBatch() perigee.Batch {
    const window = std.mem.alignForward(u32, exported.perigee_window(), abi.window_align);
    std.debug.assert(window + abi.window_align <= exported.perigee_window() + exported.perigee_window_len());
    area.header = std.mem.zeroInit(perigee.Header, .{
        .window = window,
        .window_len = abi.window_align,
        .headroom = 128,
        .room_len = 2048,
        .spare_count = 2,
    });
    lay(&area.packets[0], 0, 60);
    lay(&area.packets[1], 34, 100);
    lay(&area.spares[0], 68, 0);
    area.spares[1].addr = 0;
    return .{
        .packets = area.packets[0..2],
        .header = &area.header,
        .ports = &.{},
        .spares = area.spares[0..2],
    };
}

test "a packet stays inside its room" {
    const batch = startBatch();
    const packet = &batch.packets[1];
    try expect(packet.headroom() == 128 and packet.capacity() == 2048);
    try expect(packet.prepend(129) == null and packet.len == 100);
    const before = packet.addr;
    try expectEqual(228, (packet.prepend(128) orelse return error.NoRoom).len);
    try expectEqual(before - 128, packet.addr);
    try expect(packet.headroom() == 0 and packet.capacity() == 2176);
    try expect(packet.setLen(2176) and !packet.setLen(2177) and packet.len == 2176);
    try expect(!packet.trim(2177) and packet.trim(2116) and packet.len == 60);
    try expect(packet.head(61) == null and packet.head(60) != null);
    // One that came longer than the room that we know of may stay so.
    packet.len = 3000;
    try expect(packet.setLen(2999) and packet.len == 2999);
    packet.len = 65_535;
    try expect(packet.trim(1) and packet.prepend(1) != null and packet.prepend(1) == null);
}

test "requests are set together" {
    const batch = startBatch();
    const packet = &batch.packets[0];
    try expectEqual(null, packet.tag());
    packet.rx.vlan_stripped = true;
    packet.insertTag(0x2064);
    try expectEqual(0x2064, packet.tag());
    packet.askChecksums(.{ .ipv4 = true, .ip_checksum = true }, 14, 20);
    try expectEqual(41, @as(u32, @bitCast(packet.tx)));
    try expect(packet.l2_len == 14 and packet.l3_len == 20);
    packet.removeTag();
    try expectEqual(9, @as(u32, @bitCast(packet.tx)));
}

test "the output list names packets, spare rooms and held packets" {
    const batch = startBatch();
    batch.packets[1].verdict = .listed;
    try expect(batch.put(&batch.packets[1], .tx(2)));
    try expect(area.outputs[0].source == 1 and area.outputs[0].slot == 34);
    try expectEqual(perigee.Verdict.tx(2), area.outputs[0].verdict);
    try expect(batch.spares[0].setLen(60) and batch.put(&batch.spares[0], .next));
    try expect(area.outputs[1].source == 0x1_0000 and area.outputs[1].len == 60);

    const packet = &batch.packets[0];
    packet.generation = 9;
    packet.mark = 8;
    packet.vlan = 7;
    packet.tx = .{ .vlan_insert = true, .queue = true };
    const held = packet.hold();
    try expectEqual(perigee.Verdict.Kind.hold, packet.verdict.kind);
    try expectEqual(packet.bytes().ptr, (held.bytes() orelse return error.NotInWindow).ptr);
    try expect(batch.giveBack(held, .next));
    const entry = &area.outputs[2];
    try expect(entry.addr == packet.addr and entry.len == 60 and entry.generation == 9 and entry.mark == 8);
    try expectEqual(abi.TxFlags{ .vlan_insert = true }, entry.tx);
    try expect(entry.source == 0x2_0000 and entry.vlan == 7 and batch.header.out_count == 3);
    batch.header.out_count = abi.max_outputs;
    try expect(!batch.giveBack(held, .next) and !batch.put(packet, .next));
    const outside = std.mem.zeroInit(perigee.Held, .{ .start = abi.window_align - 59, .len = 60 });
    try expectEqual(null, outside.bytes());
}

test "configurations are read or refused" {
    _ = startBatch();
    try expectEqual(0, exported.init(0));
    try expectEqual(0, exported.init(write("{\"name\":\"x\",\"size\":100}")));
    try expectRefusal("size: 59 is less than 60", exported.init(write("{\"size\":59}")));
    try expectRefusal("configuration: UnknownField before byte 6", exported.init(write("{\"siz\":59}")));
}

test "callbacks reach the instance" {
    _ = startBatch();
    try expectEqual(0, exported.init(0));
    area.counters[0] = 0;
    area.packets[1].port = 5;
    exported.process(2);
    exported.tick();
    try expectEqual(perigee.Verdict.tx(5), area.packets[1].verdict);
    try expectEqual(2, area.counters[0]);
    try expectEqual(3, exported.message(write("abc")));
    try std.testing.expectEqualStrings("cba", mail()[0..3]);
    try expectEqual(7, exported.perigee_state_version());
    try expectEqual(4, exported.save());
    try std.testing.expectEqualSlices(u8, &.{ 1, 0, 0, 0 }, mail()[0..4]);
    try expectEqual(0, exported.restore(4));
    try expectRefusal("a state has 4 bytes, this one 5", exported.restore(5));
}
