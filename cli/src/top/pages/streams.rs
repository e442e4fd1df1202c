//! Streams with what was measured of them, and paths.

use super::{Details, Page, plain};
use crate::summary::{percentile, some_us, us};
use crate::table::{bit_rate, count, packet_rate};
use crate::top::grid::{Column, Graph, Row, graph, number, words};
use crate::top::look::Tone;
use crate::top::model::Model;
use perigee_runtime::{PaceStats, PathStats, StreamState, StreamStats, TimeStats};

/// The page.
pub(super) struct Streams;

const COLUMNS: [Column; 12] = [
    words("state", 7),
    words("asked", 12),
    number("got", 11),
    number("loss %", 8),
    graph("got"),
    number("p50 us", 10),
    number("p99 us", 10),
    number("p99.9 us", 10),
    number("reordered", 9),
    number("twice", 9),
    number("late", 11),
    number("sent", 15),
];

impl Page for Streams {
    fn title(&self) -> &'static str {
        "streams"
    }

    fn first(&self) -> &'static str {
        "stream"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn len(&self, model: &Model) -> usize {
        model.now.streams.len() + model.now.paths.len()
    }

    fn row<'a>(&self, model: &'a Model, at: usize) -> Row<'a> {
        let Some(stream) = model.now.streams.get(at) else {
            return path_row(&model.now.paths[at - model.now.streams.len()]);
        };
        let measured = measured(model, stream);
        let of = |text: fn(&StreamStats) -> String| measured.map_or_else(|| "-".to_owned(), text);
        Row {
            name: plain(&stream.name),
            cells: vec![
                stream.state.to_string(),
                plain(asked(stream)),
                packet_rate(model.stream(at).0, model.window()),
                of(|one| loss(one.probes.loss_ratio())),
                of(|one| percentile(&one.latency, "p50")),
                of(|one| percentile(&one.latency, "p99")),
                of(|one| percentile(&one.latency, "p99.9")),
                of(|one| count(one.order.reordered)),
                of(|one| count(one.probes.duplicated)),
                count(stream.late),
                count(stream.sent),
            ],
            graph: model.points[2].get(at).map_or(Graph::None, |points| Graph::Points(points)),
            tone: match stream.state {
                StreamState::Running if stream.missed.is_some() => Tone::Warn,
                StreamState::Running => Tone::Plain,
                _ => Tone::Faint,
            },
        }
    }

    fn details(&self, model: &Model, at: usize) -> Details {
        match model.now.streams.get(at) {
            Some(stream) => of_stream(model, at, stream),
            None => of_path(&model.now.paths[at - model.now.streams.len()]),
        }
    }

    fn empty(&self) -> &'static str {
        "no streams and no paths"
    }
}

/// What was asked for: a rate, or where the pattern says it all, that.
fn asked(stream: &PaceStats) -> &str {
    if stream.rate.is_empty() { &stream.pattern } else { &stream.rate }
}

fn measured<'a>(model: &'a Model, stream: &PaceStats) -> Option<&'a StreamStats> {
    model.now.measured.iter().find(|one| one.name == stream.name)
}

fn loss(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.4}", ratio * 100.0))
}

fn path_row(path: &PathStats) -> Row<'_> {
    let packets = &path.packets;
    Row {
        name: plain(&path.name),
        cells: vec![
            "path".to_owned(),
            "-".to_owned(),
            "-".to_owned(),
            loss(packets.loss_ratio()),
            percentile(&path.latency, "p50"),
            percentile(&path.latency, "p99"),
            percentile(&path.latency, "p99.9"),
            count(packets.reordered),
            count(packets.twice),
            count(packets.late),
            count(packets.first),
        ],
        tone: if path.remarks().is_empty() { Tone::Plain } else { Tone::Warn },
        ..Row::default()
    }
}

fn of_stream(model: &Model, at: usize, stream: &PaceStats) -> Details {
    let mut told = Details::default();
    let ((packets, bytes), window) = (model.stream(at), model.window());
    told.text("of chain", &stream.chain);
    told.text("state", stream.state);
    told.text("asked", &stream.rate);
    told.text("pattern", &stream.pattern);
    told.text("paced by", &stream.method);
    told.text("got", format!("{} {}", packet_rate(packets, window).trim(), bit_rate(bytes, window).trim()));
    let [mean, bits] = [packet_rate(stream.sent, stream.ran_ns), bit_rate(stream.sent_bytes, stream.ran_ns)];
    told.text("got since it began", format!("{} {}", mean.trim(), bits.trim()));
    told.count("sent", stream.sent);
    told.text("missed its rate", stream.missed.as_deref().unwrap_or_default());
    told.counts(&[("late", stream.late), ("owed", stream.owed), ("dropped late", stream.dropped_late)]);
    if stream.late > 0 {
        told.text("latest one", format!("{} us", us(stream.late_worst_ns)));
    }
    told.text("calibration", stream.calibration.as_deref().unwrap_or_default());
    let Some(measured) = measured(model, stream) else {
        told.text("measured", "nothing: the stream has no `probes`");
        return told;
    };
    let probes = &measured.probes;
    told.count("probes sent", probes.sent);
    told.count("in time", probes.in_time);
    told.count("late probes", probes.late);
    told.count("lost", probes.lost);
    told.text("loss %", loss(probes.loss_ratio()));
    told.count("outstanding", probes.outstanding);
    told.count("duplicates", probes.duplicated);
    told.count("reordered", measured.order.reordered);
    told.counts(&[("largest extent", measured.order.extent_max), ("too short for probes", measured.too_short)]);
    times(&mut told, "latency", &measured.latency);
    times(&mut told, "latency, intended", &measured.latency_intended);
    told.text("jitter", format!("{:.1} ns", measured.variation.jitter_ns));
    told
}

fn of_path(path: &PathStats) -> Details {
    let (packets, mut told) = (&path.packets, Details::default());
    told.text("identity", &path.identity);
    told.text("times", path.times.join(", "));
    told.count("seen at the first place", packets.first);
    told.count("seen at the second", packets.then);
    told.count("in time", packets.in_time);
    told.count("late", packets.late);
    told.count("lost", packets.lost);
    told.text("loss %", loss(packets.loss_ratio()));
    told.counts(&[
        ("ambiguous", packets.ambiguous),
        ("twice", packets.twice),
        ("reordered", packets.reordered),
        ("only at the second", packets.only_then),
        ("outstanding", packets.outstanding),
    ]);
    times(&mut told, "latency", &path.latency);
    told.text("jitter", format!("{:.1} ns", path.variation.jitter_ns));
    for remark in path.remarks() {
        told.text("remark", remark);
    }
    told
}

/// Shortest, longest and percentiles.
fn times(told: &mut Details, name: &str, times: &TimeStats) {
    if times.count == 0 {
        return;
    }
    told.text(
        name,
        format!("min {} us, max {} us, of {}", some_us(times.min_ns), some_us(times.max_ns), count(times.count)),
    );
    for one in &times.percentiles {
        told.text(&format!("  {name}"), one);
    }
}
