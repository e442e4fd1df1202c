//! The curves of one run.

use super::What;
use super::curves::{Points, Stroke};
use super::source::{Source, percentile};
use perigee_runtime::{GapStats, LoadStats, Percentile, PercentileValue, Snapshot, StreamStats, TimeStats};

/// A curve of one run.
#[derive(Debug)]
pub(super) struct Part {
    /// The stream, path or port that it is of.
    pub(super) name: String,
    /// What of it.
    pub(super) of: &'static str,
    /// Parts of the same number have the same colour.
    pub(super) colour: usize,
    pub(super) stroke: Stroke,
    pub(super) points: Points,
}

/// Percentiles that are followed over time.
const FOLLOWED: [(f64, &str, &str); 3] =
    [(50.0, "p50", "p50 so far"), (99.0, "p99", "p99 so far"), (99.9, "p99.9", "p99.9 so far")];
/// Bars of a histogram in a power of ten.
const BARS: f64 = 20.0;
/// A curve has not many more points than it has pixels.
const MOST: usize = 600;

/// What is drawn of a run; curves without points are left out.
pub(super) fn of(source: &Source, what: What) -> Vec<Part> {
    let mut parts = if source.intervals.is_empty() { of_counters(source, what) } else { of_log(source, what) };
    parts.retain(|part| !part.points.is_empty());
    parts
}

fn of_counters(source: &Source, what: What) -> Vec<Part> {
    let snapshot = &source.run.snapshot;
    match what {
        What::Histogram => return Vec::new(),
        What::PercentilesOverTime => return percentiles_over_time(&source.moments),
        What::RateOverTime => return rates_over_time(&source.moments),
        What::Latency | What::LatencyCdf | What::Gaps | What::Rate => {}
    }
    let mut parts = Vec::new();
    for (colour, stream) in snapshot.measured.iter().enumerate() {
        let own = of_stream(stream, what).into_iter();
        parts.extend(own.map(|(of, stroke, points)| Part { name: stream.name.clone(), of, colour, stroke, points }));
    }
    let of_times = match what {
        What::Latency => by_percentile,
        What::LatencyCdf => by_length,
        _ => return parts,
    };
    for (colour, path) in snapshot.paths.iter().enumerate().filter(|(_, path)| path.latency.count > 0) {
        let (points, colour) = (of_times(&path.latency), snapshot.measured.len() + colour);
        let (name, of) = (path.name.clone(), "first to second place");
        parts.push(Part { name, of, colour, stroke: Stroke::Solid, points });
    }
    parts
}

fn of_stream(stream: &StreamStats, what: What) -> Vec<(&'static str, Stroke, Points)> {
    let latencies = |of: fn(&TimeStats) -> Points| {
        vec![
            ("from real departure", Stroke::Solid, of(&stream.latency)),
            ("from intended departure", Stroke::Dashed, of(&stream.latency_intended)),
        ]
    };
    match what {
        What::Latency => latencies(by_percentile),
        What::LatencyCdf => latencies(by_length),
        What::Gaps => {
            let both = [&stream.departure_gaps, &stream.arrival_gaps];
            let asked = both.into_iter().flatten().find_map(|gaps| gaps.asked_ns).map(us);
            let of = |gaps: &Option<GapStats>| gaps.as_ref().map(|gaps| by_length(&gaps.gaps)).unwrap_or_default();
            let [departures, arrivals] = both.map(of);
            if departures.is_empty() && arrivals.is_empty() {
                return Vec::new();
            }
            let asked = asked.map(|us| vec![(us, 0.0), (us, 100.0)]).unwrap_or_default();
            vec![
                ("departures", Stroke::Solid, departures),
                ("arrivals", Stroke::Dashed, arrivals),
                ("as asked", Stroke::Plain, asked),
            ]
        }
        What::Rate => vec![("arrivals", Stroke::Plain, stream.load.as_ref().map(over_time).unwrap_or_default())],
        What::Histogram | What::PercentilesOverTime | What::RateOverTime => Vec::new(),
    }
}

/// Of a log all times are known, to the digits of its histograms.
#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn of_log(source: &Source, what: What) -> Vec<Part> {
    let mut parts = Vec::new();
    for (colour, tag) in source.tags().into_iter().enumerate() {
        let buckets = source.buckets(tag);
        let count = buckets.iter().map(|bucket| bucket.1).sum::<u64>().max(1) as f64;
        let mut add = |of: &'static str, stroke, points| {
            let name = if tag.is_empty() { "all".to_owned() } else { tag.to_owned() };
            parts.push(Part { name, of, colour, stroke, points });
        };
        let mut seen = 0;
        let sums = buckets.iter().map(|(upper, n)| {
            seen += n;
            (us(*upper), 100.0 * seen as f64 / count)
        });
        match what {
            // The last of n lies at 1 - 1/n, as in summaries.
            What::Latency => {
                add("latency", Stroke::Fine, thinned(sums.map(|(us, part)| (part.min(100.0 - 100.0 / count), us))));
            }
            What::LatencyCdf => add("latency", Stroke::Fine, thinned(sums)),
            What::Histogram => add("latency", Stroke::Fine, bars(&buckets, count)),
            What::PercentilesOverTime => {
                for (percent, name, _) in FOLLOWED {
                    let own = source.intervals.iter().filter(|interval| interval.tag == tag);
                    let points = own.filter_map(|one| Some((one.end, us(percentile(&one.buckets, percent)?))));
                    add(name, followed(name), points.collect());
                }
            }
            What::Gaps | What::Rate | What::RateOverTime => {}
        }
    }
    parts
}

/// Percentiles of one stream have one colour, and are told apart by how they are drawn.
fn followed(name: &str) -> Stroke {
    match name {
        "p50" => Stroke::Fine,
        "p99" => Stroke::Dashed,
        _ => Stroke::Plain,
    }
}

#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

/// Not more points than can be seen; the first and the last of them stay.
fn thinned(points: impl Iterator<Item = (f64, f64)>) -> Points {
    let points: Points = points.collect();
    let step = points.len().div_ceil(MOST).max(1);
    let mut kept: Points = points.iter().copied().step_by(step).collect();
    kept.extend(points.last().filter(|last| kept.last() != Some(*last)));
    kept
}

/// Steps around bars, from the shortest time to the longest.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a place on a picture")]
fn bars(buckets: &[(u64, u64)], count: f64) -> Points {
    let mut bars = std::collections::BTreeMap::<i64, u64>::new();
    for (upper, n) in buckets {
        *bars.entry((us((*upper).max(1)).log10() * BARS).floor() as i64).or_default() += n;
    }
    let [Some(first), Some(last)] = [bars.keys().next(), bars.keys().next_back()] else { return Points::new() };
    let edge = |bar: i64| 10f64.powf(bar as f64 / BARS);
    let mut points = vec![(edge(*first), 0.0)];
    for bar in *first..=*last {
        let part = 100.0 * bars.get(&bar).copied().unwrap_or(0) as f64 / count;
        points.extend([(edge(bar), part), (edge(bar + 1), part)]);
    }
    points.push((edge(last + 1), 0.0));
    points
}

/// What is known at the end of each line: percentiles of all that has come so far.
fn percentiles_over_time(moments: &[Snapshot]) -> Vec<Part> {
    let mut parts = Vec::new();
    let streams = |moment: &Snapshot| {
        let streams = moment.measured.iter().map(|stream| (stream.name.clone(), stream.latency.clone()));
        let paths = moment.paths.iter().map(|path| (path.name.clone(), path.latency.clone()));
        streams.chain(paths).collect::<Vec<_>>()
    };
    let all: Vec<_> = moments.iter().map(|moment| (seconds(moment.elapsed_ns), streams(moment))).collect();
    for (colour, (name, _)) in all.last().into_iter().flat_map(|(_, streams)| streams).enumerate() {
        for (percent, short, of) in FOLLOWED {
            let at = |(time, streams): &(f64, Vec<(String, TimeStats)>)| {
                let times = &streams.iter().find(|stream| stream.0 == *name)?.1;
                let value = known(&times.percentiles).find(|known| (known.0 - percent).abs() < 1e-9)?.1;
                Some((*time, value))
            };
            let points = all.iter().filter_map(at).collect();
            parts.push(Part { name: name.clone(), of, colour, stroke: followed(short), points });
        }
    }
    parts
}

/// Thousands of packets a second of each port and direction that had any, between one line and the next.
#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn rates_over_time(moments: &[Snapshot]) -> Vec<Part> {
    let mut parts = Vec::new();
    let last = moments.last().map(|last| last.ports.as_slice()).unwrap_or_default();
    let before = std::iter::once(&Snapshot::default()).chain(moments).cloned().collect::<Vec<_>>();
    for (number, port) in last.iter().enumerate() {
        for (of, stroke) in [("tx", Stroke::Fine), ("rx", Stroke::Dashed)] {
            let packets = |moment: &Snapshot| {
                moment.ports.get(number).map_or(0, |port| if of == "tx" { port.tx_packets } else { port.rx_packets })
            };
            if moments.last().is_none_or(|last| packets(last) == 0) {
                continue;
            }
            let rate = |(from, to): (&Snapshot, &Snapshot)| {
                let window = to.elapsed_ns.checked_sub(from.elapsed_ns).filter(|window| *window > 0)?;
                let packets = packets(to).saturating_sub(packets(from));
                Some((seconds(to.elapsed_ns), packets as f64 * 1e6 / window as f64))
            };
            let points = before.iter().zip(moments).filter_map(rate).collect();
            parts.push(Part { name: port.name.clone(), of, colour: number, stroke, points });
        }
    }
    parts
}

#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Percentiles in percent, with their times in microseconds; what was refused is not there.
fn known(percentiles: &[Percentile]) -> impl Iterator<Item = (f64, f64)> {
    let known = percentiles.iter().filter_map(|one| match one.value {
        PercentileValue::Ns(ns) => Some((one.name.strip_prefix('p')?.parse().ok()?, us(ns))),
        PercentileValue::AtLeast(_) | PercentileValue::Refused { .. } => None,
    });
    // The file may be somebody else's, and a number is also what is called NaN.
    known.filter(|(percent, _)| (0.0..=100.0).contains(percent))
}

/// Least, percentiles and most. All but one of n times are no longer than what is at 1 - 1/n: there the longest lies.
#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn by_percentile(times: &TimeStats) -> Points {
    let least = times.min_ns.map(|ns| (0.0, us(ns)));
    let most = times.max_ns.filter(|_| times.count > 1).map(|ns| (100.0 - 100.0 / times.count as f64, us(ns)));
    least.into_iter().chain(known(&times.percentiles)).chain(most).collect()
}

/// The same the other way round: how long, and which part is no longer.
fn by_length(times: &TimeStats) -> Points {
    let (least, most) = (times.min_ns.map(|ns| (us(ns), 0.0)), times.max_ns.map(|ns| (us(ns), 100.0)));
    let between = known(&times.percentiles).map(|(percent, us)| (us, percent));
    least.into_iter().chain(between).chain(most).collect()
}

/// Steps: seconds, and thousands of packets in a second. Intervals without packets are not in a summary.
#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn over_time(load: &LoadStats) -> Points {
    let length = load.interval_ns.max(1);
    let mut points = Vec::new();
    let mut end = None;
    for interval in &load.intervals {
        let stop = interval.start_ns.saturating_add(length);
        if let Some(end) = end.filter(|end| *end != interval.start_ns) {
            points.extend([(seconds(end), 0.0), (seconds(interval.start_ns), 0.0)]);
        }
        let kpps = interval.packets as f64 / seconds(length) / 1e3;
        points.extend([(seconds(interval.start_ns), kpps), (seconds(stop), kpps)]);
        end = Some(stop);
    }
    points
}
