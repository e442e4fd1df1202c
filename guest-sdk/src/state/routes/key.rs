//! Addresses as bits from the left.

use crate::state::prefix::Address;

/// Levels are so many bits apart.
pub(super) const STRIDE: u8 = 6;
/// Where the first level begins. With 1 the levels begin at 1, 7, 13, 19 and so on, and one of them ends at each length that
/// is common: 24 for IPv4, 48 for IPv6.
pub(super) const FIRST: u8 = 1;

/// An address of either family: its first bit is the highest one of `hi`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) hi: u64,
    pub(super) lo: u64,
}

impl Key {
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
    pub(super) fn of<A: Address>(address: A) -> Self {
        let bits = address.to_bits_left();
        Self { hi: (bits >> 64) as u64, lo: bits as u64 }
    }

    pub(super) fn address<A: Address>(self) -> A {
        A::from_bits_left(u128::from(self.hi) << 64 | u128::from(self.lo))
    }

    /// How many bits at the beginning are the same.
    #[inline]
    pub(super) fn common(self, other: Self) -> u32 {
        let (hi, lo) = (self.hi ^ other.hi, self.lo ^ other.lo);
        if hi != 0 { hi.leading_zeros() } else { 64 + lo.leading_zeros() }
    }

    /// Whether the first `depth` bits are the same. By halves: of IPv4 only one is ever looked at.
    #[inline]
    pub(super) fn agrees<A: Address>(self, other: Self, depth: u8) -> bool {
        let upper = (self.hi ^ other.hi).leading_zeros();
        if A::BITS <= 64 || depth <= 64 {
            upper >= u32::from(depth)
        } else {
            upper == 64 && (self.lo ^ other.lo).leading_zeros() >= u32::from(depth) - 64
        }
    }

    /// The six bits behind the first `depth`; zeros where there are fewer.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "six bits")]
    pub(super) fn slot<A: Address>(self, depth: u8) -> u32 {
        let window = if A::BITS <= 64 {
            self.hi << (depth & 63)
        } else if depth < 64 {
            self.hi << depth | (self.lo >> 1) >> (63 - depth)
        } else {
            self.lo << (depth & 63)
        };
        (window >> 58) as u32
    }

    /// The first `depth` bits, and zeros.
    pub(super) fn first(self, depth: u8) -> Self {
        let keep = |bits: u32| u64::MAX.checked_shl(64 - bits).unwrap_or(0);
        let depth = u32::from(depth);
        Self { hi: self.hi & keep(depth.min(64)), lo: self.lo & keep(depth.saturating_sub(64)) }
    }

    /// This with `slot` as the six bits behind the first `depth`, which are zeros so far.
    pub(super) fn with_slot(self, depth: u8, slot: u32) -> Self {
        let bits = (u128::from(slot) << 122) >> depth;
        let whole = u128::from(self.hi) << 64 | u128::from(self.lo) | bits;
        Self::of(core::net::Ipv6Addr::from_bits(whole))
    }
}

/// Where the level begins to which a bit belongs, or a prefix that ends behind it. `bit` is at least [`FIRST`].
pub(super) fn level_of(bit: u8) -> u8 {
    FIRST + (bit - FIRST) / STRIDE * STRIDE
}

/// The level at which a prefix of this length stands, and its place there: prefixes of 0 to 5 bits behind the level's
/// beginning have the places 1, 2 to 3, 4 to 7 and so on to 63, as in a heap.
pub(super) fn place<A: Address>(key: Key, len: u8) -> (u8, u32) {
    let depth = level_of(len);
    let more = u32::from(len - depth);
    (depth, 1 << more | key.slot::<A>(depth) >> (u32::from(STRIDE) - more))
}
