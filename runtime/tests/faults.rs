//! What a module's failure leads to: dropped packets, packets that pass by, a new instance, or the end of the run.

use perigee_abi::verdict as v;
use perigee_lab::*;
use perigee_runtime::{ModuleState, ModuleStats, Run};
use std::time::{Duration, Instant};

/// A port that gives packets for ever and takes all, a chain through module `m`, and its entry's last lines.
fn config(entry: &str) -> String {
    format!(
        r#"
[[port]]
name = "p"
device = "net_null0"
pool = 1023
[[module]]
name = "m"
file = "m.wat"
{entry}
[[chain]]
source = {{ port = "p" }}
stages = ["m"]
tx = ["p"]
"#
    )
}

/// A module that passes on `good` batches, and traps in the next.
fn traps_after(good: u32) -> String {
    let pass = each("process", &verdict(v::NEXT)).replace("(export \"process\")", "$pass");
    module(&format!(
        r#"(global $n (mut i32) (i32.const 0)) {pass}
  (func (export "process") (param $count i32)
    (if (i32.eqz (local.get $count)) (then return))
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (if (i32.gt_u (global.get $n) (i32.const {good})) (then unreachable))
    (call $pass (local.get $count)))"#
    ))
}

fn wait_until(run: &Run, what: &str, is_so: impl Fn(&ModuleStats) -> bool) -> ModuleStats {
    let begin = Instant::now();
    loop {
        let snapshot = run.snapshot();
        if is_so(&snapshot.modules[0]) {
            return snapshot.modules[0].clone();
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}: {snapshot:#?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn faults(module: &ModuleStats) -> u64 {
    module.faults.values().sum()
}

#[test]
fn closed_drops_what_comes_later() {
    let bench = Bench::new();
    bench.module("m.wat", &traps_after(10));
    let run = bench.start(&config("on_fault = \"closed\"")).unwrap();
    wait_until(&run, "it fails", |m| m.state == ModuleState::Down);
    std::thread::sleep(Duration::from_millis(20));
    assert!(!run.is_finished(), "the others go on");
    let outcome = bench.finish(run);
    let (chain, module) = (&outcome.summary.snapshot.chains[0], &outcome.summary.snapshot.modules[0]);
    assert_eq!((chain.sent, outcome.dropped("trap"), chain.bypassed), (640, 64, 0));
    assert!(outcome.dropped("failed") > 0);
    assert_eq!((faults(module), module.installs, &outcome.summary.invalid), (1, 0, &None));
    assert!(module.failed.as_ref().unwrap().contains("unreachable"), "{module:?}");
}

#[test]
fn open_lets_packets_pass_by_from_the_next_batch_on() {
    let bench = Bench::new();
    bench.module("m.wat", &traps_after(10));
    let run = bench.start(&config("on_fault = \"open\"")).unwrap();
    wait_until(&run, "it fails", |m| m.state == ModuleState::Down);
    std::thread::sleep(Duration::from_millis(20));
    let outcome = bench.finish(run);
    let chain = &outcome.summary.snapshot.chains[0];
    assert_eq!((outcome.dropped("trap"), outcome.dropped("failed")), (64, 0), "the failed batch alone is lost");
    assert!(chain.bypassed > 0);
    assert_eq!(chain.sent, 640 + chain.bypassed);
}

#[test]
fn packets_that_pass_by_are_untouched() {
    let bench = Bench::new();
    // It spoils each packet before it traps in the second batch.
    let body = "(i64.store (i32.load (local.get $d)) (i64.const -1)) (i32.store offset=8 (local.get $d) (i32.const 1))";
    let spoil = each("process", body).replace("(export \"process\")", "$spoil");
    let text = format!(
        r#"(global $n (mut i32) (i32.const 0)) {spoil}
  (func (export "process") (param $count i32)
    (if (i32.eqz (local.get $count)) (then return))
    (call $spoil (local.get $count))
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (if (i32.eq (global.get $n) (i32.const 2)) (then unreachable)))"#
    );
    let input = packets(64, 60);
    bench.module("m.wat", &module(&text)).input(&input);
    let chain = CHAIN.replace("file = \"m.wat\"", "file = \"m.wat\"\non_fault = \"open\"");
    let outcome = bench.run(&bench.config(&format!("[run]\nburst = 8\n{chain}")));
    assert_eq!(outcome.dropped("trap"), 8);
    assert!(outcome.out[..8].iter().all(|packet| packet[..8] == [0xff; 8]), "the first batch went through the module");
    assert_eq!(outcome.out[8..], input[16..], "what came after the failed batch is as it was");
}

#[test]
fn a_new_instance_comes_later_each_time() {
    let bench = Bench::new();
    bench.module("m.wat", &traps_after(10));
    let run = bench.start(&config("restart = { first = \"20ms\", longest = \"10s\" }")).unwrap();
    let begin = Instant::now();
    let mut waited = Vec::new();
    for n in 1..=5 {
        let module = wait_until(&run, "it fails again", |m| faults(m) == n && m.restart_in_ns.is_some());
        waited.push(module.restart_in_ns.unwrap() / 1_000_000);
    }
    // 20 + 40 + 80 + 160 ms have passed, and the fifth instance comes 320 ms later.
    assert!(begin.elapsed() >= Duration::from_millis(300), "{waited:?}");
    for (n, ms) in waited.iter().enumerate() {
        assert!((*ms <= 20 << n) && *ms + 19 >= 20 << n, "restart {n} after {ms} ms of {waited:?}");
    }
    let outcome = bench.finish(run);
    let (chain, module) = (&outcome.summary.snapshot.chains[0], &outcome.summary.snapshot.modules[0]);
    assert_eq!((module.faults["unreachable"], module.installs), (5, 4));
    assert_eq!((chain.sent, outcome.dropped("trap")), (5 * 640, 5 * 64), "each instance did its ten batches");
    assert!(outcome.dropped("failed") > 0);
}

#[test]
fn the_breaker_opens_and_packets_pass_by_where_they_may() {
    let bench = Bench::new();
    bench.module("m.wat", &traps_after(10));
    let run = bench.start(&config("restart = { failures = 3, open = true }")).unwrap();
    wait_until(&run, "the breaker opens", |m| m.state == ModuleState::BreakerOpen);
    std::thread::sleep(Duration::from_millis(20));
    let outcome = bench.finish(run);
    let (chain, module) = (&outcome.summary.snapshot.chains[0], &outcome.summary.snapshot.modules[0]);
    assert_eq!((faults(module), module.installs, module.state), (3, 2, ModuleState::BreakerOpen));
    assert_eq!(outcome.dropped("failed"), 0);
    assert_eq!(chain.sent, 3 * 640 + chain.bypassed);
}

#[test]
fn stop_ends_the_run_and_marks_its_result() {
    let bench = Bench::new();
    bench.module("m.wat", &traps_after(10));
    let run = bench.start(&config("on_fault = \"stop\"")).unwrap();
    let begin = Instant::now();
    while !run.is_finished() {
        assert!(begin.elapsed() < Duration::from_secs(5), "the run does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
    let outcome = bench.finish(run);
    let invalid = outcome.summary.invalid.unwrap();
    assert!(invalid.contains("module \"m\" in chain \"chain0\"") && invalid.contains("unreachable"), "{invalid}");
}

#[test]
fn a_source_that_fails_ends_the_run_by_default() {
    let generator = each("generate", &verdict(v::NEXT)).replace("(export \"generate\")", "$make");
    let text = format!(
        r#"(global $n (mut i32) (i32.const 0)) {generator}
  (func (export "generate") (param $count i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (if (i32.eq (global.get $n) (i32.const 9)) (then unreachable))
    (call $make (local.get $count)))"#
    );
    for (entry, invalid) in [("", true), ("on_fault = \"closed\"", false)] {
        let bench = Bench::new();
        bench.module("m.wat", &module(&text));
        let config =
            config(entry).replace("source = { port = \"p\" }\nstages = [\"m\"]", "source = { module = \"m\" }");
        let outcome = bench.run(&config);
        assert_eq!(outcome.summary.invalid.is_some(), invalid, "{:?}", outcome.summary.invalid);
        assert_eq!(outcome.summary.accounting.created, 8 * 64);
    }
}

#[test]
fn a_new_instance_that_does_not_start_is_a_failure_too() {
    let bench = Bench::new();
    // The window is the same memory for each instance: the first leaves a note in a room's headroom, and dies.
    let text = module(
        r#"(func (export "init") (param i32) (result i32)
    (if (i32.eq (i32.load (i32.const 2097160)) (i32.const 0x600d1dea)) (then unreachable)) (i32.const 0))
  (func (export "process") (param i32)
    (i32.store (i32.const 2097160) (i32.const 0x600d1dea)) unreachable)"#,
    );
    bench.module("m.wat", &text);
    let run = bench.start(&config("restart = { failures = 6 }")).unwrap();
    wait_until(&run, "the breaker opens", |m| m.state == ModuleState::BreakerOpen);
    let outcome = bench.finish(run);
    let module = &outcome.summary.snapshot.modules[0];
    assert_eq!((module.faults["unreachable"], module.faults["start"], module.installs), (1, 5, 0), "{module:?}");
    assert!(module.last_fault.as_ref().unwrap().contains("init"), "{module:?}");
}

#[test]
fn a_trap_in_a_message_returns_what_is_held() {
    let bench = Bench::new();
    let message = r#"(func (export "message") (param i32) (result i32) unreachable)"#;
    bench.module("m.wat", &module(&format!("{message}{}", each("process", &verdict(v::HOLD)))));
    bench.input(&packets(32, 60));
    let chain =
        CHAIN.replace("[module.grants]", "on_fault = \"closed\"\n[module.grants]\nhold = 100\nhold_age = \"60s\"");
    let run = bench.start(&bench.config(&chain)).unwrap();
    let begin = Instant::now();
    while run.snapshot().chains[0].held != 32 {
        assert!(begin.elapsed() < Duration::from_secs(5), "{:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(run.message("m", b"x").unwrap_err().to_string().contains("unreachable"));
    let outcome = bench.finish(run);
    assert_eq!(outcome.dropped("trap"), 32);
    assert_eq!(outcome.summary.snapshot.modules[0].faults["unreachable"], 1);
}

#[test]
fn ten_thousand_traps() {
    let (bench, begin) = (Bench::new(), Instant::now());
    bench.module("m.wat", &traps_after(2));
    let entry = "restart = { first = \"1us\", longest = \"1us\", failures = 100000 }";
    let run = bench.start(&config(entry)).unwrap();
    while faults(&run.snapshot().modules[0]) < 10_000 {
        assert!(begin.elapsed() < Duration::from_secs(300), "{:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(50));
    }
    let outcome = bench.finish(run);
    let (chain, module) = (&outcome.summary.snapshot.chains[0], &outcome.summary.snapshot.modules[0]);
    let n = module.faults["unreachable"];
    println!("{n} traps in {:.1?}, {} restarts", begin.elapsed(), module.installs);
    assert_eq!(outcome.dropped("trap"), n * 64);
    assert_eq!(chain.batches, chain.sent / 64 + n);
    assert!(n - module.installs <= 1 && outcome.summary.snapshot.faults_lost == 0);
}

/// A generator whose packets begin with 64 bits that `prefill` writes and each batch counts up. It traps after `good` batches.
fn generator_that_traps(good: u32) -> String {
    let count = "(i64.store (i32.load (local.get $d)) (i64.add (i64.load (i32.load (local.get $d))) (i64.const 1)))";
    let make = each("generate", &format!("{count} {}", verdict(v::NEXT))).replace("(export \"generate\")", "$make");
    let prefill = each("prefill", &format!("(i64.store (i32.load (local.get $d)) (i64.const {PREFILLED}))"));
    module(&format!(
        r#"(global $n (mut i32) (i32.const 0)) {make} {prefill}
  (func (export "generate") (param $count i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (if (i32.gt_u (global.get $n) (i32.const {good})) (then unreachable))
    (call $make (local.get $count)))"#
    ))
}

const PREFILLED: u64 = 0x1000;

fn generating(entry: &str) -> String {
    format!(
        "[run]\nburst = 8\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\n{entry}\n[[chain]]\nsource = {{ module = \"m\", \
         pool = 255 }}\ntx = [\"out\"]\n"
    )
}

#[test]
fn a_generator_is_restarted_with_its_rooms_made_ready_again() {
    let bench = Bench::new();
    bench.module("m.wat", &generator_that_traps(20)).input(&packets(1, 60));
    let entry = "on_fault = \"restart\"\nrestart = { first = \"1ms\", longest = \"1ms\", failures = 1000000 }";
    let run = bench.start(&bench.config(&generating(entry))).unwrap();
    wait_until(&run, "it fails and comes again", |m| m.installs >= 20);
    let outcome = bench.finish(run);
    let (chain, module) = (&outcome.summary.snapshot.chains[0], &outcome.summary.snapshot.modules[0]);
    assert_eq!(outcome.summary.invalid, None);
    assert!(chain.sent >= 20 * 20 * 8 && faults(module) >= 20, "{chain:#?}");
    // A room that another instance has left is made ready before it is used: no count goes beyond one instance's batches.
    for packet in &outcome.out {
        let count = u64::from_le_bytes(packet[..8].try_into().unwrap());
        assert!((PREFILLED + 1..=PREFILLED + 20).contains(&count), "{count:#x}");
    }
}

#[test]
fn whoever_asks_gets_a_new_instance_though_the_breaker_is_open() {
    let bench = Bench::new();
    bench.module("m.wat", &generator_that_traps(20)).input(&packets(1, 60));
    let entry = "on_fault = \"restart\"\nrestart = { first = \"1ms\", failures = 3 }";
    let run = bench.start(&bench.config(&generating(entry))).unwrap();
    wait_until(&run, "it fails too often", |m| m.state == ModuleState::BreakerOpen);
    assert!(run.is_finished(), "nothing comes any more");
    for round in 1..=3 {
        let before = run.snapshot().modules[0].installs;
        assert_eq!(run.restart("m").unwrap(), 1);
        wait_until(&run, "it comes again", |m| m.installs > before);
        wait_until(&run, "it fails too often again", |m| m.state == ModuleState::BreakerOpen && m.installs > before);
        println!("round {round}: {} instances", run.snapshot().modules[0].installs);
    }
    assert!(run.restart("nobody").unwrap_err().to_string().contains("nobody"));
    let outcome = bench.finish(run);
    assert!(outcome.summary.snapshot.modules[0].installs >= 6);
}
