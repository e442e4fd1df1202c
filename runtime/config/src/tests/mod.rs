//! Every message of the configuration, by its text, and what valid configurations mean.

mod devices;
mod faults;
mod flows;
mod machine;
mod meaning;
mod paths;
mod rooms;
mod streams;
mod text;

use super::*;

/// A valid configuration, to which tests add what they are about.
const GOOD: &str = r#"
[[port]]
name = "a"
device = "net_null0"

[[port]]
name = "b"
device = "net_null1"

[[module]]
name = "gen"
file = "gen.wasm"

[[module]]
name = "count"
file = "count.wat"

[[chain]]
name = "load"
source = { module = "gen" }
tx = ["a"]

[[chain]]
source = { port = "b" }
stages = ["count"]
"#;

/// Checks that the text is refused with exactly these lines.
fn refused(text: &str, expected: &[&str]) {
    let error = Config::parse(text, "perigee.toml").expect_err("the text must be refused");
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines, expected);
}

/// Checks that the valid configuration with one text replaced is refused with exactly these lines.
fn refused_with(from: &str, to: &str, expected: &[&str]) {
    assert!(GOOD.contains(from), "{from:?} is not in the valid configuration");
    refused(&GOOD.replacen(from, to, 1), expected);
}

/// The warnings of a valid configuration, with their lines.
fn warnings(text: &str) -> Vec<String> {
    let config = Config::parse(text, "perigee.toml").unwrap();
    locate(text, "perigee.toml", &config.validate()).iter().map(Located::to_string).collect()
}
