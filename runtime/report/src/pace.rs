//! What a run tells of its streams: when their packets left, beside when they should have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Its time has not come.
    #[default]
    Waiting,
    /// Its packets leave.
    Running,
    /// Somebody holds it up.
    Paused,
    /// All of its packets have left.
    Over,
}

impl fmt::Display for StreamState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Over => "over",
        })
    }
}

/// One stream, all lcores of its chain together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PaceStats {
    /// Name in the configuration.
    pub name: String,
    /// The chain whose packets it paces.
    pub chain: String,
    /// How far it is.
    pub state: StreamState,
    /// By what its packets wait for their time.
    pub method: String,
    /// The calibration of its port that is known; `None` where there is none.
    pub calibration: Option<String>,
    /// The rate that was asked for, as people write it; empty where the pattern says it all.
    pub rate: String,
    /// How its packets follow each other.
    pub pattern: String,
    /// Nanoseconds since it began, until it was over.
    pub ran_ns: u64,
    /// Packets that ports took.
    pub sent: u64,
    /// Their bytes, without frame check sequence.
    pub sent_bytes: u64,
    /// Packets that left late, by more than the configuration's `late_after`.
    pub late: u64,
    /// The worst of these, nanoseconds.
    pub late_worst_ns: u64,
    /// Packets whose time has come and that have not left; about as many, where gaps are drawn.
    pub owed: u64,
    /// Packets that were dropped because they were late.
    pub dropped_late: u64,
    /// By so much the schedule was moved because packets were late, nanoseconds: the most of all lcores.
    pub moved_ns: u64,
    /// By how much the rate was missed, and why; `None` where it was met.
    pub missed: Option<String>,
}
