//! The packets of a path that are remembered, by identity, in the order in which they were seen. It is one lcore's own; all of it is
//! taken at the start.

/// What is known of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Seen at the first place.
    Waiting,
    /// Seen at both.
    Matched,
    /// Seen at the first place, and not at the second within the time-out.
    Lost,
    /// Seen at the first place more than once.
    Ambiguous,
    /// Seen at the second place so many times, and not at the first.
    OnlyThen(u32),
    /// Nothing more is known of it: its place waits to be used again.
    Forgotten,
}

/// A packet that is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// When it was seen: last at the first place; at the second, where it was seen only there.
    pub(crate) ns: u64,
    /// Its number among those of the first place.
    pub(crate) number: u64,
    pub(crate) fate: Fate,
    /// The next entry with the same head.
    next: u32,
}

/// No entry.
const NONE: u32 = u32::MAX;

/// As many packets as there are places; the oldest one makes room.
#[derive(Debug)]
pub(crate) struct Memory {
    /// A ring of entries.
    entries: Box<[Entry]>,
    /// By the lower bits of an identity, the entry that came last.
    heads: Box<[u32]>,
    /// Entries before it were forgotten.
    oldest: u64,
    /// Entries before it have been looked at after their time-out.
    judged: u64,
    /// The number of the next entry.
    end: u64,
}

impl Memory {
    /// For so many packets, rounded up to a power of two.
    pub(crate) fn new(places: u32) -> Self {
        let places = places.clamp(2, 1 << 28).next_power_of_two() as usize;
        let none = Entry { id: 0, ns: 0, number: 0, fate: Fate::Forgotten, next: NONE };
        Self { entries: vec![none; places].into(), heads: vec![NONE; places].into(), oldest: 0, judged: 0, end: 0 }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a remainder of at most 2^28")]
    fn slot(&self, number: u64) -> usize {
        (number & (self.entries.len() as u64 - 1)) as usize
    }

    /// What is known of an identity.
    #[inline]
    pub(crate) fn find(&mut self, id: u64) -> Option<&mut Entry> {
        let mut at = self.heads[self.slot(id)];
        while at != NONE {
            if self.entries[at as usize].id == id {
                return Some(&mut self.entries[at as usize]);
            }
            at = self.entries[at as usize].next;
        }
        None
    }

    /// There is no place for one more.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.end - self.oldest == self.entries.len() as u64
    }

    /// Remembers one more, whose identity is not there; there must be a place.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "at most 2^28 places")]
    pub(crate) fn push(&mut self, id: u64, ns: u64, number: u64, fate: Fate) {
        let (slot, head) = (self.slot(self.end), self.slot(id));
        self.entries[slot] = Entry { id, ns, number, fate, next: self.heads[head] };
        self.heads[head] = slot as u32;
        self.end += 1;
    }

    /// The oldest one that was not looked at since its time-out.
    #[inline]
    pub(crate) fn unjudged(&mut self) -> Option<&mut Entry> {
        let slot = self.slot(self.judged);
        (self.judged < self.end).then(|| &mut self.entries[slot])
    }

    /// It was looked at.
    pub(crate) fn judge(&mut self) {
        self.judged += u64::from(self.judged < self.end);
    }

    /// The oldest one, if it was looked at.
    #[inline]
    pub(crate) fn oldest(&self) -> Option<Entry> {
        (self.oldest < self.judged).then(|| self.entries[self.slot(self.oldest)])
    }

    /// Forgets the oldest one.
    pub(crate) fn forget_oldest(&mut self) {
        if self.oldest == self.end {
            return;
        }
        let slot = self.slot(self.oldest);
        self.unlink(slot);
        self.oldest += 1;
        self.judged = self.judged.max(self.oldest);
    }

    /// Takes an entry out of the list of its head; it may be in none.
    #[allow(clippy::cast_possible_truncation, reason = "at most 2^28 places")]
    fn unlink(&mut self, slot: usize) {
        let Entry { id, next, .. } = self.entries[slot];
        self.entries[slot].fate = Fate::Forgotten;
        let head = self.slot(id);
        if self.heads[head] == slot as u32 {
            self.heads[head] = next;
            return;
        }
        let mut at = self.heads[head];
        while at != NONE {
            let after = self.entries[at as usize].next;
            if after == slot as u32 {
                self.entries[at as usize].next = next;
                return;
            }
            at = after;
        }
    }

    /// Forgets the entry that [`Self::unjudged`] has given: its identity may come again.
    pub(crate) fn forget_unjudged(&mut self) {
        if self.judged < self.end {
            let slot = self.slot(self.judged);
            self.unlink(slot);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn oldest(memory: &mut Memory) {
        while memory.unjudged().is_some() {
            memory.judge();
        }
        memory.forget_oldest();
    }

    proptest! {
        /// Against a list. Few identities, many of which share a head.
        #[test]
        fn it_knows_what_was_remembered_and_not_forgotten(steps in proptest::collection::vec((0..3_u8, 0..40_u64), 1..400)) {
            let mut memory = Memory::new(16);
            let mut list: VecDeque<(u64, bool)> = VecDeque::new();
            for (step, id) in steps {
                let id = id * 8;
                let is_known = list.iter().any(|(other, is_there)| *other == id && *is_there);
                prop_assert_eq!(memory.find(id).is_some(), is_known);
                match step {
                    0 | 1 if !is_known => {
                        if memory.is_full() {
                            oldest(&mut memory);
                            list.pop_front();
                        }
                        memory.push(id, id, 0, Fate::Waiting);
                        list.push_back((id, true));
                    }
                    2 if memory.unjudged().is_some() => {
                        let judged = memory.unjudged().unwrap().id;
                        memory.forget_unjudged();
                        memory.judge();
                        list.iter_mut().filter(|(other, _)| *other == judged).for_each(|(_, is_there)| *is_there = false);
                    }
                    _ => {}
                }
                prop_assert_eq!(memory.is_full(), list.len() == 16);
            }
        }
    }

    #[test]
    fn the_oldest_goes_first_and_its_identity_may_come_again() {
        let mut memory = Memory::new(4);
        (0..4).for_each(|id| memory.push(id * 4, id, id, Fate::Waiting));
        assert!(memory.is_full() && memory.oldest().is_none(), "nobody has looked at it");
        oldest(&mut memory);
        assert!(!memory.is_full() && memory.find(0).is_none());
        assert_eq!(memory.find(4).map(|entry| entry.number), Some(1));
        memory.push(0, 9, 9, Fate::Matched);
        assert_eq!(memory.find(0).map(|entry| (entry.number, entry.fate)), Some((9, Fate::Matched)));
        assert_eq!(memory.oldest().map(|entry| entry.id), Some(4));
    }
}
