//! Blocks of any length in a fixed memory, none of which is ever lost to gaps.
//!
//! Blocks of one length lie dense, in chunks of their own. Where one is freed, the last one of its length takes its place; who
//! refers to that one is told. So of each length at most one chunk is not full, and what a number of blocks takes has a bound.

/// Words of a chunk. The first one leads to the chunk before it.
pub(super) const CHUNK: u32 = 4096;

/// Numbers of the state, from [`Blocks::HEAD`] on: chunks that there are, chunks that were ever taken, the first of those that
/// were given back (or 0); then for each class its last chunk (or 0) and how many blocks are in it.
const TOTAL: usize = 0;
const TAKEN: usize = 1;
const SPARE: usize = 2;
const CLASSES: usize = 3;

/// The allocator's view of the memory.
pub(super) struct Blocks<'a> {
    pub(super) words: &'a mut [u64],
    /// Where its own numbers begin, of which there are [`Self::head_words`].
    pub(super) head: usize,
    /// Where the first chunk begins.
    pub(super) first: u32,
}

/// A block that lies elsewhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Blocks<'_> {
    pub(super) const fn head_words(classes: usize) -> usize {
        CLASSES + classes
    }

    /// How many blocks of a length a chunk has.
    pub(super) const fn per_chunk(len: u32) -> u32 {
        (CHUNK - 1) / len
    }

    pub(super) fn start(&mut self, chunks: u32) {
        self.set(TOTAL, chunks.into());
    }

    /// A block of `len` words, which is the length of all of its class. They hold anything.
    pub(super) fn take(&mut self, class: usize, len: u32) -> Option<u32> {
        let (mut chunk, mut fill) = self.class(class);
        if chunk == 0 || fill == Self::per_chunk(len) {
            let new = self.take_chunk()?;
            self.set_word(self.at(new), chunk.into());
            (chunk, fill) = (new, 0);
        }
        self.set_class(class, chunk, fill + 1);
        Some(self.at(chunk) + 1 + fill * len)
    }

    /// Gives a block back. The last one of its class, if that is another, has moved to its place.
    #[allow(clippy::cast_possible_truncation, reason = "a number of a chunk")]
    pub(super) fn give_back(&mut self, class: usize, len: u32, block: u32) -> Option<Moved> {
        let (chunk, fill) = self.class(class);
        let last = self.at(chunk) + 1 + fill.checked_sub(1)? * len;
        if last != block {
            self.words.copy_within(last as usize..(last + len) as usize, block as usize);
        }
        if fill > 1 {
            self.set_class(class, chunk, fill - 1);
        } else {
            let before = self.word(self.at(chunk)) as u32;
            self.set_class(class, before, if before == 0 { 0 } else { Self::per_chunk(len) });
            self.set_word(self.at(chunk), self.get(SPARE));
            self.set(SPARE, chunk.into());
        }
        (last != block).then_some(Moved { from: last, to: block })
    }

    /// A chunk, by its number from 1.
    #[allow(clippy::cast_possible_truncation, reason = "a number of a chunk")]
    fn take_chunk(&mut self) -> Option<u32> {
        let spare = self.get(SPARE) as u32;
        if spare != 0 {
            self.set(SPARE, self.word(self.at(spare)));
            return Some(spare);
        }
        let taken = self.get(TAKEN);
        if taken >= self.get(TOTAL) {
            return None;
        }
        self.set(TAKEN, taken + 1);
        Some(taken as u32 + 1)
    }

    fn at(&self, chunk: u32) -> u32 {
        self.first + chunk.saturating_sub(1) * CHUNK
    }

    #[allow(clippy::cast_possible_truncation, reason = "the halves that `set_class` put together")]
    fn class(&self, class: usize) -> (u32, u32) {
        let both = self.get(CLASSES + class);
        (both as u32, (both >> 32) as u32)
    }

    fn set_class(&mut self, class: usize, chunk: u32, fill: u32) {
        self.set(CLASSES + class, u64::from(chunk) | u64::from(fill) << 32);
    }

    fn get(&self, number: usize) -> u64 {
        self.words[self.head + number]
    }

    fn set(&mut self, number: usize, value: u64) {
        self.words[self.head + number] = value;
    }

    fn word(&self, at: u32) -> u64 {
        self.words[at as usize]
    }

    fn set_word(&mut self, at: u32, value: u64) {
        self.words[at as usize] = value;
    }
}
