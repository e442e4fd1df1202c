//! From summaries to curves.

use super::axis::Scale;
use super::{Shown, What};
use perigee_runtime::{GapStats, LoadStats, Percentile, PercentileValue, StreamStats, TimeStats, text};
use std::collections::BTreeSet;

/// A picture before it is drawn.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) title: &'static str,
    /// Where its legend lies: where such curves are not.
    pub(super) legend: Corner,
    /// The machines that the runs were on.
    pub(super) machines: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) curves: Vec<Curve>,
    /// The runs that have no curve on it.
    pub(super) without: Vec<String>,
}

/// A corner of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Corner {
    UpperLeft,
    LowerLeft,
    LowerRight,
}

/// What an axis is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

/// One curve.
#[derive(Debug)]
pub(super) struct Curve {
    pub(super) label: String,
    /// Curves of one stream of one run have the same number, and so the same colour.
    pub(super) colour: usize,
    pub(super) stroke: Stroke,
    pub(super) points: Vec<(f64, f64)>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    /// A line with its points marked: what lies between them was not told.
    Solid,
    /// Dashes, with points.
    Dashed,
    /// A line without points.
    Plain,
}

/// A curve of one stream: what it is of, how it is drawn, its points.
type Part = (&'static str, Stroke, Vec<(f64, f64)>);

/// What is to be drawn.
pub(super) fn picture(runs: &[Shown], what: What) -> Picture {
    let (mut curves, mut without, mut colour) = (Vec::new(), Vec::new(), 0);
    for shown in runs {
        let before = curves.len();
        for stream in &shown.run.snapshot.measured {
            let parts = parts(stream, what);
            let own = parts.into_iter().filter(|(_, _, points)| !points.is_empty()).map(|(of, stroke, points)| Curve {
                label: label(runs, shown, &stream.name, of),
                colour,
                stroke,
                points,
            });
            curves.extend(own);
            colour += 1;
        }
        for path in shown.run.snapshot.paths.iter().filter(|path| what == What::Latency && path.latency.count > 0) {
            let points = by_percentile(&path.latency);
            curves.push(Curve {
                label: label(runs, shown, &path.name, "first to second place"),
                colour,
                stroke: Stroke::Solid,
                points,
            });
            colour += 1;
        }
        if curves.len() == before {
            without.push(shown.file.clone());
        }
    }
    let (title, x, y) = axes(what);
    let legend = match what {
        What::Latency => Corner::LowerRight,
        What::Gaps => Corner::UpperLeft,
        What::Rate => Corner::LowerLeft,
    };
    Picture { title, legend, machines: machines(runs), x, y, curves, without }
}

/// What stands in the legend; with its run, where there are several.
fn label(runs: &[Shown], shown: &Shown, name: &str, of: &str) -> String {
    let run = if runs.len() > 1 { format!("{}: ", shown.name) } else { String::new() };
    text::line(&format!("{run}{name}, {of}"), text::WORDS)
}

fn axes(what: What) -> (&'static str, Axis, Axis) {
    let axis = |label, scale| Axis { label, scale };
    match what {
        What::Latency => {
            ("Latency by percentile", axis("percentile (%)", Scale::Nines), axis("latency (us)", Scale::Log))
        }
        What::Gaps => (
            "Gaps between packets",
            axis("gap (us)", Scale::Log),
            axis("part of the gaps that is no longer (%)", Scale::Linear),
        ),
        What::Rate => (
            "Rate of arrivals",
            axis("time since the start of the run (s)", Scale::Linear),
            axis("rate (kpps)", Scale::Linear),
        ),
    }
}

fn parts(stream: &StreamStats, what: What) -> Vec<Part> {
    match what {
        What::Latency => vec![
            ("from real departure", Stroke::Solid, by_percentile(&stream.latency)),
            ("from intended departure", Stroke::Dashed, by_percentile(&stream.latency_intended)),
        ],
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
    }
}

#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
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
fn by_percentile(times: &TimeStats) -> Vec<(f64, f64)> {
    let least = times.min_ns.map(|ns| (0.0, us(ns)));
    let most = times.max_ns.filter(|_| times.count > 1).map(|ns| (100.0 - 100.0 / times.count as f64, us(ns)));
    least.into_iter().chain(known(&times.percentiles)).chain(most).collect()
}

/// The same the other way round: how long, and which part is no longer.
fn by_length(times: &TimeStats) -> Vec<(f64, f64)> {
    let (least, most) = (times.min_ns.map(|ns| (us(ns), 0.0)), times.max_ns.map(|ns| (us(ns), 100.0)));
    let between = known(&times.percentiles).map(|(percent, us)| (us, percent));
    least.into_iter().chain(between).chain(most).collect()
}

/// Steps: seconds, and thousands of packets in a second. Intervals without packets are not in a summary.
#[allow(clippy::cast_precision_loss, reason = "a place on a picture")]
fn over_time(load: &LoadStats) -> Vec<(f64, f64)> {
    let length = load.interval_ns.max(1);
    let seconds = |ns: u64| ns as f64 / 1e9;
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

/// Each machine once.
fn machines(runs: &[Shown]) -> String {
    let manifests = runs.iter().filter_map(|shown| shown.run.manifest.as_ref());
    let machines = manifests.map(|manifest| {
        let machine = &manifest.machine;
        let words = format!("{}, kernel {}, perigee {}", machine.cpu.trim(), machine.kernel, manifest.perigee);
        text::line(&words, text::WORDS)
    });
    machines.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
}
