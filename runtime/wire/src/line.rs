//! What becomes of the packets that are sent in one direction: when each arrives, or how it is lost. Times and lengths only, no
//! packets; the same numbers come out for the same seed.

use crate::draw::Draws;
use crate::red::Early;
use perigee_config::wire::{Cable, FRAME_BESIDE, Limit, Loss, SHORTEST, Service};
use std::collections::VecDeque;

const PS: u64 = 1_000;

/// One direction of a wire.
#[derive(Debug)]
pub struct Line {
    cable: Cable,
    draws: Draws,
    /// When the last bit of what was taken leaves, in picoseconds: at 10 Gbit/s a frame takes 67.2 ns.
    free_at: u64,
    /// What was taken and has not left: when it will have, in picoseconds, and its bytes.
    waiting: VecDeque<(u64, u32)>,
    waiting_bytes: u64,
    /// Packets that the port's own ring takes where the wire has no queue.
    ring: usize,
    early: Option<Early>,
    is_bad: bool,
    last_due: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// The port's ring is full: the packet stays where it is.
    Refused,
    /// It is lost, and why.
    Lost(Cause),
    /// It arrives.
    Arrives(Arrival),
}

/// Why a packet is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The wire's queue is full.
    Queue,
    /// Random early detection.
    Early,
    /// On the way.
    Line,
}

/// How a packet arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// When its last bit is there, in nanoseconds.
    pub due: u64,
    /// It comes twice.
    pub twice: bool,
    /// It comes later than what was sent after it.
    pub late: bool,
    /// This one of its bits is turned over, counted from the first byte's highest.
    pub bit: Option<u64>,
}

impl Line {
    /// A line on which nothing is. `seed` decides all that is drawn; `ring` is how many packets the port's own ring takes.
    pub fn new(cable: Cable, seed: u64, ring: usize) -> Self {
        let places = match cable.queue {
            Some(Limit::Packets(packets)) => usize::try_from(packets).unwrap_or(ring),
            Some(Limit::Bytes(bytes)) => usize::try_from(bytes / u64::from(SHORTEST)).unwrap_or(ring),
            None => ring,
        };
        Self {
            draws: Draws::new(seed),
            early: cable.red.map(Early::new),
            cable,
            free_at: 0,
            waiting: VecDeque::with_capacity(places.min(1 << 20) + 1),
            waiting_bytes: 0,
            ring,
            is_bad: false,
            last_due: 0,
        }
    }

    /// Sends a frame of so many bytes (without check sequence) at `now`, in nanoseconds.
    pub fn send(&mut self, now: u64, len: u32) -> Fate {
        let at = now.saturating_mul(PS);
        self.let_leave(at);
        if self.is_full() { Fate::Refused } else { self.send_held(at, len) }
    }

    /// As [`Self::send`] at a time in picoseconds, for a frame that the port has taken before, and so is never refused.
    pub fn send_held(&mut self, at: u64, len: u32) -> Fate {
        self.let_leave(at);
        if let Some(limit) = self.cable.queue
            && let Some(cause) = self.queue_drops(limit, at, len)
        {
            return Fate::Lost(cause);
        }
        let left = self.occupy(at, len);
        if self.is_lost() {
            return Fate::Lost(Cause::Line);
        }
        let jitter = self.draws.below(self.cable.jitter);
        let straight = left.div_ceil(PS) + self.cable.delay + jitter;
        let late = self.draws.happens(self.cable.reorder);
        let due = if late { straight + self.cable.reorder_by } else { straight.max(self.last_due) };
        if !late {
            self.last_due = due;
        }
        let twice = self.draws.happens(self.cable.duplicate);
        let corrupt = len != 0 && self.draws.happens(self.cable.corrupt);
        let bit = corrupt.then(|| self.draws.below(u64::from(len) * 8));
        Fate::Arrives(Arrival { due, twice, late, bit })
    }

    /// Keeps the line busy with a frame that never arrives: nothing is drawn for it, so what becomes of the others does not depend
    /// on it. False where the port's ring is full.
    pub fn fill(&mut self, now: u64, len: u32) -> bool {
        let at = now.saturating_mul(PS);
        self.let_leave(at);
        let takes = !self.is_full();
        if takes {
            self.occupy(at, len);
        }
        takes
    }

    /// The port's own ring takes nothing.
    fn is_full(&self) -> bool {
        self.cable.queue.is_none() && self.waiting.len() >= self.ring
    }

    /// When the port's ring takes another packet, in nanoseconds; `None` where it does now.
    pub fn takes_again(&self) -> Option<u64> {
        let full = self.is_full();
        full.then(|| self.waiting.front().map(|(left, _)| left.div_ceil(PS))).flatten()
    }

    /// Whether a packet is lost beside, with this probability.
    pub fn loses(&mut self, chance: f64) -> bool {
        self.draws.happens(chance)
    }

    fn let_leave(&mut self, at: u64) {
        while let Some((_, bytes)) = self.waiting.pop_front_if(|(left, _)| *left <= at) {
            self.waiting_bytes -= u64::from(bytes);
        }
        if self.waiting.is_empty()
            && let Some(early) = &mut self.early
        {
            early.idle_since(self.free_at);
        }
    }

    fn queue_drops(&mut self, limit: Limit, at: u64, len: u32) -> Option<Cause> {
        let length = self.waiting.len();
        let typical = service_ps(self.cable.rate, len);
        if let Some(early) = &mut self.early
            && early.drops(length, at, typical, &mut self.draws)
        {
            return Some(Cause::Early);
        }
        let full = match limit {
            Limit::Packets(packets) => length as u64 >= packets,
            Limit::Bytes(bytes) => self.waiting_bytes + u64::from(len) > bytes,
        };
        full.then_some(Cause::Queue)
    }

    /// Lets the frame have the line as soon as that is free; when its last bit has left, in picoseconds.
    fn occupy(&mut self, at: u64, len: u32) -> u64 {
        if self.cable.rate.is_none() {
            return at;
        }
        let mean = service_ps(self.cable.rate, len);
        let takes = match self.cable.service {
            Service::Fixed => mean,
            Service::Exponential => self.draws.exponential(mean),
        };
        self.free_at = self.free_at.max(at).saturating_add(takes);
        self.waiting.push_back((self.free_at, len));
        self.waiting_bytes += u64::from(len);
        self.free_at
    }

    fn is_lost(&mut self) -> bool {
        let chance = match self.cable.loss {
            Loss::Uniform(chance) => chance,
            Loss::GilbertElliott { to_bad, to_good, in_bad, in_good } => {
                let changes = self.draws.happens(if self.is_bad { to_good } else { to_bad });
                self.is_bad ^= changes;
                if self.is_bad { in_bad } else { in_good }
            }
        };
        self.draws.happens(chance)
    }
}

/// How long a frame has the line, in picoseconds: with preamble, check sequence and gap, and filled up to the shortest.
pub fn service_ps(rate: Option<u64>, len: u32) -> u64 {
    let Some(rate) = rate else { return 0 };
    let bits = u128::from(len.max(SHORTEST) + FRAME_BESIDE) * 8;
    u64::try_from(bits * 1_000_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod test {
    use super::*;

    fn line(cable: Cable) -> Line {
        Line::new(cable, 1, 4)
    }

    fn due(fate: Fate) -> u64 {
        if let Fate::Arrives(arrival) = fate { arrival.due } else { panic!("{fate:?}") }
    }

    #[test]
    fn frames_leave_one_after_the_other() {
        let mut line = line(Cable { rate: Some(10_000_000_000), delay: 5_000, ..Cable::default() });
        // 67.2 ns each; the moment is rounded up to whole nanoseconds, and the fractions do not add up.
        let due: Vec<u64> = (0..4).map(|_| due(line.send(0, 60))).collect();
        assert_eq!(due, [5_068, 5_135, 5_202, 5_269]);
        assert_eq!(line.send(0, 60), Fate::Refused, "the ring has four places");
        assert_eq!(line.takes_again(), Some(68));
        assert!(matches!(line.send(68, 60), Fate::Arrives(Arrival { due: 5_336, .. })));
    }

    #[test]
    fn fillers_take_the_line_and_change_nothing_else() {
        let cable = || Cable { rate: Some(10_000_000_000), loss: Loss::Uniform(0.5), ..Cable::default() };
        let (mut plain, mut filled) = (line(cable()), line(cable()));
        for number in 0..200 {
            let now = number * 1_000;
            assert!(filled.fill(now, 226));
            // 250 bytes on layer 1 are 200 ns.
            match (plain.send(now + 200, 60), filled.send(now, 60)) {
                (Fate::Arrives(one), Fate::Arrives(other)) => {
                    assert_eq!((one.due, one.twice), (other.due, other.twice))
                }
                (one, other) => assert_eq!(one, other),
            }
        }
        assert_eq!((0..5).map(|_| filled.fill(1 << 40, 60)).collect::<Vec<_>>(), [true, true, true, true, false]);
    }

    #[test]
    fn what_a_queue_does_not_hold_is_dropped() {
        let cable = Cable { rate: Some(1_000_000_000), queue: Some(Limit::Packets(2)), ..Cable::default() };
        let mut line = Line::new(cable, 1, 1_000);
        let fates: Vec<Fate> = (0..3).map(|_| line.send(0, 60)).collect();
        assert_eq!(fates[2], Fate::Lost(Cause::Queue));
        assert!(matches!(line.send(672, 60), Fate::Arrives(_)), "the first has left");
        let cable = Cable { rate: Some(1_000_000_000), queue: Some(Limit::Bytes(130)), ..Cable::default() };
        let mut line = Line::new(cable, 1, 1_000);
        assert!(matches!([60, 70].map(|len| line.send(0, len)), [Fate::Arrives(_), Fate::Arrives(_)]));
        assert_eq!(line.send(0, 60), Fate::Lost(Cause::Queue));
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let mut line = line(Cable { delay: 1_000, jitter: 500, ..Cable::default() });
        let dues: Vec<u64> = (0..1_000).map(|i| due(line.send(i, 60))).collect();
        assert!(dues.is_sorted() && dues.iter().enumerate().all(|(i, due)| *due >= i as u64 + 1_000));
        let mut line = Line::new(Cable { reorder: 0.1, reorder_by: 50, ..Cable::default() }, 7, 4);
        let dues: Vec<u64> = (0..1_000).map(|i| due(line.send(i * 10, 60))).collect();
        let late = dues.iter().enumerate().filter(|(i, due)| **due == *i as u64 * 10 + 50).count();
        assert!((60..140).contains(&late), "{late} of 1000 at 10 %");
    }

    #[test]
    fn a_seed_gives_the_same_and_another_gives_another() {
        let cable = Cable { loss: Loss::Uniform(0.5), corrupt: 0.5, duplicate: 0.5, ..Cable::default() };
        let fates = |seed| {
            let mut line = Line::new(cable.clone(), seed, 4);
            (0..200).map(|i| line.send(i, 60)).collect::<Vec<_>>()
        };
        assert_eq!(fates(3), fates(3));
        assert_ne!(fates(3), fates(4));
    }
}
