//! A way past the upper levels of the tree of IPv4: for each value of an address's upper bits, what a walk to there finds.
//!
//! It is filled when it is asked, and forgotten where the tree changes, in groups of one node's children. So it is never wrong, and
//! a change costs no more than what it forgets: 64 entries for a prefix of 19 bits or more, and twice as many for each bit less. Who looks
//! up in a table that another instance changes reads what it is to forget.

use super::key::{FIRST, Key, STRIDE};
use super::layout::Layout;
use super::left::{FORGOTTEN, Left};
use super::memory::{Word, follow};
use super::node::{Node, rank};
use crate::state::prefix::Address;
use crate::state::{NoMemory, filled};
use alloc::boxed::Box;

/// The bits that it tells apart: three levels of the tree end there.
const BITS: u8 = FIRST + 3 * STRIDE;
/// The bits that entries of a group have in common.
pub(super) const GROUP: u8 = BITS - STRIDE;
const ENTRIES: usize = 1 << BITS;
/// Nobody has looked yet.
const UNKNOWN: u32 = u32::MAX;

/// What a walk finds above the level of [`BITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The first node on the way that is not above that level; 0: there is none.
    pub(super) node: u32,
    /// One more than where the value of the longest prefix stands that was passed, in half words; 0: there is none.
    pub(super) best: u32,
}

/// The entries.
pub(super) struct Shortcut {
    /// As many as there are numbers of so many bits, so that no place needs a check.
    entries: Box<[Entry; ENTRIES]>,
    /// How much of what another instance has written down is forgotten.
    seen: u64,
}

impl Shortcut {
    pub(super) fn new() -> Result<Self, NoMemory> {
        let entries = filled(ENTRIES, Entry { node: UNKNOWN, best: 0 })?.into_boxed_slice();
        let entries = entries.try_into().map_err(|_| NoMemory { bytes: ENTRIES * size_of::<Entry>() })?;
        Ok(Self { entries, seen: 0 })
    }

    /// The entry of an address.
    #[inline(always)]
    pub(super) fn get<A: Address>(&mut self, words: &[Word], key: Key) -> Entry {
        let entry = self.entries[index(key)];
        if entry.node == UNKNOWN { self.fill::<A>(words, key) } else { entry }
    }

    /// Forgets what is known of all addresses that begin with the first `depth` bits of `key`.
    pub(super) fn forget(&mut self, key: Key, depth: u8) {
        let depth = depth.min(GROUP);
        let (first, count) = (index(key.first(depth)), 1_usize << (BITS - depth));
        let Some(entries) = self.entries.get_mut(first..first + count) else { return };
        for group in entries.chunks_exact_mut(1 << STRIDE) {
            if group.first().is_some_and(|entry| entry.node != UNKNOWN) {
                group.fill(Entry { node: UNKNOWN, best: 0 });
            }
        }
    }

    /// Forgets what another instance has changed since this was asked last. Before each look: what it gave up then may be something else
    /// by now.
    #[inline(always)]
    pub(super) fn follow(&mut self, left: Left<'_>) {
        let now = left.forgotten();
        if now != self.seen {
            self.forget_since(left, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn forget_since(&mut self, left: Left<'_>, now: u64) {
        let seen = core::mem::replace(&mut self.seen, now);
        let since = left.since(seen, now);
        let is_known = since.is_some();
        since.into_iter().flatten().for_each(|(key, depth)| self.forget(key, depth));
        // While it was read it may have been written over.
        if !is_known || left.forgotten().wrapping_sub(seen) > FORGOTTEN as u64 {
            self.clear();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.forget(Key::default(), 0);
    }

    /// Fills the group of an address, and gives its entry.
    #[cold]
    #[inline(never)]
    fn fill<A: Address>(&mut self, words: &[Word], key: Key) -> Entry {
        let mut at = Layout::<A>::root(words, key);
        let mut above = Entry { node: 0, best: 0 };
        let first = index(key.first(GROUP));
        loop {
            let node = Node::read::<A>(words, at);
            if node.depth >= GROUP || !key.agrees::<A>(node.key, node.depth) {
                break;
            }
            let slot = key.slot::<A>(node.depth);
            above.best = best(&node, slot).unwrap_or(above.best);
            match node.child::<A>(slot) {
                Some(below) => at = below,
                None => {
                    at = 0;
                    break;
                }
            }
        }
        // One that is elsewhere has nothing for this group, and nobody would know that it is remembered here.
        let node = (at != 0).then(|| Node::read::<A>(words, at));
        let node = node.filter(|node| key.agrees::<A>(node.key, node.depth.min(GROUP)));
        for slot in 0..1_u32 << STRIDE {
            let entry = match &node {
                Some(node) if node.depth == GROUP => {
                    Entry { node: node.child::<A>(slot).unwrap_or(0), best: best(node, slot).unwrap_or(above.best) }
                }
                // It is deeper, so it is of one entry at most: the lookup compares.
                Some(_) => Entry { node: at, best: above.best },
                None => Entry { node: 0, ..above },
            };
            if let Some(place) = self.entries.get_mut(first + slot as usize) {
                *place = entry;
            }
        }
        self.entries[index(key)]
    }
}

/// Where the value of the longest prefix of a node stands, as [`Entry::best`] has it.
#[inline(always)]
pub(super) fn best(node: &Node, slot: u32) -> Option<u32> {
    // A block of IPv4 has one word before its values. A table has fewer than 2^30 words.
    node.longest(slot).map(|place| 2 * node.values + 3 + rank(node.places, place))
}

/// The value that stands where [`best`] says, which is not 0.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "one half of the word")]
pub(super) fn value(words: &[Word], best: u32) -> u32 {
    let at = best.wrapping_sub(1);
    (follow(words, (at / 2) as usize) >> (at % 2 * 32)) as u32
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "as many bits as it has entries for")]
fn index(key: Key) -> usize {
    (key.hi >> (64 - BITS)) as usize
}
