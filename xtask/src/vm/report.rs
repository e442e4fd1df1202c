//! What the jobs said, as a table and as JSON.

use super::jobs::Job;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;

/// So much of a detail stands in the list; all of it was printed before, and is in the JSON.
const DETAIL: usize = 110;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ok,
    Failed,
    /// The device or the driver cannot: the detail says why.
    Cannot,
}

/// One line of a job's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    kind: Kind,
    name: String,
    detail: String,
}

impl Check {
    /// `ok NAME detail`, `FAILED NAME what`, `cannot NAME why`; any other line is no check.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        let kind = match word {
            "ok" => Kind::Ok,
            "FAILED" => Kind::Failed,
            "cannot" => Kind::Cannot,
            _ => return None,
        };
        let (name, detail) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(Self { kind, name: name.to_owned(), detail: detail.to_owned() })
    }

    pub(super) fn ok(name: &str, detail: &str) -> Self {
        Self { kind: Kind::Ok, name: name.to_owned(), detail: detail.to_owned() }
    }

    pub(super) fn failed(name: &str, what: &str) -> Self {
        Self { kind: Kind::Failed, name: name.to_owned(), detail: what.to_owned() }
    }

    pub(super) fn is_failed(&self) -> bool {
        self.kind == Kind::Failed
    }

    fn word(&self) -> &'static str {
        match self.kind {
            Kind::Ok => "ok",
            Kind::Failed => "FAILED",
            Kind::Cannot => "cannot",
        }
    }
}

/// The jobs that have ended.
#[derive(Default)]
pub(super) struct Report {
    jobs: Vec<Ended>,
}

struct Ended {
    name: &'static str,
    in_table: bool,
    checks: Vec<Check>,
    last: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, job: &Job, checks: Vec<Check>, last: Vec<String>) {
        self.jobs.push(Ended { name: job.name, in_table: job.in_table, checks, last });
    }

    /// The names of the jobs in which something failed, with what.
    pub(super) fn failed(&self) -> Vec<String> {
        let of = |job: &Ended| {
            let names: Vec<&str> = job.checks.iter().filter(|c| c.is_failed()).map(|c| c.name.as_str()).collect();
            (!names.is_empty()).then(|| format!("{} ({})", job.name, names.join(" ")))
        };
        self.jobs.iter().filter_map(of).collect()
    }

    /// Writes all checks.
    pub(super) fn write(&self, path: &Path, versions: &Value) -> Result<()> {
        let check = |c: &Check| json!({ "name": c.name, "result": c.word(), "detail": c.detail });
        let job = |job: &Ended| {
            let checks: Vec<Value> = job.checks.iter().map(check).collect();
            json!({ "name": job.name, "checks": checks, "last_lines": job.last })
        };
        let mut whole = versions.clone();
        whole["jobs"] = self.jobs.iter().map(job).collect();
        std::fs::write(path, format!("{whole:#}\n")).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Prints the table of drivers, the checks of the other jobs, and the last lines of guests that failed.
    pub(super) fn print(&self, order: &[&Job]) {
        let sorted: Vec<&Ended> =
            order.iter().filter_map(|job| self.jobs.iter().find(|ended| ended.name == job.name)).collect();
        let drivers: Vec<&Ended> = sorted.iter().copied().filter(|job| job.in_table).collect();
        if !drivers.is_empty() {
            println!("\n{}", table(&drivers));
        }
        for job in sorted.iter().filter(|job| !job.in_table) {
            println!("\n{}", job.name);
            for check in &job.checks {
                let detail: String = check.detail.chars().take(DETAIL).collect();
                println!("  {:<6} {:<22} {detail}", check.word(), check.name);
            }
        }
        for job in sorted.iter().filter(|job| !job.last.is_empty()) {
            println!("\n{}: what failed, then the guest's last lines", job.name);
            for check in job.checks.iter().filter(|check| check.is_failed()) {
                println!("  FAILED {} {}", check.name, check.detail);
            }
            job.last.iter().for_each(|line| println!("  | {line}"));
        }
        println!();
    }
}

/// A row for each check, a column for each driver.
fn table(drivers: &[&Ended]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for check in drivers.iter().flat_map(|job| &job.checks) {
        if !names.contains(&check.name.as_str()) {
            names.push(&check.name);
        }
    }
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let columns: Vec<usize> = drivers.iter().map(|job| job.name.len().max(6)).collect();
    let mut text = " ".repeat(width);
    for (job, width) in drivers.iter().zip(&columns) {
        text += &format!("  {:<width$}", job.name);
    }
    for name in names {
        text = format!("{}\n{name:<width$}", text.trim_end());
        for (job, width) in drivers.iter().zip(&columns) {
            // The worst of those of one name.
            let of_name: Vec<&Check> = job.checks.iter().filter(|check| check.name == name).collect();
            let worst = of_name.iter().find(|check| check.is_failed()).or(of_name.first());
            text += &format!("  {:<width$}", worst.map_or("-", |check| check.word()));
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_checks_or_not() {
        assert_eq!(Check::read("ok ping 10 of 10"), Some(Check::ok("ping", "10 of 10")));
        assert_eq!(Check::read("FAILED ping no answer"), Some(Check::failed("ping", "no answer")));
        assert_eq!(Check::read("note: ok"), None);
        assert_eq!(Check::read("ok alone"), Some(Check::ok("alone", "")));
    }

    #[test]
    fn the_table_has_the_worst_of_a_name() {
        let job = |name, lines: &[&str]| Ended {
            name,
            in_table: true,
            checks: lines.iter().filter_map(|line| Check::read(line)).collect(),
            last: Vec::new(),
        };
        let one = job("e1000", &["ok ping 5", "FAILED ping 4", "cannot rss one queue"]);
        let two = job("igb", &["ok ping 5"]);
        let rows = ["      e1000   igb", "ping  FAILED  ok", "rss   cannot  -"];
        assert_eq!(table(&[&one, &two]), rows.join("\n"));
    }
}
