//! What a run tells of itself, read together from where it is counted.

use crate::parts::Parts;
use perigee_core::clock::nanos;
use perigee_core::counters::{Counter, Counters};
use perigee_datapath::flow::PortFlows;
use perigee_datapath::health::Pulse;
use perigee_datapath::orders::InstanceReport;
use perigee_datapath::port::Port;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::ring::Ring;
use perigee_measure::readings::Readings;
use perigee_report::{
    BatchTime, ChainStats, Distribution, LcoreStats, ModuleStats, PhaseCycles, PoolLevel, PoolStats, PortStats,
    RingStats, Snapshot, StageTimes, Stamps, StreamStats, TickerGaps,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Where it is counted, and the times of the moment.
pub(crate) struct Sources<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) pulses: &'a [Arc<Pulse>],
    /// Since the lcores have started.
    pub(crate) elapsed_ns: u64,
    /// The end of the window that is looked at, on the run's clock: now, or when the run was asked to stop.
    pub(crate) until_ns: u64,
    /// On the keeper's clock, by which restarts are due.
    pub(crate) kept_for: Duration,
    pub(crate) ticker: TickerGaps,
}

impl Sources<'_> {
    /// All counters; `reports` are what the lcores say of their instances, by number.
    pub(crate) fn snapshot(&self, reports: &[Vec<InstanceReport>]) -> Snapshot {
        let (parts, gaps) = (self.parts, self.ticker);
        let chains = parts.placed.iter().map(|c| ChainStats {
            batch_time: c.counters.times.read(&parts.clock),
            ring: c.ring.and_then(|number| Some(parts.rings.get(number)?.name().to_owned())),
            ..chain_stats(&c.name, c.lcore, &c.counters.read())
        });
        let seats = parts.seats.now();
        let modules = seats.iter().map(|seat| {
            let report = reports.get(seat.at.lcore).and_then(|r| r.iter().find(|r| r.seat.is(seat)));
            let loaded = parts.maker.loaded(&seat.module);
            let (now, tally) = (seat.health.status().clone(), seat.inbox.tally());
            ModuleStats {
                name: seat.module.clone(),
                origin: loaded.map(|m| m.module.describe().origin.clone()).unwrap_or_default(),
                chain: seat.chain_name.clone(),
                lcore: seat.lcore,
                counters: report.map(|r| r.counters.iter().cloned().collect()).unwrap_or_default(),
                state: now.state,
                restart_in_ns: now.restart_at.map(|at| nanos(at.saturating_sub(self.kept_for))),
                failed: report.and_then(|r| Some(r.failed.as_ref()?.to_string())),
                last_fault: now.last_fault,
                faults: seat.health.failures().map(|(class, n)| (class.to_string(), n)).collect(),
                installs: seat.health.installs(),
                log_lost: seat.log.lost(),
                hostcalls_denied: report.map(|r| r.denied).unwrap_or_default(),
                told: tally.told,
                tell_full: tally.full,
                heard: tally.delivered,
                hear_refused: tally.refused,
            }
        });
        Snapshot {
            elapsed_ns: self.elapsed_ns,
            tsc_hz: parts.clock.hz(),
            ticker_worst_gap_ns: gaps.worst_ns,
            ticker_gap_p50_ns: gaps.p50_ns,
            ticker_gap_p999_ns: gaps.p999_ns,
            faults_lost: parts.maker.faults.lost(),
            ports: port_stats(parts),
            chains: chains.collect(),
            streams: parts.streams.iter().map(|s| s.stats(&parts.placed, self.until_ns)).collect(),
            measured: measured(parts),
            paths: parts.paths.told(),
            stage_times: stage_times(parts),
            strangers: parts.probes.readings.get().map(Readings::strangers).unwrap_or_default(),
            lcores: self.pulses.iter().map(|pulse| lcore_stats(pulse)).collect(),
            modules: modules.collect(),
            evidence: parts.maker.evidence.as_ref().map(|e| e.stats()),
            rings: (0..).zip(&parts.rings).map(|(number, ring)| ring_stats(parts, number, ring)).collect(),
            pool_levels: parts.pools.iter().map(|pool| pool_level(pool)).collect(),
        }
    }
}

/// What was measured of the streams that have probes.
fn measured(parts: &Parts) -> Vec<StreamStats> {
    let Some(readings) = parts.probes.readings.get() else { return Vec::new() };
    let streams = (0..).zip(&parts.streams).zip(&parts.probes.too_short);
    let told = streams.filter_map(|((number, stream), too_short)| {
        let read = readings.stream(number)?;
        let mut told = read.told(&stream.asked.name);
        let gaps = read.gaps.as_ref();
        stream.fit(gaps.map(|gaps| &gaps.0), told.arrival_gaps.as_mut());
        stream.fit(gaps.map(|gaps| &gaps.1), told.departure_gaps.as_mut());
        let unstamped = told.stamps.unstamped;
        Some(StreamStats {
            too_short: too_short.load(Ordering::Relaxed),
            stamps: Stamps { unstamped, ..parts.probes.stamps(number) },
            observed: parts.observers.stats(number),
            ..told
        })
    });
    told.collect()
}

/// How the latencies of a stream are distributed, from its real departures.
pub(crate) fn latency(parts: &Parts, stream: &str) -> Option<Distribution> {
    let readings = parts.probes.readings.get()?;
    let (number, _) = (0..).zip(&parts.streams).find(|(_, found)| found.asked.name == stream)?;
    let read = readings.stream(number)?;
    let times = &read.delays.real;
    let buckets = times.buckets().map(|(upper, _, count)| (upper, count)).collect();
    Some(Distribution { buckets, beyond: times.beyond(), lost: read.counts.lost })
}

/// How long packets take in the parts of those chains that ask for it.
fn stage_times(parts: &Parts) -> Vec<StageTimes> {
    let told = parts.placed.iter().filter_map(|chain| {
        let times = chain.times.as_ref()?;
        Some(times.parts.told(&chain.name, chain.lcore, &times.modules))
    });
    told.collect()
}

/// The counters of a chain on an lcore.
#[allow(clippy::cast_precision_loss, reason = "a mean for people; 52 bits of it are right")]
pub(crate) fn chain_stats(name: &str, lcore: u32, c: &Counters) -> ChainStats {
    let taken = [Counter::Received, Counter::Created, Counter::FromRing, Counter::FromQueue];
    let taken: u64 = taken.into_iter().map(|counter| c.get(counter)).sum();
    ChainStats {
        name: name.to_owned(),
        lcore,
        received: c.get(Counter::Received),
        created: c.get(Counter::Created),
        ring: None,
        from_ring: c.get(Counter::FromRing),
        from_queue: c.get(Counter::FromQueue),
        to_queue: c.get(Counter::ToQueue),
        sent: c.get(Counter::Sent),
        sent_bytes: c.get(Counter::SentBytes),
        to_ring: c.get(Counter::ToRing),
        dropped: c.drops().map(|(cause, n)| (cause.to_owned(), n)).collect(),
        held: c.get(Counter::Held) + c.get(Counter::Pending),
        copied_in: c.get(Counter::CopiedIn),
        bad_outputs: c.get(Counter::BadOutputs),
        create_not_granted: c.get(Counter::CreateNotGranted),
        tx_time_ignored: c.get(Counter::TxTimeIgnored),
        bypassed: c.get(Counter::Bypassed),
        pool_empty: c.get(Counter::PoolEmpty),
        batches: c.get(Counter::Batches),
        polls: c.get(Counter::Polls),
        cycles_busy: c.get(Counter::BusyCycles),
        cycles_waited: c.get(Counter::WaitedCycles),
        cycles_per_packet: (taken != 0).then(|| c.get(Counter::BusyCycles) as f64 / taken as f64),
        phases: PhaseCycles {
            packets: c.get(Counter::TimedPackets),
            rx: c.get(Counter::CyclesRx),
            publish: c.get(Counter::CyclesPublish),
            guest: c.get(Counter::CyclesGuest),
            collect: c.get(Counter::CyclesCollect),
            tx: c.get(Counter::CyclesTx),
            free: c.get(Counter::CyclesFree),
        },
        batch_time: BatchTime::default(),
    }
}

fn ring_stats(parts: &Parts, number: usize, ring: &Ring) -> RingStats {
    let backpressure = parts.pressure.as_ref().and_then(|pressure| pressure.told(number));
    RingStats { name: ring.name().to_owned(), count: ring.count(), size: ring.size(), backpressure }
}

/// One pool while packets flow.
fn pool_level(pool: &Pool) -> PoolLevel {
    PoolLevel { name: pool.name().to_owned(), size: pool.size(), free: pool.available() }
}

/// One pool at the end of a run.
pub(crate) fn pool_stats(pool: &Pool) -> PoolStats {
    let (size, free) = (pool.size(), pool.available());
    PoolStats { name: pool.name().to_owned(), size, free, full: free == size }
}

fn port_stats(parts: &Parts) -> Vec<PortStats> {
    let with_flows = |(port, flows): (&Arc<dyn Port>, &Option<Arc<PortFlows>>)| PortStats {
        flows: flows.as_ref().map(|flows| flows.stats()).unwrap_or_default(),
        ..port.stats()
    };
    parts.ports.iter().zip(&parts.flows).map(with_flows).collect()
}

fn lcore_stats(pulse: &Pulse) -> LcoreStats {
    LcoreStats { lcore: pulse.cpu, stuck_ns: pulse.stuck_ns(), stuck_worst_ns: pulse.worst_ns() }
}
