//! Where a table lies: in the heap, or in the region that outlives an instance.

use crate::Region;
use crate::state::{NoMemory, filled};
use alloc::vec::Vec;
use zerocopy::FromBytes as _;

/// Words in either place.
pub(super) enum Memory {
    Heap(Vec<u64>),
    Region(Region),
}

impl Memory {
    pub(super) fn heap(words: usize) -> Result<Self, NoMemory> {
        filled(words, 0).map(Self::Heap)
    }

    #[inline]
    pub(super) fn words(&self) -> &[u64] {
        match self {
            Self::Heap(words) => words,
            // It begins at a multiple of 4,096 bytes, or was split there, so it is words.
            Self::Region(region) => <[u64]>::ref_from_bytes(region.as_bytes()).unwrap_or_default(),
        }
    }

    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Heap(words) => words,
            Self::Region(region) => <[u64]>::mut_from_bytes(region.bytes()).unwrap_or_default(),
        }
    }
}
