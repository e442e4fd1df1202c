//! Numbers in a state region that others read.

use crate::{Region, raw};
use core::sync::atomic::Ordering;
use perigee_abi::names;

/// Words of 64 bits in the state region, or in a part of it: the instance whose it is writes them, and those to which the operator
/// grants to read it (`state_of`) read them. Each is read as a whole, and who finds one finds all that was written before it.
///
/// What stands in several words, or leads to others, may be read while it is written. So it is written where nobody looks, then the
/// word that leads there, and what was there is used again only once all have gone on: [`Self::next_turn`] and [`Self::reached`].
pub struct SharedWords(Region);

impl SharedWords {
    /// All words of a region: zeros, where it is new.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self(region)
    }

    /// They are another instance's, to read.
    #[must_use]
    pub fn are_anothers(&self) -> bool {
        self.0.is_anothers()
    }

    /// The word at a place; 0 where there is none.
    #[inline]
    #[must_use]
    pub fn get(&self, at: usize) -> u64 {
        self.0.words().get(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Writes a word. Where the words are another's, or there is none at this place, it does nothing.
    #[inline]
    pub fn set(&mut self, at: usize, value: u64) {
        if let Some(word) = self.0.words().get(at).filter(|_| !self.are_anothers()) {
            word.store(value, Ordering::Release);
        }
    }

    /// Whether they may be changed now: not while an instance that had the region before this one may go on with it, where others read it.
    #[must_use]
    pub fn are_open(&self) -> bool {
        raw::region(names::REGION_WHOSE) == names::REGION_OWN
    }

    /// Begins a turn, and tells its number: who is called from now on finds what was written before.
    pub fn next_turn(&mut self) -> u64 {
        raw::region(names::REGION_TURN)
    }

    /// The turn that all who read have reached: what was not led to any more when it began, nobody looks at.
    #[must_use]
    pub fn reached(&self) -> u64 {
        raw::region(names::REGION_REACHED)
    }
}
