//! Modules are replaced while packets flow: nothing lost, nothing twice, nothing out of order.

use perigee_abi::verdict as v;
use perigee_lab::sequence::{LINE, Seen, checker, counting, function, generator, to_ring, words};
use perigee_lab::{Bench, check, each, module, verdict};
use perigee_runtime::{Error, Run, SwapOptions, SwapReport};
use std::time::{Duration, Instant};

/// The line of generator, function and checker, running.
fn line(bench: &Bench, function: &str) -> Run {
    bench.module("gen.wat", &generator(0)).module("fn.wat", function);
    bench.module("to-ring.wat", &to_ring()).module("check.wat", &checker(0));
    bench.start(LINE).unwrap()
}

/// What the checker has seen so far; it must be all that there was.
fn seen(run: &Run) -> Seen {
    let seen = Seen::read(&run.message("check", b"").unwrap()[0]);
    assert_eq!((seen.missing, seen.late), (0, 0), "{seen:?}");
    assert_eq!(seen.next, seen.came, "{seen:?}");
    seen
}

/// Waits until `more` packets have come to the checker since it was asked last.
fn wait_for(run: &Run, more: u64) -> Seen {
    let (begin, first) = (Instant::now(), seen(run).came);
    loop {
        let now = seen(run);
        if now.came >= first + more {
            return now;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "packets do not come: {:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Stops the line: all that came off the wire has been looked at. What still lies in net_ring's own ring goes with it.
fn finish(run: Run) {
    seen(&run);
    let summary = run.stop();
    check(&summary);
    let a = &summary.accounting;
    // Where others use the CPUs too, some may still be in the ring when the stop has waited long enough.
    let dropped = |cause: &str| a.dropped.get(cause).copied().unwrap_or(0);
    assert!(dropped("verdict") + dropped("stop") >= a.received, "{a:?}");
    assert!(a.dropped.keys().all(|cause| cause == "verdict" || cause == "stop"), "{a:?}");
    assert!(a.sent - a.received <= 1_024, "{a:?}");
}

fn at_once() -> SwapOptions {
    let mut options = SwapOptions::default();
    options.grace = Duration::ZERO;
    options
}

fn unhurt(report: &SwapReport) {
    assert_eq!((report.lost, report.rolled_back.as_ref()), (0, None), "{report:#?}");
    assert!(report.seats.iter().all(|seat| seat.held_dropped == 0), "{report:#?}");
}

/// So many thousandths of the values are no larger.
fn quantile(sorted: &[u64], thousandths: usize) -> u64 {
    sorted[(sorted.len() * thousandths / 1_000).min(sorted.len() - 1)]
}

#[test]
fn every_module_of_a_line_is_replaced_under_full_load() {
    let swaps: u32 = std::env::var("PERIGEE_SWAPS").map_or(200, |n| n.parse().unwrap());
    let bench = Bench::new();
    let run = line(&bench, &function(0));
    wait_for(&run, 1_000);
    let (begin, first) = (Instant::now(), seen(&run).came);
    let mut pauses = Vec::new();
    for i in 1..=swaps {
        // The function has no state in every other build, so it is replaced with and without.
        let (name, text) = match i % 4 {
            0 => ("gen", generator(i)),
            1 if i % 8 == 5 => ("fn", function(i)),
            2 => ("check", checker(i)),
            _ => ("fn", counting(i)),
        };
        let mut options = at_once();
        options.fresh = i % 8 == 5;
        let report = run.swap(name, text.as_bytes(), &options).unwrap();
        unhurt(&report);
        pauses.push(report.max_pause_ns);
        seen(&run);
    }
    let rate = (seen(&run).came - first) as f64 / begin.elapsed().as_secs_f64() / 1e6;
    pauses.sort_unstable();
    let us = |thousandths| quantile(&pauses, thousandths) / 1_000;
    println!(
        "{swaps} swaps, {rate:.2} Mpps: pause p50 {} us, p99 {} us, longest {} us",
        us(500),
        us(990),
        pauses[pauses.len() - 1] / 1_000
    );
    assert_eq!(run.swaps().done, u64::from(swaps));
    assert!(us(500) < 1_000, "half of the pauses are longer than a millisecond");
    finish(run);
}

/// Why a swap is refused: at which step, and what of its text.
fn refused(run: &Run, name: &str, text: &str, options: &SwapOptions) -> (&'static str, String) {
    match run.swap(name, text.as_bytes(), options) {
        Err(Error::Swap { step, what, .. }) => (step, what),
        other => panic!("{other:?}\n{text}"),
    }
}

#[test]
fn a_module_that_is_not_fit_to_replace_one_does_not() {
    let bench = Bench::new();
    let run = line(&bench, &counting(0));
    let pass = each("process", &verdict(v::NEXT));
    let other_abi = function(1).replace("\"perigee_abi\") i32 (i32.const 3)", "\"perigee_abi\") i32 (i32.const 1)");
    let refuse = r#"(func (export "restore") (param i32) (result i32)
        (i32.store (i32.const 131072) (i32.const 0x646c6f)) (i32.const -3))"#;
    let nothing = r#"(func (export "save") (result i32) (i32.const 0))
        (func (export "restore") (param i32) (result i32) (i32.const 0))"#;
    let small = module(&format!("{pass} {nothing}"))
        .replace("\"perigee_mailbox_len\") i32 (i32.const 65536)", "\"perigee_mailbox_len\") i32 (i32.const 4)");
    let cases = [
        ("no module at all".to_owned(), "load", "not a WebAssembly module"),
        (other_abi, "load", "ABI version 1"),
        (module(&each("generate", "")), "check", "exports no \"process\""),
        (function(1), "check", "exports no \"restore\""),
        (
            module(&format!("{pass} {} (func (export \"init\") (param i32) (result i32) unreachable)", words(1))),
            "canary",
            "trap in \"init\"",
        ),
        (module(&format!("{} {}", each("process", "unreachable"), words(1))), "canary", "trap in \"process\""),
        (module(&format!("{pass} {} (func (export \"tick\") (loop (br 0)))", words(1))), "canary", "deadline"),
        (
            module(&format!(
                "{} {}",
                each("process", "(i32.store (i32.and (i32.load (local.get $d)) (i32.const 0xffe00000)) (i32.const 1))"),
                words(1)
            )),
            "canary",
            "not its packet's",
        ),
        (module(&format!("{pass} {refuse}")), "switch", "restore refused: old"),
        (module(&format!("{pass} {}", words(2))), "switch", "restore refused"),
        (small, "switch", "does not hold the 8 bytes"),
    ];
    for (n, (text, step, what)) in cases.iter().enumerate() {
        wait_for(&run, 1_000);
        let (at, why) = refused(&run, "fn", text, &at_once());
        assert_eq!(at, *step, "{n}: {why}");
        assert!(why.contains(what), "{n}: {why}");
    }
    assert_eq!((run.swaps().refused, run.swaps().done), (cases.len() as u64, 0));
    assert_eq!(refused(&run, "nobody", &function(1), &at_once()).0, "load");
    // The one that was there has gone on, with its state.
    let came = seen(&run).came;
    let counted = u64::from_le_bytes(run.message("fn", b"").unwrap()[0][..8].try_into().unwrap());
    assert!(counted >= came, "{counted} {came}");
    finish(run);
}
