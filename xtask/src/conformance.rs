//! The two modules that each language has, checked and measured side by side.

use crate::command::{self, Repository};
use crate::languages::{LANGUAGES, MODULES};
use crate::{modules, start};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What others are compared with.
const RUST: &str = "Rust";
/// Modules in text need no building.
const TEXT: (&str, &str) = ("WebAssembly text", "guest-sdk/wat");

/// One line of the table.
#[derive(Debug)]
struct Row {
    language: &'static str,
    role: &'static str,
    /// What `perigee conformance` reported; nothing where the file is not there.
    report: Option<Value>,
}

/// Builds all modules, leads each through its suites, and prints the table.
pub(crate) fn run(repository: &Repository) -> Result<()> {
    modules::build_all(repository)?;
    let perigee = start::build(repository, "perigee")?;
    let mut rows = Vec::new();
    for role in MODULES {
        for (language, file) in files(repository, role) {
            let report = file.exists().then(|| report(repository, &perigee, &file, role)).transpose()?;
            rows.push(Row { language, role, report });
        }
    }
    print!("{}", table(&rows));
    let failed: Vec<_> =
        rows.iter().filter(|row| row.failed() != 0).map(|row| format!("{} in {}", row.role, row.language)).collect();
    for row in &rows {
        print!("{}", row.failures());
    }
    if failed.is_empty() { Ok(()) } else { bail!("modules that do not conform: {}", failed.join(", ")) }
}

/// The languages that have this module, and where it is.
fn files(repository: &Repository, module: &str) -> Vec<(&'static str, PathBuf)> {
    let built = |name: String| repository.path(format!("target/modules/{name}.wasm"));
    let mut files = vec![(RUST, built(module.to_owned()))];
    files.extend(LANGUAGES.iter().map(|language| (language.name, built(format!("{module}-{}", language.key)))));
    let (language, folder) = TEXT;
    if repository.path(folder).exists() {
        files.push((language, repository.path(folder).join(format!("{module}.wat"))));
    }
    files
}

/// Runs the command on one module. A module that cannot be loaded has one failure, which is what the command says.
fn report(repository: &Repository, perigee: &Path, file: &PathBuf, suite: &str) -> Result<Value> {
    let mut command = repository.command(perigee);
    command.arg("conformance").arg(file).args(["--suite", "abi", "--suite", suite, "--measure", "--json", "-"]);
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", command::shown(&command)))?;
    serde_json::from_slice(&output.stdout).or_else(|_| {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let case = serde_json::json!({ "suite": suite, "case": "loading", "passed": false, "message": said });
        Ok(serde_json::json!({ "passed": 0, "failed": 1, "cases": [case] }))
    })
}

impl Row {
    fn number(&self, key: &str) -> Option<u64> {
        self.report.as_ref()?[key].as_u64()
    }

    /// A module that is not there has failed.
    fn failed(&self) -> u64 {
        self.report.as_ref().map_or(1, |_| self.number("failed").unwrap_or(0))
    }

    fn cycles(&self) -> Option<f64> {
        self.report.as_ref()?["measured"]["cycles_per_packet"].as_f64()
    }

    /// The cases that failed, with what was said of them.
    fn failures(&self) -> String {
        let cases = self.report.as_ref().and_then(|report| report["cases"].as_array()).into_iter().flatten();
        let failed = cases.filter(|case| case["passed"] == false);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let said = |case: &Value| {
            let (suite, name, message) = (text(&case["suite"]), text(&case["case"]), text(&case["message"]));
            format!("{} in {}: {suite}: {name}\n    {}\n", self.role, self.language, message.replace('\n', "\n    "))
        };
        failed.map(said).collect()
    }

    fn cells(&self, rust: Option<f64>) -> [String; 8] {
        let Some(report) = &self.report else {
            let none = || "-".to_owned();
            return [
                self.language.to_owned(),
                self.role.to_owned(),
                "not built".to_owned(),
                none(),
                none(),
                none(),
                none(),
                none(),
            ];
        };
        let passed = self.number("passed").unwrap_or(0);
        let bytes = |value: &Value| {
            value.as_u64().map_or_else(|| "-".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1024.0))
        };
        let ratio = self.cycles().zip(rust).map(|(own, rust)| format!("{:.2}", own / rust));
        let measured = &report["measured"];
        [
            self.language.to_owned(),
            self.role.to_owned(),
            format!("{passed} of {}", passed + self.failed()),
            self.cycles().map_or_else(|| "-".to_owned(), |cycles| format!("{cycles:.1}")),
            ratio.unwrap_or_else(|| "-".to_owned()),
            bytes(&measured["memory"]),
            bytes(&measured["memory_with_window"]),
            bytes(&report["size"]),
        ]
    }
}

/// The table as Markdown, its columns as wide as their widest cells.
fn table(rows: &[Row]) -> String {
    let heads =
        ["Language", "Module", "Passed", "Cycles/packet", "To Rust", "Memory KiB", "With window KiB", "File KiB"];
    let rust = |role: &str| rows.iter().find(|row| row.role == role && row.language == RUST).and_then(Row::cycles);
    let mut lines = vec![heads.map(str::to_owned), heads.map(|_| "---".to_owned())];
    lines.extend(rows.iter().map(|row| row.cells(rust(row.role))));
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String; 8]| {
        let cells = cells.iter().zip(&widths).enumerate();
        // Words stand left, numbers right.
        let padded = cells
            .map(|(i, (cell, width))| if i < 2 { format!("| {cell:<width$} ") } else { format!("| {cell:>width$} ") });
        padded.collect::<String>() + "|\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(language: &'static str, report: Option<Value>) -> Row {
        Row { language, role: "reflector", report }
    }

    #[test]
    fn the_table_compares_with_rust() {
        let measured = |cycles: f64| json!({ "cycles_per_packet": cycles, "memory": 2048, "memory_with_window": 4096 });
        let rows = [
            row("Rust", Some(json!({ "passed": 3, "failed": 0, "size": 1024, "measured": measured(20.0) }))),
            row("C", Some(json!({ "passed": 3, "failed": 0, "size": 512, "measured": measured(25.0) }))),
            row("Go", Some(json!({ "passed": 2, "failed": 1, "size": 512 }))),
            row("Zig", None),
        ];
        let text = table(&rows);
        let words = |language: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("| {language} "))).unwrap();
            line.split('|').map(str::trim).skip(3).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words("Rust"), "3 of 3 20.0 1.00 2.0 4.0 1.0");
        assert_eq!(words("C"), "3 of 3 25.0 1.25 2.0 4.0 0.5");
        assert_eq!(words("Go"), "2 of 3 - - - - 0.5");
        assert_eq!(words("Zig"), "not built - - - - -");
        assert!(text.lines().all(|line| line.len() == text.lines().next().unwrap().len()));
    }

    #[test]
    fn failures_are_told_with_their_messages() {
        let cases = json!([{ "suite": "abi", "case": "a", "passed": true },
            { "suite": "abi", "case": "b", "passed": false, "message": "byte 3\nline" }]);
        let row = row("C", Some(json!({ "passed": 1, "failed": 1, "cases": cases })));
        assert_eq!(row.failures(), "reflector in C: abi: b\n    byte 3\n    line\n");
    }
}
