//! Probes of one flow that a burst brings one after the other, as they were sent: counted together.
//!
//! A queue brings most probes so. What is counted of each is some twenty numbers in memory, each of which waits for its last change; of a run
//! each number changes once, and only histograms are looked at for each probe.

use crate::probe::Probe;
use std::hint::black_box;

/// Most probes of a run.
pub(crate) const MOST: usize = 64;

/// Probes whose numbers follow on each other.
#[derive(Debug)]
pub(crate) struct Run {
    flow: u16,
    /// The number of the first one.
    first: u64,
    len: usize,
    intended: [u64; MOST],
    real: [u64; MOST],
    arrival: [u64; MOST],
    bytes: [u16; MOST],
}

/// The first probes of a run: when they should have left, when they left, when they came, and how long they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed<'a> {
    /// The number of the first one.
    pub(crate) first: u64,
    pub(crate) intended: &'a [u64],
    pub(crate) real: &'a [u64],
    pub(crate) arrival: &'a [u64],
    pub(crate) bytes: &'a [u16],
}

impl Default for Run {
    fn default() -> Self {
        Self { flow: 0, first: 0, len: 0, intended: [0; MOST], real: [0; MOST], arrival: [0; MOST], bytes: [0; MOST] }
    }
}

impl Run {
    /// Appends a probe. False, and nothing done, where it does not follow on the last one, or there is no room.
    #[inline]
    pub(crate) fn push(&mut self, probe: &Probe, arrival_ns: u64, bytes: u16) -> bool {
        let n = self.len;
        if n == 0 {
            (self.flow, self.first) = (probe.flow, probe.sequence);
        }
        let follows = (probe.flow == self.flow) & (probe.sequence == self.first.wrapping_add(n as u64));
        if n >= MOST || !follows {
            return false;
        }
        self.intended[n] = probe.intended;
        self.real[n] = probe.real();
        self.arrival[n] = arrival_ns;
        self.bytes[n] = bytes;
        self.len = n + 1;
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// All have come within so many nanoseconds, and none before it left or should have left.
    #[inline]
    pub(crate) fn is_plain(&self, timeout_ns: u64) -> bool {
        let all = self.first(self.len);
        let times = all.intended.iter().zip(all.real).zip(all.arrival);
        !times.fold(false, |odd, ((intended, real), arrival)| {
            odd | (arrival.wrapping_sub(*real) > timeout_ns) | (arrival < real) | (arrival < intended)
        })
    }

    /// The first `n` of them; all, where there are no more.
    #[inline]
    pub(crate) fn first(&self, n: usize) -> Timed<'_> {
        let n = n.min(self.len).min(MOST);
        Timed {
            first: self.first,
            intended: &self.intended[..n],
            real: &self.real[..n],
            arrival: &self.arrival[..n],
            bytes: &self.bytes[..n],
        }
    }

    /// Each from the one at `from` on, as it came: with when it came, and its bytes.
    pub(crate) fn singly(&self, from: usize) -> impl Iterator<Item = (Probe, u64, u16)> {
        let all = self.first(self.len);
        (from..self.len).map(move |at| {
            let sequence = all.first.wrapping_add(at as u64);
            (Probe::new(self.flow, sequence, all.intended[at], all.real[at]), all.arrival[at], all.bytes[at])
        })
    }
}

/// Times from the first of two moments to the second, of each.
#[inline]
pub(crate) fn between(from: &[u64], to: &[u64]) -> impl ExactSizeIterator<Item = u64> + Clone {
    from.iter().zip(to).map(|(from, to)| to.wrapping_sub(*from))
}

/// Least, most and sum of numbers; of none, the least is more than the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) least: u64,
    pub(crate) most: u64,
    pub(crate) sum: u64,
}

impl Span {
    #[inline]
    pub(crate) fn of(numbers: impl Iterator<Item = u64>) -> Self {
        let none = Self { least: u64::MAX, most: 0, sum: 0 };
        numbers.fold(none, |all, number| {
            // One by one: SSE2 compares no numbers of 64 bits, and what stands for it takes thrice as long.
            let number = black_box(number);
            Self { least: all.least.min(number), most: all.most.max(number), sum: all.sum.wrapping_add(number) }
        })
    }
}
