//! Hash tables of chains through a slab.

use super::slab::{Entry, Slab};
use perigee_guest::seed_mix;

/// Most entries of a chain. With as many chains as entries half that length is all but impossible unless keys are chosen to
/// collide, so this bounds the work of a packet and costs nothing.
const CHAIN_MAX: usize = 32;

/// The hash of a key of two words.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the lower half of a hash is a hash")]
pub(crate) const fn hash(seed: u64, first: u64, second: u64) -> u32 {
    seed_mix(seed_mix(seed ^ first) ^ second) as u32
}

/// Chains, by the hash of a key. A power of two of them.
pub(crate) struct Index<'a> {
    chains: &'a mut [u32],
    /// Which of the entries' links.
    which: usize,
}

impl<'a> Index<'a> {
    pub(crate) fn new(chains: &'a mut [u32], which: usize) -> Self {
        Self { chains, which }
    }

    #[inline]
    fn chain(&self, hash: u32) -> usize {
        hash as usize & (self.chains.len() - 1)
    }

    /// The first entry of a chain; 0: there is none.
    #[inline]
    pub(crate) fn first(&self, hash: u32) -> u32 {
        self.chains[self.chain(hash)]
    }

    /// The place of the entry that `is` says is the one; 0: there is none.
    #[inline]
    pub(crate) fn find<T: Entry>(&self, slab: &Slab<'_, T>, hash: u32, is: impl Fn(&T) -> bool) -> u32 {
        let mut place = self.chains[self.chain(hash)];
        // No chain is longer: bounded also where the memory that was taken over is not what it should be.
        for _ in 0..CHAIN_MAX {
            if place == 0 {
                break;
            }
            let entry = slab.at(place);
            if is(entry) {
                return place;
            }
            place = entry.link(self.which);
        }
        0
    }

    /// Whether a chain is as long as it may be.
    pub(crate) fn is_full<T: Entry>(&self, slab: &Slab<'_, T>, hash: u32) -> bool {
        let (mut place, mut count) = (self.chains[self.chain(hash)], 0);
        while place != 0 && count < CHAIN_MAX {
            place = slab.at(place).link(self.which);
            count += 1;
        }
        count >= CHAIN_MAX
    }

    pub(crate) fn insert<T: Entry>(&mut self, slab: &mut Slab<'_, T>, hash: u32, place: u32) {
        let chain = self.chain(hash);
        slab.at_mut(place).set_link(self.which, self.chains[chain]);
        self.chains[chain] = place;
    }

    /// Takes an entry out of its chain, if it is in it.
    pub(crate) fn remove<T: Entry>(&mut self, slab: &mut Slab<'_, T>, hash: u32, place: u32) {
        let (chain, next) = (self.chain(hash), slab.at(place).link(self.which));
        if self.chains[chain] == place {
            self.chains[chain] = next;
            return;
        }
        let mut before = self.chains[chain];
        for _ in 0..CHAIN_MAX {
            let behind = slab.at(before).link(self.which);
            if before == 0 || behind == place {
                break;
            }
            before = behind;
        }
        if before != 0 && slab.at(before).link(self.which) == place {
            slab.at_mut(before).set_link(self.which, next);
        }
    }
}
