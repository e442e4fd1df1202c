//! `perigee capture` where something does not go on: a slow reader, full disks, files that follow each other, readers and processes that
//! go away. What is lost is counted, and the run loses nothing.

use crate::capture_lab::{Capturing, let_go, numbered, numbers, packets, printed};
use crate::ctl_lab::Process;
use crate::modules::Bench;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const PASS: &str = "stages = [\"pass\"]";

/// The captures that a run has under way.
fn under_way(run: &Process<'_>) -> Vec<Value> {
    let answer = run.ctl_get("/v1/captures");
    let body = answer.split_once("\r\n\r\n").expect("an answer").1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_reader_that_stands_still_misses_packets_and_nobody_else_does() {
    const N: u64 = 60_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 200, "200kpps", PASS), &[]);
    let capture =
        Capturing::start(&bench, &["--at", "fwd:rx", "--at", "fwd:drops", "-w", "slow.pcapng", "--memory", "2MiB"]);
    capture.signal("STOP");
    let_go(&run, N);
    capture.signal("CONT");
    let captured = capture.stop().well();
    let found = packets(&[bench.path("slow.pcapng")]);
    let read = numbers(&found["fwd:rx"]);
    assert!(
        read.is_sorted_by(|a, b| a < b) && read.last().is_some_and(|last| u64::from(*last) == N - 1),
        "the newest are there"
    );
    assert_eq!(captured.of("fwd:rx", "seen"), N);
    assert_eq!(captured.of("fwd:rx", "written"), read.len() as u64);
    assert_eq!(captured.of("fwd:rx", "ring"), N - read.len() as u64);
    assert!(captured.of("fwd:rx", "ring") > N / 2, "{}", captured.said);
    assert_eq!(captured.of("fwd:drops", "seen"), 0);
    // By another count than the capture's own: nothing was lost on the way, and nothing waited.
    let (summary, _) = run.stop();
    let chains = summary["chains"].as_array().expect("chains");
    let of = |name: &str, key: &str| chains.iter().find(|chain| chain["name"] == name).expect("it")[key].as_u64();
    assert_eq!((of("gen", "sent"), of("fwd", "received"), of("fwd", "sent")), (Some(N), Some(N), Some(N)));
}

#[test]
fn files_follow_each_other_and_the_last_are_kept() {
    const N: u64 = 2_500;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 100, "100kpps", PASS), &[]);
    let capture =
        Capturing::start(&bench, &["--at", "fwd:tx", "-w", "a.pcapng", "--rotate-count", "400", "--keep", "3"]);
    let_go(&run, N);
    let captured = capture.stop().well();
    let names: Vec<String> = (5..=7).map(|number| format!("a-0000{number}.pcapng")).collect();
    assert_eq!(captured.counts["files"], serde_json::json!(names));
    let there = fs::read_dir(bench.path("")).expect("a folder").filter_map(Result::ok).map(|entry| entry.file_name());
    let mut there: Vec<String> =
        there.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with("a-")).collect();
    there.retain(|name| !name.ends_with(".index"));
    there.sort();
    assert_eq!(there, names);
    let files: Vec<PathBuf> = names.iter().map(|name| bench.path(name)).collect();
    assert_eq!(numbers(&packets(&files)["fwd:tx"]), (1_600..2_500).collect::<Vec<_>>());
    assert_eq!(numbers(&packets(&files[..1])["fwd:tx"]).len(), 400);
    assert_eq!((captured.of("fwd:tx", "seen"), captured.of("fwd:tx", "written")), (N, N));
    assert!(files.iter().all(|file| file.metadata().expect("it").mode() & 0o777 == 0o600));
    assert_eq!(statistics(&files), [[400, 400], [400, 400], [100, 100]]);
    run.stop();
}

/// Of each file what its one point has seen, and what was delivered.
fn statistics(files: &[PathBuf]) -> Vec<[u64; 2]> {
    use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption as Is;
    use pcap_file::pcapng::{Block, PcapNgReader};
    let of = |file: &PathBuf| {
        let mut reader = PcapNgReader::new(File::open(file).expect("a file")).expect("a section");
        let mut found = [0; 2];
        while let Some(block) = reader.next_block() {
            if let Block::InterfaceStatistics(block) = block.expect("a block") {
                for option in &block.options {
                    match option {
                        Is::IsbIfRecv(n) => found[0] = *n,
                        Is::IsbUsrDeliv(n) => found[1] = *n,
                        _ => {}
                    }
                }
            }
        }
        found
    };
    files.iter().map(of).collect()
}

#[test]
fn files_rotate_by_size_as_well() {
    const N: u64 = 2_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 1_000, "50kpps", PASS), &[]);
    let capture = Capturing::start(&bench, &["--at", "fwd:tx", "-w", "a.pcapng", "--rotate-size", "300kB"]);
    let_go(&run, N);
    let captured = capture.stop().well();
    let names = captured.counts["files"].as_array().expect("files");
    let files: Vec<PathBuf> = names.iter().map(|name| bench.path(name.as_str().expect("a name"))).collect();
    assert!(files.len() >= 7, "{files:?}");
    assert!(files.iter().all(|file| file.metadata().expect("it").len() < 310_000));
    assert_eq!(numbers(&packets(&files)["fwd:tx"]), (0..2_000).collect::<Vec<_>>());
    run.stop();
}

#[test]
fn two_hundred_megabytes_are_read_by_others_and_all_accounted_for() {
    const N: u64 = 200_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 1_000, "100kpps", PASS), &[]);
    let rotation = ["--at", "fwd:tx", "-w", "a.pcapng", "--rotate-size", "40MB", "--memory", "32MiB"];
    let capture = Capturing::start(&bench, &rotation);
    let_go(&run, N);
    let captured = capture.stop().well();
    let names = captured.counts["files"].as_array().expect("files");
    // capinfos refuses what is not whole.
    let packets = |name: &Value| {
        let told = printed("capinfos", &["-c", "-M", "-T", "-r"], &bench.path(name.as_str().expect("a name")));
        told.split_whitespace().last().and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    let found: u64 = names.iter().map(packets).sum();
    assert_eq!((captured.of("fwd:tx", "seen"), captured.of("fwd:tx", "written")), (N, found));
    assert!(found > N / 2, "a busy machine loses some, but not most: {}", captured.said);
    assert!(names.len() as u64 >= found / 45_000, "{names:?}");
    run.stop();
}

#[test]
fn a_full_disk_costs_what_does_not_fit() {
    const N: u64 = 5_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 1_000, "100kpps", PASS), &[]);
    fs::create_dir(bench.path("disk")).expect("a folder");
    // A disk of its own, in a namespace that ends with the capture: what was on it is copied out.
    let script = "mount -t tmpfs -o size=1m tmpfs disk && { \"$0\" \"$@\"; code=$?; cp disk/* out/; exit $code; }";
    fs::create_dir(bench.path("out")).expect("a folder");
    let mut command = Command::new("unshare");
    command.current_dir(bench.path("")).args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_perigee"));
    if !Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        return eprintln!("not run: no user namespaces here");
    }
    let capture =
        Capturing::start_by(&bench, command, &["--at", "fwd:tx", "-w", "disk/a.pcapng", "--rotate-size", "300kB"]);
    let_go(&run, N);
    let captured = capture.end();
    assert_eq!(captured.code, Some(1), "{}", captured.said);
    assert!(captured.said.contains("the disk is full"), "{}", captured.said);
    let names = captured.counts["files"].as_array().expect("files");
    let copied = |name: &Value| {
        bench.path("out").join(PathBuf::from(name.as_str().expect("a name")).file_name().expect("a name"))
    };
    let files: Vec<PathBuf> = names.iter().map(copied).collect();
    assert!(files.len() >= 3, "in the middle of a rotation: {files:?}");
    let read = numbers(&packets(&files)["fwd:tx"]);
    assert_eq!(read, (0..).take(read.len()).collect::<Vec<_>>(), "whole packets, in order");
    assert_eq!(captured.of("fwd:tx", "written"), read.len() as u64);
    assert!(captured.of("fwd:tx", "writer") > 0 && read.len() > 800, "{}", captured.said);
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["sent"].as_u64(), Some(2 * N));
}

#[test]
fn a_reader_at_the_other_end_may_go() {
    const N: u64 = 100_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 1_000, "50kpps", PASS), &[]);
    assert!(Command::new("mkfifo").arg(bench.path("fifo")).status().expect("mkfifo").success());
    let fifo = bench.path("fifo");
    let reader = std::thread::spawn(move || {
        let mut got = vec![0; 100_000];
        File::open(fifo).expect("the FIFO").read_exact(&mut got).expect("packets");
        got
    });
    let capture = Capturing::start(&bench, &["--at", "fwd:tx", "-w", "fifo"]);
    run.ctl(&["stream", "resume", "s"]);
    let got = reader.join().expect("a reader");
    assert_eq!(got[..4], [0x0a, 0x0d, 0x0d, 0x0a], "a section's head");
    // It has gone: that is the end.
    let captured = capture.end();
    assert_eq!(captured.code, Some(0), "{}", captured.said);
    assert!(captured.of("fwd:tx", "writer") > 0 && captured.of("fwd:tx", "written") > 0, "{}", captured.said);
    wait_for("the capture's end", || under_way(&run).is_empty());
    run.stop();
}

#[test]
fn what_was_written_before_a_kill_can_be_read_and_the_memory_comes_back() {
    const N: u64 = 2_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 300, "200kpps", PASS), &[]);
    let mut capture = Capturing::start(&bench, &["--at", "fwd:rx", "-w", "killed.pcapng", "--memory", "8MiB"]);
    let listed = under_way(&run);
    assert_eq!((listed.len(), listed[0]["at"][0].as_str()), (1, Some("fwd:rx")), "{listed:?}");
    let_go(&run, N);
    let file = bench.path("killed.pcapng");
    wait_for("the file", || file.metadata().is_ok_and(|it| it.len() > 300 * N));
    capture.signal("KILL");
    wait_for("its end", || !capture.is_running());
    assert_eq!(numbers(&packets(&[file])["fwd:rx"]), (0..2_000).collect::<Vec<_>>());
    wait_for("the capture's end", || under_way(&run).is_empty());
    // All of the memory is free again: 32 MiB of 32 MiB.
    let capture = Capturing::start(&bench, &["--at", "fwd:rx", "-w", "again.pcapng", "--memory", "32MiB"]);
    capture.stop().well();
    run.stop();
}

#[test]
fn a_capture_ends_with_its_run_and_has_its_last_drops() {
    const N: u64 = 1_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 60, "200kpps", "stages = [\"pass\", \"end\"]"), &[]);
    let capture = Capturing::start(&bench, &["--at", "fwd:rx", "--at", "fwd:drops", "-w", "all.pcapng"]);
    let_go(&run, N);
    let (summary, _) = run.stop();
    let captured = capture.end().well();
    let dropped: u64 =
        summary["accounting"]["dropped"].as_object().expect("drops").values().filter_map(Value::as_u64).sum();
    assert_eq!((captured.of("fwd:rx", "written"), captured.of("fwd:drops", "written")), (N, dropped));
    assert_eq!(dropped, N);
}

#[test]
fn a_run_that_is_killed_leaves_what_was_seen() {
    const N: u64 = 1_000;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 60, "200kpps", PASS), &[]);
    let capture = Capturing::start(&bench, &["--at", "fwd:rx", "-w", "all.pcapng"]);
    let_go(&run, N);
    run.kill();
    let captured = capture.end();
    assert_eq!((captured.code, &captured.counts["complete"]), (Some(0), &false.into()), "{}", captured.said);
    assert_eq!(numbers(&packets(&[bench.path("all.pcapng")])["fwd:rx"]), (0..1_000).collect::<Vec<_>>());
    assert_eq!(captured.of("fwd:rx", "written"), N);
}

#[test]
fn names_are_shown_and_obeyed_by_nobody() {
    const N: u64 = 10;
    let bench = Bench::new();
    let config = numbered(N, 60, "1kpps", PASS).replace("name = \"fwd\"", "name = \"a\\u001b[31m/../\\u202eb\"");
    let run = Process::start(&bench, &config, &[]);
    let capture =
        Capturing::start(&bench, &["--at", "a\u{1b}[31m/../\u{202e}b:tx", "-w", "names.pcapng", "--rotate-count", "5"]);
    run.ctl(&["stream", "resume", "s"]);
    wait_for("its packets", || bench.path("names-00002.pcapng").exists());
    let captured = capture.stop().well();
    assert!(!captured.said.contains(['\u{1b}', '\u{202e}']), "{:?}", captured.said);
    let found = packets(&[bench.path("names-00001.pcapng")]);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a\u{fffd}[31m/../\u{fffd}b:tx"]);
    run.stop();
}

#[test]
fn there_are_eight_at_a_time() {
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(1, 60, "1kpps", PASS), &[]);
    let start = |number: usize| {
        let file = format!("{number}.pcapng");
        Capturing::start(&bench, &["--at", "fwd:tx", "-w", &file, "--memory", "1MiB"])
    };
    let all: Vec<_> = (0..8).map(start).collect();
    assert_eq!(under_way(&run).len(), 8);
    let mut command = bench.command(&["capture", "--at", "fwd:tx", "-w", "9.pcapng"]);
    let output = command.env("XDG_RUNTIME_DIR", bench.path("runtime")).output().expect("it starts");
    assert!(String::from_utf8_lossy(&output.stderr).contains("8 captures are under way"));
    all.into_iter().for_each(|capture| drop(capture.stop().well()));
    wait_for("their end", || under_way(&run).is_empty());
    run.stop();
}
