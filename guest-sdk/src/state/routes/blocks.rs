//! Blocks of any length in a fixed memory, few of which are ever lost to gaps.
//!
//! Blocks of one length lie in chunks of their own. What is given up is a gap at first, that the next block of its length takes; where
//! there are more gaps of a length than [`Blocks::gaps`], the last block of that length is to be moved into one ([`super::tree`] does
//! that, for somebody refers to it). So of each length at most one chunk is not full but for these, and what a number of blocks
//! takes has a bound.

use super::memory::{Word, load, store};

/// Words of a chunk. The first one leads to the chunk before it.
pub(super) const CHUNK: u32 = 4096;

/// Numbers of the state, from [`Blocks::head`] on: chunks that there are, chunks that were ever taken, the first of those that
/// were given back (or 0); then for each class its last chunk (or 0) and how many blocks are in it; then for each its first gap
/// (or 0) and how many there are.
const TOTAL: usize = 0;
const TAKEN: usize = 1;
const SPARE: usize = 2;
const CLASSES: usize = 3;

/// The allocator's view of the memory.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a> {
    pub(super) words: &'a [Word],
    /// Where its own numbers begin, of which there are [`Self::head_words`].
    pub(super) head: usize,
    /// How many classes there are.
    pub(super) classes: usize,
    /// Where the first chunk begins.
    pub(super) first: u32,
}

/// Two numbers in a word.
#[allow(clippy::cast_possible_truncation, reason = "takes a word apart")]
const fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

const fn word((low, high): (u32, u32)) -> u64 {
    low as u64 | (high as u64) << 32
}

impl Blocks<'_> {
    pub(super) const fn head_words(classes: usize) -> usize {
        CLASSES + 2 * classes
    }

    /// How many blocks of a length a chunk has.
    pub(super) const fn per_chunk(len: u32) -> u32 {
        (CHUNK - 1) / len
    }

    pub(super) fn start(&self, chunks: u32) {
        self.set(TOTAL, chunks.into());
    }

    /// A block of `len` words, which is the length of all of its class. They hold anything.
    pub(super) fn take(&self, class: usize, len: u32) -> Option<u32> {
        if let Some(gap) = self.take_gap(class) {
            return Some(gap);
        }
        let (mut chunk, mut fill) = self.class(class);
        if chunk == 0 || fill == Self::per_chunk(len) {
            let new = self.take_chunk()?;
            store(self.words, self.at(new) as usize, chunk.into());
            (chunk, fill) = (new, 0);
        }
        self.set_class(class, chunk, fill + 1);
        Some(self.at(chunk) + 1 + fill * len)
    }

    /// How many gaps of a class there are.
    pub(super) fn gaps(&self, class: usize) -> u32 {
        self.first_gap(class).1
    }

    /// Makes a gap of a block that nobody looks at any more.
    pub(super) fn add_gap(&self, class: usize, block: u32) {
        let (first, count) = self.first_gap(class);
        store(self.words, block as usize, word((0, first)));
        if first != 0 {
            let (_, next) = self.neighbours(first);
            store(self.words, first as usize, word((block, next)));
        }
        self.set_first_gap(class, block, count + 1);
    }

    /// A gap, which is none any more.
    pub(super) fn take_gap(&self, class: usize) -> Option<u32> {
        let (first, _) = self.first_gap(class);
        (first != 0).then(|| {
            self.close_gap(class, first);
            first
        })
    }

    /// Takes a gap out of the list of its class.
    fn close_gap(&self, class: usize, gap: u32) {
        let (before, behind) = self.neighbours(gap);
        let (first, count) = self.first_gap(class);
        if behind != 0 {
            store(self.words, behind as usize, word((before, self.neighbours(behind).1)));
        }
        if before != 0 {
            store(self.words, before as usize, word((self.neighbours(before).0, behind)));
        }
        self.set_first_gap(class, if before == 0 { behind } else { first }, count.saturating_sub(1));
    }

    /// The last block of a class, where there is one.
    pub(super) fn last(&self, class: usize, len: u32) -> Option<u32> {
        let (chunk, fill) = self.class(class);
        Some(self.at(chunk) + 1 + fill.checked_sub(1)? * len)
    }

    /// The last block of a class is a gap: it goes, and its chunk, where it was the only one there.
    pub(super) fn drop_last(&self, class: usize, len: u32) {
        let Some(last) = self.last(class, len) else { return };
        self.close_gap(class, last);
        let (chunk, fill) = self.class(class);
        if fill > 1 {
            return self.set_class(class, chunk, fill - 1);
        }
        let (before, _) = halves(load(self.words, self.at(chunk) as usize));
        self.set_class(class, before, if before == 0 { 0 } else { Self::per_chunk(len) });
        store(self.words, self.at(chunk) as usize, self.get(SPARE));
        self.set(SPARE, chunk.into());
    }

    /// A chunk, by its number from 1.
    fn take_chunk(&self) -> Option<u32> {
        let (spare, _) = halves(self.get(SPARE));
        if spare != 0 {
            self.set(SPARE, load(self.words, self.at(spare) as usize));
            return Some(spare);
        }
        let (taken, _) = halves(self.get(TAKEN));
        if u64::from(taken) >= self.get(TOTAL) {
            return None;
        }
        self.set(TAKEN, u64::from(taken) + 1);
        Some(taken + 1)
    }

    fn at(&self, chunk: u32) -> u32 {
        self.first + chunk.saturating_sub(1) * CHUNK
    }

    fn class(&self, class: usize) -> (u32, u32) {
        halves(self.get(CLASSES + class))
    }

    fn set_class(&self, class: usize, chunk: u32, fill: u32) {
        self.set(CLASSES + class, word((chunk, fill)));
    }

    fn first_gap(&self, class: usize) -> (u32, u32) {
        halves(self.get(CLASSES + self.classes + class))
    }

    fn set_first_gap(&self, class: usize, gap: u32, count: u32) {
        self.set(CLASSES + self.classes + class, word((gap, count)));
    }

    /// The gaps before and behind one.
    fn neighbours(&self, gap: u32) -> (u32, u32) {
        halves(load(self.words, gap as usize))
    }

    fn get(&self, number: usize) -> u64 {
        load(self.words, self.head + number)
    }

    fn set(&self, number: usize, value: u64) {
        store(self.words, self.head + number, value);
    }
}
