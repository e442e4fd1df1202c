//! Tests of module.zig, which run natively. test.sh runs the cases of cases.toml on the WebAssembly as well.

const std = @import("std");
const perigee = @import("perigee");
const host = @import("host.zig");
const Hop = @import("module.zig").Hop;
const expectEqual = std.testing.expectEqual;

/// 10.0.0.1 to 10.1.0.1, behind Ethernet.
fn writeIpv4(packet: *perigee.Packet, ttl: u8) void {
    const bytes = packet.bytes();
    const header = [20]u8{ 0x45, 0, 0, 46, 0, 0, 0, 0, ttl, 17, 0, 0, 10, 0, 0, 1, 10, 1, 0, 1 };
    bytes[12..14].* = .{ 0x08, 0x00 };
    bytes[14..34].* = header;
    std.mem.writeInt(u16, bytes[24..26], perigee.checksum.finish(perigee.checksum.sum(&header)), .big);
}

fn checksumIsGood(packet: *const perigee.Packet) bool {
    return perigee.checksum.finish(perigee.checksum.sum(packet.bytes()[14..34])) == 0;
}

test "a hop is taken, the last one is not passed, other packets stay as they are" {
    const batch = host.startBatch(4, 60);
    writeIpv4(&batch.packets[0], 64);
    writeIpv4(&batch.packets[1], 1);
    writeIpv4(&batch.packets[3], 64);
    batch.packets[3].len = 33; // A byte of the header is missing.
    var hop: Hop = .{ .hops = 1 };
    hop.process(batch);
    try expectEqual(perigee.Verdict.next, batch.packets[0].verdict);
    try expectEqual(63, batch.packets[0].bytes()[22]);
    try std.testing.expect(checksumIsGood(&batch.packets[0]));
    try expectEqual(perigee.Verdict.drop, batch.packets[1].verdict);
    try expectEqual(perigee.Verdict.next, batch.packets[2].verdict);
    try expectEqual(0, batch.packets[2].bytes()[22]);
    try expectEqual(64, batch.packets[3].bytes()[22]);
    try expectEqual(4, host.counted(Hop.Counter.packets));
    try expectEqual(213, host.counted(Hop.Counter.bytes));
    try expectEqual(1, host.counted(Hop.Counter.forwarded));
    try expectEqual(1, host.counted(Hop.Counter.expired));
}

test "any number of hops leaves a good checksum" {
    for (2..256) |ttl| {
        const batch = host.startBatch(1, 60);
        writeIpv4(&batch.packets[0], @intCast(ttl));
        var hop: Hop = .{ .hops = @intCast(ttl - 1) };
        hop.process(batch);
        try expectEqual(1, batch.packets[0].bytes()[22]);
        try std.testing.expect(checksumIsGood(&batch.packets[0]));
    }
}

test "configurations are taken or refused" {
    _ = host.startBatch(0, 0);
    try expectEqual(0, host.start(""));
    try expectEqual(0, host.start("{\"hops\":3}"));
    try host.expectRefusal("hops: 0 would change nothing; 1 or more", host.start("{\"hops\":0}"));
    try host.expectRefusal("configuration: UnknownField before byte 6", host.start("{\"hop\":1}"));
}
