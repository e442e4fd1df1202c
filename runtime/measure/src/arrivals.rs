//! What one reading lcore has seen of one flow: written by it alone, read by others.

use crate::buckets::Precision;
use crate::delay::Delay;
use crate::gaps::{GapTimes, Gaps};
use crate::load::Load;
use crate::order::Order;
use crate::probe::Probe;
use crate::run::Timed;
use crate::tally::Tally;
use crate::window::Arrival;
use hdrhistogram::CreationError;

/// What is measured beside loss and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrivalOptions {
    /// Of latencies.
    pub latency: Precision,
    /// Of their differences.
    pub ipdv: Precision,
    /// Times between packets, where they are wanted.
    pub gaps: Option<GapOptions>,
    /// Packets and bytes over time, where they are wanted.
    pub load: Option<LoadOptions>,
}

impl Default for ArrivalOptions {
    fn default() -> Self {
        Self { latency: Precision::FINE, ipdv: Precision::COARSE, gaps: None, load: None }
    }
}

/// How gaps are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapOptions {
    /// Of gaps.
    pub precision: Precision,
    /// The gap that was asked for, nanoseconds.
    pub asked_ns: Option<u64>,
}

/// How loads are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Length of an interval, nanoseconds.
    pub interval_ns: u64,
    /// Intervals that are kept.
    pub kept: usize,
}

/// Arrivals of a flow.
#[derive(Debug)]
pub struct Arrivals {
    /// By [`Arrival`].
    counts: [Tally; ARRIVALS],
    pub(crate) order: Order,
    pub(crate) delay: Delay,
    pub(crate) spacing: Option<Spacing>,
}

/// What is measured only where it is wanted.
#[derive(Debug)]
pub(crate) struct Spacing {
    pub(crate) gaps: Option<BothGaps>,
    pub(crate) load: Option<Load>,
}

/// Kinds of arrivals.
const ARRIVALS: usize = Arrival::TooOld as usize + 1;

/// Gaps between arrivals, and between departures by the probes' own word.
#[derive(Debug)]
pub(crate) struct BothGaps {
    arrivals: Gaps,
    departures: Gaps,
    /// When the last probe left, and the number behind it.
    last_real_ns: Tally,
    next: Tally,
}

impl Arrivals {
    /// Without probes. All memory is taken here; fails where a precision is one that `hdrhistogram` does not have.
    pub fn new(options: &ArrivalOptions) -> Result<Self, CreationError> {
        let gaps = options.gaps.map(BothGaps::new).transpose()?;
        let load = options.load.map(|load| Load::new(load.interval_ns, load.kept));
        Ok(Self {
            counts: Default::default(),
            order: Order::default(),
            delay: Delay::new(options.latency, options.ipdv)?,
            spacing: (gaps.is_some() || load.is_some()).then_some(Spacing { gaps, load }),
        })
    }

    /// How many probes have come so.
    pub fn counted(&self, arrival: Arrival) -> u64 {
        self.counts[arrival as usize].read()
    }

    /// Counts a probe that came at `arrival_ns`. Copies count in gaps and loads, which are of packets, and in nothing else.
    #[inline]
    pub(crate) fn count(&self, arrival: Arrival, probe: &Probe, arrival_ns: u64, len: u16) {
        self.counts[arrival as usize].add(1);
        if arrival.is_first() {
            self.order.arrive(probe.sequence);
            self.delay.arrive(probe, arrival_ns);
        }
        let Some(spacing) = &self.spacing else { return };
        if let Some(gaps) = &spacing.gaps {
            gaps.count(arrival, probe, arrival_ns);
        }
        if let Some(load) = &spacing.load {
            load.packet(arrival_ns, len.into());
        }
    }
}

impl Arrivals {
    /// As [`Self::count`], of probes that came in time, none before it left or should have left, and whose numbers follow on each other.
    #[inline]
    pub(crate) fn run(&self, run: Timed<'_>) {
        let n = run.real.len() as u64;
        if n == 0 {
            return;
        }
        self.counts[Arrival::InTime as usize].add(n);
        self.order.run(run.first, n);
        self.delay.run(run);
        let Some(spacing) = &self.spacing else { return };
        if let Some(gaps) = &spacing.gaps {
            gaps.run(run);
        }
        if let Some(load) = &spacing.load {
            load.each(run.arrival, run.bytes);
        }
    }
}

impl BothGaps {
    fn new(options: GapOptions) -> Result<Self, CreationError> {
        let gaps = || Gaps::new(options.precision, options.asked_ns);
        let next = Tally::new(u64::MAX);
        Ok(Self { arrivals: gaps()?, departures: gaps()?, last_real_ns: Tally::default(), next })
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> (GapTimes, GapTimes) {
        (self.arrivals.read(), self.departures.read())
    }

    #[inline]
    fn run(&self, run: Timed<'_>) {
        self.arrivals.packets(run.arrival);
        let [Some(first), Some(last)] = [run.real.first(), run.real.last()] else { return };
        if run.first == self.next.own() {
            self.departures.between(self.last_real_ns.own(), *first);
        }
        self.departures.between_each(run.real);
        self.last_real_ns.set(*last);
        self.next.set(run.first + run.real.len() as u64);
    }

    #[inline]
    fn count(&self, arrival: Arrival, probe: &Probe, arrival_ns: u64) {
        self.arrivals.packet(arrival_ns);
        if arrival.is_first() {
            if probe.sequence == self.next.own() {
                self.departures.between(self.last_real_ns.own(), probe.real());
            }
            self.last_real_ns.set(probe.real());
            self.next.set(probe.sequence + 1);
        }
    }
}
