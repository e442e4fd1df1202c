//! The messages about what a module's failure leads to, and about the watchdog.

use super::super::*;
use super::{GOOD, refused, refused_with};
use std::time::Duration;

/// The valid configuration with lines added to the module `count`.
fn counting(lines: &str) -> String {
    GOOD.replace("file = \"count.wat\"", &format!("file = \"count.wat\"\n{lines}"))
}

#[test]
fn a_stage_is_restarted_and_a_source_ends_the_run() {
    let config = Config::parse(GOOD, "perigee.toml").unwrap();
    let count = &config.modules[1];
    assert_eq!((count.on_fault(false), count.on_fault(true)), (OnFault::Restart, OnFault::Stop));
    assert!(!count.passes_by());
    let text = counting("restart = { open = true, first = \"5ms\" }");
    let config = Config::parse(&text, "perigee.toml").unwrap();
    assert!(config.modules[1].passes_by());
    assert_eq!(
        config.modules[1].restart,
        Restart { open: true, first: Duration::from_millis(5), ..Restart::default() }
    );
}

#[test]
fn packets_cannot_pass_by_a_source() {
    refused_with(
        "file = \"gen.wasm\"",
        "file = \"gen.wasm\"\non_fault = \"open\"",
        &[
            "perigee.toml:13: module \"gen\": on_fault is \"open\", but it is the source of chain \"load\"; no packets could pass by it; stop, restart or closed",
        ],
    );
    let text = GOOD.replace("file = \"gen.wasm\"", "file = \"gen.wasm\"\non_fault = \"restart\"");
    assert!(Config::parse(&text, "perigee.toml").is_ok(), "a source can be restarted");
}

#[test]
fn restarts_need_time_and_a_number() {
    let text = counting("restart = { first = \"2s\", longest = \"1s\", failures = 0, within = \"0s\" }");
    let said = Config::parse(&text, "perigee.toml").unwrap_err().to_string();
    for part in ["restart.longest is shorter", "restart.failures is 0", "restart.within is 0"] {
        assert!(said.contains(part), "{said}");
    }
    let text = counting("restart = { first = \"0s\" }");
    assert!(Config::parse(&text, "perigee.toml").unwrap_err().to_string().contains("restart.first is 0"));
}

#[test]
fn the_watchdog_knows_the_longest_deadline() {
    let config = Config::parse(GOOD, "perigee.toml").unwrap();
    assert_eq!(config.watchdog(), Duration::from_secs(1));
    let text = counting("grants = { deadline = \"800ms\" }");
    let patient = Config::parse(&text, "perigee.toml").unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(patient.watchdog(), Duration::from_millis(2_400));
}

#[test]
fn the_watchdog_has_more_patience_than_a_deadline() {
    refused(
        &format!("[run]\nwatchdog = \"150ms\"\n{GOOD}"),
        &[
            "perigee.toml:2: run: watchdog is 150ms, module \"count\" has a deadline of 100ms; the watchdog would speak of calls that are allowed: more than twice the longest deadline",
        ],
    );
    refused(
        &format!("[run]\nwatchdog_abort = \"1s\"\n{GOOD}"),
        &[
            "perigee.toml:2: run: watchdog_abort is no longer than watchdog (1s); an lcore that is late is told of first; ten times as long is usual",
        ],
    );
}
