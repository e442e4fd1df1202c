//! What was sent of a flow: how many probes, and which of them before a given time.

use crate::tally::Tally;

/// Checkpoints that are kept.
const KEPT: usize = 1_024;

/// The least time between two checkpoints, nanoseconds.
const LEAST_STEP_NS: u64 = 1_000_000;

/// The next number of a flow, and from time to time which it was. One lcore writes it, all may read it.
#[derive(Debug)]
pub struct Sent {
    /// The next number: how many were given.
    next: Tally,
    /// When the last one left, or the latest of all if times went back.
    last_ns: Tally,
    /// When the next checkpoint is due.
    due_ns: Tally,
    step_ns: u64,
    /// How many checkpoints were made.
    made: Tally,
    ring: Box<[Checkpoint]>,
}

/// Numbers below `sequence` left before this time.
#[derive(Debug, Default)]
struct Checkpoint {
    time_ns: Tally,
    sequence: Tally,
}

impl Sent {
    /// For time-outs up to this. A probe is known to have left before a time when it left a 512th of the time-out before that, or
    /// 1 ms where that is more.
    pub fn new(timeout_ns: u64) -> Self {
        Self {
            next: Tally::default(),
            last_ns: Tally::default(),
            due_ns: Tally::default(),
            step_ns: (timeout_ns / (KEPT as u64 / 2)).max(LEAST_STEP_NS),
            made: Tally::default(),
            ring: (0..KEPT).map(|_| Checkpoint::default()).collect(),
        }
    }

    /// Gives the next number to a probe that leaves now. For the sending lcore only.
    #[inline]
    pub fn give(&self, now_ns: u64) -> u64 {
        let sequence = self.next.own();
        if now_ns >= self.due_ns.own() {
            self.mark(now_ns, sequence);
        }
        self.last_ns.raise(now_ns);
        self.next.set(sequence + 1);
        sequence
    }

    #[cold]
    fn mark(&self, now_ns: u64, sequence: u64) {
        let made = self.made.own();
        let place = &self.ring[slot(made)];
        place.time_ns.set(now_ns);
        place.sequence.set(sequence);
        self.made.set(made + 1);
        self.due_ns.set(now_ns.saturating_add(self.step_ns));
    }

    /// Takes back the last numbers, because a port did not take their packets: they are given again. For the sending lcore only, in
    /// the turn in which it gave them.
    pub fn take_back(&self, n: u64) {
        let next = self.next.own().saturating_sub(n);
        let made = self.made.own();
        for checkpoint in (made.saturating_sub(KEPT as u64)..made).rev() {
            let place = &self.ring[slot(checkpoint)];
            if place.sequence.own() <= next {
                break;
            }
            place.sequence.set(next);
        }
        self.next.set(next);
    }

    /// How many probes were sent; their numbers are below this.
    #[inline]
    pub fn count(&self) -> u64 {
        self.next.read()
    }

    /// A number below which all left at this time or before; the largest one, but for what left in the last step before it.
    pub fn sent_before(&self, time_ns: u64) -> u64 {
        // When all have left there is no later checkpoint. The count first: its writer has written the time already.
        let count = self.next.read();
        if self.last_ns.read() <= time_ns {
            return count;
        }
        loop {
            let made = self.made.read();
            let found = self.checkpoint_before(time_ns, made);
            // The oldest are written over: look again if that may have happened meanwhile.
            if self.made.read() <= made + 1 {
                return found;
            }
        }
    }

    /// The last of so many checkpoints that is no later than `time_ns`; times of checkpoints rise.
    fn checkpoint_before(&self, time_ns: u64, made: u64) -> u64 {
        // Two are left out, which the writer may be writing over.
        let (mut low, mut high) = (made.saturating_sub(KEPT as u64 - 2), made);
        let oldest = low;
        while low < high {
            let middle = low.midpoint(high);
            if self.ring[slot(middle)].time_ns.read() <= time_ns { low = middle + 1 } else { high = middle }
        }
        if low == oldest { 0 } else { self.ring[slot(low - 1)].sequence.read() }
    }
}

/// The place of a checkpoint in the ring.
#[allow(clippy::cast_possible_truncation, reason = "a remainder")]
fn slot(checkpoint: u64) -> usize {
    (checkpoint % KEPT as u64) as usize
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_was_sent_before_a_time_is_known_to_a_step() {
        let sent = Sent::new(100_000_000);
        // One each 10 us for 3 s.
        for i in 0..300_000_u64 {
            assert_eq!(sent.give(5_000 + i * 10_000), i);
        }
        for ms in (2_000..2_990).step_by(7) {
            let (time, true_count) = (ms * 1_000_000, (ms * 1_000_000 - 5_000) / 10_000 + 1);
            let known = sent.sent_before(time);
            assert!(known <= true_count && true_count - known <= 101, "{known} of {true_count}");
        }
        assert_eq!(sent.sent_before(1_000_000), 0, "longer ago than is remembered");
        assert_eq!(sent.sent_before(5_000 + 299_999 * 10_000), 300_000, "all have left");
    }

    #[test]
    fn long_time_outs_have_longer_steps() {
        let sent = Sent::new(60_000_000_000);
        (0..100_000_u64).for_each(|i| _ = sent.give(i * 1_000_000));
        let known = sent.sent_before(40_000_000_000);
        assert!((39_800..=40_001).contains(&known), "{known}");
    }

    #[test]
    fn numbers_that_no_packet_took_are_given_again() {
        let sent = Sent::new(1);
        (0..10).for_each(|i| _ = sent.give(i));
        sent.give(2_000_000);
        sent.take_back(5);
        assert_eq!((sent.count(), sent.give(3_500_000), sent.count()), (6, 6, 7));
        // The checkpoint at 2 ms was made when eleven had been given.
        assert_eq!(sent.sent_before(2_000_000), 6);
    }

    #[test]
    fn a_reader_is_never_told_too_much() {
        let sent = Sent::new(1);
        std::thread::scope(|scope| {
            // Number n leaves at n ms: a checkpoint each, so that the ring is written over all the time.
            let writer = scope.spawn(|| (0..3_000_000_u64).for_each(|i| _ = sent.give(i * 1_000_000)));
            while !writer.is_finished() {
                let count = sent.count();
                let back = count.saturating_sub(1_000);
                let known = sent.sent_before(back * 1_000_000);
                assert!(known <= back + 1, "{known} > {back}");
            }
        });
    }
}
