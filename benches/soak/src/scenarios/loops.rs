//! Endless loops at every place where a module is called: each is stopped, and how late is measured.

use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use perigee_runtime::bench::thread_cpu_time;
use perigee_runtime::trial::{Failure, Packet, Setting, Subject, Trial};
use perigee_runtime::{Limits, inspect_bytes};
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "loops",
    about: "modules that loop for ever, at each place in turn: all are stopped, 999 of 1,000 within 5 ms and a tick",
    unit: "loops",
    quick: 1_000,
    full: 100_000,
    run,
};

/// What a call may take: processor time.
const DEADLINE: Duration = Duration::from_millis(2);
const LIMITS: Limits = Limits {
    memory: 16 << 20,
    deadline: DEADLINE,
    control_deadline: DEADLINE,
    table: 65_536,
    targets: 0,
    reads: false,
};
/// A loop may go on for so much longer, and for as long as the ticker is late.
const LATE: Duration = Duration::from_millis(5);
/// One loop in so many is at a place where it cannot be timed alone.
const UNTIMED_EACH: u64 = 10;

/// Where a module can loop, and its call alone is timed.
#[derive(Clone, Copy, Debug)]
enum Place {
    Prefill,
    Generate,
    Process,
    Tick,
    Message,
    Save,
    Restore,
}

const TIMED: [Place; 7] =
    [Place::Prefill, Place::Generate, Place::Process, Place::Tick, Place::Message, Place::Save, Place::Restore];

/// Loops in every callback; in `init`, where it gets a configuration.
const CALLBACKS: &str = r#"
  (func (export "init") (param i32) (result i32) (if (local.get 0) (then (loop (br 0)))) (i32.const 0))
  (func (export "prefill") (param i32) (loop (br 0)))
  (func (export "generate") (param i32) (loop (br 0)))
  (func (export "process") (param i32) (loop (br 0)))
  (func (export "tick") (loop (br 0)))
  (func (export "message") (param i32) (result i32) (loop (br 0)) (i32.const 0))
  (func (export "save") (result i32) (loop (br 0)) (i32.const 0))
  (func (export "restore") (param i32) (result i32) (loop (br 0)) (i32.const 0))"#;

/// Loop while the module is loaded.
const AT_LOAD: [&str; 3] = [
    "(func $s (loop (br 0))) (start $s)",
    r#"(func (export "_initialize") (loop (br 0)))"#,
    r#"(func (export "perigee_spares") (result i32) (loop (br 0)) (i32.const 0))"#,
];

fn module(items: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 130)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 64))
  (global (export "perigee_mailbox") i32 (i32.const 40960))
  (global (export "perigee_mailbox_len") i32 (i32.const 4096))
  (global (export "perigee_window") i32 (i32.const 65536))
  (global (export "perigee_window_len") i32 (i32.const 8388608))
  {items})"#
    )
}

/// How much later than the deadline calls came back, microseconds.
struct Lateness {
    /// By the looping thread's processor time, which is what the deadline counts.
    cpu: Histogram<u64>,
    /// By the clock on the wall, in which others may have had the processor.
    wall: Histogram<u64>,
}

fn run(task: &Task) -> Result<Report> {
    let untimed = task.size / UNTIMED_EACH;
    let untimed_worst = stop_untimed(untimed)?;
    let subject = Subject::from_bytes("loop", module(CALLBACKS).as_bytes(), LIMITS)?;
    let mut late = Lateness { cpu: Histogram::new(3)?, wall: Histogram::new(3)? };
    let mut places = TIMED.iter().cycle();
    for _ in untimed..task.size {
        let place = *places.next().context("no places")?;
        stop_timed(&subject, place, &mut late).with_context(|| format!("{place:?}"))?;
    }
    let gaps = subject.ticker_gaps();
    let (cpu, gap) = (late.cpu.value_at_quantile(0.999), gaps.p999_ns / 1_000);
    let most = u64::try_from(LATE.as_micros())? + gap;
    println!(
        "late by at most {cpu} us of processor time in 999 of 1,000 stops (limit {most} us: 5 ms and the ticker's own p99.9 gap of \
         {gap} us); by the wall clock, in which others had the processor too, by {} us. Left out of the percentiles: {untimed} loops in init and while loading, whose time has instantiation or compiling in it",
        late.wall.value_at_quantile(0.999)
    );
    ensure!(
        cpu <= most,
        "p99.9 of the time from deadline to stop is {cpu} us: more than 5 ms and the ticker's {gap} us"
    );
    let mut report = Report::new(task.size)
        .figure("deadline_us", u64::try_from(DEADLINE.as_micros())?)
        .figure("timed", late.cpu.len())
        .figure("untimed", untimed)
        .figure("untimed_whole_load_worst_us", u64::try_from(untimed_worst.as_micros())?)
        .figure("late_limit_us", most);
    for (clock, times) in [("cpu", &late.cpu), ("wall", &late.wall)] {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("worst", 1.0)] {
            report = report.figure(&format!("late_{clock}_{name}_us"), times.value_at_quantile(quantile));
        }
    }
    Ok(report
        .figure("ticks", gaps.ticks)
        .figure("ticker_gap_p50_us", gaps.p50_ns / 1_000)
        .figure("ticker_gap_p999_us", gap)
        .figure("ticker_gap_worst_us", gaps.worst_ns / 1_000))
}

/// Lets so many modules loop in `init` and while they are loaded. The longest time of all that was done.
fn stop_untimed(count: u64) -> Result<Duration> {
    let subject = Subject::from_bytes("loop", module(CALLBACKS).as_bytes(), LIMITS)?;
    let picky = Setting { config: b"{}".to_vec(), rooms: 64, ..Setting::default() };
    let process = r#"(func (export "process") (param i32))"#;
    let at_load: Vec<String> = AT_LOAD.iter().map(|items| module(&format!("{process} {items}"))).collect();
    let mut worst = Duration::ZERO;
    for number in 0..usize::try_from(count)? {
        let begin = Instant::now();
        let error = match at_load.get(number % (at_load.len() + 1)) {
            Some(text) => inspect_bytes("loop", text.as_bytes(), LIMITS).err().map(|error| error.to_string()),
            None => Trial::start(&subject, &picky).err().map(|failure| failure.to_string()),
        };
        worst = worst.max(begin.elapsed());
        let Some(error) = error else { bail!("untimed loop {number} was accepted") };
        ensure!(error.contains("deadline"), "another reason: {error}");
    }
    Ok(worst)
}

/// Lets a new instance loop there, and notes how long after its deadline the call came back.
fn stop_timed(subject: &Subject, place: Place, late: &mut Lateness) -> Result<()> {
    let mut trial = Trial::start(subject, &Setting { rooms: 64, ..Setting::default() })?;
    let packet = Packet { bytes: vec![0; 60], ..Packet::default() };
    let (begin, cpu) = (Instant::now(), thread_cpu_time());
    let result: Result<(), Failure> = match place {
        Place::Prefill => trial.prefill().map(drop),
        Place::Generate => trial.generate(4).map(drop),
        Place::Process => trial.process(std::slice::from_ref(&packet)).map(drop),
        Place::Tick => trial.tick(false).map(drop),
        Place::Message => trial.message(b"").map(drop),
        Place::Save => trial.save().map(drop),
        Place::Restore => trial.restore(b""),
    };
    let (cpu, wall) = (thread_cpu_time().saturating_sub(cpu), begin.elapsed());
    let failure = result.err().context("it ended by itself")?;
    ensure!(failure.to_string().contains("deadline"), "another reason: {failure}");
    // Never before: a call has all of its time.
    ensure!(cpu >= DEADLINE, "stopped after {cpu:?} of {DEADLINE:?}");
    late.cpu.record(u64::try_from((cpu - DEADLINE).as_micros())?)?;
    late.wall.record(u64::try_from(wall.saturating_sub(DEADLINE).as_micros())?)?;
    Ok(())
}
