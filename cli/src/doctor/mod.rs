//! `perigee doctor`: what this machine has, what it lacks, and what to do about it. Reads files and asks compilers for
//! their targets; starts nothing, changes nothing, needs no rights.

mod devices;
mod hardware;
mod rights;
mod software;

use crate::output;
use crate::output::JsonOption;
use crate::pci::Machine;
use anyhow::Result;
use serde::Serialize;
use std::process::ExitCode;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What kind of thing it is.
    group: &'static str,
    /// What was looked at.
    name: String,
    /// How it is.
    state: State,
    /// What was found.
    found: String,
    /// What that means for a run.
    means: String,
    /// The command that mends it; empty where there is nothing to mend.
    mend: String,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Runs, but slower or with less.
    Warn,
    /// What needs it does not run.
    Missing,
}

/// `perigee doctor`.
pub(crate) fn doctor(json: &JsonOption) -> Result<ExitCode> {
    let machine = Machine::this();
    let mut findings = hardware::findings(&machine);
    findings.extend(rights::findings(&machine));
    findings.extend(devices::findings(&machine));
    findings.extend(software::findings(&machine));
    if output::json(&findings, json)? {
        output::result(&text(&findings, output::wants_color(&std::io::stdout())))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Finding {
    fn ok(group: &'static str, name: &str, found: impl Into<String>, means: &str) -> Self {
        Self::new(State::Ok, group, name, found, means, "")
    }

    fn new(
        state: State,
        group: &'static str,
        name: &str,
        found: impl Into<String>,
        means: &str,
        mend: impl Into<String>,
    ) -> Self {
        Self { group, name: name.to_owned(), state, found: found.into(), means: means.to_owned(), mend: mend.into() }
    }
}

/// The report for people.
fn text(findings: &[Finding], color: impl Into<bool>) -> String {
    let color = color.into();
    let mut text = String::new();
    let mut group = "";
    for finding in findings {
        if finding.group != group {
            group = finding.group;
            text += &format!("{}{group}\n", if text.is_empty() { "" } else { "\n" });
        }
        let (word, code) = match finding.state {
            State::Ok => ("ok     ", "32"),
            State::Warn => ("warn   ", "33"),
            State::Missing => ("missing", "31"),
        };
        let word = if color { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() };
        text += &format!("  {word}  {}: {}\n", finding.name, finding.found);
        if !finding.means.is_empty() {
            text += &format!("           {}\n", finding.means);
        }
        if !finding.mend.is_empty() {
            text += &format!("           -> {}\n", finding.mend);
        }
    }
    let bad = |state| findings.iter().filter(|finding| finding.state == state).count();
    text + &format!(
        "\n{} things looked at: {} to mind, {} missing\n",
        findings.len(),
        bad(State::Warn),
        bad(State::Missing)
    )
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_report_reads_well() {
        let findings = [
            Finding::ok("memory", "huge pages", "512 of 512 free", "packets lie in huge pages"),
            Finding::new(
                State::Missing,
                "rights",
                "raw sockets",
                "no CAP_NET_RAW",
                "net_af_packet does not start",
                "sudo perigee ...",
            ),
        ];
        let expected = "memory
  ok       huge pages: 512 of 512 free
           packets lie in huge pages

rights
  missing  raw sockets: no CAP_NET_RAW
           net_af_packet does not start
           -> sudo perigee ...

2 things looked at: 0 to mind, 1 missing
";
        assert_eq!(text(&findings, false), expected);
    }

    #[test]
    fn an_empty_machine_is_no_failure() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::pictured(root.path());
        for findings in [hardware::findings(&machine), rights::findings(&machine), devices::findings(&machine)] {
            assert!(!findings.is_empty());
        }
    }
}
