//! Metrics as Prometheus and its linter see them, and as our pages tell of them.

use crate::ctl_lab::{CONFIG, Process, request, status_of};
use crate::modules::Bench;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// A number of a port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port").port()
}

fn get(port: u16, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    stream.write_all(request("GET", path, "").as_bytes()).expect("a request");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    if status_of(&answer) != 200 {
        return String::new();
    }
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// Killed with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn prometheus(bench: &Bench, target: u16, own: u16) -> Server {
    let config = format!(
        "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\nscrape_configs:\n  - job_name: perigee\n    \
         static_configs: [{{ targets: [\"127.0.0.1:{target}\"] }}]\n"
    );
    bench.write("prometheus.yml", &config);
    let log = File::create(bench.path("prometheus.log")).expect("a file");
    let mut command = Command::new("prometheus");
    command.arg(format!("--web.listen-address=127.0.0.1:{own}"));
    command.arg(format!("--config.file={}", bench.path("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", bench.path("tsdb").display()));
    let child = command.stdout(Stdio::null()).stderr(log).spawn();
    Server(child.expect("prometheus is not installed; get it with: apt-get install prometheus"))
}

/// The value that a query has; `None` while it has none.
fn query(port: u16, query: &str) -> Option<f64> {
    let answer: Value = serde_json::from_str(&get(port, &format!("/api/v1/query?query={query}"))).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
fn prometheus_reads_what_the_run_counts() {
    let bench = Bench::new();
    let (target, own) = (free_port(), free_port());
    let run = Process::start(&bench, CONFIG, &["--metrics", &format!("127.0.0.1:{target}")]);
    let server = prometheus(&bench, target, own);
    let queries = [
        "up",
        "rate(perigee_chain_packets_total%7Bway=%22sent%22%7D%5B5s%5D)",
        "histogram_quantile(0.99,rate(perigee_chain_batch_seconds_bucket%5B5s%5D))",
        "perigee_chain_batch_time_seconds%7Bpercentile=%2299%22%7D",
        "perigee_pool_rooms%7Bpool=%22copies%22%7D",
        "perigee_build_info",
    ];
    let begun = Instant::now();
    let values = loop {
        let values: Vec<_> = queries.iter().map(|text| query(own, text)).collect();
        if values.iter().all(|value| value.is_some_and(f64::is_normal)) {
            break values.into_iter().flatten().collect::<Vec<_>>();
        }
        let log = fs::read_to_string(bench.path("prometheus.log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(40), "Prometheus has {values:?}\n{log}");
        std::thread::sleep(Duration::from_millis(200));
    };
    println!(
        "up {}, {:.0} packets/s, p99 {} s (of a window), {} s (of all)",
        values[0], values[1], values[2], values[3]
    );
    assert!(values[0] == 1.0 && values[5] == 1.0 && values[4] == 2047.0, "{values:?}");
    assert!(values[1] > 1000.0 && values[2] < 1.0 && values[3] < 1.0, "{values:?}");
    drop(server);
    run.stop();
}

#[test]
fn the_linter_finds_nothing_and_the_pages_name_what_there_is() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let page = run.ctl(&["metrics"]);
    bench.write("metrics", &page);
    let input = File::open(bench.path("metrics")).expect("the page");
    let linter = Command::new("promtool").args(["check", "metrics"]).stdin(input).output();
    let said = linter.expect("promtool is not installed; get it with: apt-get install prometheus");
    let complaints = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && complaints.is_empty(), "{complaints}\n{page}");

    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let families: BTreeSet<&str> = families.collect();
    let told = |file: &str| fs::read_to_string(Path::new(DOCS).join(file)).expect("a page");
    let dashboard = told("dashboard.json");
    let parsed: Value = serde_json::from_str(&dashboard).expect("the dashboard is JSON");
    assert!(parsed["panels"].as_array().is_some_and(|panels| panels.len() >= 8));
    for (file, text) in [("control.md", told("control.md")), ("dashboard.json", dashboard)] {
        let named = text.split("perigee_").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            format!("perigee_{}", rest[..end].trim_end_matches("_bucket"))
        });
        let unknown: Vec<_> =
            named.filter(|name| name != "perigee_runtime" && !families.contains(name.as_str())).collect();
        assert!(unknown.is_empty(), "{file} names what there is not: {unknown:?}");
    }
    let page = told("control.md");
    let missing: Vec<_> = families.iter().filter(|family| !page.contains(**family)).collect();
    assert!(missing.is_empty(), "control.md does not name {missing:?}");
    run.stop();
}
