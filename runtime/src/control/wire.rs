//! The JSON of requests and answers.

use super::target::ModuleEntry;
use crate::stats::ModuleStats;
use serde::{Deserialize, Serialize};

/// `GET /v1/status`.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) version: &'static str,
    pub(super) abi: u32,
    pub(super) pid: u32,
    pub(super) elapsed_ns: u64,
    pub(super) ports: usize,
    pub(super) chains: usize,
    pub(super) instances: usize,
    /// Instances that do not run any more.
    pub(super) failed: Vec<String>,
    pub(super) ticker_worst_gap_ns: u64,
    pub(super) control: ControlStatus,
}

/// How the control server itself fares.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct ControlStatus {
    pub(super) connections: u64,
    pub(super) requests: u64,
    /// Connections of other users, refused.
    pub(super) refused: u64,
    /// Connections beyond what is served at a time.
    pub(super) busy: u64,
}

/// One of `GET /v1/modules`.
#[derive(Debug, Serialize)]
pub(super) struct ModuleAnswer {
    #[serde(flatten)]
    pub(super) entry: ModuleEntry,
    pub(super) instances: Vec<ModuleStats>,
}

/// `GET` and `PUT /v1/log-level`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLevel {
    pub(super) filter: String,
}

/// `POST /v1/modules/NAME/message`: one answer per instance, in the order of the configuration.
#[derive(Debug, Serialize)]
pub(super) struct Answers {
    pub(super) answers: Vec<Answer>,
}

/// One instance's answer.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) base64: String,
    /// The same as text, where it is UTF-8.
    pub(super) text: Option<String>,
}
