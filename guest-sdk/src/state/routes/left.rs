//! What a change has left behind: blocks that others may still look at, and prefixes of which they may remember something.
//!
//! Blocks wait in a ring until all who look have gone on since; only then they are used again. What is to be forgotten stands in
//! another one, which everybody who remembers something goes through before each look.

use super::key::Key;
use super::memory::{Word, load, publish, store};

/// Most blocks that wait.
pub(super) const WAITING: usize = 4096;
/// Most words of them.
pub(super) const WAITING_WORDS: u64 = 256 << 10;
/// Most blocks that one change leaves behind, and most words of them.
pub(super) const OF_CHANGE: usize = 12;
const WORDS_OF_CHANGE: u64 = 1024;
/// Changes of nodes that stand in the ring of what is to be forgotten.
pub(super) const FORGOTTEN: usize = 2048;

/// Numbers of the state: how many blocks have come and have gone, how many words those that wait have, and how much was
/// written down to be forgotten.
const CAME: usize = 0;
const WENT: usize = 1;
const WORDS: usize = 2;
const FORGET: usize = 3;
const BLOCKS: usize = 4;
const NODES: usize = BLOCKS + 2 * WAITING;
pub(super) const HEAD_WORDS: usize = NODES + FORGOTTEN;

/// No time: the change that left it is under way.
const NOT_YET: u64 = u64::MAX;

/// The rings of a table.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) words: &'a [Word],
    /// Where they begin.
    pub(super) head: usize,
}

/// A block that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) class: usize,
    pub(super) block: u32,
}

#[allow(clippy::cast_possible_truncation, reason = "positions in rings, and the halves of a word")]
impl Left<'_> {
    /// `life` makes what is to be forgotten differ from that of an earlier table in the same place.
    pub(super) fn start(&self, life: u64) {
        self.set(FORGET, life << 32);
    }

    /// There is room for so many changes.
    pub(super) fn has_room(&self, changes: usize) -> bool {
        let waiting = self.get(CAME).wrapping_sub(self.get(WENT)) as usize;
        waiting + changes * OF_CHANGE <= WAITING && self.get(WORDS) + changes as u64 * WORDS_OF_CHANGE <= WAITING_WORDS
    }

    /// A block is no longer led to.
    pub(super) fn leave(&self, waiting: Waiting, len: u32) {
        let came = self.get(CAME);
        let at = self.head + BLOCKS + 2 * (came as usize % WAITING);
        store(self.words, at, u64::from(waiting.block) | (waiting.class as u64) << 32);
        store(self.words, at + 1, NOT_YET);
        self.set(CAME, came.wrapping_add(1));
        self.set(WORDS, self.get(WORDS) + u64::from(len));
    }

    /// Who looks from this turn on finds nothing of what was left since `came`.
    pub(super) fn date(&self, turn: u64) {
        let mut came = self.get(CAME);
        while came != self.get(WENT) {
            came = came.wrapping_sub(1);
            let at = self.head + BLOCKS + 2 * (came as usize % WAITING) + 1;
            if load(self.words, at) != NOT_YET {
                break;
            }
            store(self.words, at, turn);
        }
    }

    /// The block that has waited longest, if all have reached its turn.
    pub(super) fn next(&self, reached: u64) -> Option<Waiting> {
        let went = self.get(WENT);
        if went == self.get(CAME) {
            return None;
        }
        let at = self.head + BLOCKS + 2 * (went as usize % WAITING);
        let turn = load(self.words, at + 1);
        if turn == NOT_YET || turn > reached {
            return None;
        }
        let word = load(self.words, at);
        self.set(WENT, went.wrapping_add(1));
        Some(Waiting { class: (word >> 32) as usize, block: word as u32 })
    }

    /// One that waited does so no more.
    pub(super) fn subtract(&self, len: u32) {
        self.set(WORDS, self.get(WORDS).saturating_sub(len.into()));
    }

    /// Whether a block waits.
    pub(super) fn has(&self, waiting: Waiting) -> bool {
        let word = u64::from(waiting.block) | (waiting.class as u64) << 32;
        let (mut went, came) = (self.get(WENT), self.get(CAME));
        while went != came {
            if load(self.words, self.head + BLOCKS + 2 * (went as usize % WAITING)) == word {
                return true;
            }
            went = went.wrapping_add(1);
        }
        false
    }

    /// How much was written down to be forgotten.
    #[inline]
    pub(super) fn forgotten(&self) -> u64 {
        super::memory::follow(self.words, self.head + FORGET)
    }

    /// Writes down that what is remembered of a node is to be forgotten. Of IPv4: the address is in the upper half.
    pub(super) fn forget(&self, key: Key, depth: u8) {
        let count = self.get(FORGET);
        store(self.words, self.head + NODES + count as usize % FORGOTTEN, key.hi & !0xff | u64::from(depth));
        publish(self.words, self.head + FORGET, count.wrapping_add(1));
    }

    /// What was written down from `seen` on, each with `forget`; nothing where that is more than the ring has.
    pub(super) fn since(&self, seen: u64, now: u64) -> Option<impl Iterator<Item = (Key, u8)>> {
        // Half of the ring, for the other instance goes on writing.
        (now.wrapping_sub(seen) <= FORGOTTEN as u64 / 2).then(|| {
            let count = now.wrapping_sub(seen);
            (0..count).map(move |n| {
                let word = load(self.words, self.head + NODES + seen.wrapping_add(n) as usize % FORGOTTEN);
                (Key { hi: word & !0xff, lo: 0 }, word as u8)
            })
        })
    }

    fn get(&self, number: usize) -> u64 {
        load(self.words, self.head + number)
    }

    fn set(&self, number: usize, value: u64) {
        store(self.words, self.head + number, value);
    }
}
