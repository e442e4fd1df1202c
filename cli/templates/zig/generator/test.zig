//! Tests of module.zig, which run natively. test.sh runs the cases of cases.toml on the WebAssembly as well.

const std = @import("std");
const perigee = @import("perigee");
const host = @import("host.zig");
const Load = @import("module.zig").Load;
const expect = std.testing.expect;
const expectEqual = std.testing.expectEqual;

fn load(config: []const u8, batch: perigee.Batch) !Load {
    return Load.init(.{ .config = config, .header = batch.header, .ports = batch.ports });
}

test "packets are UDP from many ports" {
    const batch = host.startBatch(64, 0);
    var module = try load("", batch);
    module.prefill(batch);
    module.generate(batch);
    var ports: std.bit_set.Static(65_536) = .empty;
    for (batch.packets) |*packet| {
        const bytes = packet.bytes();
        try expectEqual(perigee.Verdict.next, packet.verdict);
        try expectEqual(60, bytes.len);
        try expectEqual(0, perigee.checksum.finish(perigee.checksum.sum(bytes[14..34])));
        try expectEqual(46, std.mem.readInt(u16, bytes[16..18], .big));
        try expectEqual(26, std.mem.readInt(u16, bytes[38..40], .big));
        const port = std.mem.readInt(u16, bytes[34..36], .big);
        try expect(port >= 0x8000);
        ports.set(port);
    }
    try expect(ports.count() > 50);
    try expectEqual(64, host.counted(Load.Counter.packets));
    try expectEqual(64 * 60, host.counted(Load.Counter.bytes));
}

test "size and port are configured, the source address is the port's" {
    const batch = host.startBatch(1, 0);
    batch.header.next_port = 0;
    perigee.area.ports[0].mac = .{ 2, 3, 4, 5, 6, 7 };
    var module = try load("{\"size\":1000,\"dst_port\":4000}", batch);
    module.prefill(batch);
    module.generate(batch);
    const bytes = batch.packets[0].bytes();
    try expectEqual(1000, bytes.len);
    try expectEqual(4000, std.mem.readInt(u16, bytes[36..38], .big));
    try std.testing.expectEqualSlices(u8, &.{ 2, 3, 4, 5, 6, 7 }, bytes[6..12]);
}

test "configurations are taken or refused" {
    _ = host.startBatch(0, 0);
    try expectEqual(0, host.start(""));
    try host.expectRefusal("size: 59 is not within 60 to 2048, the size of a room", host.start("{\"size\":59}"));
    try host.expectRefusal("size: 2049 is not within 60 to 2048, the size of a room", host.start("{\"size\":2049}"));
    try host.expectRefusal("configuration: UnknownField before byte 6", host.start("{\"dst\":9}"));
}
