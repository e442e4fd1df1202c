//! `perigee history` and `perigee trigger`: what a run remembers is what has passed, and a dump has what was before an event and after it.

use crate::capture_lab::{Packet, let_go, numbered, numbers, packets};
use crate::ctl_lab::Process;
use crate::modules::{Bench, GOOD};
use serde_json::Value;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const N: u64 = 4_000;
const LIMIT: Duration = Duration::from_secs(40);

/// A run that remembers what comes into its second chain.
fn remembering(count: u64, rate: &str, memory: &str) -> String {
    let history = format!("[[history]]\nname = \"h\"\nat = [\"fwd:rx\"]\nmemory = \"{memory}\"\n");
    numbered(count, 100, rate, "stages = [\"pass\"]") + &history
}

/// What `perigee history` says, and its counts.
fn history(bench: &Bench, arguments: &[&str]) -> (String, Value) {
    let mut command = bench.command(&[]);
    command.arg("history").args(arguments).args(["--json", "found.json"]).env("XDG_RUNTIME_DIR", bench.path("runtime"));
    let output = command.env("NO_COLOR", "1").output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let found = fs::read_to_string(bench.path("found.json")).expect("its counts");
    fs::remove_file(bench.path("found.json")).expect("a file");
    (said, serde_json::from_str(&found).expect("JSON"))
}

/// A `perigee trigger` under way.
struct Waiting<'bench> {
    bench: &'bench Bench,
    child: Child,
    log: PathBuf,
}

impl<'bench> Waiting<'bench> {
    fn start(bench: &'bench Bench, arguments: &[&str]) -> Self {
        let log = bench.path("trigger.log");
        fs::create_dir_all(bench.path("dumps")).expect("a folder");
        let mut command = bench.command(&[]);
        command.args(["trigger", "--into", "dumps", "--json", "trigger.json"]).args(arguments).env("NO_COLOR", "1");
        command.env("XDG_RUNTIME_DIR", bench.path("runtime")).stdin(Stdio::null());
        command.stderr(File::create(&log).expect("a file"));
        let mut this = Self { bench, child: command.spawn().expect("the binary starts"), log };
        this.until("watching ");
        this
    }

    fn until(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.said().contains(text) {
            let runs = matches!(self.child.try_wait(), Ok(None));
            assert!(runs && begun.elapsed() < LIMIT, "it does not say {text:?}: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill").success());
    }

    /// Waits for its end: all that came of it.
    fn end(mut self) -> Value {
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            assert!(begun.elapsed() < LIMIT, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.wait().expect("a child").code();
        assert_eq!(code, Some(0), "{}", self.said());
        serde_json::from_str(&fs::read_to_string(self.bench.path("trigger.json")).expect("its counts")).expect("JSON")
    }

    fn stop(self) -> Value {
        self.signal("INT");
        self.end()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn recorded(bench: &Bench, file: &str) -> Vec<Packet> {
    packets(&[bench.path(file)]).remove("fwd:rx").expect("the point")
}

#[test]
fn what_has_passed_is_remembered_and_found() {
    let bench = Bench::new();
    let run = Process::start(&bench, &remembering(N, "200kpps", "4MiB"), &[]);
    let_go(&run, N);
    let (said, _) = history(&bench, &["-w", "all.pcapng"]);
    assert!(said.starts_with("4000 packets"), "{said}");
    let all: Vec<u32> = (0..u32::try_from(N).expect("few")).collect();
    assert_eq!(numbers(&recorded(&bench, "all.pcapng")), all);
    let (_, found) = history(&bench, &["h", "-w", "few.pcapng", "-f", "udp[8:4] < 100"]);
    assert_eq!(numbers(&recorded(&bench, "few.pcapng")), all[..100]);
    assert_eq!([&found["written"], &found["filter"], &found["missed"]], [100, 3_900, 0]);
    let (said, listed) = history(&bench, &[]);
    assert_eq!((&listed[0]["held"], &listed[0]["recorded"]), (&N.into(), &N.into()), "{listed}");
    assert!(said.contains("fwd:rx"), "{said}");
    let refused = |arguments: &[&str]| {
        let mut command = bench.command(&[]);
        command.arg("history").args(arguments).env("XDG_RUNTIME_DIR", bench.path("runtime"));
        String::from_utf8_lossy(&command.env("NO_COLOR", "1").output().expect("it starts").stderr).into_owned()
    };
    assert!(refused(&["-w", "all.pcapng"]).contains("it is there already"), "no file is written over");
    assert!(refused(&["x", "-w", "new.pcapng"]).contains("there is no such history"), "another name");
    assert!(refused(&["-w", "new.pcapng", "-f", "udp prot 5"]).contains("filter"), "no filter");
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
}

#[test]
fn the_newest_packets_take_the_place_of_the_oldest() {
    let (bench, count) = (Bench::new(), 30_000);
    let run = Process::start(&bench, &remembering(count, "200kpps", "1MiB"), &[]);
    let_go(&run, count);
    let (_, listed) = history(&bench, &[]);
    let held = listed[0]["held"].as_u64().expect("a number");
    assert!((1_000..15_000).contains(&held), "{listed}");
    let (_, found) = history(&bench, &["-w", "last.pcapng"]);
    let last = numbers(&recorded(&bench, "last.pcapng"));
    assert_eq!(last.len() as u64, held, "{found}");
    let end = u32::try_from(count).expect("few");
    assert_eq!(last, (end - u32::try_from(held).expect("few")..end).collect::<Vec<_>>(), "the newest, without a gap");
    run.stop();
}

#[test]
fn a_dump_has_what_was_before_and_after_and_nothing_else() {
    let bench = Bench::new();
    let run = Process::start(&bench, &remembering(N, "20kpps", "4MiB"), &[]);
    let trigger = ["--filter", "udp[8:4] = 2000", "--past", "30ms", "--future", "20ms", "--count", "1"];
    let waiting = Waiting::start(&bench, &trigger);
    let_go(&run, N);
    let outcome = waiting.end();
    let dump = &outcome["dumps"][0];
    history(&bench, &["-w", "all.pcapng"]);
    let all = recorded(&bench, "all.pcapng");
    let at = u128::from(dump["at_unix_ns"].as_u64().expect("a time"));
    let event = all.iter().find(|packet| packet.ns == at && packet.number <= 2_000).expect("the event");
    assert!(event.number > 1_900, "{event:?}");
    let wanted = all.iter().filter(|packet| packet.ns + 30_000_000 >= at && packet.ns <= at + 20_000_000);
    let wanted: Vec<u32> = wanted.map(|packet| packet.number).collect();
    assert!(wanted.len() > 500 && wanted.len() < 2_000, "{}", wanted.len());
    assert_eq!(numbers(&recorded(&bench, "dumps/dump-00001.pcapng")), wanted);
    assert_eq!((&dump["packets"], &dump["missed"], &dump["lacks_ns"]), (&wanted.len().into(), &0.into(), &0.into()));
    assert_eq!(outcome["events"]["dumped"], 1);
    run.stop();
}

/// The good module, which sends each packet whose number is a multiple of 1,024 and passes on the others.
fn module() -> String {
    GOOD.replace(
        "(i32.store offset=8 (local.get $at) (i32.const 1))",
        "(i32.store offset=8 (local.get $at) (select (i32.const 2) (i32.const 1)
          (i32.eqz (i32.and (i32.load16_u offset=44 (i32.load (local.get $at))) (i32.const 0xff03)))))",
    )
}

#[test]
fn a_module_decides_is_replaced_a_hundred_times_and_misses_nothing() {
    let bench = Bench::new();
    let run = Process::start(&bench, &remembering(N, "10kpps", "4MiB"), &[]);
    bench.write("scan.wat", &module());
    let trigger = ["--module", "scan.wat", "--past", "1ms", "--future", "1ms", "--per-minute", "100"];
    let waiting = Waiting::start(&bench, &trigger);
    run.ctl(&["stream", "resume", "s"]);
    for swaps in 1..=100 {
        waiting.signal("USR1");
        // One that comes while the last one is done would be the same one.
        let begun = Instant::now();
        while waiting.said().matches("reads ").count() < swaps && begun.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let_go(&run, N);
    std::thread::sleep(Duration::from_millis(100));
    let outcome = waiting.stop();
    let module = &outcome["module"];
    assert_eq!((&module["swaps"], &module["failures"]), (&100.into(), &0.into()), "{outcome}");
    assert_eq!((&module["packets"], &outcome["missed"]), (&N.into(), &0.into()), "{outcome}");
    assert_eq!(outcome["events"]["seen"], N.div_ceil(1_024), "{outcome}");
    for dump in outcome["dumps"].as_array().expect("dumps") {
        let path = dump["file"].as_str().expect("a path");
        assert!(recorded(&bench, path).iter().any(|packet| packet.number.is_multiple_of(1_024)), "{dump}");
    }
    run.stop();
}

#[test]
fn a_module_that_fails_harms_neither_the_run_nor_the_history() {
    let bench = Bench::new();
    let run = Process::start(&bench, &remembering(N, "100kpps", "4MiB"), &[]);
    let waiting = Waiting::start(&bench, &["--module", "traps.wat", "--per-minute", "100"]);
    let_go(&run, N);
    let outcome = waiting.stop();
    assert!(outcome["module"]["failures"].as_u64().expect("a number") > 0, "{outcome}");
    assert_eq!(outcome["events"]["seen"], 0);
    let (_, found) = history(&bench, &["-w", "all.pcapng"]);
    assert_eq!((&found["written"], &found["missed"]), (&N.into(), &0.into()));
    let (summary, _) = run.stop();
    assert_eq!(
        (&summary["accounting"]["balanced"], &summary["accounting"]["sent"]),
        (&true.into(), &(2 * N).into()),
        "both chains send them"
    );
}

#[test]
fn a_burst_and_a_failure_are_events() {
    let bench = Bench::new();
    let run = Process::start(&bench, &remembering(N, "200kpps", "4MiB"), &[]);
    let waiting = Waiting::start(&bench, &["--burst", "1kB/1ms", "--past", "1ms", "--future", "100ms", "--count", "1"]);
    let_go(&run, N);
    let outcome = waiting.end();
    let why = outcome["dumps"][0]["why"].as_str().expect("a text");
    assert!(why.starts_with("burst: 1") && why.ends_with("within 1000 us"), "{why}");
    run.stop();
}

#[test]
fn who_is_stopped_waits_for_no_future() {
    let bench = Bench::new();
    let run = Process::start(&bench, &remembering(2_000_000, "20kpps", "4MiB"), &[]);
    let waiting = Waiting::start(&bench, &["--filter", "udp[8:4] = 100", "--all", "--future", "1h"]);
    run.ctl(&["stream", "resume", "s"]);
    let begun = Instant::now();
    while !bench.path("dumps/dump-00001.pcapng").exists() {
        assert!(begun.elapsed() < LIMIT, "no dump: {}", waiting.said());
        std::thread::sleep(Duration::from_millis(5));
    }
    // Packets go on to come for longer than that may take.
    let outcome = waiting.stop();
    let numbers = numbers(&recorded(&bench, "dumps/dump-00001.pcapng"));
    assert_eq!(outcome["dumps"][0]["packets"], numbers.len(), "{outcome}");
    assert!(numbers.contains(&100) && numbers.is_sorted(), "{outcome}");
    run.stop();
}
