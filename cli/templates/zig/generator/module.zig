//! Makes UDP packets with random source ports.

const std = @import("std");
const perigee = @import("perigee");

/// Logs what went wrong before the instance fails.
pub const panic = perigee.panic;

comptime {
    _ = perigee.Module(Load); // Exports what Load has of the callbacks.
}

const ip = 14;
const udp = ip + 20;
const end = udp + 8;

/// Where texts and lists of the configuration would live.
var memory: [1024]u8 = undefined;

/// One instance of the module: each lcore has its own, with a seed of its own.
pub const Load = struct {
    pub const options: perigee.Options = .{ .mailbox = 4 * perigee.KiB };
    /// Counters are memory that the host reads: counting is an addition.
    pub const Counter = enum { packets, bytes };

    /// The table `config` of the module in perigee.toml. A key that is not here is refused.
    pub const Config = struct {
        /// Bytes of each packet, without frame check sequence.
        size: u16 = 60,
        dst_port: u16 = 9,
    };

    size: u16,
    /// What is written at the front of each room.
    headers: [end]u8,
    random: perigee.Lcg64,

    /// Called once, before the first packet. What is refused here keeps the run from starting.
    pub fn init(setup: perigee.Setup) perigee.Refused!Load {
        const config = try setup.json(Config, &memory);
        const most = setup.header.room_len;
        if (config.size < 60 or config.size > most) {
            return perigee.refuse("size: {d} is not within 60 to {d}, the size of a room", .{ config.size, most });
        }
        return .{ .size = config.size, .headers = template(config, setup), .random = .init(setup.header.seed) };
    }

    /// Called once for each room of the pool: what stays the same in all packets is written here.
    pub fn prefill(self: *Load, rooms: perigee.Batch) void {
        for (rooms.packets) |*room| {
            if (!room.setLen(self.size)) continue;
            @memcpy(room.bytes()[0..end], &self.headers);
            @memset(room.bytes()[end..], 0);
        }
    }

    /// Called for each batch: a room without a verdict goes back unused.
    pub fn generate(self: *Load, rooms: perigee.Batch) void {
        var random = self.random; // A local copy stays in registers.
        var made: u64 = 0;
        for (rooms.packets) |*room| {
            if (!room.setLen(self.size)) continue; // It is too small.
            const head = room.head(end) orelse continue;
            // 32768 to 65535. Without a UDP checksum (0 says that there is none), nothing else depends on it.
            const port: u16 = @intCast(0x8000 | random.below(0x8000));
            room.verdict = .next;
            std.mem.writeInt(u16, head[udp..][0..2], port, .big);
            made += 1;
        }
        self.random = random;
        perigee.count(Counter.packets, made);
        perigee.count(Counter.bytes, made * self.size);
    }
};

/// The headers of each packet, but for its source port.
fn template(config: Load.Config, setup: perigee.Setup) [end]u8 {
    var frame: [end]u8 = @splat(0);
    frame[0..6].* = .{ 2, 0, 0, 0, 0, 2 };
    frame[6..12].* = source(setup);
    frame[12..14].* = .{ 0x08, 0x00 };
    frame[ip] = 0x45; // version 4, five words of header
    std.mem.writeInt(u16, frame[ip + 2 ..][0..2], config.size - ip, .big);
    frame[ip + 8] = 64; // time to live
    frame[ip + 9] = 17; // UDP
    frame[ip + 12 ..][0..4].* = .{ 10, 0, 0, 1 };
    frame[ip + 16 ..][0..4].* = .{ 10, 1, 0, 1 };
    const sum = perigee.checksum.finish(perigee.checksum.sum(frame[ip..udp]));
    std.mem.writeInt(u16, frame[ip + 10 ..][0..2], sum, .big);
    std.mem.writeInt(u16, frame[udp + 2 ..][0..2], config.dst_port, .big);
    std.mem.writeInt(u16, frame[udp + 4 ..][0..2], config.size - udp, .big);
    return frame;
}

/// The address of the port by which packets leave, or one of our own.
fn source(setup: perigee.Setup) [6]u8 {
    const own = [6]u8{ 2, 0, 0, 0, 0, 1 };
    const port = setup.header.next_port;
    if (port >= setup.ports.len) return own;
    const mac = setup.ports[port].mac;
    return if (std.mem.allEqual(u8, &mac, 0)) own else mac;
}

test {
    _ = @import("test.zig");
}
