//! Answers as text for people.

use super::OTHER_VERSION;
use crate::summary;
use crate::table::{Table, count};
use anyhow::{Context, Result};
use perigee_runtime::{PaceStats, Snapshot, text};
use serde_json::Value;
use std::time::Duration;

/// A text as one line: what answers may come from anybody.
fn text(value: &Value) -> String {
    text::line(value.as_str().unwrap_or_default(), text::WORDS)
}

/// Why an instance has failed: what happened, then where, a line for each function.
fn failure(value: &Value) -> String {
    text::lines(value.as_str().unwrap_or_default())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Nanoseconds as a person reads them.
fn us(value: &Value) -> String {
    format!("{:.1} us", Duration::from_nanos(number(value)).as_secs_f64() * 1e6)
}

/// How the run and its server fare.
pub(crate) fn status(status: &Value) -> Result<String> {
    let number = |key: &str| status[key].as_u64().unwrap_or(0);
    let control = |key: &str| status["control"][key].as_u64().unwrap_or(0);
    let up = Duration::from_secs(Duration::from_nanos(number("elapsed_ns")).as_secs());
    let mut lines = format!(
        "{} ({}), perigee {}, ABI {}, process {}\n  up {}; {} ports, {} chains, {} instances\n",
        text(&status["name"]),
        text(&status["state"]),
        text(&status["version"]),
        number("abi"),
        number("pid"),
        humantime::format_duration(up),
        number("ports"),
        number("chains"),
        number("instances"),
    );
    lines += &format!(
        "  control: {} connections, {} requests; refused {} of other users, {} beyond the limit\n",
        count(control("connections")),
        count(control("requests")),
        count(control("refused")),
        count(control("busy")),
    );
    for failed in status["failed"].as_array().into_iter().flatten() {
        lines += &format!("  FAILED: {}\n", failure(failed).replace('\n', "\n    "));
    }
    Ok(lines)
}

/// All counters.
pub(crate) fn stats(stats: &Value) -> Result<String> {
    let snapshot: Snapshot = serde_json::from_value(stats.clone()).context(OTHER_VERSION)?;
    Ok(summary::now(&snapshot))
}

/// A row for each instance.
pub(crate) fn modules(modules: &Value) -> Result<String> {
    let mut table = Table::new(&["<module", "<file", "<chain", "lcore", "<state"]);
    for module in modules.as_array().into_iter().flatten() {
        let (name, file) = (text(&module["name"]), text(&module["file"]));
        let instances = module["instances"].as_array().map(Vec::as_slice).unwrap_or_default();
        for instance in instances {
            let failure = failure(&instance["failed"]);
            let state = failure.lines().next().unwrap_or("running").to_owned();
            let lcore = instance["lcore"].to_string();
            table.row([name.clone(), file.clone(), text(&instance["chain"]), lcore, state]);
        }
        if instances.is_empty() {
            table.row([name, file, "-".to_owned(), "-".to_owned(), "not used".to_owned()]);
        }
    }
    Ok(table.text())
}

/// One line for each instance.
pub(super) fn answers(answers: &Value) -> Result<String> {
    let answers = answers["answers"].as_array().context("no answers")?;
    let whole = |text: &Value| text::lines(text.as_str().unwrap_or_default());
    let line = |answer: &Value| match &answer["text"] {
        Value::Null => format!("base64 {}\n", whole(&answer["base64"])),
        text => format!("{}\n", whole(text)),
    };
    Ok(answers.iter().map(line).collect())
}

/// The filter of the log.
pub(crate) fn filter(answer: &Value) -> Result<String> {
    Ok(format!("{}\n", text(&answer["filter"])))
}

/// What `new` in a swap's column `state` means: whoever swaps a limiter must know that its buckets are full again.
const BEGINS_ANEW: &str = "  state new: begins without what the old instance knew (flows, rates, tables), because that exports no \"save\",\n  had \
                           failed, or --fresh was given\n";

/// What a swap cost.
pub(super) fn swap(report: &Value) -> Result<String> {
    let ms = |value: &Value| format!("{:.1} ms", Duration::from_nanos(number(value)).as_secs_f64() * 1e3);
    let short = |value: &Value| text(value).chars().take(12).collect::<String>();
    let mut lines = format!(
        "module {}: {} replaced by {}\n  longest pause {}, packets lost {}, missed by ports {}, effective blocked time {}\n",
        text(&report["module"]),
        short(&report["old_digest"]),
        short(&report["new_digest"]),
        us(&report["max_pause_ns"]),
        count(number(&report["lost"])),
        count(number(&report["missed"])),
        us(&report["blocked_ns"]),
    );
    lines += &format!(
        "  aside: compiled in {}, tried in {}, instances made in {}; switched in {}\n",
        ms(&report["load_ns"]),
        ms(&report["canary_ns"]),
        ms(&report["prepare_ns"]),
        ms(&report["switch_ns"]),
    );
    let mut table =
        Table::new(&["<chain", "lcore", "stage", "pause", "<state", "bytes", "held: moved", "returned", "dropped"]);
    for seat in report["seats"].as_array().into_iter().flatten() {
        let moved = if seat["state_moved"] == true { "moved" } else { "new" };
        let bytes = number(&seat["state_bytes"]) + number(&seat["region_bytes"]);
        let held = ["held_moved", "held_returned", "held_dropped"].map(|key| count(number(&seat[key])));
        let place = [text(&seat["chain"]), seat["lcore"].to_string(), seat["stage"].to_string(), us(&seat["pause_ns"])];
        table.row(place.into_iter().chain([moved.to_owned(), count(bytes)]).chain(held));
    }
    let seats = report["seats"].as_array().map(Vec::as_slice).unwrap_or_default();
    let begins = if seats.iter().all(|seat| seat["state_moved"] == true) { "" } else { BEGINS_ANEW };
    Ok(lines + &table.text() + begins)
}

/// All streams.
pub(crate) fn streams(answer: &Value) -> Result<String> {
    let streams: Vec<PaceStats> = serde_json::from_value(answer.clone()).context(OTHER_VERSION)?;
    Ok(if streams.is_empty() { "no streams\n".to_owned() } else { summary::streams(&streams) })
}

/// One stream.
pub(super) fn stream(answer: &Value) -> Result<String> {
    let stream: PaceStats = serde_json::from_value(answer.clone()).context(OTHER_VERSION)?;
    Ok(summary::streams(&[stream]))
}

/// One stream in a few words.
pub(super) fn stream_in_short(answer: &Value) -> Result<String> {
    let stream: PaceStats = serde_json::from_value(answer.clone()).context(OTHER_VERSION)?;
    let rate = if stream.rate.is_empty() { &stream.pattern } else { &stream.rate };
    Ok(text::line(&format!("stream {}: {}, {rate}", stream.name, stream.state), text::WORDS))
}

/// How many instances are on their way.
pub(super) fn restarted(answer: &Value) -> Result<String> {
    Ok(format!("{} new instances\n", number(&answer["instances"])))
}

/// One line for each difference.
pub(super) fn diff(differences: &Value) -> Result<String> {
    let lines: Vec<String> = differences["actions"].as_array().into_iter().flatten().map(text).collect();
    Ok(if lines.is_empty() { "no difference\n".to_owned() } else { lines.join("\n") + "\n" })
}

/// What was done, and what it cost.
pub(super) fn apply(report: &Value) -> Result<String> {
    let swaps = report["swaps"].as_array().into_iter().flatten().map(swap).collect::<Result<String>>()?;
    let mut table = Table::new(&["<chain", "lcore", "pause", "held: returned", "dropped", "lost", "<modules"]);
    let chains = report["chains"].as_array().into_iter().flatten();
    for chain in chains.clone() {
        let modules: Vec<_> = chain["modules"].as_array().into_iter().flatten().map(text).collect();
        let counts = ["held_returned", "held_dropped", "lost"].map(|key| count(number(&chain[key])));
        let place = [text(&chain["chain"]), chain["lcore"].to_string(), us(&chain["pause_ns"])];
        table.row(place.into_iter().chain(counts).chain([modules.join(", ")]));
    }
    let chains = if chains.count() == 0 { String::new() } else { table.text() };
    Ok(diff(report)? + &chains + &swaps)
}

#[cfg(test)]
mod test {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_place_that_begins_without_state_is_explained() {
        let report = |moved: &[bool]| {
            let seats: Vec<_> = moved.iter().map(|moved| json!({ "chain": "c", "state_moved": moved })).collect();
            swap(&json!({ "module": "limit", "seats": seats })).unwrap()
        };
        assert!(!report(&[true, true]).contains("state new"), "{}", report(&[true, true]));
        let text = report(&[true, false]);
        assert!(text.ends_with(BEGINS_ANEW) && text.contains("exports no \"save\""), "{text}");
    }
}
