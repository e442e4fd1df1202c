//! The host's place in test.zig: rooms for packets, and the module's exported functions.

const std = @import("std");
const perigee = @import("perigee");
const abi = perigee.abi;

/// What a module exports, as the host calls it.
pub const exported = struct {
    extern fn perigee_mailbox() u32;
    extern fn perigee_window() u32;
    pub extern fn init(len: u32) i32;
};

/// Starts a batch of `count` packets of `len` bytes, all 0, as the host lays them out: each behind the headroom of its
/// room.
pub fn startBatch(count: usize, len: u16) perigee.Batch {
    const room = 128 + 2048;
    const area = perigee.area;
    const window = std.mem.alignForward(u32, exported.perigee_window(), abi.window_align);
    area.* = std.mem.zeroes(@TypeOf(area.*));
    area.header.window = window;
    area.header.window_len = 64 * perigee.MiB;
    area.header.headroom = 128;
    area.header.room_len = 2048;
    area.header.next_port = abi.no_port;
    area.header.seed = 1;
    for (area.packets[0..count], 0..) |*packet, i| {
        const offset: u32 = @intCast(i * room);
        packet.slot = offset / abi.slot_unit;
        packet.addr = window + offset + 128;
        packet.len = len;
        @memset(packet.bytes(), 0);
    }
    return .{ .packets = area.packets[0..count], .header = &area.header, .ports = area.ports[0..1], .spares = &.{} };
}

/// Starts the module with a configuration.
pub fn start(config: []const u8) i32 {
    @memcpy(mailbox()[0..config.len], config);
    return exported.init(@intCast(config.len));
}

/// That a call said no with this text.
pub fn expectRefusal(text: []const u8, result: i32) !void {
    try std.testing.expect(result < 0);
    try std.testing.expectEqualStrings(text, mailbox()[0..@intCast(-result)]);
}

/// What the module counted.
pub fn counted(counter: anytype) u64 {
    return perigee.area.counters[@backingInt(counter)];
}

fn mailbox() [*]u8 {
    return @ptrFromInt(exported.perigee_mailbox());
}
