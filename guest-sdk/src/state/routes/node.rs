//! One level of the tree at one place: six bits of the address.

use super::key::{Key, STRIDE};
use super::memory::{Word, store};
use crate::state::prefix::Address;
use core::sync::atomic::Ordering;

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

/// Where in a node the word stands that says where its children and values lie: all that changes of a node that others can reach.
pub(super) const LINKS: u32 = 2;

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

/// What the word of a node's links is made of.
pub(super) const fn links(children: u32, values: u32) -> u64 {
    children as u64 | (values as u64) << 32
}

impl Node {
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the halves that `write` put together")]
    pub(super) fn read<A: Address>(words: &[Word], at: u32) -> Self {
        let from = words.get(at as usize..).unwrap_or_default();
        let word = |word: &Word| word.load(Ordering::Relaxed);
        let node = |slots: &Word, places: &Word, links: &Word, key, depth| {
            let links = links.load(Ordering::Acquire);
            let (children, values) = (links as u32, (links >> 32) as u32);
            Self { slots: word(slots), places: word(places), children, values, key, depth }
        };
        if A::BITS <= 32 {
            let Some([a, b, c, place]) = from.first_chunk() else { return Self::default() };
            let place = word(place);
            node(a, b, c, Key { hi: place & !0xffff_ffff, lo: 0 }, place as u8)
        } else {
            let Some([a, b, c, depth, hi, lo]) = from.first_chunk() else { return Self::default() };
            node(a, b, c, Key { hi: word(hi), lo: word(lo) }, word(depth) as u8)
        }
    }

    /// Writes a node to where nobody looks.
    pub(super) fn write<A: Address>(&self, words: &[Word], at: u32) {
        let (links, depth) = (links(self.children, self.values), u64::from(self.depth));
        let whole = [self.slots, self.places, links, depth, self.key.hi, self.key.lo];
        let short = [self.slots, self.places, links, self.key.hi | depth];
        let part = if A::BITS <= 32 { &short[..] } else { &whole };
        part.iter().enumerate().for_each(|(n, word)| store(words, at as usize + n, *word));
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
