//! What becomes of packets: when each arrives, or how it is lost. Times and lengths only, no packets.

use crate::config::{Cable, Loss};
use crate::values::{Chance, Limit};
use alloc::collections::VecDeque;
use perigee_guest::state::NoMemory;
use perigee_guest::{Lcg64, Refusal};

/// What a frame takes on Ethernet beside its bytes: preamble, check sequence, gap.
const FRAME_BESIDE: u64 = 8 + 4 + 12;
/// Bytes of the shortest frame, without its check sequence.
const SHORTEST: u64 = 60;
/// Picoseconds of a nanosecond: at 10 Gbit/s a frame takes 67.2 ns.
const PS: u64 = 1_000;
/// Most packets that a queue has.
const QUEUE_MAX: u64 = 65_536;

/// One direction of a link.
pub(crate) struct Line {
    cable: Cable,
    random: Lcg64,
    /// When the last bit of what was taken leaves, in picoseconds.
    pub(crate) free_at: u64,
    /// What was taken and has not left, where there is a queue: when it will have, in picoseconds, and its bytes.
    waiting: VecDeque<(u64, u16)>,
    waiting_bytes: u64,
    /// The line is bad now.
    pub(crate) is_bad: bool,
    /// When the last packet that keeps the order arrives.
    pub(crate) last_due: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The queue has no place for it.
    Queued,
    /// It is lost on the way.
    Lost,
    /// It arrives.
    Arrives(Arrival),
}

/// How a packet arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// When its last bit is there, in nanoseconds.
    pub(crate) due: u64,
    /// It comes twice.
    pub(crate) twice: bool,
    /// It comes later than what was sent after it.
    pub(crate) late: bool,
    /// This one of its bits is turned over, counted from the first byte's highest.
    pub(crate) bit: Option<u64>,
}

impl Line {
    /// A line on which nothing is. `seed` decides all that is drawn.
    pub(crate) fn new(cable: Cable, seed: u64) -> Result<Self, Refusal> {
        let places = match cable.queue {
            None => 0,
            Some(Limit::Packets(packets @ ..=QUEUE_MAX)) => packets,
            Some(Limit::Packets(_)) => return Err(Refusal::new("queue: at most 65536 packets")),
            Some(Limit::Bytes(bytes)) => (bytes / SHORTEST + 1).min(QUEUE_MAX),
        };
        let places = usize::try_from(places).unwrap_or(usize::MAX);
        let mut waiting = VecDeque::new();
        let bytes = places.saturating_mul(size_of::<(u64, u16)>());
        waiting.try_reserve_exact(places).map_err(|_| NoMemory { bytes })?;
        Ok(Self { cable, random: Lcg64::new(seed), free_at: 0, waiting, waiting_bytes: 0, is_bad: false, last_due: 0 })
    }

    /// Sends a frame of so many bytes (without check sequence) at `now`, in nanoseconds.
    pub(crate) fn send(&mut self, now: u64, len: u16) -> Fate {
        let at = now.saturating_mul(PS);
        if !self.queue_takes(at, len) {
            return Fate::Queued;
        }
        let left = self.occupy(at, len);
        if self.is_lost() {
            return Fate::Lost;
        }
        let jitter = self.below(self.cable.jitter);
        let straight = left.saturating_add(self.cable.delay).saturating_add(jitter);
        let late = self.happens(self.cable.reorder);
        let due = if late { straight.saturating_add(self.cable.reorder_by) } else { straight.max(self.last_due) };
        if !late {
            self.last_due = due;
        }
        let twice = self.happens(self.cable.duplicate);
        let corrupt = len > 0 && self.happens(self.cable.corrupt);
        let bit = if corrupt { Some(self.below(u64::from(len) * 8)) } else { None };
        Fate::Arrives(Arrival { due, twice, late, bit })
    }

    /// Whether the queue has a place, once those have left whose time it is.
    fn queue_takes(&mut self, at: u64, len: u16) -> bool {
        let Some(limit) = self.cable.queue else { return true };
        while let Some(&(left, bytes)) = self.waiting.front() {
            if left > at {
                break;
            }
            self.waiting.pop_front();
            self.waiting_bytes -= u64::from(bytes);
        }
        // It takes no memory beyond that of its beginning.
        self.waiting.len() < self.waiting.capacity()
            && match limit {
                Limit::Packets(packets) => (self.waiting.len() as u64) < packets,
                Limit::Bytes(bytes) => self.waiting_bytes + u64::from(len) <= bytes,
            }
    }

    /// Lets the frame have the line as soon as that is free; when its last bit has left, in nanoseconds, rounded up.
    fn occupy(&mut self, at: u64, len: u16) -> u64 {
        let Some(rate) = self.cable.rate else { return at / PS };
        // At most 2^20 bits, and 10^12 is below 2^40.
        let bits = (u64::from(len).max(SHORTEST) + FRAME_BESIDE) * 8;
        self.free_at = self.free_at.max(at).saturating_add(bits * 1_000_000_000_000 / rate);
        if self.cable.queue.is_some() {
            self.waiting.push_back((self.free_at, len));
            self.waiting_bytes += u64::from(len);
        }
        self.free_at.div_ceil(PS)
    }

    fn is_lost(&mut self) -> bool {
        let chance = match self.cable.loss {
            Loss::Uniform(chance) => chance,
            Loss::Bursts(line) => {
                let changes = self.happens(if self.is_bad { line.to_good } else { line.to_bad });
                self.is_bad ^= changes;
                if self.is_bad { line.in_bad } else { line.in_good }
            }
        };
        self.happens(chance)
    }

    /// True with this probability. Where it is never or always, nothing is drawn.
    fn happens(&mut self, chance: Chance) -> bool {
        chance >= Chance::CERTAIN || chance.is_possible() && self.random.next_u64() >> 32 < chance.0
    }

    /// Evenly from 0 to `end`, without that; 0 where it is 0.
    #[allow(clippy::cast_possible_truncation, reason = "the upper half is below `end`")]
    fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { ((u128::from(self.random.next_u64()) * u128::from(end)) >> 64) as u64 }
    }
}
