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

fn run(name: &str) -> Shown {
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
    Shown { name: name.into(), file: format!("{name}.json"), run: read::PastRun { manifest: Some(manifest), snapshot } }
}

fn points(what: What) -> Vec<Vec<(f64, f64)>> {
    curves::picture(&[run("a")], what).curves.into_iter().map(|curve| curve.points).collect()
}

#[test]
fn a_curve_has_what_is_known_and_no_more() {
    let [real, intended] = &points(What::Latency)[..] else { panic!("two curves") };
    assert_eq!(*real, [(0.0, 3.0), (50.0, 8.0), (99.0, 90.0), (99.95, 400.0)]);
    assert_eq!(intended[1], (50.0, 9.0));
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
        let svg = picture(&[run("before"), run("after")], what).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for text in [x, y, "before: a &lt;b&gt; &amp; c", "after: ", "Test CPU, kernel 6.1.0, perigee 0.1.0"] {
            assert!(svg.contains(text), "{what:?} has no {text:?}:\n{svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
    let svg = picture(&[run("a")], What::Latency).unwrap();
    assert!(svg.contains("\n99.9\n") && svg.contains("\n100\n") && !svg.contains("a: "), "{svg}");
}

#[test]
fn runs_without_such_data_are_refused_together() {
    let empty = |name: &str| {
        let run = read::PastRun { manifest: None, snapshot: Snapshot::default() };
        Shown { name: name.into(), file: format!("{name}.json"), run }
    };
    for what in [What::Latency, What::Gaps, What::Rate] {
        let error = picture(&[run("a"), empty("b"), empty("c")], what).unwrap_err().to_string();
        assert!(error.starts_with("b.json, c.json: no ") && error.contains("`probes`"), "{error}");
    }
}

#[test]
fn a_run_is_called_what_tells_it_apart() {
    let files = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
    assert_eq!(files(&["x/a.json", "b.json"]), ["a", "b"]);
    assert_eq!(files(&["x/a.json", "y/a.json", "b.json"]), ["x/a", "y/a", "b"]);
}
