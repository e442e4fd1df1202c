//! What is asked for a capture, and what its reader is told: as JSON on the control socket.

use perigee_config::capture::Way;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to be captured.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureRequest {
    /// The points: `CHAIN:rx`, `CHAIN:tx`, `CHAIN:drops`, `CHAIN:before:STAGE`, `CHAIN:after:STAGE`, `port:NAME`, `port:NAME:rx`,
    /// `port:NAME:tx`.
    pub at: Vec<String>,
    /// The filter as its author wrote it: to be shown, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The filter's instructions, as libpcap makes them: code, jt, jf, k. None: all packets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub program: Vec<[u32; 4]>,
    /// Bytes of each packet, at most.
    #[serde(default = "whole")]
    pub snaplen: u32,
    /// Bytes of memory; `None`: 16 MiB, or what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

fn whole() -> u32 {
    262_144
}

/// What a reader has to know of a capture.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct CaptureInfo {
    /// Its number.
    pub id: u64,
    /// When the run's clock was 0, in nanoseconds since 1970.
    pub start_unix_ns: u64,
    /// Bytes of each packet, at most.
    pub snaplen: u16,
    /// Where packets are seen.
    pub places: Vec<PlaceInfo>,
    /// The lanes of the memory, in order.
    pub lanes: Vec<LaneInfo>,
    /// Names of causes of drops, by the number that a record has.
    pub causes: Vec<String>,
}

/// Where packets are seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PlaceInfo {
    /// As it is written: `fwd:after:acl`.
    pub name: String,
    /// Whether packets come there or leave.
    pub way: Way,
    /// The port, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// One lane: a place in a chain on an lcore.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LaneInfo {
    /// Which of the places.
    pub place: usize,
    /// The chain.
    pub chain: String,
    /// Its CPU.
    pub lcore: u32,
}

/// A capture under way.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct CaptureStatus {
    /// Its number.
    pub id: u64,
    /// Its points.
    pub at: Vec<String>,
    /// Its filter.
    pub filter: Option<String>,
    /// Bytes that it takes.
    pub memory: u64,
    /// Packets that have passed its points.
    pub seen: u64,
    /// Those of them that the filter has refused.
    pub refused: u64,
    /// Those that were recorded, whether or not somebody has read them.
    pub recorded: u64,
}

/// What a run remembers.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct HistoryStatus {
    /// Its name.
    pub name: String,
    /// Its points.
    pub at: Vec<String>,
    /// Bytes that it takes.
    pub memory: u64,
    /// Nanoseconds that packets are kept at most; `None`: until others take their place.
    pub keep_ns: Option<u64>,
    /// Packets that were recorded so far.
    pub recorded: u64,
    /// Those of them that are still there.
    pub held: u64,
    /// Nanoseconds from the oldest that is there to the newest.
    pub spans_ns: u64,
}
