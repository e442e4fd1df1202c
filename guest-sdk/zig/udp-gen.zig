//! Generator: UDP from 256 addresses and 32,768 ports, drawn at random. The packets are those that modules/udp-gen
//! makes with the same seed where it is not configured.

const std = @import("std");
const perigee = @import("perigee.zig");

pub const panic = perigee.panic;

comptime {
    _ = perigee.Module(UdpGen);
}

const ethernet = 0;
const ip = 14;
const udp = ip + 20;
const frame_len = 60;

/// 10.0.0.0 to 10.0.0.255, ports 32768 to 65535: where first and mask are powers of two, random bits need no scaling.
/// And as they have no order, nothing needs to be swapped for each packet; the Internet checksum comes out right in
/// either order.
const first_address = @byteSwap(@as(u32, 0x0a00_0000));
const address_mask = @byteSwap(@as(u32, 0x0000_00ff));
const first_port = @byteSwap(@as(u16, 0x8000));
const port_mask = @byteSwap(@as(u16, 0x7fff));

const UdpGen = struct {
    pub const options: perigee.Options = .{ .mailbox = 4 * perigee.KiB };
    pub const Counter = enum { packets, bytes };

    frame: [frame_len]u8,
    /// Sum of the IPv4 header without source address and checksum, in the order of memory.
    ip_sum: u32,
    random: perigee.Lcg64,

    pub fn init(setup: perigee.Setup) perigee.Refused!UdpGen {
        if (!setup.isEmpty()) return perigee.refuse("udp-gen in Zig has nothing to configure: leave `config` out", .{});
        const frame = template(sourceMac(setup));
        const sum = perigee.checksum.sum(frame[ip..udp]);
        return .{
            .frame = frame,
            .ip_sum = @byteSwap(perigee.checksum.fold(sum)),
            .random = .init(setup.header.seed),
        };
    }

    pub fn prefill(self: *UdpGen, rooms: perigee.Batch) void {
        for (rooms.packets) |*room| {
            if (room.setLen(frame_len)) @memcpy(room.bytes(), &self.frame);
        }
    }

    pub fn generate(self: *UdpGen, rooms: perigee.Batch) void {
        var random = self.random; // A local copy stays in registers.
        for (rooms.packets) |*room| {
            const head = room.head(udp + 8) orelse continue;
            const draw = random.next();
            const address = @as(u32, @truncate(draw >> 32)) & address_mask | first_address;
            const port = @as(u16, @truncate(draw >> 16)) & port_mask | first_port;
            const sum = self.ip_sum + (address >> 16) + (address & 0xffff);
            room.verdict = .next;
            std.mem.writeInt(u16, head[ip + 10 ..][0..2], perigee.checksum.finish(sum), .little);
            std.mem.writeInt(u32, head[ip + 12 ..][0..4], address, .little);
            std.mem.writeInt(u16, head[udp..][0..2], port, .little);
        }
        self.random = random;
        perigee.count(Counter.packets, rooms.packets.len);
        perigee.count(Counter.bytes, rooms.packets.len * frame_len);
    }
};

/// That of the port by which packets leave, or one of our own.
fn sourceMac(setup: perigee.Setup) [6]u8 {
    const own = [6]u8{ 2, 0, 0, 0, 0, 1 };
    const port = setup.header.next_port;
    if (port >= setup.ports.len) return own;
    const mac = setup.ports[port].mac;
    return if (std.mem.allEqual(u8, &mac, 0)) own else mac;
}

/// The packet without what is drawn and the IPv4 checksum.
fn template(source_mac: [6]u8) [frame_len]u8 {
    var frame: [frame_len]u8 = @splat(0);
    frame[ethernet..][0..6].* = .{ 2, 0, 0, 0, 0, 2 };
    frame[ethernet + 6 ..][0..6].* = source_mac;
    std.mem.writeInt(u16, frame[ethernet + 12 ..][0..2], 0x0800, .big);
    frame[ip] = 0x45; // version 4, five words of header
    std.mem.writeInt(u16, frame[ip + 2 ..][0..2], frame_len - ip, .big);
    frame[ip + 8] = 64; // time to live
    frame[ip + 9] = 17; // UDP
    frame[ip + 16 ..][0..4].* = .{ 10, 1, 0, 1 };
    std.mem.writeInt(u16, frame[udp + 2 ..][0..2], 9, .big);
    std.mem.writeInt(u16, frame[udp + 4 ..][0..2], frame_len - udp, .big);
    return frame;
}
