//! How long packets take in the parts of a chain.

use super::TimeStats;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Of one chain on one lcore.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct StageTimes {
    /// Name of the chain in the configuration.
    pub chain: String,
    /// CPU that it runs on.
    pub lcore: u32,
    /// Its parts that packets were in, in the order of their way; the last one is all of it within the host.
    pub parts: Vec<PartTimes>,
    /// The chain has got other stages since: their times are not in it.
    pub is_changed: bool,
}

/// Times of packets in one part.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PartTimes {
    /// Which: `wire to host`, `module NAME`, `to ports and rings`, `host to port`.
    pub part: String,
    /// Times of packets: all of a burst have that of their burst, but for `wire to host`.
    pub times: TimeStats,
}
