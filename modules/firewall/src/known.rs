//! What the rules said of packets that came lately, by all that they look at: so most packets of a flow cost one look at one line of the
//! cache, however many rules there are.
//!
//! Only without connections: with them, a flow's packets do not come to the rules but for the first. The rules are the instance's as
//! long as it lives, so nothing that is known becomes wrong.

use alloc::vec::Vec;
use core::hint::black_box;
use perigee_guest::state::NoMemory;
use perigee_guest::{Refusal, seed_mix};

/// Lines, a power of two: 8 MiB, for 400,000 flows.
const LINES: usize = 1 << 17;
/// Flows of a line.
const WAYS: usize = 3;

/// All that rules look at in a plain packet, in two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u64, pub(crate) u64);

/// What the rules say first of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// It passes, or not, and nothing else is to be done.
    Accept,
    Drop,
    /// No rule is met.
    None,
    /// This pattern is met first.
    Pattern(u32),
}

/// Three flows that have one hash.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line {
    keys: [Key; WAYS],
    /// Numbers of [`First`]; 0: there is none.
    firsts: [u32; WAYS],
    /// Which one goes next.
    turn: u32,
}

/// The lines.
pub(crate) struct Known {
    lines: Vec<Line>,
    seed: u64,
}

impl First {
    const fn to_number(self) -> u32 {
        match self {
            Self::Accept => 1,
            Self::Drop => 2,
            Self::None => 3,
            Self::Pattern(pattern) => pattern + 4,
        }
    }

    #[inline(always)]
    const fn of_number(number: u32) -> Option<Self> {
        match number {
            0 => None,
            1 => Some(Self::Accept),
            2 => Some(Self::Drop),
            3 => Some(Self::None),
            _ => Some(Self::Pattern(number - 4)),
        }
    }
}

impl Known {
    /// Nothing is known.
    pub(crate) fn new(seed: u64) -> Result<Self, Refusal> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(LINES).map_err(|_| NoMemory { bytes: LINES * size_of::<Line>() })?;
        lines.resize(LINES, Line::default());
        Ok(Self { lines, seed })
    }

    /// Which line a key has.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "as many bits as there are lines")]
    pub(crate) const fn line(&self, key: Key) -> u32 {
        (seed_mix(seed_mix(self.seed ^ key.0) ^ key.1) & (LINES as u64 - 1)) as u32
    }

    /// Reads these lines, all at once.
    pub(crate) fn ask_for(&self, lines: &[u32]) {
        let read = lines.iter().fold(0, |read, line| read ^ self.lines.get(*line as usize).map_or(0, |line| line.turn));
        // Nobody needs it, which the compiler must not know.
        black_box(read);
    }

    /// What is known of a key: in its line, or where that was full, in the one beside it.
    #[inline(always)]
    pub(crate) fn get(&self, line: u32, key: Key) -> Option<First> {
        self.lines.get(line as usize)?.get(key).or_else(|| self.lines.get(beside(line))?.get(key))
    }

    /// Notes what the rules say of a key that is not known, in place of another one where both lines are full.
    pub(crate) fn put(&mut self, line: u32, key: Key, first: First) {
        let is_full = |at: usize| self.lines.get(at).is_none_or(Line::is_full);
        let own = line as usize;
        let at = if is_full(own) && !is_full(beside(line)) { beside(line) } else { own };
        if let Some(line) = self.lines.get_mut(at) {
            line.put(key, first);
        }
    }
}

/// The line that is filled when another one is full.
#[inline(always)]
const fn beside(line: u32) -> usize {
    line as usize ^ 1
}

impl Line {
    #[inline(always)]
    fn get(&self, key: Key) -> Option<First> {
        let way = self.keys.iter().position(|known| *known == key)?;
        First::of_number(self.firsts[way])
    }

    fn is_full(&self) -> bool {
        self.firsts.iter().all(|first| *first != 0)
    }

    fn put(&mut self, key: Key, first: First) {
        let way = self.firsts.iter().position(|first| *first == 0).unwrap_or(self.turn as usize % WAYS);
        (self.keys[way], self.firsts[way]) = (key, first.to_number());
        self.turn = (self.turn + 1) % 3;
    }
}

const _: () = assert!(size_of::<Line>() == 64, "a line of the cache");

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u64) -> u32 {
        u32::try_from(n).unwrap()
    }

    /// What is known is what was put in last, or nothing, however many keys push out each other.
    #[test]
    fn nothing_else_is_known_than_was_put_in() {
        let mut known = Known::new(7).unwrap();
        let key = |n: u64| Key(n << 32, n);
        for n in 0..500_000 {
            let line = known.line(key(n));
            assert_eq!(known.get(line, key(n)), None);
            known.put(line, key(n), First::Pattern(number(n)));
            assert_eq!(known.get(line, key(n)), Some(First::Pattern(number(n))));
        }
        let there = (0..500_000).filter(|n| {
            let found = known.get(known.line(key(*n)), key(*n));
            assert!(found.is_none_or(|found| found == First::Pattern(number(*n))));
            found.is_some()
        });
        assert!(there.count() > 300_000);
    }

    /// Keys of one line go into the one beside it before one goes for another.
    #[test]
    fn two_lines_are_filled_before_a_key_goes() {
        let mut known = Known::new(7).unwrap();
        let keys: Vec<_> = (0..).map(|n| Key(n, 5)).filter(|key| known.line(*key) == 9).take(2 * WAYS + 1).collect();
        for key in &keys {
            known.put(9, *key, First::Accept);
        }
        assert_eq!(keys.iter().filter(|key| known.get(9, **key).is_some()).count(), 2 * WAYS);
    }
}
