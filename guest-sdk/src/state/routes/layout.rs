//! Where what lies in a table's words, and how many of them a table takes.

use super::blocks::{Blocks, CHUNK};
use super::key::{FIRST, Key, STRIDE};
use super::left::{self, Left};
use super::memory::{Word, follow, load, publish, store};
use super::node::{Node, node_words};
use crate::state::prefix::Address;
use core::marker::PhantomData;

/// Most children of a node, and most words of values: each has a class of blocks of its own.
const CHILDREN: usize = 1 << STRIDE;
const VALUES: usize = CHILDREN / 2;
const CLASSES: usize = CHILDREN + VALUES;

/// Gaps of a class that stay, where others look up in the table: blocks that come and go in a burst of changes fill them again.
pub(super) const GAPS: u32 = 8;

/// Words of a line of the cache.
const LINE: usize = 8;

/// Numbers of the table: what it is, how many prefixes it has, and the value of the prefix of no bits (and one; or 0).
const MARK: usize = 0;
pub(super) const LEN: usize = 1;
pub(super) const DEFAULT: usize = 2;
/// Where the two roots lie, as the links of a node would say it: for addresses whose first bit is 0, and 1.
const ROOTS: usize = 3;
const HEAD: usize = ROOTS + 2;
/// What changes leave behind.
const LEFT: usize = HEAD + Blocks::head_words(CLASSES);

/// Numbers of one family's layout.
pub(super) struct Layout<A>(PhantomData<A>);

#[allow(clippy::cast_possible_truncation, reason = "all of them are small")]
impl<A: Address> Layout<A> {
    /// Words of a block of values that say whose it is.
    pub(super) const OWNER: usize = if A::BITS <= 64 { 1 } else { 2 };
    /// Words of a node.
    pub(super) const NODE: u32 = node_words::<A>() as u32;
    /// Where chunks begin: one word before a line of the cache, so that blocks begin with it, and a node of IPv4 lies in one line.
    const FIRST_CHUNK: usize = (LEFT + left::HEAD_WORDS + 1).next_multiple_of(LINE) - 1;
    /// What stands in a table that was made by this code.
    const MARKED: u64 = 0x0007_ab1e_0000_0300 + A::BITS as u64;

    /// Words for a table of so many prefixes, wherever they are.
    ///
    /// Each has a block of one value and a node; where the ways of two part there is one more, and there is one less of these
    /// than of prefixes, but for the two roots. In each chunk a part is lost that is too small for a block, and one chunk of each
    /// class is not full. A change takes some blocks before it gives others up.
    pub(super) const fn words(capacity: usize) -> usize {
        Self::FIRST_CHUNK + (Self::chunks(Self::blocks_of(capacity)) + CLASSES + 4) * CHUNK as usize
    }

    /// As [`Self::words`], of a table in which others look up meanwhile: blocks wait until nobody looks at them, and gaps stay.
    pub(super) const fn shared_words(capacity: usize) -> usize {
        let (mut class, mut gaps) = (0, 0);
        while class < CLASSES {
            gaps += GAPS as u64 * Self::class_len(class) as u64;
            class += 1;
        }
        let blocks = Self::blocks_of(capacity) + gaps + left::WAITING_WORDS;
        Self::FIRST_CHUNK + (Self::chunks(blocks) + CLASSES + 4) * CHUNK as usize
    }

    /// Words of the blocks of so many prefixes: in 64 bits, of which WebAssembly's `usize` has half.
    const fn blocks_of(capacity: usize) -> u64 {
        (capacity as u64 + 1) * (2 * node_words::<A>() + Self::OWNER + 1) as u64
    }

    /// Chunks for blocks of so many words.
    const fn chunks(words: u64) -> usize {
        (words * 1024).div_ceil(Self::least_used() * CHUNK as u64) as usize
    }

    /// The most prefixes for which so many words are enough, where others look up in the table.
    pub(super) fn capacity(words: usize) -> usize {
        let (mut enough, mut beyond) = (0, words + 1);
        while enough + 1 < beyond {
            let middle = usize::midpoint(enough, beyond);
            if Self::shared_words(middle) <= words { enough = middle } else { beyond = middle }
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

    /// Makes an empty table of words that are zeros. `life` is another number than that of an earlier one in the same place.
    pub(super) fn start(words: &[Word], life: u64) {
        let chunks = words.len().saturating_sub(Self::FIRST_CHUNK) / CHUNK as usize;
        let blocks = Self::blocks(words);
        blocks.start(chunks as u32);
        Self::left(words).start(life);
        let (class, len) = Self::children_class(1);
        for bit in 0..2 {
            let Some(root) = blocks.take(class, len) else { return };
            let key = Key { hi: (bit as u64) << 63, lo: 0 };
            Node { key, depth: FIRST, ..Node::default() }.write::<A>(words, root);
            publish(words, ROOTS + bit, root.into());
        }
        publish(words, MARK, Self::MARKED);
    }

    /// Takes all prefixes out, where nobody else looks.
    pub(super) fn clear(words: &[Word]) {
        (0..Self::FIRST_CHUNK.min(words.len())).for_each(|at| store(words, at, 0));
        Self::start(words, 0);
    }

    #[inline]
    pub(super) fn is_table(words: &[Word]) -> bool {
        follow(words, MARK) == Self::MARKED
    }

    /// Where the word stands that leads to the root for a key.
    #[inline]
    pub(super) fn root_link(key: Key) -> u32 {
        (ROOTS + (key.hi >> 63) as usize) as u32
    }

    /// The root for a key; 0: there is no table.
    #[inline]
    pub(super) fn root(words: &[Word], key: Key) -> u32 {
        follow(words, Self::root_link(key) as usize) as u32
    }

    pub(super) fn blocks(words: &[Word]) -> Blocks<'_> {
        Blocks { words, head: HEAD, classes: CLASSES, first: Self::FIRST_CHUNK as u32 }
    }

    pub(super) fn left(words: &[Word]) -> Left<'_> {
        Left { words, head: LEFT }
    }

    /// Number of prefixes.
    pub(super) fn len(words: &[Word]) -> usize {
        load(words, LEN) as usize
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

    /// Whether blocks of a class have children.
    pub(super) const fn has_children(class: usize) -> bool {
        class < CHILDREN
    }

    /// The length of blocks of a class.
    pub(super) const fn class_len(class: usize) -> u32 {
        if Self::has_children(class) {
            (class as u32 + 1) * node_words::<A>() as u32
        } else {
            Self::OWNER as u32 + (class - CHILDREN) as u32 + 1
        }
    }
}

const _: () = assert!(CLASSES <= 128, "the classes of a change are bits of a word");
