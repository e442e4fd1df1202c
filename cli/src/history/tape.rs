//! A history as its reader has it.

use crate::capture::{SETTLE, Session};
use crate::client::{Client, encode};
use anyhow::{Context, Result, bail};
use perigee_runtime::{HistoryStatus, text};
use std::time::Duration;

/// The histories of a run.
pub(super) fn all(client: &Client) -> Result<Vec<HistoryStatus>> {
    serde_json::from_value(client.get("/v1/histories")?).context("the run is of another version")
}

/// The history of that name; without one the only one that there is.
pub(super) fn open(client: &Client, name: Option<&str>) -> Result<(String, Session)> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => only_one(client)?,
    };
    let session = Session::attach(client, &format!("/v1/histories/{}", encode(&name)))?;
    Ok((name, session))
}

fn only_one(client: &Client) -> Result<String> {
    let mut names: Vec<String> = all(client)?.into_iter().map(|history| history.name).collect();
    match names.len() {
        1 => Ok(names.remove(0)),
        0 => bail!("the run remembers no packets: give its configuration a [[history]] (docs/history.md)"),
        _ => {
            let names: Vec<String> = names.iter().map(|name| text::line(name, text::NAME)).collect();
            bail!("there are several histories, name one: {}", names.join(", "))
        }
    }
}

/// As nanoseconds of the run's clock, which a process of its own knows by the time of day.
pub(super) fn now_ns(session: &Session) -> u64 {
    crate::capture::now_ns().saturating_sub(session.info.start_unix_ns)
}

/// A length of time in nanoseconds.
pub(super) fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether no packet of that time can come any more.
pub(super) fn is_past(session: &Session, until_ns: u64) -> bool {
    is_settled(now_ns(session), until_ns)
}

/// As [`is_past`], at that moment. Lcores show what they have recorded at the end of each burst, some later than others.
pub(super) fn is_settled(now_ns: u64, until_ns: u64) -> bool {
    now_ns > until_ns.saturating_add(ns(SETTLE * 10))
}
