//! How the times of a latency were taken, how much of it is the measurement's own, and what a second observer saw.

use super::{GapStats, TimeStats};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the times of a stream's latency were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Stamps {
    /// Who took the times of departure, and when.
    pub departure: String,
    /// Who took those of arrival: one of the receiving ports each, without repetition.
    pub arrival: Vec<String>,
    /// Probes that a port was to stamp and did not: their time is that of the look of the lcore. Of all streams that the same chains
    /// receive.
    pub unstamped: u64,
    /// What of the latency is the measurement's own; `None` where nobody has looked it up.
    pub floor: Option<Floor>,
}

/// What a latency cannot be below: what the same ports take without a device between them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Floor {
    /// By a calibration.
    Known {
        /// Bias: the shortest latency, nanoseconds.
        min_ns: u64,
        /// Bias: half of them were no longer, nanoseconds.
        p50_ns: u64,
        /// Jitter: p99 less p50, nanoseconds; `None` where there were too few probes for a p99.
        jitter_ns: Option<u64>,
        /// Of which rate, length and ports, and when it was measured.
        calibration: String,
    },
    /// No calibration fits.
    Unknown {
        /// The command that makes one.
        command: String,
    },
}

/// What the kernel saw of a stream's departures.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ObservedStats {
    /// Who observed, and where.
    pub by: Vec<String>,
    /// Probes that were seen.
    pub seen: u64,
    /// Packets that may have been probes and were not read in time, of all streams of these ports.
    pub missed: u64,
    /// The kernel's time of departure less the one that was written into the probe: how much of the latency is before the wire.
    pub after_stamp: TimeStats,
    /// Gaps between departures of successive probes, as the kernel saw them.
    pub gaps: GapStats,
}
