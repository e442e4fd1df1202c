//! What goes along when a module is replaced: held packets, flat state regions; and the way back within the grace period.

use perigee_abi::verdict as v;
use perigee_lab::sequence::{DRAIN, LINE, Seen, answer, checker, generator, holder, to_ring, words};
use perigee_lab::{Bench, MAILBOX, each, module, packets, verdict};
use perigee_runtime::{Error, Run, SwapOptions};
use std::time::{Duration, Instant};

/// Of the header: state region, instance.
const STATE: u32 = 65_536 + 104;
const INSTANCE: u32 = 65_536 + 72;

/// Holds, and never gives anything back; nor does it take a state over.
fn keeper() -> String {
    module(&each("process", &verdict(v::HOLD)))
}

const HOLDING: &str = r#"
[[module]]
name = "m"
file = "m.wat"
[module.grants]
hold = 200
hold_age = "100s"
[[chain]]
source = { port = "in" }
stages = ["m"]
tx = ["out"]
"#;

/// A run in which the module holds 100 packets.
fn holding(bench: &Bench, text: &str, input: &[Vec<u8>]) -> Run {
    bench.module("m.wat", text).input(input);
    let run = bench.start(&bench.config(HOLDING)).unwrap();
    let begin = Instant::now();
    while run.snapshot().chains[0].held < 100 {
        assert!(begin.elapsed() < Duration::from_secs(10), "{:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(2));
    }
    run
}

fn options(grace: Duration, fresh: bool) -> SwapOptions {
    let mut options = SwapOptions::default();
    options.grace = grace;
    options.fresh = fresh;
    options
}

#[test]
fn held_packets_go_over_to_the_new_instance_with_the_state() {
    let (bench, input) = (Bench::new(), packets(100, 60));
    let run = holding(&bench, &holder(DRAIN), &input);
    let report = run.swap("m", holder(0).as_bytes(), &SwapOptions::default()).unwrap();
    assert_eq!((report.seats[0].held_moved, report.lost), (100, 0), "{report:#?}");
    assert!(report.seats[0].state_moved);
    std::thread::sleep(Duration::from_millis(50));
    let outcome = bench.finish(run);
    assert_eq!(outcome.out, input, "by their identity, in order");
    assert_eq!(outcome.summary.snapshot.chains[0].bad_outputs, 0);
}

#[test]
fn without_state_the_old_instance_gives_back_what_it_holds() {
    let (bench, input) = (Bench::new(), packets(100, 60));
    let run = holding(&bench, &holder(DRAIN), &input);
    let report = run.swap("m", keeper().as_bytes(), &options(Duration::ZERO, true)).unwrap();
    let seat = &report.seats[0];
    assert_eq!((seat.held_returned, seat.held_dropped, report.lost), (100, 0, 0), "{report:#?}");
    assert_eq!(bench.finish(run).out, input);

    // One that gives nothing back loses it by name, and the report says so.
    let run = holding(&bench, &keeper(), &input);
    let report = run.swap("m", holder(0).as_bytes(), &SwapOptions::default()).unwrap();
    assert_eq!((report.seats[0].held_dropped, report.lost), (100, 100), "{report:#?}");
    assert_eq!(bench.finish(run).dropped("replaced"), 100);
}

fn line(bench: &Bench, function: &str, config: &str) -> Run {
    bench.module("gen.wat", &generator(0)).module("fn.wat", function);
    bench.module("to-ring.wat", &to_ring()).module("check.wat", &checker(0));
    bench.start(config).unwrap()
}

/// Looks at the run until `what` holds.
fn until(run: &Run, mut what: impl FnMut(&Run) -> bool) {
    let begin = Instant::now();
    while !what(run) {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:#?} {:#?}", run.snapshot(), run.swaps());
        let _ = run.snapshot();
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn word(run: &Run, name: &str) -> u64 {
    u64::from_le_bytes(run.message(name, b"").unwrap()[0][..8].try_into().unwrap())
}

/// Passes packets and counts them at `at`; traps when it has counted `fuse` of its own.
fn counting(at: &str, fuse: u64) -> String {
    format!(
        "(i64.store {at} (i64.add (i64.load {at}) (i64.const 1)))
         (i64.store (i32.const 2048) (i64.add (i64.load (i32.const 2048)) (i64.const 1)))
         (if (i64.eq (i64.load (i32.const 2048)) (i64.const {fuse})) (then unreachable))
         {}",
        verdict(v::NEXT)
    )
}

#[test]
fn a_new_instance_that_fails_in_its_grace_period_gives_way_to_the_old_one() {
    let bench = Bench::new();
    let text = |fuse| {
        module(&format!("{} {} {}", each("process", &counting("(i32.const 1024)", fuse)), words(1), answer(1024)))
    };
    let run = line(&bench, &text(0), LINE);
    until(&run, |run| word(run, "fn") > 1_000);
    // More than the canary gives it.
    run.swap("fn", text(5_000).as_bytes(), &options(Duration::from_secs(60), false)).unwrap();
    until(&run, |run| run.swaps().rolled_back == 1);
    let why = run.swaps().latest[0].rolled_back.clone().unwrap();
    assert!(why.contains("unreachable"), "{why}");
    let counted = word(&run, "fn");
    until(&run, |run| word(run, "fn") > counted + 1_000);
    // The trapped batch is missing, nothing else, and nothing came twice.
    let seen = Seen::read(&run.message("check", b"").unwrap()[0]);
    assert_eq!(seen.late, 0, "{seen:?}");
    let summary = run.stop();
    perigee_lab::check(&summary);
    assert_eq!(summary.accounting.dropped.get("trap"), Some(&seen.missing), "{seen:?}");
    assert!(seen.missing <= 64 && !summary.accounting.dropped.contains_key("failed"), "{seen:?}");
}

#[test]
fn a_generator_goes_back_to_its_old_numbers() {
    let bench = Bench::new();
    let run = line(&bench, &perigee_lab::sequence::function(0), LINE);
    until(&run, |run| Seen::read(&run.message("check", b"").unwrap()[0]).came > 1_000);
    // It makes other packets, and fails once some are on their way.
    let body = format!(
        "(i64.store offset=14 (i32.load (local.get $d)) (i64.load (i32.const 1024)))
         (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))
         {}",
        counting("(i32.const 4096)", 5_000)
    );
    let text = module(&format!("{} {}", each("generate", &body), words(1)));
    run.swap("gen", text.as_bytes(), &options(Duration::from_secs(60), false)).unwrap();
    until(&run, |run| run.swaps().rolled_back == 1);
    assert!(!run.is_finished(), "the old generator makes packets");
    perigee_lab::check(&run.stop());
}

/// A module with a flat state region of 64 MiB behind its window, and `items` in it; `$at` gives its address.
fn with_region(items: &str) -> String {
    let (from, len) = (72_089_600_u32, 66 << 20);
    let text = module(&format!(
        r#"(global (export "perigee_state") i32 (i32.const {from}))
  (global (export "perigee_state_len") i32 (i32.const {len}))
  (func $at (result i32) (i32.load (i32.const {STATE}))) {items}
  (func (export "message") (param i32) (result i32)
    (memory.copy (i32.const {MAILBOX}) (call $at) (i32.const 8)) (i32.const 8))
  (func (export "restore") (param i32) (result i32) (i32.const 0))"#
    ));
    text.replace("(memory (export \"memory\") 1100)", "(memory (export \"memory\") 2200)")
}

#[test]
fn a_region_of_64_mib_moves_without_a_copy_and_comes_back_as_it_was() {
    let bench = Bench::new();
    // Counts in its first word, and writes into a page of the region with each packet.
    let touch = "(i32.store (i32.add (call $at) (i32.add (i32.const 4096)
        (i32.and (i32.shl (i32.wrap_i64 (i64.load (call $at))) (i32.const 12)) (i32.const 0x1fff000)))) (i32.const 1))";
    let text = |fuse| with_region(&each("process", &format!("{touch} {}", counting("(call $at)", fuse))));
    let run = line(&bench, &text(0), LINE);
    until(&run, |run| word(run, "fn") > 20_000);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let before = word(&run, "fn");
        let report = run.swap("fn", text(0).as_bytes(), &options(Duration::from_millis(20), false)).unwrap();
        assert!(report.seats[0].region_bytes >= 64 << 20, "{report:#?}");
        pauses.push(report.max_pause_ns / 1_000);
        assert!(word(&run, "fn") >= before, "the count goes on");
        // All of it has become the new one's own.
        std::thread::sleep(Duration::from_millis(40));
        let _ = run.snapshot();
    }
    println!("64 MiB of state moved, pauses in us: {pauses:?}");
    // What a failing one has written is not there after it.
    let report = run.swap("fn", text(300_000).as_bytes(), &options(Duration::from_secs(60), false)).unwrap();
    let (at_switch, made) = (word(&run, "fn"), report.number);
    until(&run, |run| run.swaps().rolled_back == 1);
    let after = word(&run, "fn");
    let now = Seen::read(&run.message("check", b"").unwrap()[0]);
    // Packets that passed the failing one are in nobody's count any more.
    assert!(now.came - after >= 290_000, "swap {made}: {at_switch} {after} {now:?}");
    perigee_lab::check(&run.stop());

    // A region of another size is not taken over.
    let run = line(&bench, &text(0), LINE);
    let other = text(0).replace(&(66_u32 << 20).to_string(), &(34_u32 << 20).to_string());
    let refused = run.swap("fn", other.as_bytes(), &SwapOptions::default());
    assert!(matches!(&refused, Err(Error::Swap { step: "check", .. })), "{refused:?}");
    perigee_lab::check(&run.stop());
}

#[test]
fn all_lcores_switch_or_none() {
    let bench = Bench::new();
    let config = r#"
[[port]]
name = "sink"
device = "net_null0"
[[module]]
name = "gen"
file = "gen.wat"
[module.grants]
tx = ["sink"]
[[chain]]
source = { module = "gen", pool = 2047 }
tx = ["sink"]
lcores = [0, 1]
"#;
    // Counts its packets; where `picky`, the second instance does not take a state over.
    let text = |picky: u32| {
        let restore = format!(
            r#"(func (export "restore") (param i32) (result i32)
    (if (i32.and (i32.load (i32.const {INSTANCE})) (i32.const {picky})) (then
      (i32.store (i32.const {MAILBOX}) (i32.const 0x6f6e)) (return (i32.const -2))))
    (memory.copy (i32.const 1024) (i32.const {MAILBOX}) (i32.const 8)) (i32.const 0))"#
        );
        let save = format!(
            r#"(func (export "save") (result i32)
    (memory.copy (i32.const {MAILBOX}) (i32.const 1024) (i32.const 8)) (i32.const 8))"#
        );
        module(&format!("{} {restore} {save} {}", each("generate", &counting("(i32.const 1024)", 0)), answer(1024)))
    };
    bench.module("gen.wat", &text(0));
    let run = bench.start(config).unwrap();
    let counts = |run: &Run| -> Vec<u64> {
        run.message("gen", b"").unwrap().iter().map(|a| u64::from_le_bytes(a[..8].try_into().unwrap())).collect()
    };
    until(&run, |run| counts(run).iter().all(|n| *n > 1_000));
    let before = counts(&run);
    match run.swap("gen", text(1).as_bytes(), &SwapOptions::default()) {
        Err(Error::Swap { step: "switch", what, .. }) => assert!(what.contains("restore refused: no"), "{what}"),
        other => panic!("{other:?}"),
    }
    let report = run.swap("gen", text(0).as_bytes(), &options(Duration::ZERO, false)).unwrap();
    assert_eq!((report.seats.len(), report.lost), (2, 0), "{report:#?}");
    let after = counts(&run);
    assert!(after.iter().zip(&before).all(|(after, before)| after >= before), "{before:?} {after:?}");
    perigee_lab::check(&run.stop());
}
