//! Where what lies in a table's words, and how many of them a table takes.

use super::blocks::{Blocks, CHUNK};
use super::key::{FIRST, Key, STRIDE};
use super::node::{Node, node_words};
use crate::state::prefix::Address;
use core::marker::PhantomData;

/// Most children of a node, and most words of values: each has a class of blocks of its own.
const CHILDREN: usize = 1 << STRIDE;
const VALUES: usize = CHILDREN / 2;
const CLASSES: usize = CHILDREN + VALUES;

/// Words of a line of the cache.
const LINE: usize = 8;

/// Numbers of the table: what it is, how many prefixes it has, and the value of the prefix of no bits (and one; or 0).
pub(super) const MARK: usize = 0;
pub(super) const LEN: usize = 1;
pub(super) const DEFAULT: usize = 2;
/// The two roots: addresses whose first bit is 0, and 1.
const ROOTS: usize = 3;

/// Numbers of one family's layout.
pub(super) struct Layout<A>(PhantomData<A>);

#[allow(clippy::cast_possible_truncation, reason = "all of them are small")]
impl<A: Address> Layout<A> {
    /// Words of a block of values that say whose it is.
    pub(super) const OWNER: usize = if A::BITS <= 64 { 1 } else { 2 };
    /// Words of a node.
    pub(super) const NODE: u32 = node_words::<A>() as u32;
    const HEAD: usize = ROOTS + 2 * node_words::<A>();
    /// Where chunks begin: one word before a line of the cache, so that blocks begin with it, and a node of IPv4 lies in one line.
    const FIRST_CHUNK: usize = (Self::HEAD + Blocks::head_words(CLASSES) + 1).next_multiple_of(LINE) - 1;
    /// What stands in a table that was made by this code.
    const MARKED: u64 = 0x0007_ab1e_0000_0200 + A::BITS as u64;

    /// Words for a table of so many prefixes, wherever they are.
    ///
    /// Each has a block of one value and a node; where the ways of two part there is one more, and there is one less of these
    /// than of prefixes. In each chunk a part is lost that is too small for a block, and one chunk of each class is not full.
    pub(super) const fn words(capacity: usize) -> usize {
        // In 64 bits, of which WebAssembly's `usize` has half.
        let blocks = capacity as u64 * (2 * node_words::<A>() + Self::OWNER + 1) as u64;
        let full = (blocks * 1024).div_ceil(Self::least_used() * CHUNK as u64);
        Self::FIRST_CHUNK + (full as usize + CLASSES + 4) * CHUNK as usize
    }

    /// The most prefixes for which so many words are enough.
    pub(super) fn capacity(words: usize) -> usize {
        let (mut enough, mut beyond) = (0, words + 1);
        while enough + 1 < beyond {
            let middle = usize::midpoint(enough, beyond);
            if Self::words(middle) <= words { enough = middle } else { beyond = middle }
        }
        enough
    }

    /// How much of a chunk's words is in use at least, in 1,024ths, where the chunk is full.
    const fn least_used() -> u64 {
        let (mut least, mut count) = (CHUNK, 1);
        while count <= CHILDREN {
            let len = (count * node_words::<A>()) as u32;
            let used = Blocks::per_chunk(len) * len;
            if used < least {
                least = used;
            }
            count += 1;
        }
        // Blocks of values are shorter than the longest of children, and fill chunks better.
        (least * 1024 / CHUNK) as u64
    }

    /// Makes an empty table of words that are zeros.
    pub(super) fn start(words: &mut [u64]) {
        words[MARK] = Self::MARKED;
        for bit in 0..2_u32 {
            let key = Key { hi: u64::from(bit) << 63, lo: 0 };
            Node { key, depth: FIRST, ..Node::default() }.write::<A>(words, Self::root(key));
        }
        let chunks = (words.len() - Self::FIRST_CHUNK) / CHUNK as usize;
        Self::blocks(words).start(chunks as u32);
    }

    /// Takes all prefixes out.
    pub(super) fn clear(words: &mut [u64]) {
        words[..Self::FIRST_CHUNK].fill(0);
        Self::start(words);
    }

    pub(super) fn is_table(words: &[u64]) -> bool {
        words.get(MARK) == Some(&Self::MARKED)
    }

    #[inline]
    pub(super) fn root(key: Key) -> u32 {
        (ROOTS + (key.hi >> 63) as usize * node_words::<A>()) as u32
    }

    pub(super) fn blocks(words: &mut [u64]) -> Blocks<'_> {
        Blocks { words, head: Self::HEAD, first: Self::FIRST_CHUNK as u32 }
    }

    /// Words of so many values.
    pub(super) const fn value_words(count: u32) -> u32 {
        count.div_ceil(2)
    }

    /// The class of blocks of so many children (one or more), and their length.
    pub(super) const fn children_class(count: u32) -> (usize, u32) {
        (count as usize - 1, count * node_words::<A>() as u32)
    }

    /// The class of blocks of so many values (one or more), and their length.
    pub(super) const fn values_class(count: u32) -> (usize, u32) {
        let words = Self::value_words(count);
        (CHILDREN + words as usize - 1, Self::OWNER as u32 + words)
    }
}
