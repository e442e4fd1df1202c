//! Delays, as histograms, and what is told of them.

use core::fmt::{self, Write as _};
use perigee_guest::state::{Histogram, SECOND};
use perigee_guest::{Buffer, Refusal};

/// The longest delay that is told from longer ones.
const HIGHEST: u64 = 60 * SECOND;

/// Delays of one kind, in nanoseconds. Least, most and sum are kept beside the histogram: they are exact, and cost nothing to tell.
pub(crate) struct Delay {
    histogram: Histogram,
    pub(crate) min: u64,
    pub(crate) max: u64,
    sum: u64,
}

impl Delay {
    fn new() -> Result<Self, Refusal> {
        Ok(Self { histogram: Histogram::new(1, HIGHEST, 3)?, min: u64::MAX, max: 0, sum: 0 })
    }

    pub(crate) fn record(&mut self, delay: u64) {
        self.histogram.record(delay);
        self.min = self.min.min(delay);
        self.max = self.max.max(delay);
        self.sum = self.sum.saturating_add(delay);
    }

    pub(crate) fn count(&self) -> u64 {
        self.histogram.count()
    }

    /// Nothing where there are none.
    pub(crate) fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count())
    }
}

/// Delays in nanoseconds.
pub(crate) struct Delays {
    /// There and back, without what the reflector took.
    pub(crate) two_way: Delay,
    /// There.
    pub(crate) forward: Delay,
    /// Back.
    pub(crate) backward: Delay,
}

impl Delays {
    pub(crate) fn new() -> Result<Self, Refusal> {
        Ok(Self { two_way: Delay::new()?, forward: Delay::new()?, backward: Delay::new()? })
    }

    /// Answers a message; README.md has the table.
    pub(crate) fn answer(&self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        match request {
            b"two-way" => Ok(self.two_way.histogram.encode(|part| reply.push(part))?),
            b"forward" => Ok(self.forward.histogram.encode(|part| reply.push(part))?),
            b"backward" => Ok(self.backward.histogram.encode(|part| reply.push(part))?),
            b"summary" => self.sum_up(reply).map_err(|fmt::Error| perigee_guest::Full.into()),
            _ => Err(Refusal::new("known messages: summary, two-way, forward, backward")),
        }
    }

    fn sum_up(&self, reply: &mut Buffer<'_>) -> fmt::Result {
        let all = [("two_way_ns", &self.two_way), ("forward_ns", &self.forward), ("backward_ns", &self.backward)];
        for (at, (name, delay)) in all.into_iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let min = if delay.count() == 0 { 0 } else { delay.min };
            write!(reply, "{before}\"{name}\":{{\"count\":{},\"min\":{min}", delay.count())?;
            write!(reply, ",\"mean\":{}", delay.mean().unwrap_or(0))?;
            for (name, millionths) in [("p50", 500_000), ("p99", 990_000), ("p99_9", 999_000)] {
                // The largest value of its bucket, which may be more than any that was counted.
                write!(reply, ",\"{name}\":{}", delay.histogram.quantile(millionths).min(delay.max))?;
            }
            write!(reply, ",\"max\":{}}}", delay.max)?;
        }
        reply.write_str("}")
    }
}
