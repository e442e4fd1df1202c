//! Endless loops at every place where a module is called: each is stopped, and how long that takes is measured.

use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use perigee_runtime::trial::{Packet, Setting, Subject, Trial};
use perigee_runtime::{Limits, inspect_bytes};
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "loops",
    about: "modules that loop for ever, in each callback in turn: all are stopped",
    unit: "loops",
    quick: 1_000,
    full: 100_000,
    run,
};

/// What a call may take.
const DEADLINE: Duration = Duration::from_millis(2);
const LIMITS: Limits = Limits { memory: 16 << 20, deadline: DEADLINE, table: 65_536 };

/// Where a module can loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Initialize,
    Number,
    Init,
    Prefill,
    Generate,
    Process,
    Tick,
    Message,
    Save,
    Restore,
}

const PLACES: [Place; 11] = [
    Place::Start,
    Place::Initialize,
    Place::Number,
    Place::Init,
    Place::Prefill,
    Place::Generate,
    Place::Process,
    Place::Tick,
    Place::Message,
    Place::Save,
    Place::Restore,
];

impl Place {
    /// The items of a module that loops here.
    fn items(self) -> &'static str {
        match self {
            Self::Start => "(func $s (loop (br 0))) (start $s)",
            Self::Initialize => r#"(func (export "_initialize") (loop (br 0)))"#,
            Self::Number => r#"(func (export "perigee_spares") (result i32) (loop (br 0)) (i32.const 0))"#,
            Self::Init => r#"(func (export "init") (param i32) (result i32) (loop (br 0)) (i32.const 0))"#,
            Self::Prefill => r#"(func (export "prefill") (param i32) (loop (br 0)))"#,
            Self::Generate => r#"(func (export "generate") (param i32) (loop (br 0)))"#,
            Self::Process => r#"(func (export "process") (param i32) (loop (br 0)))"#,
            Self::Tick => r#"(func (export "tick") (loop (br 0)))"#,
            Self::Message => r#"(func (export "message") (param i32) (result i32) (loop (br 0)) (i32.const 0))"#,
            Self::Save => r#"(func (export "save") (result i32) (loop (br 0)) (i32.const 0))"#,
            Self::Restore => r#"(func (export "restore") (param i32) (result i32) (loop (br 0)) (i32.const 0))"#,
        }
    }

    fn module(self) -> String {
        let other = if self == Self::Process { "" } else { r#"(func (export "process") (param i32))"# };
        let items = self.items();
        format!(
            r#"(module (memory (export "memory") 130)
  (global (export "perigee_abi") i32 (i32.const 2))
  (global (export "perigee_batch") i32 (i32.const 64))
  (global (export "perigee_mailbox") i32 (i32.const 40960))
  (global (export "perigee_mailbox_len") i32 (i32.const 4096))
  (global (export "perigee_window") i32 (i32.const 65536))
  (global (export "perigee_window_len") i32 (i32.const 8388608))
  {other} {items})"#
        )
    }

    /// Is it called when the module is loaded?
    fn at_load(self) -> bool {
        matches!(self, Self::Start | Self::Initialize | Self::Number)
    }
}

fn run(task: &Task) -> Result<Report> {
    let each = task.size.div_ceil(PLACES.len() as u64);
    let mut times = Histogram::<u64>::new(3)?;
    for place in PLACES {
        for _ in 0..each {
            let taken = stopped(place).with_context(|| format!("{place:?}"))?;
            times.record(u64::try_from(taken.as_micros())?)?;
        }
    }
    let at = |q: f64| times.value_at_quantile(q);
    Ok(Report::new(times.len())
        .figure("places", PLACES.len())
        .figure("deadline_us", u64::try_from(DEADLINE.as_micros())?)
        .figure("stop_p50_us", at(0.5))
        .figure("stop_p999_us", at(0.999))
        .figure("stop_worst_us", times.max()))
}

/// Lets a module loop there, and says after what time it was stopped.
fn stopped(place: Place) -> Result<Duration> {
    let module = place.module();
    if place.at_load() {
        let begin = Instant::now();
        let Err(error) = inspect_bytes("loop", module.as_bytes(), LIMITS) else { bail!("it was accepted") };
        ensure!(error.to_string().contains("deadline"), "another reason: {error}");
        // Compiling is in it.
        return Ok(begin.elapsed());
    }
    let subject = Subject::from_bytes("loop", module.as_bytes(), LIMITS)?;
    let setting = Setting { rooms: 64, ..Setting::default() };
    let mut begin = Instant::now();
    let failure = match Trial::start(&subject, &setting) {
        Err(failure) => failure,
        Ok(mut trial) => {
            begin = Instant::now();
            let result = match place {
                Place::Prefill => trial.prefill().map(drop),
                Place::Generate => trial.generate(4).map(drop),
                Place::Tick => trial.tick(false).map(drop),
                Place::Message => trial.message(b"").map(drop),
                Place::Save => trial.save().map(drop),
                Place::Restore => trial.restore(b""),
                _ => trial.process(&[Packet { bytes: vec![0; 60], ..Packet::default() }]).map(drop),
            };
            result.err().context("it ended by itself")?
        }
    };
    ensure!(failure.to_string().contains("deadline"), "another reason: {failure}");
    Ok(begin.elapsed())
}
