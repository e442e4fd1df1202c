//! The families of what is sent by times and what is measured: streams, probes, paths, parts of chains.

use super::families::{count, seconds, with};
use super::page::{Labels, Page};
use perigee_report::{OrderStats, PaceStats, PathStats, PercentileValue, Snapshot, StageTimes, StreamStats, TimeStats};
use std::fmt::Error;

fn stream(name: &str) -> Labels {
    vec![("stream", name.to_owned())]
}

/// Streams: what they send.
pub(super) fn streams(page: &mut Page<'_>, streams: &[PaceStats]) -> Result<(), Error> {
    let each = |value: fn(&PaceStats) -> u64| streams.iter().map(move |s| (stream(&s.name), value(s)));
    let state = streams.iter().map(|s| (with(stream(&s.name), "state", &s.state.to_string()), 1.0));
    page.gauge("stream_state", "1 for the state that a stream is in", state)?;
    page.counter("stream_packets", "Packets of a stream that ports took", each(|s| s.sent))?;
    page.counter("stream_bytes", "Their bytes, without check sequence", each(|s| s.sent_bytes))?;
    page.counter("stream_late_packets", "Packets of a stream that left late", each(|s| s.late))?;
    page.counter("stream_dropped_late_packets", "Packets dropped because they were late", each(|s| s.dropped_late))?;
    let owed = each(|s| s.owed).map(|(labels, n)| (labels, count(n)));
    page.gauge("stream_owed_packets", "Packets whose time has come and that have not left", owed)?;
    let worst = each(|s| s.late_worst_ns).map(|(labels, ns)| (labels, seconds(ns)));
    page.seconds("stream_late_worst", "By how much the latest packet of a stream was late", worst)
}

/// Probes of streams: what became of them.
pub(super) fn probes(page: &mut Page<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let streams = &snapshot.measured;
    let fates = streams.iter().flat_map(|s| {
        let probes = &s.probes;
        let numbers = [probes.sent, probes.in_time, probes.late, probes.duplicated, probes.too_old];
        let names = ["sent", "in_time", "late", "duplicated", "too_old"];
        names.into_iter().zip(numbers).map(|(fate, n)| (with(stream(&s.name), "fate", fate), n))
    });
    page.counter("stream_probes", "Probes of a stream, by what became of them", fates)?;
    let each = |value: fn(&StreamStats) -> u64| streams.iter().map(move |s| (stream(&s.name), count(value(s))));
    let help = "Probes that did not come in time nor later; one that comes after all is late then, and lost no more";
    page.gauge("stream_probes_lost", help, each(|s| s.probes.lost))?;
    page.gauge("stream_probes_outstanding", "Probes that may still come in time", each(|s| s.probes.outstanding))?;
    let order = |value: fn(&OrderStats) -> u64| streams.iter().map(move |s| (stream(&s.name), value(&s.order)));
    page.counter("stream_reordered_probes", "Probes that came behind later ones (RFC 4737)", order(|o| o.reordered))?;
    let strangers = [("foreign", snapshot.strangers.foreign), ("corrupted", snapshot.strangers.corrupted)];
    let strangers = strangers.map(|(kind, n)| (vec![("kind", kind.to_owned())], n));
    page.counter("probe_strangers", "Packets where probes are read that are no whole probes of this run", strangers)?;
    let times = streams.iter().flat_map(|s| {
        let both = [("real", &s.latency), ("intended", &s.latency_intended)];
        both.into_iter().flat_map(|(from, times)| percentiles(&with(stream(&s.name), "from", from), times))
    });
    let help = "Latency of probes, from their real or their intended departure, by percentile, since the start";
    page.seconds("stream_latency", help, times)
}

/// Packets that pass by two places.
pub(super) fn paths(page: &mut Page<'_>, paths: &[PathStats]) -> Result<(), Error> {
    let label = |path: &PathStats| vec![("path", path.name.clone())];
    let fates = paths.iter().flat_map(|path| {
        let packets = &path.packets;
        let numbers =
            [packets.first, packets.in_time, packets.late, packets.ambiguous, packets.then, packets.only_then];
        let names = ["first", "in_time", "late", "ambiguous", "then", "only_then"];
        names.into_iter().zip(numbers).map(move |(fate, n)| (with(label(path), "fate", fate), n))
    });
    page.counter("path_packets", "Packets seen at the places of a path, by what became of them", fates)?;
    let lost = paths.iter().map(|path| (label(path), count(path.packets.lost)));
    page.gauge("path_packets_lost", "Packets seen at the first place of a path and not at the second", lost)?;
    let times = paths.iter().flat_map(|path| percentiles(&label(path), &path.latency));
    page.seconds("path_latency", "From the first place of a path to the second, by percentile, since the start", times)
}

/// Parts of chains that ask for it.
pub(super) fn stages(page: &mut Page<'_>, stages: &[StageTimes]) -> Result<(), Error> {
    let parts = stages.iter().flat_map(|stage| stage.parts.iter().map(move |part| (stage, part)));
    let times = parts.flat_map(|(stage, part)| {
        let labels = vec![("chain", stage.chain.clone()), ("lcore", stage.lcore.to_string())];
        percentiles(&with(labels, "part", &part.part), &part.times)
    });
    page.seconds("stage_time", "How long packets take in a part of a chain, by percentile, since the start", times)
}

/// Those that are told: a percentile for which there are too few samples, or that lies among what was lost, is left out. 0 and 100 are
/// the shortest and the longest.
fn percentiles(labels: &Labels, times: &TimeStats) -> Vec<(Labels, f64)> {
    let told = times.percentiles.iter().filter_map(|told| match told.value {
        PercentileValue::Ns(ns) => Some((told.name.trim_start_matches('p'), ns)),
        _ => None,
    });
    let inner = told.filter(|(name, _)| !matches!(*name, "0" | "100"));
    let ends = [("0", times.min_ns), ("100", times.max_ns)].into_iter().filter_map(|(name, ns)| Some((name, ns?)));
    inner.chain(ends).map(|(name, ns)| (with(labels.clone(), "percentile", name), seconds(ns))).collect()
}
