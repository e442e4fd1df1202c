//! Streams: when the packets of a chain leave. `[[stream]]`.

mod method;
mod pattern;
mod probes;
mod rate;

use crate::values;
use crate::{Chain, Config};
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

pub use method::{AskedMethod, Method};
pub use pattern::{Levels, Pattern, Trace, some_pattern};
pub use probes::Probes;
pub use rate::{Rate, Ratio, gcd};

/// When the packets of a chain leave: `[[stream]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What statistics and `perigee ctl` call it.
    pub name: String,
    /// The chain whose packets they are. Its lcores share the rate evenly.
    pub chain: String,
    /// How many packets leave, in the mean; `None` where the pattern says it.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// How they follow each other.
    #[serde(default, deserialize_with = "pattern::pattern")]
    pub pattern: Pattern,
    /// By what they are let go at their times.
    #[serde(default)]
    pub method: AskedMethod,
    /// What becomes of the schedule when a packet is late.
    #[serde(default)]
    pub late: Late,
    /// By how much a packet is late that counts as late.
    #[serde(default = "late_after", deserialize_with = "values::duration")]
    pub late_after: Duration,
    /// How long after the run's beginning it starts, or after the end of [`Self::after`].
    #[serde(default, deserialize_with = "values::duration")]
    pub start: Duration,
    /// The stream whose end it waits for.
    #[serde(default)]
    pub after: Option<String>,
    /// How long it lasts; `None`: until the run ends.
    #[serde(default, deserialize_with = "values::some_duration")]
    pub duration: Option<Duration>,
    /// After how many packets it ends; `None`: it does not.
    #[serde(default)]
    pub count: Option<u64>,
    /// It waits until somebody lets it go.
    #[serde(default)]
    pub paused: bool,
    /// What is measured of it; `None`: nothing but when its packets leave.
    #[serde(default)]
    pub probes: Option<Probes>,
}

/// What becomes of the schedule when a packet is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Late {
    /// What is late leaves at once, as fast as the port takes it, until the schedule is met again: the mean rate is kept.
    #[default]
    CatchUp,
    /// All that follows is late by as much: the gaps are kept, and the rate falls short.
    Shift,
    /// What is late does not leave: the times of all others are kept.
    Drop,
}

impl Stream {
    /// A stream at this rate with all defaults.
    #[must_use]
    pub fn new(name: &str, chain: &str, rate: Rate) -> Self {
        Self {
            name: name.to_owned(),
            chain: chain.to_owned(),
            rate: Some(rate),
            pattern: Pattern::Constant,
            method: AskedMethod::Auto,
            late: Late::CatchUp,
            late_after: late_after(),
            start: Duration::ZERO,
            after: None,
            duration: None,
            count: None,
            paused: false,
            probes: None,
        }
    }

    /// Whether it ends by itself.
    #[must_use]
    pub fn ends(&self) -> bool {
        let by_pattern = match &self.pattern {
            Pattern::Trace(trace) => !trace.repeat,
            Pattern::Ramp { to, repeat, .. } => to.is_zero() && !repeat,
            _ => false,
        };
        by_pattern || self.duration.is_some() || self.count.is_some()
    }

    /// The same stream as it goes on from some moment on: in another pattern, at another rate, or both. Without a rate it keeps its own,
    /// where the pattern takes one.
    ///
    /// # Errors
    /// What keeps that from being done while packets flow, or what is wrong with the numbers.
    pub fn going_on(&self, pattern: Pattern, rate: Option<Rate>) -> Result<Self, String> {
        if self.pattern == Pattern::Module || pattern == Pattern::Module {
            return Err("whether a module says when packets leave is decided when the run starts".to_owned());
        }
        if matches!(&pattern, Pattern::Trace(trace) if trace.file.is_some()) {
            return Err("a run reads no files: give the trace's gaps in `gaps`".to_owned());
        }
        let takes_rate = !matches!(pattern, Pattern::Ramp { .. } | Pattern::Trace(_));
        let next = Self { rate: rate.or(self.rate.filter(|_| takes_rate)), pattern, ..self.clone() };
        crate::validate::pace(&next)?;
        Ok(next)
    }

    /// Reads the gaps of its trace from their file, if they stand in one, which is looked for in `base`. Nothing else of a stream
    /// is in a file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read_trace(&mut self, base: &Path) -> Result<(), String> {
        let Pattern::Trace(trace) = &mut self.pattern else { return Ok(()) };
        let Some(file) = &trace.file else { return Ok(()) };
        let wrong = |what: &dyn std::fmt::Display| format!("stream {:?}: {file:?}: {what}", self.name);
        let text = std::fs::read_to_string(base.join(file)).map_err(|error| wrong(&error))?;
        let gaps = Trace::read(&text).map_err(|what| wrong(&what))?;
        if gaps.iter().all(Duration::is_zero) && (trace.repeat || gaps.is_empty()) {
            return Err(wrong(&"it has no gap that is longer than 0"));
        }
        (trace.gaps, trace.file) = (gaps, None);
        Ok(())
    }
}

impl Config {
    /// The stream that paces this chain.
    #[must_use]
    pub fn stream_of(&self, chain: &Chain) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.chain == chain.name)
    }
}

const fn late_after() -> Duration {
    Duration::from_micros(10)
}
