//! What of a build took longest, as `cargo build --timings` tells it in its page.

use crate::command::Repository;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;

/// How many crates are named.
const SLOWEST: usize = 10;
/// Where the page has its figures: a list in JSON.
const BEGIN: &str = "const UNIT_DATA = ";

/// Prints the crates that took longest in the last build, where it built any.
pub(crate) fn print_slowest(repository: &Repository) -> Result<()> {
    let page = repository.target().join("cargo-timings/cargo-timing.html");
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let slowest = slowest(&text).with_context(|| format!("{} is not as expected", page.display()))?;
    if !slowest.is_empty() {
        println!("slowest crates of this build, in seconds:");
        slowest.iter().for_each(|(name, seconds)| println!("  {seconds:>8.1}  {name}"));
    }
    Ok(())
}

/// Names and seconds, the slowest first.
fn slowest(page: &str) -> Option<Vec<(String, f64)>> {
    let figures = &page[page.find(BEGIN)? + BEGIN.len()..];
    let mut units = serde_json::Deserializer::from_str(figures).into_iter::<Vec<Value>>();
    let unit = |unit: &Value| {
        let name = format!("{}{}", unit["name"].as_str()?, unit["target"].as_str().unwrap_or_default());
        Some((name, unit["duration"].as_f64()?))
    };
    let mut all: Vec<_> = units.next()?.ok()?.iter().filter_map(unit).collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1));
    all.truncate(SLOWEST);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_come_first() {
        let unit = |n: u32| format!(r#"{{"name": "c{n}", "target": " (test)", "duration": {n}.5, "start": 0}}"#);
        let units: Vec<String> = (0..20).map(unit).collect();
        let page = format!("<script>\nconst DURATION = 3;\nconst UNIT_DATA = [{}];\nconst X = [];", units.join(","));
        let slowest = slowest(&page).unwrap();
        assert_eq!((slowest.len(), slowest[0].clone(), slowest[9].1), (10, ("c19 (test)".to_owned(), 19.5), 10.5));
        assert_eq!(super::slowest("const UNIT_DATA = [];"), Some(Vec::new()));
        assert_eq!(super::slowest("<html>"), None);
    }
}
