use super::*;
use perigee_report::{ChainStats, ModuleStats, PaceStats, PathStats, Percentile, PercentileValue, ProbeCounts};
use perigee_report::{PhaseCycles, SwapReport};
use perigee_report::{StreamStats, TimeStats};
use std::collections::{BTreeMap, BTreeSet};

/// The samples of a page in the older format: name, labels as they stand, value.
fn samples(text: &str) -> Vec<(String, String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("labels do not end: {line:?}"));
        (name.to_owned(), labels.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line:?}")))
    };
    lines.map(sample).collect()
}

fn module(counters: BTreeMap<String, u64>) -> ModuleStats {
    ModuleStats { name: "m".into(), chain: "c".into(), lcore: 1, counters, ..ModuleStats::default() }
}

fn moment(snapshot: Snapshot) -> Moment {
    Moment { snapshot: Arc::new(snapshot), name: "test".to_owned(), ..Moment::default() }
}

fn page(snapshot: Snapshot) -> String {
    text(moment(snapshot), Format::Classic)
}

#[test]
fn names_with_meaning_stay_within_their_quotes() {
    let hostile = ["a\"} 1\nperigee_uptime_seconds 666", "b\\", "", "ü\u{0}\u{1b}[31m", "le=\"1\"", "{}", "#"];
    let counters = hostile.iter().map(|name| ((*name).to_owned(), 7)).collect();
    let text = page(Snapshot { modules: vec![module(counters)], ..Snapshot::default() });
    let all = samples(&text);
    let own: Vec<_> = all.iter().filter(|(name, ..)| name == "perigee_module_own_value").collect();
    assert_eq!(own.len(), hostile.len(), "{text}");
    assert!(own.iter().all(|(_, _, value)| *value == 7.0), "{text}");
    assert_eq!(all.iter().filter(|(name, _, value)| name == "perigee_uptime_seconds" && *value != 0.0).count(), 0);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{0}'));
}

#[test]
fn a_million_names_make_no_more_series_than_are_allowed() {
    let counters: BTreeMap<_, _> = (0..1_000_000_u64).map(|i| (format!("{i}-{}", "x".repeat(100)), i)).collect();
    let text = page(Snapshot { modules: vec![module(counters)], ..Snapshot::default() });
    let all = samples(&text);
    let own: Vec<_> = all.iter().filter(|(name, ..)| name == "perigee_module_own_value").collect();
    assert_eq!(own.len(), families::MAX_OWN);
    assert!(own.iter().all(|(_, labels, _)| labels.len() < families::MAX_NAME + 60), "{}", own[0].1);
    let left = all.iter().find(|(name, ..)| name == "perigee_module_own_values_left_out").map(|(.., value)| *value);
    assert_eq!(left, Some(1_000_000.0 - 1024.0));
    assert!(text.len() < 400_000, "{} bytes", text.len());
}

#[test]
fn names_that_differ_only_behind_the_cut_are_one_series() {
    let counters = (0..5).map(|i| (format!("{}{i}", "x".repeat(64)), i)).collect();
    let all = samples(&page(Snapshot { modules: vec![module(counters)], ..Snapshot::default() }));
    let series: BTreeSet<_> = all.iter().map(|(name, labels, _)| (name, labels)).collect();
    assert_eq!(series.len(), all.len(), "a series came twice");
}

#[test]
fn a_chain_is_told_by_way_cause_and_time() {
    let times = perigee_core::batch_times::BatchTimes::default();
    // 600 ns, 2 us and 1 s with a clock of 1 GHz.
    [600, 2_000, 2_000, 1_000_000_000].iter().for_each(|cycles| times.record(*cycles));
    let chain = ChainStats {
        name: "load".into(),
        lcore: 3,
        received: 10,
        sent: 8,
        dropped: [("tx_full".to_owned(), 2)].into(),
        batch_time: times.read(&perigee_core::clock::Clock::start(1_000_000_000)),
        ..ChainStats::default()
    };
    let text = page(Snapshot { chains: vec![chain], ..Snapshot::default() });
    let value = |name: &str, label: &str| {
        let all = samples(&text);
        let found: Vec<_> = all.iter().filter(|(n, labels, _)| n == name && labels.contains(label)).collect();
        assert_eq!(found.len(), 1, "{name} {label} in\n{text}");
        found[0].2
    };
    assert!(text.contains("perigee_chain_packets_total{chain=\"load\",lcore=\"3\",way=\"received\"} 10\n"), "{text}");
    assert!(value("perigee_chain_dropped_packets_total", "cause=\"tx_full\"") == 2.0);
    let under = |bound: &str| value("perigee_chain_batch_seconds_bucket", &format!("le=\"{bound}\""));
    assert_eq!(
        [under("5e-7"), under("0.000001"), under("0.000004"), under("+Inf")].map(|n| n.to_string()),
        ["0", "1", "3", "4"]
    );
    let p50 = value("perigee_chain_batch_time_seconds", "percentile=\"50\"");
    assert!((2e-6..2.2e-6).contains(&p50), "{p50}");
    let sum = value("perigee_chain_batch_seconds_sum", "lcore=\"3\"");
    assert!((1.0..1.07).contains(&sum), "{sum}");
}

#[test]
fn cycles_of_a_chain_are_told_by_phase_with_the_packets_that_they_are_of() {
    let phases = PhaseCycles { packets: 64, rx: 640, publish: 200, guest: 1_900, collect: 90, tx: 700, free: 5 };
    let chain = ChainStats { name: "load".into(), lcore: 3, phases, ..ChainStats::default() };
    let all = samples(&page(Snapshot { chains: vec![chain], ..Snapshot::default() }));
    let told: Vec<_> = all.iter().filter(|(name, ..)| name == "perigee_chain_phase_cycles_total").collect();
    let labels = |phase: &str| format!("chain=\"load\",lcore=\"3\",phase=\"{phase}\"");
    let expected = phases.named().map(|(phase, cycles)| (labels(phase), cycles as f64));
    assert_eq!(told.iter().map(|(_, labels, value)| (labels.clone(), *value)).collect::<Vec<_>>(), expected);
    let packets = all.iter().find(|(name, ..)| name == "perigee_chain_phase_packets_total");
    assert_eq!(packets.map(|(_, labels, value)| (labels.as_str(), *value)), Some(("chain=\"load\",lcore=\"3\"", 64.0)));
}

#[test]
fn both_formats_have_the_same_samples() {
    let snapshot = Snapshot { modules: vec![module([("n".to_owned(), 1)].into())], ..Snapshot::default() };
    let open = text(moment(snapshot.clone()), Format::OpenMetrics);
    let classic = text(moment(snapshot), Format::Classic);
    assert!(open.ends_with("# EOF\n") && !classic.contains("EOF"));
    assert_eq!(samples(&open), samples(&classic));
    assert!(open.contains("# TYPE perigee_control_requests counter"), "{open}");
    assert!(classic.contains("# TYPE perigee_control_requests_total counter"), "{classic}");
    assert!(classic.contains("# TYPE perigee_build_info gauge"), "{classic}");
    assert_eq!(Format::wanted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"), Format::OpenMetrics);
    assert_eq!(Format::wanted("*/*"), Format::Classic);
}

#[test]
fn swaps_are_told_by_result_with_the_time_of_the_last() {
    let swap = SwapReport { number: 2, module: "fw".into(), max_pause_ns: 250_000, lost: 0, ..SwapReport::default() };
    let swaps = Swaps { done: 2, refused: 1, latest: vec![swap], ..Swaps::default() };
    let text = text(Moment { swaps: Arc::new(swaps), ..moment(Snapshot::default()) }, Format::Classic);
    for line in [
        "perigee_swaps_total{result=\"done\"} 2",
        "perigee_swaps_total{result=\"refused\"} 1",
        "perigee_swap_last_pause_seconds{module=\"fw\"} 0.00025",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
}

#[test]
fn streams_and_paths_are_told_with_their_latencies() {
    let told = |name: &str, value| Percentile { name: name.to_owned(), value };
    let latency = TimeStats {
        count: 20,
        min_ns: Some(400),
        max_ns: Some(9_000),
        percentiles: vec![
            told("p50", PercentileValue::Ns(1_500)),
            told("p99.9", PercentileValue::Refused { needs: 10_000, samples: 20 }),
        ],
        ..TimeStats::default()
    };
    let probes = ProbeCounts { sent: 25, in_time: 20, late: 1, lost: 3, outstanding: 1, ..ProbeCounts::default() };
    let text = page(Snapshot {
        streams: vec![PaceStats { name: "voice".into(), sent: 250, late: 4, ..PaceStats::default() }],
        measured: vec![StreamStats {
            name: "voice".into(),
            probes,
            latency: latency.clone(),
            ..StreamStats::default()
        }],
        paths: vec![PathStats { name: "dut".into(), latency, ..PathStats::default() }],
        ..Snapshot::default()
    });
    let all = samples(&text);
    let value = |name: &str, labels: &str| {
        let found: Vec<_> = all.iter().filter(|(n, l, _)| n == name && l == labels).map(|(.., value)| *value).collect();
        assert!(found.len() < 2, "{name} {labels} twice");
        found.first().copied()
    };
    assert_eq!(value("perigee_stream_packets_total", "stream=\"voice\""), Some(250.0));
    assert_eq!(value("perigee_stream_state", "stream=\"voice\",state=\"waiting\""), Some(1.0));
    assert_eq!(value("perigee_stream_probes_total", "stream=\"voice\",fate=\"in_time\""), Some(20.0));
    assert_eq!(value("perigee_stream_probes_lost", "stream=\"voice\""), Some(3.0));
    let real = |percentile| {
        let labels = format!("stream=\"voice\",from=\"real\",percentile=\"{percentile}\"");
        value("perigee_stream_latency_seconds", &labels)
    };
    assert_eq!([real("0"), real("50"), real("100"), real("99.9")], [Some(4e-7), Some(1.5e-6), Some(9e-6), None]);
    assert_eq!(value("perigee_path_latency_seconds", "path=\"dut\",percentile=\"50\""), Some(1.5e-6));
}
