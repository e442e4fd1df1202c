//! Bytes of packets: what std.mem.readInt and writeInt do not do already.

const std = @import("std");

/// Swaps the two MAC addresses of a frame: two loads and two stores.
pub fn swapMacs(frame: *[12]u8) void {
    const first = std.mem.readInt(u64, frame[0..8], .little);
    const last: u64 = std.mem.readInt(u32, frame[8..12], .little);
    std.mem.writeInt(u64, frame[0..8], first >> 48 | last << 16 | first << 48, .little);
    std.mem.writeInt(u32, frame[8..12], @truncate(first >> 16), .little);
}

/// The Internet checksum (RFC 1071). A sum is of 16-bit words in network order, and may be added to others.
pub const checksum = struct {
    /// The sum of bytes; a last odd one counts as the upper half of a word.
    pub fn sum(data: []const u8) u32 {
        var total: u64 = 0;
        var at: usize = 0;
        // The order of bytes does not matter to the sum (RFC 1071, 2 (B)), so they are swapped once, at the end.
        while (data.len - at >= 4) : (at += 4) total += std.mem.readInt(u32, data[at..][0..4], .little);
        var last: [4]u8 = @splat(0);
        for (last[0 .. data.len - at], data[at..]) |*to, from| to.* = from;
        total += std.mem.readInt(u32, &last, .little);
        return @byteSwap(fold(total));
    }

    /// Folds a sum to 16 bits.
    pub fn fold(total: u64) u16 {
        const half = (total & 0xffff_ffff) + (total >> 32);
        const quarter = (half & 0xffff) + (half >> 16 & 0xffff) + (half >> 32);
        const once = (quarter & 0xffff) + (quarter >> 16);
        return @truncate((once & 0xffff) + (once >> 16));
    }

    /// The checksum that stands in a header for a sum. UDP writes 0xffff where this is 0.
    pub fn finish(total: u64) u16 {
        return ~fold(total);
    }

    /// The checksum after a word of what it covers changed (RFC 1624). Where the word is 0 now, the rest may be 0 as
    /// well: then 0xffff is right, and 0 would be wrong (RFC 1071).
    pub fn update(before: u16, old: u16, new: u16) u16 {
        const changed = finish(@as(u64, ~before) + ~old + new);
        return if (changed == 0 and new == 0) 0xffff else changed;
    }

    /// The sum of what stands before UDP and TCP for their checksums: addresses, protocol, length.
    pub fn pseudoHeader(from: []const u8, to: []const u8, protocol: u8, len: u32) u32 {
        return sum(from) + sum(to) + protocol + (len >> 16) + (len & 0xffff);
    }
};

test "the example of RFC 1071, section 3" {
    const words = [_]u8{ 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
    try std.testing.expectEqual(0xddf2, checksum.sum(&words));
    try std.testing.expectEqual(0x220d, checksum.finish(0xddf2));
    try std.testing.expectEqual(0xf200, checksum.sum(words[2..3]));
    try std.testing.expectEqual(0x04f2, checksum.sum(words[1..4]));
    const changed = checksum.finish(0x0001 + 0xffff + 0xf4f5 + 0xf6f7);
    try std.testing.expectEqual(changed, checksum.update(0x220d, 0xf203, 0xffff));
    const pseudo = 0xf204 + (0xf4f5 + 0xf6f7) % 0xffff + 17 + 3;
    try std.testing.expectEqual(pseudo, checksum.pseudoHeader(words[0..4], words[4..], 17, 0x1_0002));
}

test "an updated sum is right wherever a new one is" {
    const edges = [_]u16{ 0, 1, 2, 0x00ff, 0x7fff, 0x8000, 0xff00, 0xfffd, 0xfffe, 0xffff };
    for (edges) |before| for (edges) |after| for (edges) |rest| {
        const changed = checksum.update(checksum.finish(@as(u64, before) + rest), before, after);
        try std.testing.expectEqual(0xffff, checksum.fold(@as(u64, after) + rest + changed));
        if (after != 0) try std.testing.expectEqual(checksum.finish(@as(u64, after) + rest), changed);
    };
}

test "MAC addresses change places" {
    var frame = [_]u8{ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };
    swapMacs(frame[0..12]);
    try std.testing.expectEqualSlices(u8, &.{ 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 13, 14 }, &frame);
}
