//! Network functions as WebAssembly on packets, messages and states that are nearly right.

use crate::parsers::{FUNCTIONS, attempt};
use crate::{Report, Scenario, Task};
use anyhow::{Context, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "parsers",
    about: "router, nat, firewall, balancer, policer on spoilt packets, messages and states: no trap, no endless call, bounded memory",
    unit: "thousand calls of each configuration",
    quick: 10,
    full: 60,
    run,
};

fn run(task: &Task) -> Result<Report> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(function) = FUNCTIONS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let tried = attempt(&task.root, function, task.size * 1_000, task.seed);
            all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((function.module, tried));
        }
    };
    // Two at a time: each has a processor.
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let mut report = Report::new(0);
    let mut packets = 0;
    for (module, tried) in all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        let tally = tried.with_context(|| format!("{module}; seed {}", task.seed))?;
        report.done += tally.calls;
        packets += tally.packets;
        println!("{module}: {tally:?}");
    }
    Ok(report.figure("packets", packets))
}
