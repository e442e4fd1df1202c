//! Random numbers for traffic: fast, reproducible, not for secrets. The same as in the SDK for Rust.

const std = @import("std");

/// Knuth's 64-bit linear congruential generator: one multiplication and one addition for each number. Of each half
/// the upper bits are good.
pub const Lcg64 = struct {
    state: u64,

    /// Starts from a seed, such as the instance's own (`setup.header.seed`).
    pub fn init(seed: u64) Lcg64 {
        return .{ .state = mix(seed) };
    }

    /// The next 64 bits.
    pub fn next(self: *Lcg64) u64 {
        self.state = self.state *% 6_364_136_223_846_793_005 +% 1_442_695_040_888_963_407;
        return self.state;
    }

    /// A number below `span`, which may be 2^32.
    pub fn below(self: *Lcg64, span: u64) u32 {
        return scale(self.next() >> 32, span);
    }

    /// Two numbers, below `first` and below `second`, from one draw.
    pub fn pair(self: *Lcg64, first: u64, second: u64) [2]u32 {
        const draw = self.next();
        return .{ scale(draw >> 32, first), scale(draw & 0xffff_ffff, second) };
    }

    fn scale(fraction: u64, span: u64) u32 {
        return @truncate(fraction *% span >> 32);
    }
};

/// Spreads the bits of a seed, so that neighbouring seeds give unrelated sequences (the last step of splitmix64).
pub fn mix(seed: u64) u64 {
    var mixed = seed +% 0x9e37_79b9_7f4a_7c15;
    mixed = (mixed ^ mixed >> 30) *% 0xbf58_476d_1ce4_e5b9;
    mixed = (mixed ^ mixed >> 27) *% 0x94d0_49bb_1331_11eb;
    return mixed ^ mixed >> 31;
}

test "the first number of splitmix64 from 0" {
    try std.testing.expectEqual(0xe220_a839_7b1d_cdaf, mix(0));
}

test "both numbers of a pair come from one draw" {
    var one: Lcg64 = .init(0);
    var two = one;
    const draw = one.next();
    const mixed: u64 = 0xe220_a839_7b1d_cdaf;
    try std.testing.expectEqual(mixed *% 6_364_136_223_846_793_005 +% 1_442_695_040_888_963_407, draw);
    const pair = two.pair(1 << 32, 10);
    try std.testing.expectEqual(draw >> 32, pair[0]);
    try std.testing.expectEqual((draw & 0xffff_ffff) * 10 >> 32, pair[1]);
    try std.testing.expectEqual(0, two.below(1));
}
