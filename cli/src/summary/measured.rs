//! What was measured of streams, for people.

use super::stamps;
use crate::table::{Table, count};
use perigee_runtime::{FitStats, GapStats, PercentileValue, Snapshot, StreamStats, TimeStats};

/// All of it; empty where nothing was measured.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let streams = &snapshot.measured;
    if streams.is_empty() {
        return String::new();
    }
    let strangers = &snapshot.strangers;
    let mut parts = vec![
        probes(streams),
        latencies(streams),
        stamps::stamps(streams),
        order(streams),
        gaps(streams),
        fits(streams),
        stamps::observed(streams),
    ];
    if strangers.foreign + strangers.corrupted > 0 {
        let (foreign, corrupted) = (count(strangers.foreign), count(strangers.corrupted));
        parts.push(format!("where probes were read: {foreign} other packets, {corrupted} corrupted probes\n"));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn probes(streams: &[StreamStats]) -> String {
    let heads = [
        "<probes of stream",
        "sent",
        "in time",
        "late",
        "lost",
        "loss %",
        "outstanding",
        "twice",
        "reordered",
        "too short",
    ];
    let mut table = Table::new(&heads);
    for stream in streams {
        let p = &stream.probes;
        let loss = p.loss_ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{:.5}", ratio * 100.0));
        table.row([
            stream.name.clone(),
            count(p.sent),
            count(p.in_time),
            count(p.late),
            count(p.lost),
            loss,
            count(p.outstanding),
            count(p.duplicated),
            count(stream.order.reordered),
            count(stream.too_short),
        ]);
    }
    table.text()
}

/// Whether Poisson streams were such.
fn fits(streams: &[StreamStats]) -> String {
    let both = |stream: &StreamStats| {
        let of = |name: &str, gaps: Option<&GapStats>| {
            Some(format!("stream {}, {name}: {}\n", stream.name, fit(gaps?.fit.as_ref()?)))
        };
        [of("departures", stream.departure_gaps.as_ref()), of("arrivals", stream.arrival_gaps.as_ref())]
    };
    streams.iter().flat_map(both).flatten().collect()
}

/// What a test of goodness of fit says.
pub(crate) fn fit(fit: &FitStats) -> String {
    let FitStats { samples, mean_ns, deviation_ns, lambda, asked_lambda, statistic, critical, fits } = fit;
    let verdict = if *fits { "Poisson" } else { "not Poisson" };
    format!(
        "{} gaps, mean {mean_ns:.1} ns, deviation {deviation_ns:.1} ns, lambda {lambda:.1}/s of {asked_lambda:.1}/s; \
         Kolmogorov-Smirnov {statistic:.5}, 5 % of true ones beyond {critical:.5}: {verdict}",
        count(*samples)
    )
}

/// Microseconds with three digits behind the point.
pub(crate) fn us(ns: u64) -> String {
    format!("{}.{:03}", count(ns / 1_000), ns % 1_000)
}

/// The same, or that there is none.
pub(crate) fn some_us(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), us)
}

/// A percentile, or why there is none.
pub(crate) fn percentile(times: &TimeStats, name: &str) -> String {
    match times.percentiles.iter().find(|one| one.name == name).map(|one| one.value) {
        Some(PercentileValue::Ns(ns)) => us(ns),
        Some(PercentileValue::AtLeast(ns)) => format!(">={}", us(ns)),
        Some(PercentileValue::Refused { needs, .. }) => format!("(of {})", count(needs)),
        None => "-".to_owned(),
    }
}

const PERCENTILES: [&str; 5] = ["p1", "p50", "p99", "p99.9", "p99.99"];

pub(super) fn times_row(times: &TimeStats) -> Vec<String> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of times")]
    let mean = times.mean_ns.map(|ns| ns.round() as u64);
    let mut row = vec![some_us(times.min_ns), some_us(mean)];
    row.extend(PERCENTILES.map(|name| percentile(times, name)));
    row.push(some_us(times.max_ns));
    row
}

fn latencies(streams: &[StreamStats]) -> String {
    let heads = ["<latency, us", "<from", "min", "mean", "p1", "p50", "p99", "p99.9", "p99.99", "max", "jitter"];
    let mut table = Table::new(&heads);
    for stream in streams.iter().filter(|stream| stream.latency.count > 0) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of times")]
        let jitter = us(stream.variation.jitter_ns.round() as u64);
        for (from, times, last) in
            [("real departure", &stream.latency, jitter), ("intended", &stream.latency_intended, String::new())]
        {
            let row = [stream.name.clone(), from.to_owned()].into_iter().chain(times_row(times)).chain([last]);
            table.row(row);
        }
    }
    let wrong = streams.iter().filter(|stream| stream.latency.before_departure > 0);
    let wrong = wrong.map(|stream| {
        let n = count(stream.latency.before_departure);
        format!("stream {}: {n} probes arrived before they left: a clock is WRONG\n", stream.name)
    });
    table.text_unless_empty() + &wrong.collect::<String>()
}

fn order(streams: &[StreamStats]) -> String {
    let mut table = Table::new(&["<order of stream", "arrived", "reordered", "gaps in numbers", "largest extent"]);
    for stream in streams.iter().filter(|stream| stream.order.reordered > 0) {
        let order = &stream.order;
        table.row([
            stream.name.clone(),
            count(order.arrived),
            count(order.reordered),
            count(order.discontinuities),
            count(order.extent_max),
        ]);
    }
    table.text_unless_empty()
}

fn gaps(streams: &[StreamStats]) -> String {
    let heads = ["<gaps, us", "<of", "asked", "min", "p1", "p50", "p99", "max", "<within"];
    let mut table = Table::new(&heads);
    for stream in streams {
        let both = [("arrivals", &stream.arrival_gaps), ("departures", &stream.departure_gaps)];
        for (of, gaps) in both.into_iter().filter_map(|(of, gaps)| Some((of, gaps.as_ref()?))) {
            if gaps.gaps.count == 0 {
                continue;
            }
            let times = &gaps.gaps;
            table.row([
                stream.name.clone(),
                of.to_owned(),
                some_us(gaps.asked_ns),
                some_us(times.min_ns),
                percentile(times, "p1"),
                percentile(times, "p50"),
                percentile(times, "p99"),
                some_us(times.max_ns),
                shares(gaps),
            ]);
        }
    }
    table.text_unless_empty()
}

/// Parts of all gaps near the one that was asked for, as MoonGen's table has them.
pub(super) fn shares(gaps: &GapStats) -> String {
    let one = |share: &perigee_runtime::GapShare| format!("+-{} ns {:.1} %", share.ns, share.share * 100.0);
    gaps.within.iter().map(one).collect::<Vec<_>>().join(", ")
}
