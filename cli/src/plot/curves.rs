//! From results to pictures: the curves of each run, or of several runs of the same.

use super::axis::Scale;
use super::parts::{self, Part};
use super::spread::spread;
use super::{Shown, Unit, What};
use perigee_runtime::text;
use std::collections::BTreeSet;

/// A curve's points, by the first of their values.
pub(super) type Points = Vec<(f64, f64)>;
/// At places along the first axis, the least and the most.
pub(super) type Band = Vec<(f64, f64, f64)>;

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
    UpperRight,
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
    pub(super) points: Points,
    /// Of several runs, from the least to the most.
    pub(super) band: Band,
}

impl Curve {
    /// All points that must be on the picture.
    pub(super) fn all(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let band = self.band.iter().flat_map(|(at, low, high)| [(*at, *low), (*at, *high)]);
        self.points.iter().copied().chain(band)
    }
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    /// A line with its points marked: what lies between them was not told.
    Solid,
    /// Dashes, with points.
    Dashed,
    /// A line without points.
    Fine,
    /// A thin one.
    Plain,
}

/// What is to be drawn.
pub(super) fn picture(units: &[Unit], what: What) -> Picture {
    let (title, legend, x, y) = axes(what);
    let (mut curves, mut without, mut colour) = (Vec::new(), Vec::new(), 0);
    for unit in units {
        let runs: Vec<Vec<Part>> = unit.runs.iter().map(|shown| parts::of(&shown.source, what)).collect();
        let lacking = unit.runs.iter().zip(&runs).filter(|(_, parts)| parts.is_empty());
        without.extend(lacking.map(|(shown, _)| shown.file.clone()));
        let prefix = if units.len() > 1 || unit.runs.len() > 1 { format!("{}: ", unit.name) } else { String::new() };
        let mut last = None;
        for part in runs.first().into_iter().flatten() {
            colour += usize::from(last.is_some_and(|last| last != part.colour));
            last = Some(part.colour);
            let label = text::line(&format!("{prefix}{}, {}", part.name, part.of), text::WORDS);
            curves.push(curve(&runs, part, (x, y), label, colour));
        }
        colour += 1;
    }
    let machines = machines(units.iter().flat_map(|unit| &unit.runs));
    Picture { title, legend, machines, x, y, curves, without }
}

/// The curve of a run; of several, their median and spread.
fn curve(runs: &[Vec<Part>], part: &Part, axes: (Axis, Axis), label: String, colour: usize) -> Curve {
    let is_same = |other: &&Part| (&other.name, other.of) == (&part.name, part.of);
    let same: Vec<_> = runs.iter().flatten().filter(is_same).map(|part| &part.points).collect();
    if runs.len() == 1 {
        return Curve { label, colour, stroke: part.stroke, points: part.points.clone(), band: Vec::new() };
    }
    let (points, band) = spread(&same, axes);
    let stroke = if part.stroke == Stroke::Solid { Stroke::Fine } else { part.stroke };
    Curve { label: format!("{label} (median and spread of {})", same.len()), colour, stroke, points, band }
}

fn axes(what: What) -> (&'static str, Corner, Axis, Axis) {
    let axis = |label, scale| Axis { label, scale };
    let time = axis("time since the start of the run (s)", Scale::Linear);
    match what {
        What::Latency => (
            "Latency by percentile",
            Corner::LowerRight,
            axis("percentile (%)", Scale::Nines),
            axis("latency (us)", Scale::Log),
        ),
        What::LatencyCdf => (
            "Latency",
            Corner::LowerRight,
            axis("latency (us)", Scale::Log),
            axis("part of the packets that took no longer (%)", Scale::Linear),
        ),
        What::Histogram => (
            "Latency",
            Corner::UpperRight,
            axis("latency (us)", Scale::Log),
            axis("part of the packets, 20 bars to a power of ten (%)", Scale::Linear),
        ),
        What::PercentilesOverTime => ("Latency over time", Corner::UpperRight, time, axis("latency (us)", Scale::Log)),
        What::RateOverTime => ("Packets of ports", Corner::LowerRight, time, axis("rate (kpps)", Scale::Linear)),
        What::Gaps => (
            "Gaps between packets",
            Corner::UpperLeft,
            axis("gap (us)", Scale::Log),
            axis("part of the gaps that is no longer (%)", Scale::Linear),
        ),
        What::Rate => ("Rate of arrivals", Corner::LowerLeft, time, axis("rate (kpps)", Scale::Linear)),
    }
}

/// Each machine once.
fn machines<'a>(runs: impl Iterator<Item = &'a Shown>) -> String {
    let manifests = runs.filter_map(|shown| shown.source.run.manifest.as_ref());
    let machines = manifests.map(|manifest| {
        let machine = &manifest.machine;
        let words = format!("{}, kernel {}, perigee {}", machine.cpu.trim(), machine.kernel, manifest.perigee);
        text::line(&words, text::WORDS)
    });
    machines.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
}
