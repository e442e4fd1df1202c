//! The numbers of a class: what can be read and changed by a message.

use perigee_guest::state::SECOND;

/// Largest burst in bytes: counted in bits, a bucket has room for as many.
pub(crate) const BURST_MAX: u64 = 2_305_843_009;
/// Highest rate.
const RATE_MAX: u64 = 10_000_000_000_000;
/// Most packets that wait in a class.
pub(crate) const QUEUE_MAX: u64 = 65_536;

/// Rates in bits per second, bursts in bytes, a queue in packets. 0: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Committed information rate and burst size (RFC 2697, RFC 2698).
    pub(crate) cir: u64,
    pub(crate) cbs: u64,
    /// Excess burst size (RFC 2697).
    pub(crate) ebs: u64,
    /// Peak information rate and burst size (RFC 2698).
    pub(crate) pir: u64,
    pub(crate) pbs: u64,
    /// The rate at which the class leaves, what may leave at once after a pause, and how many packets wait.
    pub(crate) shape: u64,
    pub(crate) burst: u64,
    pub(crate) queue: u64,
}

impl Rates {
    /// As messages and saved states name them.
    pub(crate) const NAMES: [&str; 8] = ["cir", "cbs", "ebs", "pir", "pbs", "shape", "burst", "queue"];

    pub(crate) fn values(&self) -> [u64; 8] {
        [self.cir, self.cbs, self.ebs, self.pir, self.pbs, self.shape, self.burst, self.queue]
    }

    pub(crate) fn of([cir, cbs, ebs, pir, pbs, shape, burst, queue]: [u64; 8]) -> Self {
        Self { cir, cbs, ebs, pir, pbs, shape, burst, queue }
    }

    /// Whether packets are coloured: there is a burst.
    pub(crate) fn has_meter(&self) -> bool {
        self.cbs > 0 || self.ebs > 0
    }

    /// Whether the meter has two rates.
    pub(crate) fn has_peak(&self) -> bool {
        self.pir > 0 || self.pbs > 0
    }

    /// What is wrong with them, if something is. `longest` is that of a packet: one that is longer than all bursts never passes.
    pub(crate) fn mistake(&self, longest: u64) -> Option<&'static str> {
        if [self.cir, self.pir, self.shape].iter().any(|rate| *rate > RATE_MAX) {
            return Some("a rate is at most 10T bits per second");
        }
        let bursts = [self.cbs, self.ebs, self.pbs, self.burst];
        if bursts.iter().any(|burst| *burst > BURST_MAX) || self.cbs + self.ebs > BURST_MAX {
            return Some("a burst is at most 2305843009 bytes, cbs and ebs together");
        }
        if self.cir > 0 && !self.has_meter() {
            return Some("cir needs cbs, the bytes that may come at once");
        }
        if self.has_peak() && (self.ebs > 0 || self.cbs == 0) {
            return Some("pir and pbs belong to cir and cbs (RFC 2698); ebs is for one rate (RFC 2697)");
        }
        if self.has_peak() && (self.pir < self.cir || self.pbs == 0) {
            return Some("pir is not below cir, and has a pbs");
        }
        let reach = if self.has_peak() { self.pbs } else { self.cbs.max(self.ebs) };
        if self.has_meter() && reach < longest {
            return Some(
                "no burst is as long as the longest packet that the ports' MTU allows, so that one would never pass",
            );
        }
        if (self.shape == 0) != (self.queue == 0) {
            return Some("shape and queue belong together: a rate, and how many packets wait for it");
        }
        if self.queue > QUEUE_MAX || self.burst > 0 && self.shape == 0 {
            return Some("queue is at most 65536 packets, and burst is for shape");
        }
        None
    }

    /// Nanoseconds in which empty buckets are full again; none where there is no meter, and where one never is.
    pub(crate) fn fill_time(&self) -> Option<u64> {
        let time = |burst: u64, rate: u64| (burst * 8).checked_mul(SECOND).map_or(u64::MAX, |parts| parts / rate);
        match (self.has_meter(), self.cir, self.pir) {
            (false, ..) | (_, 0, _) => None,
            (_, cir, 0) => Some(time(self.cbs + self.ebs, cir)),
            (_, cir, pir) => Some(time(self.cbs, cir).max(time(self.pbs, pir))),
        }
    }
}
