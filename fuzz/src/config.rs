//! A configuration: read, validated, its problems located.

use perigee_runtime::config::{Config, ConfigError, Located, ModuleConfig, Severity, locate};
use std::path::Path;

/// Where module files are looked for: there is nothing.
const NOWHERE: &str = "/nowhere";

/// Reads bytes as a configuration file. Nothing panics, every problem names its line, and what is accepted can be placed.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::read(text, "fuzz.toml") {
        Err(error) => unreadable(text, &error),
        Ok(config) => readable(text, &config),
    }
}

fn unreadable(text: &str, error: &ConfigError) {
    assert!(!error.problems.is_empty(), "refused without a reason");
    assert!(error.problems.iter().all(|problem| problem.severity == Severity::Error));
    error.problems.iter().for_each(|problem| place(text, problem));
    assert_eq!(Config::parse(text, "fuzz.toml").as_ref(), Err(error));
}

fn readable(text: &str, config: &Config) {
    let problems = config.problems(Path::new(NOWHERE));
    let located = locate(text, "fuzz.toml", &problems);
    assert_eq!(located.len(), problems.len());
    // Only the lack of any chain is nowhere in the file.
    located.iter().filter(|problem| !config.chains.is_empty() || problem.line.is_some()).for_each(|p| place(text, p));
    let is_good = config.validate().iter().all(|problem| problem.severity == Severity::Warning);
    assert_eq!(Config::parse(text, "fuzz.toml").is_ok(), is_good, "{located:?}");
    if is_good {
        let placed = config.placement(&[0, 1]);
        assert_eq!(placed.len(), config.chains.iter().map(perigee_runtime::config::Chain::width).sum::<usize>());
        assert!((0..config.ports.len()).all(|port| config.rx_queues(port) > 0 && config.port_pool(port) > 0));
    }
    for config in config.modules.iter().filter_map(|module| module.config.as_ref()) {
        let bytes = config.bytes();
        // A table is JSON, and so an object.
        assert!(!matches!(config, ModuleConfig::Table(_)) || bytes.starts_with(b"{") && bytes.ends_with(b"}"));
    }
}

/// A problem has a text, and a line that the file has.
fn place(text: &str, problem: &Located) {
    assert!(!problem.message.is_empty());
    // A text that ends with a newline ends on the line after it.
    let lines = text.matches('\n').count() + 1;
    let line = problem.line.unwrap_or_else(|| panic!("no line: {problem}"));
    assert!((1..=lines).contains(&line), "{problem}");
    assert!(problem.to_string().starts_with(&format!("fuzz.toml:{line}:")), "{problem}");
}
