//! The control server in a host program: a run is served, changed, given back, and stopped with nothing lost.

use perigee_abi::verdict as v;
use perigee_control::{self as control, Listener, ModuleEntry, Settings, Target};
use perigee_lab::{Bench, CHAIN, check, each, module, verdict};
use perigee_runtime::config::{Action, Config};
use perigee_runtime::load::Upload;
use perigee_runtime::{
    ApplyReport, Distribution, Error, Graph, PaceStats, Run, Snapshot, StreamChange as Change, SwapOptions, SwapReport,
    Swaps,
};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn ask(socket: &Path, method: &str, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nhost: p\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_host_program_gets_its_run_back_from_the_server() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::NEXT)))).input(&perigee_lab::packets(1_000, 64));
    let config = Config::parse(&bench.config(CHAIN), "test.toml").unwrap();
    let path = bench.path("run.sock");
    let socket = Listener::bind(&path).unwrap();
    let run = Arc::new(Run::start(&config, path.parent().unwrap()).unwrap());
    let server = control::serve(Settings { socket: Some(socket), ..Settings::new("test") }, run.clone()).unwrap();
    let begun = Instant::now();
    while !run.is_finished() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the run does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    let stats = ask(&path, "GET", "/v1/stats");
    let body: serde_json::Value = serde_json::from_str(stats.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["chains"][0]["received"], 1_000, "{stats}");
    let times = &body["chains"][0]["batch_time"];
    // 1,000 packets are 16 batches of 64; each poll with packets was timed.
    assert!(times["count"].as_u64().unwrap() >= 16 && times["max_ns"].as_u64().unwrap() > 0, "{times}");
    assert!(times["p50_ns"].as_u64() <= times["p99_ns"].as_u64(), "{times}");
    let modules = ask(&path, "GET", "/v1/modules/m");
    assert!(modules.contains("\"grants\"") && modules.contains("\"domain\":\"own\""), "{modules}");
    // Without a log to filter there is nothing to ask.
    assert!(ask(&path, "GET", "/v1/log-level").starts_with("HTTP/1.1 404 "));
    assert!(!server.stop_asked());
    assert!(ask(&path, "POST", "/v1/stop").starts_with("HTTP/1.1 202 "));
    assert!(server.stop_asked());

    let file = server.close().unwrap();
    assert!(UnixStream::connect(&path).is_err(), "a closed server answers nobody");
    let summary = Arc::into_inner(run).expect("the server has no share any more").stop();
    check(&summary);
    assert_eq!(summary.accounting.sent, 1_000);
    assert!(path.exists());
    drop(file);
    assert!(!path.exists(), "the file goes when the run has ended");
}

#[test]
fn a_server_that_is_dropped_ends_as_well() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP)))).input(&perigee_lab::packets(10, 64));
    let config = Config::parse(&bench.config(CHAIN), "test.toml").unwrap();
    let path = bench.path("run.sock");
    let run = Arc::new(Run::start(&config, path.parent().unwrap()).unwrap());
    let settings = Settings { socket: Some(Listener::bind(&path).unwrap()), ..Settings::new("test") };
    drop(control::serve(settings, run.clone()).unwrap());
    assert!(!path.exists());
    check(&Arc::into_inner(run).expect("no share is left").stop());
}

/// A run whose lcores take their time.
#[derive(Default)]
struct Slow {
    snapshots: AtomicUsize,
}

impl Target for Slow {
    fn snapshot(&self) -> Snapshot {
        self.snapshots.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(400));
        Snapshot::default()
    }

    fn modules(&self) -> Vec<ModuleEntry> {
        Vec::new()
    }

    fn message(&self, _module: &str, _bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(Vec::new())
    }

    fn restart(&self, _module: &str) -> Result<usize, Error> {
        Ok(0)
    }

    fn change_stream(&self, stream: &str, change: Change) -> Result<PaceStats, Error> {
        Err(Error::Request(format!("no stream {stream:?} to change: {change:?}")))
    }

    fn graph(&self) -> Graph {
        Graph::default()
    }

    fn latency(&self, _stream: &str) -> Option<Distribution> {
        None
    }

    fn swap(&self, _module: &str, _upload: Upload, _options: &SwapOptions) -> Result<SwapReport, Error> {
        Ok(SwapReport::default())
    }

    fn diff(&self, _new: &Config, _files: &BTreeMap<String, Upload>) -> Result<Vec<Action>, Error> {
        Ok(Vec::new())
    }

    fn apply(&self, _new: &Config, _files: &BTreeMap<String, Upload>) -> Result<ApplyReport, Error> {
        Ok(ApplyReport::default())
    }

    fn swaps(&self) -> Option<Swaps> {
        None
    }
}

#[test]
fn all_who_ask_a_slow_run_share_its_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slow.sock");
    let settings = Settings { socket: Some(Listener::bind(&path).unwrap()), ..Settings::new("slow") };
    let slow = Arc::new(Slow::default());
    let server = control::serve(settings, slow.clone()).unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert!(ask(&path, "GET", "/v1/stats").starts_with("HTTP/1.1 200 ")));
        }
    });
    let (took, snapshots) = (begun.elapsed(), slow.snapshots.load(Ordering::Relaxed));
    println!("50 clients in {took:.1?}, {snapshots} snapshots of 400 ms");
    assert!(took < Duration::from_secs(4) && snapshots <= 5, "{took:?}, {snapshots}");
    drop(server);
}
