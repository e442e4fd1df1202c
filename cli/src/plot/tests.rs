//! Pictures of a small summary.

use super::*;
use perigee_runtime::{
    GapStats, Interval, LoadStats, Machine, Manifest, Percentile, PercentileValue, Snapshot, StreamStats, TimeStats,
};

fn times(ns: [u64; 4]) -> TimeStats {
    let [min, p50, p99, max] = ns;
    let percentile = |name: &str, value| Percentile { name: name.into(), value };
    let percentiles = vec![
        percentile("p50", PercentileValue::Ns(p50)),
        percentile("p99", PercentileValue::Ns(p99)),
        percentile("pNaN", PercentileValue::Ns(p99)),
        percentile("p1e99", PercentileValue::Ns(p99)),
        percentile("p99.99", PercentileValue::Refused { needs: 100_000, samples: 2_000 }),
    ];
    TimeStats { count: 2_000, min_ns: Some(min), max_ns: Some(max), percentiles, ..TimeStats::default() }
}

fn shown(name: &str, run: crate::read::PastRun) -> Unit {
    let source = Source { run, moments: Vec::new(), intervals: Vec::new() };
    Unit { name: name.into(), runs: vec![Shown { file: format!("{name}.json"), source }] }
}

fn run(name: &str) -> Unit {
    let gaps = |ns| GapStats { gaps: times(ns), asked_ns: Some(100_000), ..GapStats::default() };
    let interval = |start_ns, packets| Interval { start_ns, packets, bytes: 60 * packets };
    let intervals = vec![interval(0, 1_000), interval(100_000_000, 500), interval(300_000_000, 1_000)];
    let stream = StreamStats {
        name: "a <b> & c".into(),
        latency: times([3_000, 8_000, 90_000, 400_000]),
        latency_intended: times([3_100, 9_000, 100_000, 500_000]),
        arrival_gaps: Some(gaps([0, 100_000, 120_000, 300_000])),
        departure_gaps: Some(gaps([90_000, 100_000, 110_000, 200_000])),
        load: Some(LoadStats { interval_ns: 100_000_000, intervals, ..LoadStats::default() }),
        ..StreamStats::default()
    };
    let machine = Machine { cpu: "Test CPU".into(), cpus: 2, kernel: "6.1.0".into() };
    let manifest = Manifest { perigee: "0.1.0".into(), machine, ..Manifest::default() };
    let snapshot = Snapshot { measured: vec![stream], ..Snapshot::default() };
    shown(name, crate::read::PastRun { manifest: Some(manifest), snapshot })
}

fn svg(units: &[Unit], what: What) -> String {
    String::from_utf8(picture(units, what, Format::Svg).unwrap()).unwrap()
}

fn points(what: What) -> Vec<Vec<(f64, f64)>> {
    curves::picture(&[run("a")], what).curves.into_iter().map(|curve| curve.points).collect()
}

#[test]
fn a_curve_has_what_is_known_and_no_more() {
    let [real, intended] = &points(What::Latency)[..] else { panic!("two curves") };
    assert_eq!(*real, [(0.0, 3.0), (50.0, 8.0), (99.0, 90.0), (99.95, 400.0)]);
    assert_eq!(intended[1], (50.0, 9.0));
    assert_eq!(points(What::LatencyCdf)[0], [(3.0, 0.0), (8.0, 50.0), (90.0, 99.0), (400.0, 100.0)]);
    let [departures, arrivals, asked] = &points(What::Gaps)[..] else { panic!("three curves") };
    assert_eq!(*departures, [(90.0, 0.0), (100.0, 50.0), (110.0, 99.0), (200.0, 100.0)]);
    assert_eq!(arrivals[0], (0.0, 0.0));
    assert_eq!(*asked, [(100.0, 0.0), (100.0, 100.0)]);
}

#[test]
fn an_interval_without_packets_is_drawn_at_zero() {
    let rate = &points(What::Rate)[0];
    let expected = [(0.0, 10.0), (0.1, 10.0), (0.1, 5.0), (0.2, 5.0), (0.2, 0.0), (0.3, 0.0), (0.3, 10.0), (0.4, 10.0)];
    assert_eq!(*rate, expected);
}

#[test]
fn a_picture_has_axes_legend_and_machine() {
    for (what, x, y) in [
        (What::Latency, "percentile (%)", "latency (us)"),
        (What::Gaps, "gap (us)", "part of the gaps"),
        (What::Rate, "start of the run (s)", "rate (kpps)"),
    ] {
        let svg = svg(&[run("before"), run("after")], what);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for text in [x, y, "before: a &lt;b&gt; &amp; c", "after: ", "Test CPU, kernel 6.1.0, perigee 0.1.0"] {
            assert!(svg.contains(text), "{what:?} has no {text:?}:\n{svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
    let svg = svg(&[run("a")], What::Latency);
    assert!(svg.contains("\n99.9\n") && svg.contains("\n100\n") && !svg.contains("a: "), "{svg}");
}

#[test]
fn runs_without_such_data_are_refused_together() {
    let empty = |name: &str| shown(name, crate::read::PastRun { manifest: None, snapshot: Snapshot::default() });
    for what in [What::Latency, What::LatencyCdf, What::Gaps, What::Rate] {
        let error = picture(&[run("a"), empty("b"), empty("c")], what, Format::Svg).unwrap_err().to_string();
        assert!(error.starts_with("b.json, c.json: no ") && error.contains("`probes`"), "{error}");
    }
}

#[test]
fn a_run_is_called_what_tells_it_apart() {
    let files = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
    assert_eq!(files(&["x/a.json", "b.json"]), ["a", "b"]);
    assert_eq!(files(&["x/a.json", "y/a.json", "b.json"]), ["x/a", "y/a", "b"]);
}

/// A log as a run writes it: a stream whose second second is slower.
fn log() -> Unit {
    let interval = |tag: &str, end: f64, from: u64| source::Interval {
        tag: tag.into(),
        end,
        buckets: (0..2_000).map(|n| (from + n * 10, 1)).collect(),
    };
    let intervals = vec![interval("a", 1.0, 1_000), interval("a.intended", 1.0, 2_000), interval("a", 2.0, 100_000)];
    let mut unit = shown("log", crate::read::PastRun { manifest: None, snapshot: Snapshot::default() });
    unit.runs[0].source.intervals = intervals;
    unit
}

#[test]
fn a_log_gives_what_a_summary_does_not_have() {
    let curves = |what| curves::picture(&[log()], what).curves;
    let over_time = curves(What::PercentilesOverTime);
    assert_eq!(over_time[0].points, [(1.0, 10.99), (2.0, 109.99)]);
    let labels: Vec<_> = over_time.iter().map(|curve| curve.label.as_str()).collect();
    assert_eq!(labels, ["a, p50", "a, p99", "a.intended, p50", "a.intended, p99"], "2,000 are too few for p99.9");
    let histogram = &curves(What::Histogram)[0].points;
    let sum: f64 = histogram.windows(2).filter(|pair| pair[0].0 < pair[1].0).map(|pair| pair[0].1).sum();
    assert!((sum - 100.0).abs() < 1e-6, "all bars together: {sum}");
    let cdf = &curves(What::LatencyCdf)[0].points;
    assert_eq!((cdf.len() < 700, cdf[0].0, *cdf.last().unwrap()), (true, 1.0, (119.99, 100.0)));
    assert!(curves(What::Rate).is_empty());
}

#[test]
fn lines_give_rates_and_percentiles_over_time() {
    let moment = |seconds: u64, packets: u64| {
        let mut snapshot = run("x").runs[0].source.run.snapshot.clone();
        snapshot.elapsed_ns = seconds * 1_000_000_000;
        snapshot.ports =
            vec![perigee_runtime::PortStats { name: "p".into(), tx_packets: packets, ..Default::default() }];
        snapshot
    };
    let mut unit = run("lines");
    unit.runs[0].source.moments = vec![moment(1, 1_000), moment(3, 9_000)];
    let rates = curves::picture(&[unit], What::RateOverTime).curves;
    assert_eq!((rates.len(), &rates[0].points), (1, &vec![(1.0, 1.0), (3.0, 4.0)]));
    let mut unit = run("lines");
    unit.runs[0].source.moments = vec![moment(1, 1_000), moment(3, 9_000)];
    let percentiles = curves::picture(&[unit], What::PercentilesOverTime).curves;
    assert_eq!(
        (percentiles[0].label.as_str(), &percentiles[0].points),
        ("a <b> & c, p50 so far", &vec![(1.0, 8.0), (3.0, 8.0)])
    );
}

#[test]
fn several_runs_have_a_median_and_a_band() {
    let mut group = run("new");
    for latency in [[2_000, 6_000, 80_000, 300_000], [4_000, 16_000, 99_000, 900_000]] {
        let mut other = run("other");
        other.runs[0].source.run.snapshot.measured[0].latency = times(latency);
        group.runs.append(&mut other.runs);
    }
    let picture = curves::picture(&[run("old"), group], What::Latency);
    let real = picture.curves.iter().find(|curve| curve.label.starts_with("new: a <b> & c, from real")).unwrap();
    assert_eq!(real.label, "new: a <b> & c, from real departure (median and spread of 3)");
    assert!(real.points.iter().any(|(at, median)| (at - 50.0).abs() < 1e-6 && (median - 8.0).abs() < 1e-6), "{real:?}");
    let (_, low, high) = real.band.iter().find(|(at, ..)| (at - 50.0).abs() < 1e-6).unwrap();
    assert!((low - 6.0).abs() < 1e-6 && (high - 16.0).abs() < 1e-6, "{real:?}");
    let old = picture.curves.iter().find(|curve| curve.label.starts_with("old: ")).unwrap();
    assert!(old.band.is_empty() && old.colour != real.colour);
}

#[test]
fn a_png_has_text_and_curves_on_it() {
    let picture = picture(&[run("a")], What::Latency, Format::Png).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&picture)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (960, 600));
    let black = |rows: std::ops::Range<usize>| {
        let rows = &pixels[rows.start * 960 * 3..rows.end * 960 * 3];
        rows.chunks(3).filter(|pixel| pixel.iter().all(|part| *part < 64)).count()
    };
    // The title's letters, for which no font of the machine is asked.
    assert!(black(0..40) > 300, "{}", black(0..40));
    let blue = pixels.chunks(3).filter(|pixel| **pixel == [0, 114, 178]).count();
    assert!(blue > 500, "{blue}");
}

#[test]
fn groups_and_formats_are_read() {
    let group = parse_group("old=a.json,b/c.json").unwrap();
    assert_eq!((group.name.as_str(), group.files.len()), ("old", 2));
    for wrong in ["a.json", "=a,b", "old=a", "old="] {
        assert!(parse_group(wrong).is_err(), "{wrong}");
    }
    assert_eq!(
        (format(Path::new("x.PNG")).unwrap(), format(Path::new("a/x.svg")).unwrap()),
        (Format::Png, Format::Svg)
    );
    assert!(format(Path::new("x.pdf")).unwrap_err().to_string().contains(".svg or .png"));
}
