//! What the sending end of a wire holds back, as a card does that has launch times or limits the rates of its queues.

use crate::line::service_ps;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::timestamp::TxMarks;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Picoseconds in a nanosecond.
pub(crate) const PS: u64 = 1_000;

/// A packet that the port has taken and that has not begun to leave.
#[derive(Debug)]
pub(crate) struct Held {
    /// It begins to leave then, in picoseconds.
    pub(crate) at: u64,
    /// In the order in which they were taken, for those of the same time.
    pub(crate) number: u64,
    pub(crate) packet: Packet,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What one tx queue holds back: it lets packets go in the order in which it got them.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Where packets carry their times, if the end looks at them.
    launch: Option<TxMarks>,
    /// Bits of layer 1 in a second; 0: no limit.
    rate: Arc<AtomicU64>,
    /// When the limit lets the next packet go, in picoseconds.
    free_at: u64,
    /// When the last packet begins to leave that it has let in.
    last: u64,
    /// When those begin to leave that it holds.
    waiting: VecDeque<u64>,
    places: usize,
}

/// When a packet begins to leave, in picoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    pub(crate) at: u64,
    /// The time that it carries had passed.
    pub(crate) is_past: bool,
}

impl Gate {
    pub(crate) fn new(launch: Option<TxMarks>, rate: Arc<AtomicU64>, places: usize) -> Self {
        let waiting = VecDeque::with_capacity(places);
        Self { launch, rate, free_at: 0, last: 0, waiting, places }
    }

    /// Lets a packet in at `now`, in nanoseconds; `None` where it holds as many as it can.
    pub(crate) fn admit(&mut self, now: u64, packet: &Packet) -> Option<Release> {
        let now = now.saturating_mul(PS);
        while self.waiting.pop_front_if(|at| *at <= now).is_some() {}
        if self.waiting.len() >= self.places {
            return None;
        }
        let asked = self.launch.filter(|marks| packet.flags() & marks.time != 0);
        let asked = asked.map(|marks| packet.dynamic_u64(marks.offset).saturating_mul(PS));
        let mut at = now.max(self.last).max(asked.unwrap_or(0));
        let rate = self.rate.load(Ordering::Relaxed);
        if rate != 0 {
            at = at.max(self.free_at);
            self.free_at = at.saturating_add(service_ps(Some(rate), packet.total_len()));
        }
        self.last = at;
        if at > now {
            self.waiting.push_back(at);
        }
        Some(Release { at, is_past: asked.is_some_and(|asked| asked < now) })
    }

    /// When it has a place again, in nanoseconds; `None` where it has one.
    pub(crate) fn takes_again(&self) -> Option<u64> {
        let full = self.waiting.len() >= self.places;
        full.then(|| self.waiting.front().map(|at| at.div_ceil(PS))).flatten()
    }
}
