//! How a stream's packets follow each other.

use super::rate::Rate;
use crate::values::{self, parse_duration};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt;
use std::time::Duration;

/// How a stream's packets follow each other: `pattern`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Pattern {
    /// Evenly.
    #[default]
    Constant,
    /// With gaps from an exponential distribution, from the beginning of one packet to that of the next.
    Poisson,
    /// The module says when: by a time or a gap of each packet. The rate is for those of which it says nothing.
    Module,
    /// So many packets close to each other, then a pause that keeps the rate.
    Bursts {
        /// Packets of a burst.
        size: u32,
        /// Time from one to the next inside a burst; `None`: what the link takes for the first of the two.
        #[serde(default, deserialize_with = "values::some_duration")]
        gap: Option<Duration>,
    },
    /// Evenly for a while, and nothing for another; the rate is the mean of both.
    OnOff {
        /// How long packets come, in the mean.
        #[serde(deserialize_with = "values::duration")]
        on: Duration,
        /// How long none come, in the mean.
        #[serde(deserialize_with = "values::duration")]
        off: Duration,
        /// Each time is as long as the mean; else they are drawn from exponential distributions.
        #[serde(default)]
        fixed: bool,
    },
    /// A Poisson process whose rate goes from one level to the next, and from the last to the first.
    Mmpp {
        /// The levels.
        rates: Levels,
        /// How long each is held: the mean of an exponential distribution.
        #[serde(deserialize_with = "durations")]
        hold: Vec<Duration>,
    },
    /// With gaps from a Pareto distribution, of which some are very long.
    Pareto {
        /// Its shape, above 1; up to 2 the gaps have no finite variance.
        shape: f64,
    },
    /// From one rate to another.
    Ramp {
        /// At the beginning.
        from: Rate,
        /// At the end, and from then on.
        to: Rate,
        /// How long it takes.
        #[serde(deserialize_with = "values::duration")]
        over: Duration,
        /// Begins again at its end.
        #[serde(default)]
        repeat: bool,
    },
    /// With gaps that somebody wrote down.
    Trace(Trace),
}

/// The rates between which a Markov-modulated process changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Levels {
    /// Multiples of each other: the stream's rate is their mean.
    Multiples(Vec<f64>),
    /// Rates. Where the stream has one as well, they are multiples of each other, and it is their mean.
    Rates(Vec<Rate>),
}

/// Gaps that somebody wrote down, from the beginning of one packet to that of the next.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The gaps. The first packet leaves at the stream's start, and each gap is followed by one.
    #[serde(default, deserialize_with = "durations")]
    pub gaps: Vec<Duration>,
    /// The file in which they stand, one on a line; relative to the configuration's directory.
    #[serde(default)]
    pub file: Option<String>,
    /// Begins again after the last gap.
    #[serde(default)]
    pub repeat: bool,
}

/// Its name, as `kind` has it.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Module => "module",
            Self::Bursts { .. } => "bursts",
            Self::OnOff { .. } => "on-off",
            Self::Mmpp { .. } => "mmpp",
            Self::Pareto { .. } => "pareto",
            Self::Ramp { .. } => "ramp",
            Self::Trace(_) => "trace",
        })
    }
}

impl Levels {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Multiples(levels) => levels.len(),
            Self::Rates(levels) => levels.len(),
        }
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their numbers.
    #[must_use]
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Multiples(levels) => levels.clone(),
            Self::Rates(levels) => levels.iter().map(|rate| rate.ratio().number()).collect(),
        }
    }
}

impl Trace {
    /// Reads gaps from a text: one on a line; empty lines, and what stands behind `#`, are passed over.
    ///
    /// # Errors
    /// The first line that is no gap.
    pub fn read(text: &str) -> Result<Vec<Duration>, String> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).enumerate();
        let gap = |(index, line)| parse_duration(line).map_err(|what| format!("line {}: {what}", index + 1));
        lines.filter(|(_, line)| !line.is_empty()).map(gap).collect()
    }
}

/// A name alone, or a table with `kind`.
pub(super) fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
    const NAMES: &str = "constant, poisson, module, bursts, on-off, mmpp, pareto, ramp, trace";
    let value = toml::Value::deserialize(deserializer)?;
    let table = match value {
        toml::Value::String(kind) => toml::Table::from_iter([("kind".to_owned(), kind.into())]),
        toml::Value::Table(table) => table,
        other => {
            let kind = other.type_str();
            return Err(D::Error::custom(format!(
                "a pattern is a name or a table with `kind`, not of type {kind}; {NAMES}"
            )));
        }
    };
    let Some(kind) = table.get("kind").and_then(toml::Value::as_str).map(str::to_owned) else {
        return Err(D::Error::custom(format!("a pattern's table needs a `kind`: {NAMES}")));
    };
    // serde passes over what stands beside a kind that has no keys.
    if let ("constant" | "poisson" | "module", Some(key)) = (&*kind, table.keys().find(|key| *key != "kind")) {
        return Err(D::Error::custom(format!("pattern {kind:?} has no key `{key}`")));
    }
    table.try_into().map_err(|error: toml::de::Error| {
        let what = error.message().trim();
        let what = match what.strip_prefix("missing field ") {
            Some(key) => format!("pattern {kind:?} needs {key}"),
            None if what.starts_with("unknown variant") => format!("{kind:?} is no pattern; it is one of {NAMES}"),
            None => what.to_owned(),
        };
        D::Error::custom(what)
    })
}

/// A pattern as a configuration has it, where it may be left away.
///
/// # Errors
/// As with a `pattern` in a configuration.
pub fn some_pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pattern>, D::Error> {
    pattern(deserializer).map(Some)
}

fn durations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    let one = |value: toml::Value| values::duration(value).map_err(|error| D::Error::custom(error.message()));
    Vec::<toml::Value>::deserialize(deserializer)?.into_iter().map(one).collect()
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong =
            || D::Error::custom("rates are all numbers, as [1, 0.1], or all rates, as [\"1 Mpps\", \"10 kpps\"]");
        let values = Vec::<toml::Value>::deserialize(deserializer)?;
        if values.iter().all(toml::Value::is_str) {
            let rates = values.iter().filter_map(toml::Value::as_str).map(Rate::parse);
            return Ok(Self::Rates(rates.collect::<Result<_, _>>().map_err(D::Error::custom)?));
        }
        #[allow(clippy::cast_precision_loss, reason = "what is written there is compared with fractions")]
        let number = |value: &toml::Value| value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        Ok(Self::Multiples(values.iter().map(number).collect::<Option<_>>().ok_or_else(wrong)?))
    }
}
