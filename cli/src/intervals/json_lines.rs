//! All counters of a moment, as a line of JSON.

use anyhow::{Context, Result};
use perigee_runtime::{Accounting, Snapshot};
use serde::Serialize;

/// What `GET /v1/stats` answers, and whether it is the last one.
#[derive(Serialize)]
struct Moment<'a> {
    /// The run is over: these are the figures of its summary.
    r#final: bool,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounting: Option<&'a Accounting>,
}

/// The line; with `end`, the last one.
pub(super) fn line(snapshot: &Snapshot, end: Option<&Accounting>) -> Result<Vec<u8>> {
    let moment = Moment { r#final: end.is_some(), snapshot, accounting: end };
    let mut line = serde_json::to_vec(&moment).context("JSON")?;
    line.push(b'\n');
    Ok(line)
}
