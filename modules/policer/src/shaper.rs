//! A class's way out at a rate: when each packet may leave, and those that wait for that.

use crate::rates::Rates;
use alloc::collections::VecDeque;
use perigee_guest::Held;
use perigee_guest::state::{NoMemory, SECOND};

/// When packets leave, without a rounding that adds up: the next one's time is kept in nanoseconds and parts of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// When the next packet would leave if nothing might leave at once, in nanoseconds and in parts of one by the rate.
    pub(crate) next: u64,
    pub(crate) part: u64,
}

impl Schedule {
    /// When a packet of so many bits that comes at `now` may leave. `rate` is in bits per second, `burst` in nanoseconds: what may leave
    /// at once after a pause takes so long at the rate.
    #[inline]
    pub(crate) fn departure(&mut self, now: u64, bits: u64, rate: u64, burst: u64) -> u64 {
        if self.next < now {
            (self.next, self.part) = (now, 0);
        }
        // Not before its time: a part of a nanosecond is one.
        let due = self.next + u64::from(self.part > 0);
        let leaves = due.saturating_sub(burst).max(now);
        // At most 2^20 bits, and 10^9 is below 2^30.
        let time = bits * SECOND;
        let part = self.part + time % rate;
        self.next = self.next.saturating_add(time / rate + u64::from(part >= rate));
        self.part = if part >= rate { part - rate } else { part };
        leaves
    }
}

/// A packet that waits.
pub(crate) struct Waiting {
    /// When it may leave.
    pub(crate) leaves: u64,
    /// How many of its bytes count.
    pub(crate) bytes: u64,
    pub(crate) held: Held,
}

/// The packets of a class that wait, in their order, and when the next ones leave.
pub(crate) struct Shaper {
    pub(crate) schedule: Schedule,
    pub(crate) waiting: VecDeque<Waiting>,
    /// The timer of the first one runs.
    pub(crate) is_timed: bool,
    /// The call in which packets that had waited went into the output list: behind them, others go there too.
    pub(crate) released: u64,
}

impl Shaper {
    /// Nothing waits. Takes memory for as many packets as may.
    pub(crate) fn new(rates: &Rates) -> Result<Self, NoMemory> {
        let mut shaper = Self { schedule: Schedule::default(), waiting: VecDeque::new(), is_timed: false, released: 0 };
        shaper.reserve(rates.queue)?;
        Ok(shaper)
    }

    /// Takes memory for so many packets.
    pub(crate) fn reserve(&mut self, packets: u64) -> Result<(), NoMemory> {
        let packets = usize::try_from(packets).unwrap_or(usize::MAX);
        let bytes = packets.saturating_mul(size_of::<Waiting>());
        let more = packets.saturating_sub(self.waiting.len());
        self.waiting.try_reserve_exact(more).map_err(|_| NoMemory { bytes })
    }

    /// Gives those that wait the times that they have at another rate. The first one keeps its own.
    pub(crate) fn change_rate(&mut self, rate: u64) {
        // Parts of a nanosecond are by the old rate.
        self.schedule = Schedule { next: self.schedule.next + u64::from(self.schedule.part > 0), part: 0 };
        if let Some(first) = self.waiting.front() {
            self.schedule.next = first.leaves;
        }
        for packet in &mut self.waiting {
            packet.leaves = self.schedule.departure(0, packet.bytes * 8, rate, 0);
        }
    }
}

/// The time that a burst of so many bytes takes at a rate.
pub(crate) fn burst_time(bytes: u64, rate: u64) -> u64 {
    (bytes * 8).saturating_mul(SECOND).checked_div(rate).unwrap_or(0)
}
