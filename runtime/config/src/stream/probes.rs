//! What is measured of a stream.

use crate::values;
use serde::Deserialize;
use std::time::Duration;

/// Which of a stream's packets are probes, and who receives them: `probes`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probes {
    /// The chains that receive them, each from a port.
    pub received_by: Vec<String>,
    /// Every so many packets one is a probe: 1, all are.
    #[serde(default = "all")]
    pub every: u32,
    /// A probe that has not come after so long is lost; one that comes later is late.
    #[serde(default = "timeout", deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// So many probes of each sending lcore are remembered, a power of two: what comes after more than so many others cannot be told
    /// from a duplicate.
    #[serde(default = "places")]
    pub places: u32,
}

impl Probes {
    /// All packets are probes, with the other defaults.
    #[must_use]
    pub fn received_by(chains: &[&str]) -> Self {
        let received_by = chains.iter().map(|&chain| chain.to_owned()).collect();
        Self { received_by, every: all(), timeout: timeout(), places: places() }
    }
}

const fn all() -> u32 {
    1
}

const fn timeout() -> Duration {
    Duration::from_millis(100)
}

const fn places() -> u32 {
    1 << 21
}
