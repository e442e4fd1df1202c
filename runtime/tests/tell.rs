//! Modules tell modules something: it comes to every instance, in order, or to none.

use perigee_abi::verdict as v;
use perigee_lab::simulated::LINE;
use perigee_lab::{Bench, MAILBOX, each, module, verdict};
use perigee_runtime::{ModuleStats, Run, Snapshot, SwapOptions, config::Config};
use std::time::{Duration, Instant};

/// Tells numbers from 0 to `last`, so many attempts in a tick; the next number is told when the one before was. A message asks how
/// often it was refused, and with what.
fn teller(each_tick: u32, last: u32) -> String {
    let process = each("process", &verdict(v::NEXT));
    let text = module(&format!(
        r#"(global $next (mut i32) (i32.const 0))
  (global $answer (mut i32) (i32.const 0))
  (func $tell_next
    (if (i32.ge_u (global.get $next) (i32.const {last})) (then (return)))
    (i32.store (i32.const 1024) (global.get $next))
    (global.set $answer (call $tell (i32.const 0) (i32.const 1024) (i32.const 4)))
    (if (i32.eqz (global.get $answer)) (then (global.set $next (i32.add (global.get $next) (i32.const 1))))))
  (func (export "init") (param i32) (result i32)
    (if (i32.ge_s (call $tell (i32.const 0) (i32.const 1024) (i32.const 4)) (i32.const 0)) (then unreachable))
    (i32.const 0))
  (func (export "tick") (local $left i32)
    (local.set $left (i32.const {each_tick}))
    (loop $more
      (call $tell_next)
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left))))
  (func (export "message") (param i32) (result i32)
    (i32.store (i32.const {MAILBOX}) (global.get $answer))
    (i32.const 4))
  {process}"#
    ));
    let import = "(import \"perigee\" \"tell\" (func $tell (param i32 i32 i32) (result i32)))\n  (memory (export";
    text.replacen("(memory (export", import, 1)
}

/// Takes the numbers from 0 on, and none but the next; keeps the count when it is replaced. `build` makes builds differ.
fn hearer(build: u32) -> String {
    let process = each("process", &verdict(v::NEXT));
    module(&format!(
        r#"(global $next (mut i32) (i32.const 0))
  (data (i32.const 2048) "{build}")
  (func (export "message") (param $len i32) (result i32)
    (if (i32.eqz (local.get $len)) (then
      (i32.store (i32.const {MAILBOX}) (global.get $next))
      (return (i32.const 4))))
    (if (i32.ne (i32.load (i32.const {MAILBOX})) (global.get $next)) (then unreachable))
    (global.set $next (i32.add (global.get $next) (i32.const 1)))
    (i32.const 0))
  (func (export "save") (result i32)
    (i32.store (i32.const {MAILBOX}) (global.get $next))
    (i32.const 4))
  (func (export "restore") (param $len i32) (result i32)
    (if (local.get $len) (then (global.set $next (i32.load (i32.const {MAILBOX})))))
    (i32.const 0))
  {process}"#
    ))
}

/// Two lcores, with a hearer each that has packets to look at as well; the teller is beside one of them.
const CONFIG: &str = r#"
[run]
burst = 16
[[port]]
name = "p"
device = "net_null0"
[[port]]
name = "q"
device = "net_null1"
[[port]]
name = "r"
device = "net_null2"
[[module]]
name = "teller"
file = "teller.wat"
grants = { tell = ["hearer"] }
[[module]]
name = "hearer"
file = "hearer.wat"
on_fault = "closed"
[[chain]]
name = "tells"
lcores = [0]
source = { port = "p" }
stages = ["teller"]
[[chain]]
name = "hears"
lcores = [0]
source = { port = "q" }
stages = ["hearer"]
[[chain]]
name = "hears too"
lcores = [1]
source = { port = "r" }
stages = ["hearer"]
"#;

fn start(bench: &Bench, teller: &str) -> Run {
    bench.module("teller.wat", teller).module("hearer.wat", &hearer(0));
    bench.start(CONFIG).unwrap()
}

fn of<'s>(snapshot: &'s Snapshot, name: &str) -> Vec<&'s ModuleStats> {
    snapshot.modules.iter().filter(|module| module.name == name).collect()
}

/// Waits until all hearers have heard so much, and looks at what was counted.
fn wait_for(run: &Run, last: u32) -> Snapshot {
    let begin = Instant::now();
    loop {
        let snapshot = run.snapshot();
        let hearers = of(&snapshot, "hearer");
        assert!(hearers.iter().all(|module| module.failed.is_none()), "out of order: {hearers:#?}");
        if hearers.iter().all(|module| module.heard == u64::from(last)) {
            return snapshot;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "not heard: {:#?}", snapshot.modules);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_is_told_comes_to_every_instance_in_order() {
    let bench = Bench::new();
    let run = start(&bench, &teller(3, 2_000));
    let snapshot = wait_for(&run, 2_000);
    assert_eq!(of(&snapshot, "teller")[0].told, 2_000);
    assert!(of(&snapshot, "hearer").iter().all(|module| module.hear_refused == 0 && module.told == 0));
    assert_eq!(run.message("hearer", b"").unwrap(), [2_000_u32.to_le_bytes(); 2]);
    bench.finish(run);
}

/// A tick has more to tell than a queue takes: what is refused is counted, and told again it comes in its place.
#[test]
fn a_full_queue_refuses_and_is_counted() {
    let bench = Bench::new();
    let run = start(&bench, &teller(200, 2_000));
    let snapshot = wait_for(&run, 2_000);
    let teller = of(&snapshot, "teller")[0];
    assert_eq!(teller.told, 2_000);
    assert!(teller.tell_full > 100, "{teller:#?}");
    bench.finish(run);
}

#[test]
fn instances_are_replaced_while_they_are_told() {
    let bench = Bench::new();
    let run = start(&bench, &teller(10, 10_000));
    for build in 1..=20 {
        let mut options = SwapOptions::default();
        options.grace = Duration::from_millis(if build % 2 == 0 { 0 } else { 20 });
        let report = run.swap("hearer", hearer(build).as_bytes(), &options).unwrap();
        assert_eq!(report.lost, 0, "{report:#?}");
    }
    let snapshot = wait_for(&run, 10_000);
    assert!(of(&snapshot, "hearer").iter().all(|module| module.installs == 20), "{snapshot:#?}");
    bench.finish(run);
}

/// One that does not run takes nothing, and keeps nobody from telling the others.
#[test]
fn an_instance_that_has_failed_hears_nothing() {
    let bench = Bench::new();
    let run = start(&bench, &teller(3, 2_000));
    // A number that is not the next: the first instance that gets it fails, and with it the message to the second.
    run.message("hearer", &u32::MAX.to_le_bytes()).unwrap_err();
    let begin = Instant::now();
    loop {
        let snapshot = run.snapshot();
        let hearers = of(&snapshot, "hearer");
        let done = hearers.iter().all(|module| module.heard + module.hear_refused >= 2_000);
        if done {
            assert!(hearers.iter().any(|module| module.hear_refused > 0), "{hearers:#?}");
            assert_eq!(of(&snapshot, "teller")[0].told, 2_000);
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{:#?}", snapshot.modules);
        std::thread::sleep(Duration::from_millis(2));
    }
    bench.finish(run);
}

#[test]
fn who_is_not_granted_it_tells_nobody() {
    let bench = Bench::new();
    bench.module("teller.wat", &teller(1, 10)).module("hearer.wat", &hearer(0));
    let run = bench.start(&CONFIG.replace("grants = { tell = [\"hearer\"] }", "")).unwrap();
    let begin = Instant::now();
    while of(&run.snapshot(), "teller")[0].hostcalls_denied < 10 {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:#?}", run.snapshot().modules);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(run.message("teller", b"").unwrap(), [(-3_i32).to_le_bytes()]);
    let snapshot = run.snapshot();
    assert!(snapshot.modules.iter().all(|module| module.told + module.tell_full + module.heard == 0));
    bench.finish(run);
}

#[test]
fn whom_nobody_can_tell_anything_is_named_before_the_start() {
    let unknown = Config::parse(&CONFIG.replace("tell = [\"hearer\"]", "tell = [\"haerer\"]"), "test.toml");
    let unknown = unknown.unwrap_err().to_string();
    assert!(unknown.contains("unknown module \"haerer\"; did you mean \"hearer\"?"), "{unknown}");
    let bench = Bench::new();
    bench.module("teller.wat", &teller(1, 10)).module("hearer.wat", &module(&each("process", "")));
    let deaf = bench.start(CONFIG).unwrap_err().to_string();
    assert!(deaf.contains("\"teller\"") && deaf.contains("\"hearer\"") && deaf.contains("\"message\""), "{deaf}");
    // Nor can a module that listens be replaced by one that does not.
    let run = start(&bench, &teller(1, 10));
    let text = module(&each("process", ""));
    let mut options = SwapOptions::default();
    options.fresh = true;
    let deaf = run.swap("hearer", text.as_bytes(), &options).unwrap_err().to_string();
    assert!(deaf.contains("exports no \"message\""), "{deaf}");
    bench.finish(run);
}

/// In virtual time: the same again by the same seed, over a swap.
#[test]
fn a_simulation_tells_the_same_again() {
    let bench = Bench::new();
    perigee_lab::simulated::lay_modules(&bench.path(""));
    bench.module("fn.wat", &hearer(0)).module("fn2.wat", &hearer(1));
    bench.module("teller.wat", &teller(100, 400));
    let config = LINE.replace("stages = [\"fn\", \"to-ring\"]", "stages = [\"fn\", \"to-ring\", \"teller\"]");
    let config = config.replace(
        "[[chain]]\nname = \"generate\"",
        "[[module]]\nname = \"teller\"\nfile = \"teller.wat\"\ngrants = { tell = [\"fn\"] }\n[[chain]]\nname = \"generate\"",
    ) + "[[sim.event]]\nat = \"1ms..3ms\"\nswap = { module = \"fn\", file = \"fn2.wat\", grace = \"200us\" }\n";
    let simulator = bench.simulator(&config).unwrap();
    let seen = |seed| {
        let outcome = simulator.simulate(seed, None, None).unwrap();
        assert_eq!(outcome.broken, Vec::<String>::new());
        let modules = outcome.summary.snapshot.modules.iter();
        let told: Vec<_> = modules.map(|m| (m.name.clone(), m.told, m.tell_full, m.heard, m.hear_refused)).collect();
        (outcome.digest, told)
    };
    let first = seen(5);
    assert_eq!(first, seen(5));
    let (_, _, _, heard, refused) = first.1.iter().find(|(name, ..)| name == "fn").unwrap();
    assert!(*heard > 100 && *refused == 0, "{first:?}");
}
