//! Packets that a run remembers, to be looked back at: `[[history]]`.

use crate::values;
use serde::Deserialize;
use std::time::Duration;

/// Packets of some points in memory, the newest in place of the oldest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Name, for those who look back.
    pub name: String,
    /// Its points, as those of captures.
    pub at: Vec<String>,
    /// Bytes of memory.
    #[serde(deserialize_with = "values::size")]
    pub memory: u64,
    /// How long packets are remembered at most; `None`: until others take their place.
    #[serde(default, deserialize_with = "values::some_duration")]
    pub keep: Option<Duration>,
    /// Bytes of each packet, at most.
    #[serde(default = "whole")]
    pub snaplen: u32,
}

fn whole() -> u32 {
    262_144
}
