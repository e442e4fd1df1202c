//! What a run waits for in a history, to write what was before it as well as what comes after it: `[[trigger]]`.

use crate::values::{self, parse_duration, parse_size};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// A kind of event in a history, and the folder for its dumps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Name, for what is told of it.
    pub name: String,
    /// The history that is watched.
    pub history: String,
    /// The folder for dumps, relative to the configuration's directory; made where it is not there.
    pub into: String,
    /// An event is a packet that passes this, in libpcap's language.
    #[serde(default)]
    pub filter: Option<String>,
    /// An event is a packet that this module sends.
    #[serde(default)]
    pub module: Option<String>,
    /// An event is more than this at once.
    #[serde(default)]
    pub burst: Option<Burst>,
    /// An event is a failure of one of the run's modules.
    #[serde(default)]
    pub fault: bool,
    /// How much of the time before is written.
    #[serde(default = "past", deserialize_with = "values::duration")]
    pub past: Duration,
    /// How much of the time after.
    #[serde(default = "future", deserialize_with = "values::duration")]
    pub future: Duration,
    /// Packets of all flows, where what has happened is about one.
    #[serde(default)]
    pub all: bool,
    /// So many dumps a minute at most.
    #[serde(default = "per_minute")]
    pub per_minute: u32,
    /// A dump ends when it has so many bytes.
    #[serde(default = "most_bytes", deserialize_with = "values::size")]
    pub most_bytes: u64,
}

fn past() -> Duration {
    Duration::from_secs(5)
}

fn future() -> Duration {
    Duration::from_secs(1)
}

fn per_minute() -> u32 {
    6
}

fn most_bytes() -> u64 {
    100_000_000
}

impl Trigger {
    /// How many kinds of event it names: it is to be one.
    pub(crate) fn kinds(&self) -> usize {
        let given = [self.filter.is_some(), self.module.is_some(), self.burst.is_some(), self.fault];
        given.into_iter().filter(|given| *given).count()
    }
}

/// More bytes than this within a time, written `1MB/100us`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Burst {
    /// The bytes.
    pub bytes: u64,
    /// The time.
    pub window: Duration,
}

impl Burst {
    /// Reads one.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no burst: write bytes and a time, as 1MB/100us");
        let (bytes, window) = text.split_once('/').ok_or_else(wrong)?;
        let bytes = parse_size(bytes.trim()).map_err(|what| format!("{}: {what}", wrong()))?;
        let window = parse_duration(window.trim()).map_err(|what| format!("{}: {what}", wrong()))?;
        if bytes == 0 || window.is_zero() { Err(wrong()) } else { Ok(Self { bytes, window }) }
    }
}

impl<'de> Deserialize<'de> for Burst {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_burst_is_bytes_and_a_time() {
        let burst = Burst { bytes: 1 << 20, window: Duration::from_micros(100) };
        assert_eq!(Burst::parse("1MB/100us"), Ok(burst));
        for wrong in ["", "1MB", "1MB/", "/1us", "0/1us", "1/0s", "x/1us"] {
            assert!(Burst::parse(wrong).expect_err(wrong).contains("as 1MB/100us"), "{wrong}");
        }
    }
}
