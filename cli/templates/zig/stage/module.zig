//! Takes hops off the time to live of IPv4 packets, as a router does, and passes everything on.

const std = @import("std");
const perigee = @import("perigee");

/// Logs what went wrong before the instance fails.
pub const panic = perigee.panic;

comptime {
    _ = perigee.Module(Hop); // Exports what Hop has of the callbacks.
}

// Where things are in a frame without a VLAN tag.
const ethertype = 12;
const ip = 14;
const ttl = ip + 8;
const checksum = ip + 10;
const end = ip + 20;

/// Where texts and lists of the configuration would live.
var memory: [1024]u8 = undefined;

/// One instance of the module: each lcore has its own, so there is nothing to lock.
pub const Hop = struct {
    pub const options: perigee.Options = .{ .mailbox = 4 * perigee.KiB };
    /// Counters are memory that the host reads: counting is an addition.
    pub const Counter = enum { packets, bytes, forwarded, expired };

    /// The table `config` of the module in perigee.toml. A key that is not here is refused.
    const Config = struct {
        /// How many hops each packet loses.
        hops: u8 = 1,
    };

    hops: u8,

    /// Called once, before the first packet. What is refused here keeps the run from starting.
    pub fn init(setup: perigee.Setup) perigee.Refused!Hop {
        const config = try setup.json(Config, &memory);
        if (config.hops == 0) return perigee.refuse("hops: 0 would change nothing; 1 or more", .{});
        return .{ .hops = config.hops };
    }

    /// Called for each batch of packets. They lie where the port put them; nothing is copied.
    pub fn process(self: *Hop, batch: perigee.Batch) void {
        var bytes: u64 = 0;
        var forwarded: u64 = 0;
        var expired: u64 = 0;
        for (batch.packets) |*packet| {
            bytes += packet.len;
            // The first bytes as an array, if there are so many: constant places in it need no check.
            if (packet.head(end)) |frame| {
                if (isIpv4(frame)) {
                    if (frame[ttl] <= self.hops) {
                        expired += 1;
                        continue; // Drop is the verdict that it has already.
                    }
                    takeHops(frame, self.hops);
                    forwarded += 1;
                }
            }
            packet.verdict = .next;
        }
        perigee.count(Counter.packets, batch.packets.len);
        perigee.count(Counter.bytes, bytes);
        perigee.count(Counter.forwarded, forwarded);
        perigee.count(Counter.expired, expired);
    }
};

fn isIpv4(frame: *const [end]u8) bool {
    return std.mem.readInt(u16, frame[ethertype..][0..2], .big) == 0x0800 and frame[ip] >> 4 == 4;
}

/// The checksum covers words of 16 bits; that with the time to live has the protocol in its lower half.
fn takeHops(frame: *[end]u8, hops: u8) void {
    const word = frame[ttl..][0..2];
    const before = std.mem.readInt(u16, word, .big);
    frame[ttl] -= hops;
    const field = frame[checksum..][0..2];
    const sum = std.mem.readInt(u16, field, .big);
    const after = std.mem.readInt(u16, word, .big);
    std.mem.writeInt(u16, field, perigee.checksum.update(sum, before, after), .big);
}

test {
    _ = @import("test.zig");
}
