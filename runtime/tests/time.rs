//! Whose time it is: a deadline counts its own call and no other's, and chains on one lcore get their shares of it.

use perigee_lab::*;
use perigee_runtime::Run;
use perigee_runtime::config::allowed_cpus;
use std::time::Duration;

/// A module with a clock, whose function `$use` spends so many nanoseconds; `items` come behind it.
fn clocked(items: &str) -> String {
    let text = module(&format!(
        r#"(global $batches (mut i32) (i32.const 0))
        (func $use (param $ns i64) (local $end i64)
          (local.set $end (i64.add (call $time) (local.get $ns)))
          (loop (br_if 0 (i64.lt_u (call $time) (local.get $end)))))
        {items}"#
    ));
    text.replacen("(memory ", "(import \"perigee\" \"time\" (func $time (result i64)))\n  (memory ", 1)
}

/// Uses so many milliseconds in every `nth` batch with packets, and as many for a message or its state.
fn spender(ms: u32, nth: u32) -> String {
    let ns = u64::from(ms) * 1_000_000;
    clocked(&format!(
        r#"(func (export "process") (param $n i32)
          (if (i32.eqz (local.get $n)) (then (return)))
          (global.set $batches (i32.add (global.get $batches) (i32.const 1)))
          (if (i32.eqz (i32.rem_u (global.get $batches) (i32.const {nth}))) (then (call $use (i64.const {ns})))))
        (func (export "perigee_message") (param i32) (result i32) (call $use (i64.const {ns})) (i32.const 0))
        (func (export "perigee_save") (result i32) (call $use (i64.const {ns})) (i32.const 0))"#
    ))
    .replace("perigee_message", perigee_abi::names::MESSAGE)
    .replace("perigee_save", perigee_abi::names::SAVE)
}

fn entry(name: &str, domain: &str, deadline: &str) -> String {
    format!(
        "[[module]]\nname = \"{name}\"\nfile = \"{name}.wat\"\ndomain = \"{domain}\"\non_fault = \"closed\"\n\
         [module.grants]\ndeadline = \"{deadline}\"\nclock = \"precise\"\nhostcalls = [\"time\"]\n"
    )
}

/// A chain on the tests' first CPU, from a port of its own that always has packets.
fn chain(name: &str, number: usize, stages: &[&str], keys: &str) -> (String, String) {
    let cpu = allowed_cpus()[0];
    let port = format!("[[port]]\nname = \"p{number}\"\ndevice = \"net_null{number}\"\n");
    let chain = format!(
        "[[chain]]\nname = \"{name}\"\nlcores = [{cpu}]\nsource = {{ port = \"p{number}\" }}\nstages = {stages:?}\n{keys}\n"
    );
    (port, chain)
}

fn config(run: &str, entries: &[String], chains: &[(String, String)]) -> String {
    let ports: String = chains.iter().map(|(port, _)| port.as_str()).collect();
    let chains: String = chains.iter().map(|(_, chain)| chain.as_str()).collect();
    format!("[run]\n{run}\n{ports}{}{chains}", entries.concat())
}

fn let_run(run: &Run, time: Duration) {
    std::thread::sleep(time);
    assert!(!run.is_finished());
}

#[test]
fn nobody_is_failed_for_time_that_another_used() {
    let bench = Bench::new();
    // The innocent one uses a quarter of what it may now and then; the other, twice what the innocent one may.
    bench.module("good.wat", &spender(2, 64)).module("slow.wat", &spender(20, 256));
    let entries = [entry("good", "a", "10ms"), entry("slow", "b", "100ms")];
    let arrangements = [
        vec![chain("one", 0, &["slow", "good"], "")],
        vec![chain("one", 0, &["good", "slow"], "")],
        vec![chain("one", 0, &["slow"], ""), chain("two", 1, &["good"], "")],
        vec![chain("two", 0, &["good"], ""), chain("one", 1, &["slow"], "")],
        vec![chain("one", 0, &["good", "slow", "good"], ""), chain("two", 1, &["good"], "weight = 3")],
    ];
    for chains in arrangements {
        let text = config("", &entries, &chains);
        let run = bench.start(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let_run(&run, Duration::from_millis(400));
        // What it is asked on the side is no time of anybody else's either.
        for _ in 0..5 {
            run.message("slow", b"").unwrap();
            run.save("slow").unwrap();
        }
        let_run(&run, Duration::from_millis(100));
        let outcome = bench.finish(run);
        for module in &outcome.summary.snapshot.modules {
            assert!(module.faults.is_empty() && module.failed.is_none(), "{module:#?}\n{text}");
        }
        assert_eq!(outcome.dropped("trap") + outcome.dropped("failed"), 0);
    }
}

#[test]
fn short_deadlines_fail_no_module_that_keeps_them() {
    let bench = Bench::new();
    bench.module("good.wat", &spender(0, 64)).module("slow.wat", &spender(20, 256));
    for deadline in ["100us", "500us", "1ms"] {
        let entries = [entry("good", "a", deadline), entry("slow", "b", "100ms")];
        let text = config("", &entries, &[chain("one", 0, &["slow", "good"], "")]);
        let run = bench.start(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let_run(&run, Duration::from_millis(500));
        let outcome = bench.finish(run);
        assert!(
            outcome.summary.snapshot.modules.iter().all(|m| m.faults.is_empty()),
            "{deadline}: {:#?}",
            outcome.summary
        );
    }
}

/// Uses eight milliseconds of CPU time in each batch, counted in turns of a loop: its clock would also count what ran meanwhile.
fn hog() -> String {
    clocked(
        r#"(global $turns (mut i32) (i32.const 0))
        (func $turn (param $n i32) (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
        (func (export "init") (param i32) (result i32) (local $i i32) (local $took i64) (local $least i64)
          (local.set $least (i64.const 1000000000))
          (local.set $i (i32.const 50))
          (loop
            (local.set $took (call $time))
            (call $turn (i32.const 100000))
            (local.set $took (i64.sub (call $time) (local.get $took)))
            (if (i64.lt_u (local.get $took) (local.get $least)) (then (local.set $least (local.get $took))))
            (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
          (global.set $turns (i32.wrap_i64 (i64.div_u (i64.const 800000000000) (local.get $least))))
          (i32.const 0))
        (func (export "process") (param $n i32) (if (local.get $n) (then (call $turn (global.get $turns)))))"#,
    )
}

/// What share of the time of two chains the second had, in a second beside a module that stays just below its deadline.
fn share(bench: &Bench, weights: [u32; 2]) -> f64 {
    let entries = [entry("hog", "a", "20ms"), entry("good", "b", "10ms")];
    let keys = weights.map(|weight| format!("weight = {weight}"));
    let chains = [chain("first", 0, &["hog"], &keys[0]), chain("second", 1, &["good"], &keys[1])];
    let run = bench.start(&config("", &entries, &chains)).unwrap();
    let_run(&run, Duration::from_millis(1_000));
    let summary = bench.finish(run).summary;
    let busy: Vec<f64> = summary.snapshot.chains.iter().map(|chain| chain.cycles_busy as f64).collect();
    let waited: Vec<u64> = summary.snapshot.chains.iter().map(|chain| chain.cycles_waited).collect();
    let share = busy[1] / (busy[0] + busy[1]);
    println!("weights {weights:?}: {:.1} %, cycles waited {waited:?}", share * 100.0);
    assert!(waited[0] > 0, "who has used its share waits");
    share
}

#[test]
fn a_neighbour_has_its_share_beside_one_that_stays_below_its_deadline() {
    let bench = Bench::new();
    bench.module("hog.wat", &hog()).module("good.wat", &module(&each("process", &verdict(1))));
    for (weights, wanted) in [([1, 1], 0.5), ([1, 3], 0.75)] {
        // Of a second's figures the middle one: what else runs on the machine is in the cycles, too.
        let mut shares = [(); 3].map(|()| share(&bench, weights));
        shares.sort_by(f64::total_cmp);
        let share = shares[1];
        assert!((share - wanted).abs() <= wanted * 0.1, "{share:.3} of {wanted} by weights {weights:?}");
    }
}

#[test]
fn a_chain_alone_waits_for_nobody() {
    let bench = Bench::new();
    bench.module("hog.wat", &spender(9, 1)).module("good.wat", &module(&each("process", &verdict(1))));
    let entries = [entry("hog", "a", "10ms"), entry("good", "b", "10ms")];
    // The second one's port gives nothing.
    let (port, second) = chain("second", 1, &["good"], "");
    let port = port.replace("net_null1", "net_null1,no-rx=1");
    let chains = [chain("first", 0, &["hog"], ""), (port, second)];
    let part_of_waiting = || {
        let run = bench.start(&config("", &entries, &chains)).unwrap();
        let_run(&run, Duration::from_millis(300));
        let summary = bench.finish(run).summary;
        let first = &summary.snapshot.chains[0];
        first.cycles_waited as f64 / first.cycles_busy as f64
    };
    // A turn without packets in which the thread was not scheduled looks like one of work: on a busy machine some do, so the
    // least of several is what counts.
    let least = (0..5).map(|_| part_of_waiting()).fold(f64::INFINITY, f64::min);
    assert!(least < 0.05, "{least}");
}
