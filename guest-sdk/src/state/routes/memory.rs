//! Where a table lies, and how its words are read and written: one instance writes them while others look things up.
//!
//! What others can reach is never written but a word at a time. What a word leads to was written before it (a release), and is read
//! behind it (an acquire): on a processor as x86-64, and in WebAssembly, both are plain moves.

use crate::Region;
use crate::state::{NoMemory, room};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// A word of a table.
pub(super) type Word = AtomicU64;

/// Words in either place.
pub(super) enum Memory {
    Heap(Vec<Word>),
    Region(Region),
}

impl Memory {
    pub(super) fn heap(words: usize) -> Result<Self, NoMemory> {
        let mut memory = room(words)?;
        memory.resize_with(words, || Word::new(0));
        Ok(Self::Heap(memory))
    }

    #[inline]
    pub(super) fn words(&self) -> &[Word] {
        match self {
            Self::Heap(words) => words,
            Self::Region(region) => region.words(),
        }
    }
}

/// The word at a place; 0 where there is none.
#[inline(always)]
pub(super) fn load(words: &[Word], at: usize) -> u64 {
    words.get(at).map_or(0, |word| word.load(Ordering::Relaxed))
}

/// The same, of a word that leads to others.
#[inline(always)]
pub(super) fn follow(words: &[Word], at: usize) -> u64 {
    words.get(at).map_or(0, |word| word.load(Ordering::Acquire))
}

/// Writes a word that nobody else looks at yet, or that leads nowhere.
#[inline]
pub(super) fn store(words: &[Word], at: usize, value: u64) {
    words[at].store(value, Ordering::Relaxed);
}

/// Writes a word that leads to what was written before.
#[inline]
pub(super) fn publish(words: &[Word], at: usize, value: u64) {
    words[at].store(value, Ordering::Release);
}

/// Copies words to where nobody looks.
pub(super) fn copy(words: &[Word], from: u32, to: u32, count: u32) {
    for n in 0..count as usize {
        store(words, to as usize + n, load(words, from as usize + n));
    }
}
