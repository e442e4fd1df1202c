//! One level of the tree at one place: six bits of the address.

use super::key::{Key, STRIDE};
use crate::state::prefix::Address;

/// A node. It stands for the addresses that begin with the first `depth` bits of `key`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// Bit `n`: there is a child for the addresses whose next six bits are `n`.
    pub(super) slots: u64,
    /// Bit `n`: there is a prefix at place `n` ([`super::key::place`]).
    pub(super) places: u64,
    /// Where the children lie, one behind the other in the order of their slots.
    pub(super) children: u32,
    /// Where the block of the values lies.
    pub(super) values: u32,
    pub(super) key: Key,
    pub(super) depth: u8,
}

/// For the upper five of six bits: the places of all prefixes that contain them.
const AROUND: [u64; 32] = {
    let mut around = [0; 32];
    let mut bits = 0;
    while bits < 32 {
        let mut len = 0;
        while len < STRIDE as usize {
            around[bits] |= 1 << (1 << len | bits >> (5 - len));
            len += 1;
        }
        bits += 1;
    }
    around
};

/// Words of a node: IPv4 has its address and depth in one word.
pub(super) const fn node_words<A: Address>() -> usize {
    if A::BITS <= 32 { 4 } else { 6 }
}

impl Node {
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the halves that `write` put together")]
    pub(super) fn read<A: Address>(words: &[u64], at: u32) -> Self {
        let from = words.get(at as usize..).unwrap_or_default();
        let node = |[slots, places, links]: [u64; 3], key, depth| Self {
            slots,
            places,
            children: links as u32,
            values: (links >> 32) as u32,
            key,
            depth,
        };
        if A::BITS <= 32 {
            let [a, b, c, place] = from.first_chunk().copied().unwrap_or_default();
            node([a, b, c], Key { hi: place & !0xffff_ffff, lo: 0 }, place as u8)
        } else {
            let [a, b, c, depth, hi, lo] = from.first_chunk().copied().unwrap_or_default();
            node([a, b, c], Key { hi, lo }, depth as u8)
        }
    }

    pub(super) fn write<A: Address>(&self, words: &mut [u64], at: u32) {
        let (links, depth) = (u64::from(self.children) | u64::from(self.values) << 32, u64::from(self.depth));
        let whole = [self.slots, self.places, links, depth, self.key.hi, self.key.lo];
        let short = [self.slots, self.places, links, self.key.hi | depth];
        let part = if A::BITS <= 32 { &short[..] } else { &whole };
        if let Some(place) = words.get_mut(at as usize..).and_then(|rest| rest.get_mut(..part.len())) {
            place.copy_from_slice(part);
        }
    }

    /// The place of the longest prefix here that contains an address with these six bits.
    #[inline]
    pub(super) fn longest(&self, slot: u32) -> Option<u32> {
        let around = self.places & AROUND[(slot >> 1) as usize & 31];
        (around != 0).then(|| 63 - around.leading_zeros())
    }

    /// Where the child for a slot lies, where there is one.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "4 and 6")]
    pub(super) fn child<A: Address>(&self, slot: u32) -> Option<u32> {
        (self.slots >> slot & 1 != 0).then(|| self.children + rank(self.slots, slot) * node_words::<A>() as u32)
    }
}

/// How many bits are set below this one.
#[inline]
pub(super) fn rank(bits: u64, bit: u32) -> u32 {
    (bits & ((1 << bit) - 1)).count_ones()
}
