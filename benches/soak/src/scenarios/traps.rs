//! A module that traps again and again under full load, and is started again each time: every packet is accounted for.

use crate::{Report, Scenario, Task};
use anyhow::{Result, ensure};
use perigee_abi::verdict as v;
use perigee_lab::{Bench, each, module, verdict};
use perigee_runtime::Run;
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "traps",
    about: "a module that traps in each third batch and is started again: every packet is accounted for, pools are full",
    unit: "traps",
    quick: 20_000,
    full: 1_000_000,
    run,
};

/// Without a trap for so long, the host has stopped to start the module.
const PATIENCE: Duration = Duration::from_secs(20);
/// Batches that an instance passes on.
const GOOD: u32 = 2;
const BURST: u64 = 64;

/// Chains side by side, each with an instance of the module: while one is down, others trap.
const CHAINS: usize = 4;

fn config() -> String {
    let module = r#"
[run]
burst = 64
[[module]]
name = "m"
file = "m.wat"
restart = { first = "1us", longest = "1us", failures = 4000000, within = "1s" }
"#;
    let chain = |n: usize| {
        format!(
            "[[port]]\nname = \"p{n}\"\ndevice = \"net_null{n}\"\npool = 255\n[[chain]]\nlcores = [0]\nsource = {{ port \
             = \"p{n}\" }}\nstages = [\"m\"]\ntx = [\"p{n}\"]\n"
        )
    };
    (0..CHAINS).map(chain).fold(module.to_owned(), |text, chain| text + &chain)
}

/// Passes on some batches, and traps in the next. Its memory is small: each instance has a new one.
fn traps() -> String {
    let pass = each("process", &verdict(v::NEXT)).replace("(export \"process\")", "$pass");
    let text = module(&format!(
        r#"(global $n (mut i32) (i32.const 0)) {pass}
  (func (export "process") (param $count i32)
    (if (i32.eqz (local.get $count)) (then return))
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (if (i32.gt_u (global.get $n) (i32.const {GOOD})) (then unreachable))
    (call $pass (local.get $count)))"#
    ));
    text.replace("\"memory\") 1100", "\"memory\") 270").replace("i32.const 69206016", "i32.const 16777216")
}

fn faults(run: &Run) -> u64 {
    run.snapshot().modules.iter().flat_map(|module| module.faults.values()).sum()
}

fn run(task: &Task) -> Result<Report> {
    let bench = Bench::new();
    bench.module("m.wat", &traps());
    let run = bench.start(&config())?;
    let (begin, mut last, mut last_at) = (Instant::now(), 0, Instant::now());
    while last < task.size {
        std::thread::sleep(Duration::from_millis(20));
        let now = faults(&run);
        if now > last {
            (last, last_at) = (now, Instant::now());
        }
        ensure!(last_at.elapsed() < PATIENCE, "no more traps after {last}: {:#?}", run.snapshot());
    }
    let taken = begin.elapsed();
    let summary = bench.finish(run).summary;
    let dropped = |cause: &str| summary.accounting.dropped.get(cause).copied().unwrap_or(0);
    let (mut traps, mut installs) = (0, 0);
    for (chain, module) in summary.snapshot.chains.iter().zip(&summary.snapshot.modules) {
        let mine = module.faults.get("unreachable").copied().unwrap_or(0);
        ensure!(module.faults.len() <= 1, "other faults: {:?}", module.faults);
        ensure!(chain.batches == chain.sent / BURST + mine, "batches are missing: {chain:#?}");
        ensure!(mine - module.installs <= 1, "{mine} traps, {} instances after the first", module.installs);
        (traps, installs) = (traps + mine, installs + module.installs);
    }
    ensure!(dropped("trap") == traps * BURST, "{} packets dropped by {traps} traps", dropped("trap"));
    Ok(Report::new(traps)
        .figure("traps_per_second", traps * 1_000 / u64::try_from(taken.as_millis())?.max(1))
        .figure("restarts", installs)
        .figure("packets_received", summary.accounting.received)
        .figure("packets_dropped_by_traps", dropped("trap"))
        .figure("packets_dropped_while_down", dropped("failed"))
        .figure("fault_texts_lost", summary.snapshot.faults_lost)
        .figure("balanced", summary.accounting.balanced))
}
