//! Sends each packet back to the port that it came from, with its MAC addresses swapped.

const perigee = @import("perigee.zig");

pub const panic = perigee.panic;

comptime {
    _ = perigee.Module(Reflector);
}

const Reflector = struct {
    pub const options: perigee.Options = .{ .mailbox = 4 * perigee.KiB };
    pub const Counter = enum { packets, bytes, short };

    pub fn init(setup: perigee.Setup) perigee.Refused!Reflector {
        if (setup.isEmpty()) return .{};
        return perigee.refuse("reflector in Zig has nothing to configure: leave `config` out", .{});
    }

    pub fn process(_: *Reflector, batch: perigee.Batch) void {
        var bytes: u64 = 0;
        var short: u64 = 0;
        for (batch.packets) |*packet| {
            const len = packet.len;
            const frame = packet.head(14) orelse {
                short += 1; // Drop is the verdict that it has already.
                continue;
            };
            packet.verdict = .tx(packet.port);
            perigee.swapMacs(frame[0..12]);
            bytes += len;
        }
        perigee.count(Counter.packets, batch.packets.len - short);
        perigee.count(Counter.bytes, bytes);
        perigee.count(Counter.short, short);
    }
};
