//! How much of a latency is the measurement's own: what was measured by a calibration of the same kinds of ports, on the same machine,
//! with nothing but a loop between them.

use super::{Calibration, Point};
use perigee_runtime::config::stream::Stream;
use perigee_runtime::config::{Config, Source};
use perigee_runtime::{Floor, Manifest, PaceStats, PercentileValue, PortFacts, StreamStats, Summary, TimeStats};
use serde::{Deserialize, Serialize};

/// Latency of a point, nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Latency {
    min_ns: u64,
    p50_ns: u64,
    /// `None` where there were too few probes.
    p99_ns: Option<u64>,
    /// Who took the times of arrival.
    arrival: Vec<String>,
}

/// The port that received.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Receiving {
    pub(crate) driver: String,
    pub(crate) device: String,
}

/// Of a calibration's run; `None` where too few probes came.
pub(super) fn latency(measured: &StreamStats) -> Option<Latency> {
    let times = &measured.latency;
    Some(Latency {
        min_ns: times.min_ns?,
        p50_ns: percentile(times, "p50")?,
        p99_ns: percentile(times, "p99"),
        arrival: measured.stamps.arrival.clone(),
    })
}

fn percentile(times: &TimeStats, name: &str) -> Option<u64> {
    let one = times.percentiles.iter().find(|one| one.name == name)?;
    if let PercentileValue::Ns(ns) = one.value { Some(ns) } else { None }
}

impl Latency {
    /// As the calibration's table has it: least, half, and what lies between half and 99 of 100.
    pub(super) fn cells(&self) -> [String; 3] {
        let jitter = self.p99_ns.map_or_else(|| "-".to_owned(), |p99| (p99 - self.p50_ns).to_string());
        [self.min_ns.to_string(), self.p50_ns.to_string(), jitter]
    }
}

/// Says at each stream's latency what its floor is, or how to get to know it.
pub(crate) fn floors(summary: &mut Summary, known: &[Calibration], config: &Config) {
    let Some(manifest) = summary.manifest.clone() else { return };
    for measured in &mut summary.snapshot.measured {
        let Some(stream) = config.streams.iter().find(|stream| stream.name == measured.name) else { continue };
        let Some((tx, rx)) = ports(config, stream) else { continue };
        // Files and wires have times of their own, which no driver takes.
        if config.ports[tx].is_own() || config.ports[rx].is_own() {
            continue;
        }
        let Some(ends) = manifest.ports.get(tx).zip(manifest.ports.get(rx)) else { continue };
        let paced = summary.snapshot.streams.iter().find(|one| one.name == measured.name);
        let fitting = fitting(known, &manifest, ends, &measured.stamps.arrival);
        let floor =
            paced.and_then(|paced| nearest(&fitting, paced)).map(|(calibration, point)| told(calibration, point));
        measured.stamps.floor = Some(floor.unwrap_or_else(|| Floor::Unknown { command: command(ends) }));
    }
}

/// The ports by which a stream leaves and comes in.
fn ports(config: &Config, stream: &Stream) -> Option<(usize, usize)> {
    let chain = |name: &str| config.chains.iter().find(|chain| chain.name == name);
    let tx = chain(&stream.chain)?.granted_ports().next().and_then(|port| config.port(port))?;
    let Source::Port { port, .. } = &chain(stream.probes.as_ref()?.received_by.first()?)?.source else { return None };
    Some((tx, config.port(port)?))
}

/// Calibrations of the same kinds of ports on this machine, whose times were taken in the same way; of the very same ports first.
fn fitting<'a>(
    known: &'a [Calibration],
    manifest: &Manifest,
    (tx, rx): (&PortFacts, &PortFacts),
    arrival: &[String],
) -> Vec<&'a Calibration> {
    let fits = |one: &&Calibration| {
        let key = &one.key;
        let machine = &manifest.machine;
        let is_here = key.cpu == machine.cpu && key.kernel == machine.kernel && key.dpdk == manifest.dpdk;
        let is_here = is_here && key.driver == tx.driver && key.speed_mbps == tx.speed_mbps;
        is_here
            && one.rx.as_ref().is_some_and(|other| other.driver == rx.driver)
            && one.points.iter().filter_map(|point| point.latency.as_ref()).any(|latency| latency.arrival == arrival)
    };
    let mut all: Vec<&Calibration> = known.iter().filter(fits).collect();
    all.sort_by_key(|one| one.key.device != tx.device);
    all
}

/// The point of the same method whose rate is the nearest, and among those the one whose length is; one that was disturbed only where there is no other.
#[allow(clippy::cast_precision_loss, reason = "rates and lengths")]
fn nearest<'a>(fitting: &[&'a Calibration], paced: &PaceStats) -> Option<(&'a Calibration, &'a Point)> {
    let rate = paced.sent as f64 / (paced.ran_ns.max(1) as f64 / 1e9);
    let bytes = paced.sent_bytes as f64 / paced.sent.max(1) as f64;
    let calibration = fitting.first()?;
    let far = |point: &&Point| {
        let rates = (point.got_pps.max(1.0) / rate.max(1.0)).ln().abs();
        let other = point.method.name() != paced.method;
        (point.disturbed.is_some(), other, (rates * 100.0).round(), (f64::from(point.size) - bytes).abs())
    };
    let points = calibration.points.iter().filter(|point| point.latency.is_some());
    let point = points.min_by(|a, b| far(a).partial_cmp(&far(b)).unwrap_or(std::cmp::Ordering::Equal))?;
    Some((calibration, point))
}

fn told(calibration: &Calibration, point: &Point) -> Floor {
    let latency = point.latency.clone().unwrap_or_default();
    let back = calibration.rx.as_ref().filter(|rx| rx.device != calibration.key.device);
    let to = back.map(|rx| format!(" to {}", rx.device)).unwrap_or_default();
    let disturbed = if point.disturbed.is_some() { ", disturbed" } else { "" };
    let calibration = format!(
        "{} at {} of {} bytes, made at {} (Unix time){disturbed}",
        format_args!("{}{to}", calibration.key.device),
        point.asked,
        point.size,
        calibration.made
    );
    Floor::Known {
        min_ns: latency.min_ns,
        p50_ns: latency.p50_ns,
        jitter_ns: latency.p99_ns.map(|p99| p99 - latency.p50_ns),
        calibration,
    }
}

/// What makes a calibration for these ports.
fn command((tx, rx): (&PortFacts, &PortFacts)) -> String {
    let back = if tx.device == rx.device { String::new() } else { format!(" --rx {}", rx.device) };
    format!("perigee calibrate --tx {}{back}", tx.device)
}
