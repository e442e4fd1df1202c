//! Whoever tells a run's figures tells the same ones: the control socket, metrics, the page, JSON lines, CSV, and the summary.

use crate::capture_lab::{let_go, numbered};
use crate::ctl_lab::{Process, http, request};
use crate::modules::Bench;
use crate::web_lab::{Web, json_of};
use serde_json::Value;

const N: u64 = 3_000;

/// A sample of the metrics' page.
fn sample(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{series}: {page}"));
    line.trim().parse().unwrap_or_else(|_| panic!("{series}: {line}"))
}

/// What does not change any more once all packets have come.
fn figures(stats: &Value) -> Vec<(String, Value)> {
    let probes = ["sent", "in_time", "lost", "outstanding"].map(|key| stats["measured"][0]["probes"][key].clone());
    let ports = ["rx_packets", "tx_packets", "tx_bytes"].map(|key| stats["ports"][0][key].clone());
    let chains = [("received", 1), ("sent", 1), ("created", 0)].map(|(key, chain)| stats["chains"][chain][key].clone());
    // Of polls that brought packets, so these stand still as well.
    let phases = [stats["chains"][1]["phases"].clone()];
    let times = ["min_ns", "max_ns", "mean_ns", "percentiles"].map(|key| stats["measured"][0]["latency"][key].clone());
    let stream = ["sent", "sent_bytes", "late"].map(|key| stats["streams"][0][key].clone());
    let named =
        |name: &str, values: &[Value]| values.iter().map(|value| (name.to_owned(), value.clone())).collect::<Vec<_>>();
    [
        named("probes", &probes),
        named("port", &ports),
        named("chain", &chains),
        named("phases", &phases),
        named("latency", &times),
        named("stream", &stream),
    ]
    .concat()
}

#[test]
fn all_that_tell_figures_tell_the_same() {
    let bench = Bench::new();
    let config = numbered(N, 100, "50kpps", "stages = [\"pass\"]") + "probes = { received_by = [\"fwd\"] }\n";
    let config = config.replacen("[run]", "[run]\nweb = \"127.0.0.1:0\"", 1);
    let files = ["--json-lines", "lines.jsonl", "--csv", "rates.csv", "--every", "100ms"];
    let run = Process::start(&bench, &config, &files);
    let_go(&run, N);
    let web = Web::of(&run);
    let ask = |path| http(&run.socket(), request("GET", path, "").as_bytes());
    let stats = json_of(&ask("/v1/stats"));
    let told = figures(&stats);
    assert_eq!(stats["measured"][0]["probes"]["in_time"], N, "{stats}");
    assert!(stats["measured"][0]["latency"]["percentiles"].as_array().is_some_and(|all| !all.is_empty()));
    assert_eq!(figures(&json_of(&web.ask("GET", "/api/v1/stats", &web.known(), ""))), told, "the page");
    assert_eq!(figures(&serde_json::from_str(&run.ctl(&["stats", "--json"])).expect("JSON")), told, "perigee ctl");

    let page = ask("/v1/metrics");
    let number = |value: &Value| value.as_f64().expect("a number");
    let same = |series: &str, value: &Value| assert_eq!(sample(&page, series), number(value), "{series}");
    same("perigee_stream_packets_total{stream=\"s\"}", &stats["streams"][0]["sent"]);
    same("perigee_stream_probes_total{stream=\"s\",fate=\"in_time\"}", &stats["measured"][0]["probes"]["in_time"]);
    same("perigee_stream_probes_lost{stream=\"s\"}", &stats["measured"][0]["probes"]["lost"]);
    same("perigee_port_packets_total{port=\"loop\",way=\"rx\"}", &stats["ports"][0]["rx_packets"]);
    let (lcore, phases) = (&stats["chains"][1]["lcore"], &stats["chains"][1]["phases"]);
    for phase in ["rx", "publish", "guest", "collect", "tx", "free"] {
        let series = format!("perigee_chain_phase_cycles_total{{chain=\"fwd\",lcore=\"{lcore}\",phase=\"{phase}\"}}");
        same(&series, &phases[phase]);
    }
    same(&format!("perigee_chain_phase_packets_total{{chain=\"fwd\",lcore=\"{lcore}\"}}"), &phases["packets"]);
    let longest = sample(&page, "perigee_stream_latency_seconds{stream=\"s\",from=\"real\",percentile=\"100\"}");
    assert!((longest * 1e9 - number(&stats["measured"][0]["latency"]["max_ns"])).abs() < 1.0, "{longest}");

    let (summary, _) = run.stop();
    assert_eq!(figures(&summary), told, "the summary");
    let lines = bench.read("lines.jsonl");
    let last: Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    assert_eq!(figures(&last), told, "JSON lines");
    let rates = bench.read("rates.csv");
    let totals = |way: &str| {
        let row = rates.lines().rfind(|row| row.contains("loop") && row.contains(way)).expect("a row");
        row.split(',').rev().nth(1).expect("a column").parse::<u64>().expect("a number")
    };
    assert_eq!(totals("RX"), stats["ports"][0]["rx_packets"].as_u64().expect("a number"), "{rates}");
    assert_eq!(totals("TX"), stats["ports"][0]["tx_packets"].as_u64().expect("a number"), "{rates}");
    assert_eq!(summary["accounting"]["balanced"], true);
}
