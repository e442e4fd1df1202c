//! Answers as text for people.

use crate::summary;
use crate::table::{Table, count};
use anyhow::{Context, Result};
use perigee_runtime::Snapshot;
use serde_json::Value;
use std::time::Duration;

/// Text without what would steer a terminal: names and errors may come from modules.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub(super) fn status(status: &Value) -> Result<String> {
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
        lines += &format!("  FAILED: {}\n", text(failed));
    }
    Ok(lines)
}

pub(super) fn stats(stats: &Value) -> Result<String> {
    let snapshot: Snapshot =
        serde_json::from_value(stats.clone()).context("the server's numbers are of another version")?;
    Ok(summary::now(&snapshot))
}

pub(super) fn modules(modules: &Value) -> Result<String> {
    let mut table = Table::new(&["<module", "<file", "<chain", "lcore", "<state"]);
    for module in modules.as_array().into_iter().flatten() {
        let (name, file) = (text(&module["name"]), text(&module["file"]));
        let instances = module["instances"].as_array().map(Vec::as_slice).unwrap_or_default();
        for instance in instances {
            let state = if instance["failed"].is_null() { "running".to_owned() } else { text(&instance["failed"]) };
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
    let line = |answer: &Value| match &answer["text"] {
        Value::Null => format!("base64 {}\n", text(&answer["base64"])),
        answer => format!("{}\n", text(answer)),
    };
    Ok(answers.iter().map(line).collect())
}

pub(super) fn filter(answer: &Value) -> Result<String> {
    Ok(format!("{}\n", text(&answer["filter"])))
}
