//! What was measured, read at one moment by the control side while packets flow, and told.

use crate::arrivals::{Arrivals, BothGaps};
use crate::delay::Delays;
use crate::flow::Flow;
use crate::gaps::GapTimes;
use crate::load::{self, Load};
use crate::tally::Tally;
use crate::times::Lost;
use crate::window::Arrival;
use perigee_report::{LoadStats, OrderStats, ProbeCounts, Stamps, StrangerCounts, StreamStats};
use std::sync::Arc;

/// What one lcore has received, as others read it.
#[derive(Debug)]
pub struct Received {
    flows: Vec<(u16, Arc<Arrivals>)>,
    pub(crate) foreign: Tally,
    pub(crate) unstamped: Tally,
    pub(crate) corrupted: Tally,
}

impl Received {
    pub(crate) fn new(flows: Vec<(u16, Arc<Arrivals>)>) -> Self {
        Self { flows, foreign: Tally::default(), unstamped: Tally::default(), corrupted: Tally::default() }
    }

    /// What came and was nobody's probe.
    pub fn strangers(&self) -> StrangerCounts {
        StrangerCounts { foreign: self.foreign.read(), corrupted: self.corrupted.read() }
    }

    fn arrivals(&self, number: u16) -> impl Iterator<Item = &Arrivals> {
        self.flows.iter().filter(move |(own, _)| *own == number).map(|(_, arrivals)| arrivals.as_ref())
    }
}

/// All that is read of a run: its flows by number, and what each reading lcore has received.
#[derive(Clone, Debug)]
pub struct Readings {
    flows: Vec<(u16, Arc<Flow>)>,
    lcores: Vec<Arc<Received>>,
}

impl Readings {
    /// Of these flows, by these lcores.
    pub fn new(flows: Vec<(u16, Arc<Flow>)>, lcores: Vec<Arc<Received>>) -> Self {
        Self { flows, lcores }
    }

    /// What came and was nobody's probe, on all lcores.
    pub fn strangers(&self) -> StrangerCounts {
        self.lcores.iter().map(|lcore| lcore.strangers()).fold(StrangerCounts::default(), |sum, one| StrangerCounts {
            foreign: sum.foreign + one.foreign,
            corrupted: sum.corrupted + one.corrupted,
        })
    }

    /// What became of a stream's probes. Each flow's counts balance, and so do their sums.
    pub fn counts(&self, stream: u16) -> ProbeCounts {
        self.of(stream)
            .map(|(number, flow)| self.flow_counts(*number, flow))
            .fold(ProbeCounts::default(), |sum, one| sum.plus(&one))
    }

    /// All that was measured of a stream; `None` where no lcore reads it.
    pub fn stream(&self, stream: u16) -> Option<Measured> {
        let counts = self.counts(stream);
        let mut all: Option<Measured> = None;
        for (number, flow) in self.of(stream) {
            for arrivals in self.lcores.iter().flat_map(|lcore| lcore.arrivals(*number)) {
                let one = Measured::of(arrivals, flow.options().timeout_ns);
                match &mut all {
                    Some(all) => all.add(&one),
                    None => all = Some(one),
                }
            }
        }
        all.map(|all| Measured { counts, unstamped: self.unstamped(stream), ..all })
    }

    /// Probes that ports were to stamp and did not, where this stream is read.
    fn unstamped(&self, stream: u16) -> u64 {
        let reads =
            |lcore: &&Arc<Received>| self.of(stream).any(|(number, _)| lcore.arrivals(*number).next().is_some());
        self.lcores.iter().filter(reads).map(|lcore| lcore.unstamped.read()).sum()
    }

    fn of(&self, stream: u16) -> impl Iterator<Item = &(u16, Arc<Flow>)> {
        self.flows.iter().filter(move |(_, flow)| flow.options().stream == stream)
    }

    /// Counts of a flow at one moment. Receivers are read before the sender: what has come by then was sent before. A probe
    /// that comes after it was called lost is counted once more, and what was called lost is never taken back, so that no reader
    /// misses it in between; where the lcore that called it lost has not added that up yet, it is outstanding for a moment more.
    fn flow_counts(&self, number: u16, flow: &Flow) -> ProbeCounts {
        let sum = |arrival| {
            let lcores = self.lcores.iter().flat_map(|lcore| lcore.arrivals(number));
            lcores.map(|arrivals| arrivals.counted(arrival)).sum::<u64>()
        };
        let [late_from_lost, in_time_from_lost] = [Arrival::LateFromLost, Arrival::InTimeFromLost].map(sum);
        let [in_time, late] = [Arrival::InTime, Arrival::Late].map(sum);
        let [duplicated, too_old] = [Arrival::Duplicate, Arrival::TooOld].map(sum);
        let overrun = flow.window.overrun();
        let called_lost = flow.window.called_lost();
        let late_from_lost = late_from_lost.min(called_lost);
        let in_time_from_lost = in_time_from_lost.min(called_lost - late_from_lost);
        let sent = flow.sent.count();
        ProbeCounts {
            sent,
            in_time: in_time + in_time_from_lost,
            late: late + late_from_lost,
            lost: called_lost - late_from_lost - in_time_from_lost,
            // If more came than were sent, that would show: the counts would not balance.
            outstanding: sent.saturating_sub(in_time + late + called_lost),
            duplicated,
            too_old,
            overrun,
        }
    }
}

/// What was measured of a stream, over flows and lcores.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What became of its probes.
    pub counts: ProbeCounts,
    /// Latencies.
    pub delays: Delays,
    /// Order.
    pub order: OrderStats,
    /// Gaps between arrivals and between departures.
    pub gaps: Option<(GapTimes, GapTimes)>,
    /// Packets and bytes over time.
    pub load: Option<LoadStats>,
    unstamped: u64,
    timeout_ns: u64,
}

impl Measured {
    fn of(arrivals: &Arrivals, timeout_ns: u64) -> Self {
        let spacing = arrivals.spacing.as_ref();
        Self {
            counts: ProbeCounts::default(),
            delays: arrivals.delay.read(),
            order: arrivals.order.read(),
            gaps: spacing.and_then(|spacing| spacing.gaps.as_ref()).map(BothGaps::read),
            load: spacing.and_then(|spacing| spacing.load.as_ref()).map(Load::read),
            unstamped: 0,
            timeout_ns,
        }
    }

    /// Adds another stream, or what another process has measured.
    pub fn add(&mut self, other: &Self) {
        self.counts = self.counts.plus(&other.counts);
        self.delays.add(&other.delays);
        add_order(&mut self.order, &other.order);
        if let (Some((arrivals, departures)), Some(others)) = (&mut self.gaps, &other.gaps) {
            arrivals.add(&others.0);
            departures.add(&others.1);
        }
        if let (Some(load), Some(other)) = (&mut self.load, &other.load) {
            load::add(load, other);
        }
        self.timeout_ns = self.timeout_ns.min(other.timeout_ns);
    }

    /// As it is told, under this name.
    pub fn told(&self, name: &str) -> StreamStats {
        let lost = Lost { count: self.counts.lost, at_least_ns: self.timeout_ns };
        let (arrival_gaps, departure_gaps) = self.gaps.as_ref().map(|(a, d)| (a.told(), d.told())).unzip();
        StreamStats {
            name: name.to_owned(),
            probes: self.counts,
            too_short: 0,
            stamps: Stamps { unstamped: self.unstamped, ..Stamps::default() },
            latency: self.delays.real.told(Some(lost)),
            latency_intended: self.delays.intended.told(Some(lost)),
            variation: self.delays.variation(),
            order: self.order.clone(),
            arrival_gaps,
            departure_gaps,
            load: self.load.clone(),
            observed: None,
        }
    }
}

fn add_order(sum: &mut OrderStats, other: &OrderStats) {
    sum.arrived += other.arrived;
    sum.reordered += other.reordered;
    sum.discontinuities += other.discontinuities;
    sum.extent_max = sum.extent_max.max(other.extent_max);
    sum.extent_sum += other.extent_sum;
    sum.extent_beyond += other.extent_beyond;
    sum.n_reordered.iter_mut().zip(&other.n_reordered).for_each(|(sum, n)| *sum += n);
    for (displacement, n) in &other.density {
        *sum.density.entry(*displacement).or_default() += n;
    }
    sum.density_beyond += other.density_beyond;
}
