//! Trials that say which side of a capture is slow.

use crate::capture_lab::{Capturing, let_go, numbered};
use crate::ctl_lab::Process;
use crate::modules::Bench;
use serde_json::Value;
use std::fs;

#[test]
fn all_but_the_disk_counts_and_writes_nothing() {
    const N: u64 = 20_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 500, "100kpps", "stages = [\"pass\"]"), &[]);
    let there = || fs::read_dir(bench.path("")).expect("a folder").count();
    let capture = Capturing::start(&bench, &["--at", "fwd:rx", "--dry-disk"]);
    let before = there();
    let_go(&run, N);
    let captured = capture.stop().well();
    assert_eq!((captured.of("fwd:rx", "written"), there()), (N, before), "no file has come");
    let dry = &captured.counts["dry"];
    let [packets, bytes] = ["packets", "bytes"].map(|key| dry[key].as_u64().expect("a number"));
    let busy = dry["busy"].as_f64().expect("a part");
    assert!(packets == N && bytes > N * 500 && 0.0 < busy && busy < 1.0, "{dry}");
    assert!(captured.said.contains("all but the disk: ") && captured.said.contains("this side would do for"));
    let refused = bench.perigee(&["capture", "--at", "fwd:rx", "--dry-disk", "-w", "x.pcapng"]);
    assert!(refused.err.contains("cannot be used with"), "{}", refused.err);
    run.stop();
}

#[test]
fn nothing_but_the_disk_needs_no_run_and_leaves_nothing() {
    let bench = Bench::new();
    fs::create_dir(bench.path("disk")).expect("a folder");
    let said = bench.perigee(&[
        "capture",
        "--dry-net",
        "600",
        "-w",
        "disk/t.pcapng",
        "--count",
        "100000",
        "--rotate-size",
        "10MB",
        "--json",
        "dry.json",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("nothing but the disk: "), "{}", said.err);
    assert_eq!(fs::read_dir(bench.path("disk")).expect("it").count(), 0, "files and indexes are gone");
    let dry: Value = serde_json::from_str(&bench.read("dry.json")).expect("JSON");
    assert_eq!(dry["packets"], 100_000);
    assert!(
        dry["bytes"].as_u64().is_some_and(|bytes| bytes > 60_000_000) && dry["seconds"].as_f64() > Some(0.0),
        "{dry}"
    );
    // A file that fails as a broken disk does: nothing is at address 0 of any process.
    let broken = ["capture", "--dry-net", "-w", "/proc/self/mem", "--overwrite", "--count", "1"];
    let said = bench.perigee(&broken);
    assert!(said.code == Some(1) && said.err.contains("the disk fails: see the kernel's log"), "{}", said.err);
    // What is there stays.
    bench.write("disk/mine.pcapng", "mine");
    let said = bench.perigee(&["capture", "--dry-net", "-w", "disk/mine.pcapng", "--count", "1"]);
    assert!(said.code == Some(1) && said.err.contains("is there already"), "{}", said.err);
    assert_eq!(bench.read("disk/mine.pcapng"), "mine");
    let said = bench.perigee(&["capture", "--dry-net", "-w", "-", "--count", "1"]);
    assert!(said.code == Some(1) && said.err.contains("is about a disk"), "{}", said.err);
}
