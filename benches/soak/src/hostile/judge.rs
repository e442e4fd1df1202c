//! Whether what became of a hostile module is what had to.

use super::module::Hostile;
use anyhow::{Result, ensure};
use perigee_runtime::{ChainStats, ModuleStats};

/// What is known of a module and its chain at one moment.
pub(super) struct Seen {
    pub(super) failed: Option<String>,
    pub(super) batches: u64,
    pub(super) chain: ChainStats,
    pub(super) module: ModuleStats,
    /// Batches that are enough for a module that lives.
    pub(super) enough: u64,
}

/// What has not happened yet; nothing where all has.
pub(super) fn missing(hostile: &Hostile, seen: &Seen) -> Option<String> {
    let name = &hostile.name;
    if let Some(text) = &hostile.fault {
        return seen.failed.is_none().then(|| format!("{name} did not fail with {text:?} in {} batches", seen.batches));
    }
    if let Some(failed) = &seen.failed {
        // It is not expected, and `check` says so.
        return (hostile.answer.is_none() && failed.is_empty()).then(|| name.clone());
    }
    if let Some(counter) = hostile.counts.iter().find(|counter| count(seen, counter) == 0) {
        return Some(format!("{name} has no {counter} in {} batches", seen.batches));
    }
    // A module that makes no packets is called all the same.
    let calls = if hostile.generates { seen.chain.polls } else { seen.batches };
    (calls < seen.enough).then(|| format!("{name} had {calls} batches of {}", seen.enough))
}

/// All is as expected.
pub(super) fn check(hostile: &Hostile, seen: &Seen) -> Result<()> {
    match (&hostile.fault, &seen.failed) {
        (Some(wanted), Some(text)) => {
            ensure!(text.contains(wanted), "another fault than {wanted:?}: {text}");
            harmless(text)?;
            if let Some(class) = &hostile.class {
                let faults = &seen.module.faults;
                ensure!(faults.get(class).is_some_and(|n| *n > 0), "no fault of class {class}: {faults:?}, {text}");
            }
        }
        (Some(wanted), None) => ensure!(false, "no fault, in place of {wanted:?}"),
        // What is asked of a module can be its end.
        (None, Some(text)) => ensure!(hostile.answer.is_some(), "a fault: {text}"),
        (None, None) => {}
    }
    for counter in &hostile.counts {
        ensure!(count(seen, counter) > 0, "no {counter}: {:?}", seen.chain);
    }
    Ok(())
}

fn count(seen: &Seen, counter: &str) -> u64 {
    match counter {
        "bad_outputs" => seen.chain.bad_outputs,
        "tx_time_ignored" => seen.chain.tx_time_ignored,
        "created" => seen.chain.created,
        "log_lost" => seen.module.log_lost,
        "sent" => seen.chain.sent,
        cause => seen.chain.dropped.get(cause).copied().unwrap_or(0),
    }
}

/// A text that a terminal shows without doing anything.
pub(super) fn harmless(text: &str) -> Result<()> {
    let bad = text.chars().find(|c| c.is_control() && *c != '\n');
    ensure!(bad.is_none(), "a control character ({:x}) in {text:?}", bad.map_or(0, u32::from));
    Ok(())
}
