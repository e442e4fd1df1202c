//! What deadlines cannot stop at once: one operation on much memory. The watchdog tells of it, and ends the process if it
//! was asked to.

use perigee_lab::*;
use std::time::{Duration, Instant};

/// Writes a byte to each of a GiB, in one operation: no deadline stops that in the middle.
const FILL: &str = r#"(func (export "process") (param $n i32)
    (if (local.get $n) (then
      (drop (memory.grow (i32.const 16384)))
      (memory.fill (i32.const 73400320) (i32.const 1) (i32.const 1069547520)))))"#;

fn config(run: &str) -> String {
    format!(
        r#"
[run]
{run}
[[port]]
name = "p"
device = "net_null0"
[[module]]
name = "m"
file = "m.wat"
on_fault = "closed"
grants = {{ memory = "1200M", deadline = "5ms", control_deadline = "5ms" }}
[[chain]]
source = {{ port = "p" }}
stages = ["m"]
"#
    )
}

#[test]
fn an_lcore_that_is_stuck_is_seen_and_goes_on() {
    let bench = Bench::new();
    bench.module("m.wat", &module(FILL));
    let run = bench.start(&config("watchdog = \"20ms\"")).unwrap();
    let begin = Instant::now();
    // Asks nobody, so it answers while the lcore does not. There is one lcore, so none lives.
    while run.is_alive() {
        assert!(begin.elapsed() < Duration::from_secs(20), "no operation has held the lcore");
        std::thread::sleep(Duration::from_millis(1));
    }
    let stuck = loop {
        let snapshot = run.snapshot();
        if snapshot.lcores[0].stuck_worst_ns != 0 && snapshot.modules[0].failed.is_some() {
            break snapshot.lcores[0].stuck_worst_ns;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{snapshot:#?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    println!("the fill of 1020 MiB held its lcore for {} ms", stuck / 1_000_000);
    assert!(stuck >= 20_000_000);
    // The watchdog sees at its next look that it goes on.
    while run.snapshot().lcores[0].stuck_ns != 0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(run.is_alive());
    let outcome = bench.finish(run);
    assert_eq!(outcome.summary.snapshot.modules[0].faults["deadline"], 1, "stopped after the operation");
}

#[test]
fn an_lcore_that_works_is_not_told_of() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(1))));
    let run = bench.start(&config("watchdog = \"500ms\"")).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(bench.finish(run).summary.snapshot.lcores[0].stuck_worst_ns, 0);
}
