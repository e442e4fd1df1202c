//! What the rules said of packets that came lately, by all that they look at: so most packets of a flow cost one look at one line of the
//! cache, however many rules there are.
//!
//! Only without connections: with them, a flow's packets do not come to the rules but for the first. The rules are the instance's as
//! long as it lives, so nothing that is known becomes wrong.

use alloc::vec::Vec;
use core::hint::black_box;
use perigee_guest::state::NoMemory;
use perigee_guest::{Refusal, seed_mix};

/// Lines, a power of two: 4 MiB, for 200,000 flows.
const LINES: usize = 1 << 16;
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

    /// What is known of a key.
    #[inline(always)]
    pub(crate) fn get(&self, line: u32, key: Key) -> Option<First> {
        let line = self.lines.get(line as usize)?;
        let way = line.keys.iter().position(|known| *known == key)?;
        First::of_number(line.firsts[way])
    }

    /// Notes what the rules say of a key, in place of another one.
    pub(crate) fn put(&mut self, line: u32, key: Key, first: First) {
        let Some(line) = self.lines.get_mut(line as usize) else { return };
        let way = line.turn as usize % WAYS;
        (line.keys[way], line.firsts[way], line.turn) = (key, first.to_number(), (line.turn + 1) % 3);
    }
}

const _: () = assert!(size_of::<Line>() == 64, "a line of the cache");
