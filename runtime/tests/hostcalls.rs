//! Hostcalls that are granted, and those that are not: they link, do nothing and are counted.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, Outcome, each, module, packets, verdict};

/// As [`module`], with all hostcalls imported.
fn calling(items: &str) -> String {
    let imports = "(import \"perigee\" \"log\" (func $log (param i32 i32 i32)))\n  (import \"perigee\" \"time\" (func $time \
                   (result i64)))\n  (memory (export";
    module(items).replacen("(memory (export", imports, 1)
}

fn run(text: &str, input: &[Vec<u8>], grants: &str) -> Outcome {
    let bench = Bench::new();
    bench.module("m.wat", text).input(input);
    let config = format!(
        "[[module]]\nname = \"m\"\nfile = \"m.wat\"\non_fault = \"closed\"\ngrants = {{ {grants} }}\n[[chain]]\n\
         source = {{ port = \"in\" }}\nstages = [\"m\"]\ntx = [\"out\"]\n"
    );
    bench.run(&bench.config(&config))
}

/// Log lines lost, and hostcalls denied, of the only module.
fn lost(outcome: &Outcome) -> (u64, u64) {
    let module = &outcome.summary.snapshot.modules[0];
    (module.log_lost, module.hostcalls_denied)
}

#[test]
fn a_log_is_written_where_it_is_granted_and_not_too_often() {
    let log = format!("{} (call $log (i32.const 5) (i32.const 0) (i32.const 8))", verdict(v::NEXT));
    let text = calling(&each("process", &log));
    let input = packets(50, 60);
    assert_eq!(lost(&run(&text, &input, "hostcalls = [\"log\"]")), (0, 0));
    assert_eq!(lost(&run(&text, &input, "hostcalls = [\"log\"], log_lines = 10")), (40, 0));
    let denied = run(&text, &input, "hostcalls = [\"time\"]");
    assert_eq!((lost(&denied), denied.out), ((0, 50), input));
    // Without the grant not even the address is looked at.
    let beyond = text.replace("(i32.const 0) (i32.const 8)", "(i32.const -1) (i32.const 8)");
    assert_eq!(run(&beyond, &packets(50, 60), "").out.len(), 50);
    assert_eq!(run(&beyond, &packets(50, 60), "hostcalls = [\"log\"]").dropped("trap"), 50);
}

#[test]
fn counters_are_shown_where_they_are_granted() {
    let text = calling(&format!(
        r#"(data (i32.const 1024) "onetwo")
  (func (export "init") (param i32) (result i32)
    (call $counter (i32.const 0) (i32.const 1024) (i32.const 3))
    (call $counter (i32.const 0) (i32.const 1024) (i32.const 3))
    (call $counter (i32.const 9) (i32.const 1027) (i32.const 3))
    (i32.const 0))
  {}"#,
        each("process", "")
    ));
    for (grants, names, denied) in [
        ("hostcalls = [\"counter\"]", vec!["one", "two"], 0),
        ("hostcalls = [\"counter\"], counters = 1", vec!["one"], 1),
        ("hostcalls = [\"log\"]", vec![], 3),
    ] {
        let outcome = run(&text, &packets(1, 60), grants);
        let shown: Vec<&str> = outcome.summary.snapshot.modules[0].counters.keys().map(String::as_str).collect();
        assert_eq!((shown, lost(&outcome).1), (names, denied), "{grants}");
    }
}

#[test]
fn time_passes_within_a_call_only_where_that_is_granted() {
    // Twice the time, with work between; and the time of the batch beside the first.
    let body = format!(
        "{} (local.set $first (call $time))
         (local.set $spin (i32.const 1000000))
         (loop (br_if 0 (local.tee $spin (i32.sub (local.get $spin) (i32.const 1)))))
         (i64.store offset=20 (i32.load (local.get $d)) (i64.sub (call $time) (local.get $first)))
         (i64.store offset=28 (i32.load (local.get $d)) (i64.sub (local.get $first) (i64.load (i32.const {}))))",
        verdict(v::NEXT),
        65_536 + 8
    );
    let process =
        each("process", &body).replace("(local $i i32)", "(local $i i32) (local $first i64) (local $spin i32)");
    let number = |packet: &[u8], at: usize| u64::from_le_bytes(packet[at..at + 8].try_into().unwrap());
    for (grants, passes, denied) in [
        ("hostcalls = [\"time\"], clock = \"precise\"", true, 0),
        ("hostcalls = [\"time\"]", false, 0),
        ("clock = \"precise\"", false, 2),
        ("", false, 2),
    ] {
        let outcome = run(&calling(&process), &packets(1, 60), grants);
        let (passed, since_batch) = (number(&outcome.out[0], 20), number(&outcome.out[0], 28));
        assert_eq!(passed >= 100_000, passes, "{grants}: {passed} ns");
        assert!(
            passes || (passed, since_batch) == (0, 0),
            "{grants}: {passed} ns, {since_batch} ns after the batch began"
        );
        assert_eq!(lost(&outcome), (0, denied), "{grants}");
    }
}

#[test]
fn a_flood_of_hostcalls_ends_at_the_deadline() {
    let flood = "(loop (call $log (i32.const 1) (i32.const 0) (i32.const 240)) (drop (call $time)) (br 0))";
    let text = calling(&each("process", flood));
    for grants in ["hostcalls = [\"log\", \"time\"], clock = \"precise\", deadline = \"20ms\"", "deadline = \"20ms\""] {
        let outcome = run(&text, &packets(8, 60), grants);
        let module = &outcome.summary.snapshot.modules[0];
        assert!(module.failed.as_ref().unwrap().contains("deadline"), "{module:?}");
        assert_eq!(outcome.dropped("trap"), 8);
        assert!(module.log_lost + module.hostcalls_denied > 1_000, "it called and called: {module:?}");
    }
}

#[test]
fn a_stack_is_as_deep_as_is_granted() {
    // Calls itself 6,000 times; a frame has some 32 bytes.
    let deep = "(func $deep (param $n i32) (result i32) (if (result i32) (local.get $n) (then (i32.add (i32.const 1) (call $deep \
                (i32.sub (local.get $n) (i32.const 1))))) (else (i32.const 0))))";
    let body = format!("{} (drop (call $deep (i32.const 6000)))", verdict(v::NEXT));
    let text = module(&format!("{deep} {}", each("process", &body)));
    let input = packets(4, 60);
    for (grants, sent) in [("stack = \"16K\"", 0), ("", 4), ("stack = \"1M\"", 4)] {
        let outcome = run(&text, &input, grants);
        assert_eq!((outcome.out.len(), outcome.dropped("trap")), (sent, 4 - sent as u64), "{grants}");
        let failed = outcome.summary.snapshot.modules[0].failed.clone().unwrap_or_default();
        assert_eq!(failed.contains("call stack exhausted"), sent == 0, "{failed}");
    }
    // The ticker reaches the engines of all sizes.
    let endless = module(&each("process", "(loop (br 0))"));
    let outcome = run(&endless, &input, "stack = \"64K\", deadline = \"20ms\"");
    assert!(outcome.summary.snapshot.modules[0].failed.as_ref().unwrap().contains("deadline"));
}

#[test]
fn tables_are_as_large_as_is_granted() {
    // Grows its second table by 10 when packets come, and passes them on where that was done.
    let process = each("process", "(i32.store offset=8 (local.get $d) (global.get $ok))");
    let grow = "(global.set $ok (i32.ge_s (table.grow $b (ref.null func) (i32.const 10)) (i32.const 0)))";
    let process = process.replacen("(local.set $d", &format!("(if (local.get $n) (then {grow})) (local.set $d"), 1);
    let text =
        calling(&format!("(table $a 50 funcref) (table $b 40 funcref) (global $ok (mut i32) (i32.const 0)) {process}"));
    assert_eq!(run(&text, &packets(4, 60), "table = 100").out.len(), 4);
    assert_eq!(run(&text, &packets(4, 60), "table = 99").dropped("verdict"), 4);
    let bench = Bench::new();
    bench.module("m.wat", &text).input(&packets(1, 60));
    let config = "[[module]]\nname = \"m\"\nfile = \"m.wat\"\ngrants = { table = 89 }\n[[chain]]\nsource = { port = \"in\" \
                  }\nstages = [\"m\"]\ntx = [\"out\"]\n";
    let refused = bench.start(&bench.config(config)).err().unwrap().to_string();
    assert!(refused.contains("table"), "{refused}");
}
