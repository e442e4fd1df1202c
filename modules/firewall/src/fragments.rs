//! Parts of packets: the first one is judged, the others follow it. Nothing is put together.

use crate::seen::{Addresses, Part, Seen};
use perigee_guest::state::{FlowLimits, FlowTable, NoMemory, SECOND};

/// Most packets whose parts are known at a time.
const PACKETS: u32 = 4_096;
/// How long parts are waited for (RFC 8200, section 4.5; RFC 791 wants 15 s at least).
const PATIENCE: u64 = 30 * SECOND;
/// Most pieces of a packet with gaps between them.
const PIECES: usize = 8;

/// What tells the parts of one packet from those of others (RFC 791, RFC 8200).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Whole {
    addresses: Addresses,
    identification: u32,
    protocol: u8,
    vlan: u16,
}

/// What is known of a packet's parts.
#[derive(Clone, Copy)]
struct Parts {
    /// Bytes that came, from and to, in any order.
    pieces: [(u16, u16); PIECES],
    /// The first part passed, and with which mark.
    passed: Option<Option<u32>>,
    /// Two parts had the same bytes, or a part could not be: none passes any more.
    is_bad: bool,
}

impl Parts {
    const NONE: Self = Self { pieces: [(0, 0); PIECES], passed: None, is_bad: false };

    /// Notes a part's bytes, and says whether they are there for the first time (RFC 5722, section 4: a packet of which two parts have
    /// the same bytes is given up; of IPv4 as well: RFC 8900, section 3.7).
    fn note(&mut self, from: u16, to: u16) -> bool {
        if self.pieces.iter().any(|(start, end)| from < *end && *start < to) {
            return false;
        }
        // What touches it on either side becomes one piece with it.
        let (mut from, mut to) = (from, to);
        for piece in &mut self.pieces {
            if piece.1 == from && piece.0 < piece.1 {
                (from, *piece) = (piece.0, (0, 0));
            } else if piece.0 == to && piece.0 < piece.1 {
                (to, *piece) = (piece.1, (0, 0));
            }
        }
        match self.pieces.iter_mut().find(|piece| piece.0 == piece.1) {
            Some(free) => {
                *free = (from, to);
                true
            }
            None => false,
        }
    }
}

/// What becomes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is the first one: it is judged as a packet is.
    Judge,
    /// It passes as the first one did, with the mark that this got.
    Pass(Option<u32>),
    /// The first one did not pass, or has not come.
    Lost,
    /// It cannot be a part of a packet together with others that came.
    Bad,
}

/// Packets whose parts are known.
pub(crate) struct Fragments {
    wholes: FlowTable<Whole, Parts>,
}

impl Fragments {
    pub(crate) fn new(seed: u64) -> Result<Self, NoMemory> {
        let limits = FlowLimits::new(PACKETS, seed).idle(PATIENCE).lifetime(2 * PATIENCE);
        Ok(Self { wholes: FlowTable::new(limits)? })
    }

    /// What becomes of a part.
    pub(crate) fn take(&mut self, seen: &Seen, part: Part, now: u64) -> Fate {
        let end = part.offset.checked_add(part.len);
        // All but the last one have a multiple of eight bytes, and no packet is longer than 65,535.
        let is_sound = part.len != 0 && (!part.more || part.len.is_multiple_of(8));
        let Some(found) = self.wholes.find_or_insert(whole(seen, part), now, || Parts::NONE) else { return Fate::Bad };
        let parts = found.value;
        let fits = match end {
            Some(end) if is_sound && !parts.is_bad => parts.note(part.offset, end),
            _ => false,
        };
        if !fits {
            parts.is_bad = true;
            return Fate::Bad;
        }
        if part.offset == 0 {
            return Fate::Judge;
        }
        match parts.passed {
            Some(mark) => Fate::Pass(mark),
            None => Fate::Lost,
        }
    }

    /// The first part passed.
    pub(crate) fn pass(&mut self, seen: &Seen, part: Part, mark: Option<u32>, now: u64) {
        if let Some(found) = self.wholes.find_or_insert(whole(seen, part), now, || Parts::NONE) {
            found.value.passed = Some(mark);
        }
    }

    /// Forgets some whose time is over.
    pub(crate) fn expire(&mut self, now: u64) {
        self.wholes.expire(now, 64, |_, _| ());
    }
}

fn whole(seen: &Seen, part: Part) -> Whole {
    Whole { addresses: seen.addresses, identification: part.identification, protocol: seen.protocol, vlan: seen.vlan }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn bytes_come_once() {
        let mut parts = Parts::NONE;
        assert!(parts.note(0, 8) && parts.note(16, 24) && parts.note(8, 16));
        assert_eq!(parts.pieces.iter().filter(|(from, to)| from < to).count(), 1);
        for (from, to) in [(0, 8), (7, 9), (23, 30), (0, 100), (10, 11)] {
            assert!(!parts.note(from, to), "{from} {to}");
        }
        assert!(parts.note(24, 32));
    }

    #[test]
    fn gaps_are_bounded() {
        let mut parts = Parts::NONE;
        for piece in 0..8 {
            assert!(parts.note(piece * 16, piece * 16 + 8));
        }
        assert!(!parts.note(1_000, 1_008));
        // What fills a gap still fits.
        assert!(parts.note(8, 16));
    }
}
