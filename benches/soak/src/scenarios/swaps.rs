//! Modules replaced under full load, and others that are not fit to replace one: nothing lost, twice or out of order.

mod unfit;

use crate::{COMPILE_SERVER, Report, Scenario, Task};
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use perigee_lab::sequence::{LINE, Seen, checker, counting, function, generator, to_ring};
use perigee_lab::{Bench, check};
use perigee_runtime::config::Config;
use perigee_runtime::load::Compiler;
use perigee_runtime::{Options, Run, SwapOptions};
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "swaps",
    about: "modules of a numbered line replaced under full load, one in five swaps unfit: nothing lost, twice or out of order",
    unit: "swaps",
    quick: 200,
    full: 1_000,
    run,
};

/// After so many good swaps comes one that must be refused.
const UNFIT_EACH: u64 = 4;
/// Compiling takes at most so much, by which bombs are stopped.
const LOAD: &str = "[load]\ntime = \"1s\"\nmemory = \"192M\"\nmodule_size = \"128M\"\ncache = \"off\"\n";
const PATIENCE: Duration = Duration::from_secs(20);

fn run(task: &Task) -> Result<Report> {
    // Compiled in a process of its own, as `perigee run` does it.
    let mut options = Options::default();
    options.compiler = Compiler::Process { program: std::env::current_exe()?, arguments: vec![COMPILE_SERVER.into()] };
    let signatures = unfit::signatures(task, &options, task.size.div_ceil(5 * UNFIT_EACH))?;
    let bench = Bench::new();
    let run = line(&bench, &options)?;
    let (begin, first) = (Instant::now(), wait_for(&run, 1_000)?.came);
    let (mut pauses, mut unfit) = (Histogram::<u64>::new(3)?, unfit::Unfit::new());
    for number in 1..=task.size {
        let pause = swap(&run, u32::try_from(number)?).with_context(|| format!("swap {number}"))?;
        pauses.record(pause / 1_000)?;
        seen(&run)?;
        if number % UNFIT_EACH == 0 {
            unfit.next(&run).with_context(|| format!("after swap {number}"))?;
            wait_for(&run, 1_000)?;
        }
    }
    let (last, taken) = (seen(&run)?, begin.elapsed());
    let swaps = run.swaps();
    ensure!((swaps.done, swaps.refused, swaps.rolled_back) == (task.size, unfit.refused, 0), "{swaps:#?}");
    finish(run)?;
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = ((last.came - first) as f64 / taken.as_secs_f64() / 1e4).round() / 100.0;
    Ok(Report::new(task.size)
        .figure("mpps", rate)
        .figure("packets", last.came)
        .figure("lost", last.missing)
        .figure("twice_or_out_of_order", last.late)
        .figure("pause_p50_us", pauses.value_at_quantile(0.5))
        .figure("pause_p99_us", pauses.value_at_quantile(0.99))
        .figure("pause_worst_us", pauses.max())
        .figure("unfit", unfit.refused + signatures)
        .figure("unfit_by_step", serde_json::to_value(&unfit.steps)?)
        .figure("unfit_bad_signature", signatures))
}

/// Generator, net_ring, function, ring and checker, running on two lcores.
fn line(bench: &Bench, options: &Options) -> Result<Run> {
    bench.module("gen.wat", &generator(0)).module("fn.wat", &counting(0));
    bench.module("to-ring.wat", &to_ring()).module("check.wat", &checker(0));
    let config = Config::parse(&format!("{LOAD}{LINE}"), "swaps.toml")?;
    let base = bench.path("gen.wat");
    Ok(Run::start_with(&config, base.parent().context("a file without a folder")?, options)?)
}

/// Replaces one of the modules by another build of it; the longest pause of its packets, nanoseconds.
fn swap(run: &Run, number: u32) -> Result<u64> {
    // Each eighth the function is replaced by one without state, and the next time by one that begins without.
    let (name, text) = match number % 8 {
        0 | 4 => ("gen", generator(number)),
        2 | 6 => ("check", checker(number)),
        5 => ("fn", function(number)),
        _ => ("fn", counting(number)),
    };
    let mut options = SwapOptions::default();
    options.grace = Duration::ZERO;
    options.fresh = matches!(number % 8, 5 | 7) && name == "fn";
    let report = run.swap(name, text.as_bytes(), &options)?;
    ensure!(report.lost == 0 && report.rolled_back.is_none(), "{report:#?}");
    ensure!(report.seats.iter().all(|seat| seat.held_dropped == 0), "{report:#?}");
    Ok(report.max_pause_ns)
}

/// What the checker has seen so far; it must be all that there was, in order.
fn seen(run: &Run) -> Result<Seen> {
    let answers = run.message("check", b"")?;
    let seen = Seen::read(answers.first().context("no answer")?);
    ensure!((seen.missing, seen.late) == (0, 0) && seen.next == seen.came, "{seen:?}");
    Ok(seen)
}

/// Waits until so many more packets have come to the checker.
fn wait_for(run: &Run, more: u64) -> Result<Seen> {
    let (begin, first) = (Instant::now(), seen(run)?.came);
    loop {
        let now = seen(run)?;
        if now.came >= first + more {
            return Ok(now);
        }
        ensure!(begin.elapsed() < PATIENCE, "packets do not come: {:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Stops the line: all that came off the wire was looked at. What still lies in net_ring's own ring goes with it.
fn finish(run: Run) -> Result<()> {
    let summary = run.stop();
    check(&summary);
    let a = &summary.accounting;
    ensure!(a.dropped.keys().all(|cause| cause == "verdict" || cause == "stop"), "{a:?}");
    ensure!(a.dropped.values().sum::<u64>() >= a.received && a.sent - a.received <= 1_024, "{a:?}");
    Ok(())
}
