//! Packets that a run remembers, to be looked back at: `[[history]]`.

use crate::values;
use serde::Deserialize;

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
    /// Bytes of each packet, at most.
    #[serde(default = "whole")]
    pub snaplen: u32,
}

fn whole() -> u32 {
    262_144
}
