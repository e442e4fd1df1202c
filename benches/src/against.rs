//! This build beside one of another revision: both binaries measure the same parts, one after the other and again, on the same CPU.

use crate::lab::Lab;
use crate::report::round;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How often each is run: A B A B.
const TURNS: usize = 2;
/// What is measured where nothing is said, as far as the other build has it.
pub(crate) const PARTS: [&str; 3] = ["works", "stages", "grants"];
/// A ratio that is so many percent above the other build's is told.
const NOISE: f64 = 2.0;

/// What of a build's JSON is compared. Of rows that both have, whatever else they tell.
#[derive(Debug, Deserialize)]
struct Told {
    results: Vec<Row>,
}

#[derive(Clone, Debug, Deserialize)]
struct Row {
    work: String,
    port: String,
    burst: u16,
    variant: String,
    cycles: f64,
    ratio: Option<f64>,
}

/// A row that both builds have: medians of their runs.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Beside {
    /// The part of the benchmark, and what is measured, as in results.
    pub(crate) part: String,
    pub(crate) work: String,
    pub(crate) port: String,
    pub(crate) burst: u16,
    pub(crate) variant: String,
    /// Of the other build: cycles per packet, and the same by the twin's.
    pub(crate) before_cycles: f64,
    pub(crate) before_ratio: Option<f64>,
    /// Of this build.
    pub(crate) now_cycles: f64,
    pub(crate) now_ratio: Option<f64>,
    /// By how many percent the ratio has grown, or the cycles of what has no twin; less than nothing: it has become faster.
    pub(crate) change: f64,
    /// By how many percent this build's slowest run is above its fastest.
    pub(crate) apart: f64,
}

/// All rows that both builds have.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Against {
    /// What is compared with: the name of its folder, which `./x bench` calls like its commit.
    pub(crate) revision: String,
    /// Runs of each build.
    pub(crate) turns: usize,
    pub(crate) rows: Vec<Beside>,
}

/// Measures parts by both builds in turns; the other one lies in `folder`.
pub(crate) fn measure(lab: &Lab, folder: &Path, parts: &[&'static str], quick: bool) -> Result<Against> {
    let folder = folder.canonicalize().with_context(|| format!("{}", folder.display()))?;
    let other = Build { folder: folder.clone(), binary: folder.join("target/release/perigee-bench") };
    let own = Build { folder: lab.root.clone(), binary: std::env::current_exe()? };
    let known = other.parts()?;
    let both: Vec<_> = parts.iter().filter(|part| known.iter().any(|known| known == *part)).collect();
    ensure!(!both.is_empty(), "the other build has none of these parts: {parts:?}; it has {known:?}");
    let turns = if quick { 1 } else { TURNS };
    let mut rows = Vec::new();
    for part in both {
        let (mut now, mut before) = (Vec::new(), Vec::new());
        for turn in 1..=turns {
            println!("{part}: turn {turn} of {turns}");
            now.push(own.run(part, lab.cpu, quick)?);
            before.push(other.run(part, lab.cpu, quick)?);
        }
        rows.extend(beside(part, &now, &before));
    }
    ensure!(!rows.is_empty(), "the builds have no row that both measure");
    let revision = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let against = Against { revision, turns, rows };
    tell(&against);
    Ok(against)
}

/// A build of the benchmark, with its modules in its folder.
struct Build {
    folder: PathBuf,
    binary: PathBuf,
}

impl Build {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder);
        command
    }

    fn output(&self, command: &mut Command) -> Result<Vec<u8>> {
        let output = command.output().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} ended with {}: {said}", self.binary.display(), output.status);
        Ok(output.stdout)
    }

    /// Parts that it can measure, by its help.
    fn parts(&self) -> Result<Vec<String>> {
        let help = self.output(self.command().arg("--help"))?;
        Ok(named(&String::from_utf8_lossy(&help)))
    }

    fn run(&self, part: &str, cpu: u32, quick: bool) -> Result<Vec<Row>> {
        let folder = tempfile::tempdir()?;
        let json = folder.path().join("bench.json");
        let mut command = self.command();
        command.args(["--only", part, "--cpu", &cpu.to_string(), "--json"]).arg(&json);
        if quick {
            command.arg("--quick");
        }
        self.output(&mut command)?;
        let told: Told = serde_json::from_slice(&std::fs::read(&json)?).context("results of the other build")?;
        Ok(told.results)
    }
}

/// Values that the help lists, one a line: `- works: Whole loops`.
fn named(help: &str) -> Vec<String> {
    let value = |line: &str| Some(line.trim().strip_prefix("- ")?.split_once(':')?.0.to_owned());
    help.lines().filter_map(value).collect()
}

fn is_same(a: &Row, b: &Row) -> bool {
    (&a.work, &a.port, a.burst, &a.variant) == (&b.work, &b.port, b.burst, &b.variant)
}

/// What both measured in all turns.
fn beside(part: &str, now: &[Vec<Row>], before: &[Vec<Row>]) -> Vec<Beside> {
    let of_all = |runs: &[Vec<Row>], row: &Row| -> Option<Vec<Row>> {
        runs.iter().map(|run| run.iter().find(|other| is_same(row, other)).cloned()).collect()
    };
    let first = now.first().map_or(&[][..], Vec::as_slice);
    first.iter().filter_map(|row| one(part, &of_all(now, row)?, &of_all(before, row)?)).collect()
}

fn one(part: &str, now: &[Row], before: &[Row]) -> Option<Beside> {
    let cycles = |rows: &[Row]| median(rows.iter().map(|row| row.cycles).collect());
    let ratio = |rows: &[Row]| Some(median(rows.iter().map(|row| row.ratio).collect::<Option<Vec<_>>>()?));
    let (now_cycles, before_cycles, now_ratio, before_ratio) = (cycles(now), cycles(before), ratio(now), ratio(before));
    let (to, from) = now_ratio.zip(before_ratio).unwrap_or((now_cycles, before_cycles));
    let least = now.iter().map(|row| row.cycles).fold(f64::INFINITY, f64::min);
    let most = now.iter().map(|row| row.cycles).fold(f64::NEG_INFINITY, f64::max);
    let row = now.first()?;
    Some(Beside {
        part: part.to_owned(),
        work: row.work.clone(),
        port: row.port.clone(),
        burst: row.burst,
        variant: row.variant.clone(),
        before_cycles: round(before_cycles),
        before_ratio: before_ratio.map(round),
        now_cycles: round(now_cycles),
        now_ratio: now_ratio.map(round),
        change: percent(to, from),
        apart: percent(most, least),
    })
}

/// The middle one, or what lies between the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// By how many percent the first is above the second. A cost of about nothing has no percents.
fn percent(to: f64, from: f64) -> f64 {
    if from.abs() < 0.05 { 0.0 } else { round((to / from - 1.0) * 100.0 * from.signum()) }
}

impl Against {
    /// Rows whose ratio to their twin has become worse.
    pub(crate) fn worse(&self) -> Vec<&Beside> {
        self.rows.iter().filter(|row| row.now_ratio.is_some() && row.change > NOISE).collect()
    }

    /// How many rows have become worse, and by how much a row may grow.
    pub(crate) fn verdict(&self) -> String {
        let with_twin = self.rows.iter().filter(|row| row.now_ratio.is_some()).count();
        format!("Of {with_twin} rows with a twin, {} have a ratio more than {NOISE:.0} % above", self.worse().len())
    }
}

fn tell(against: &Against) {
    println!("\nBeside {}, medians of {} runs each, in turns", against.revision, against.turns);
    println!(
        "{:<13} {:<9} {:>5}  {:<20} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}",
        "work", "port", "burst", "variant", "before", "now", "before", "now", "change", "apart"
    );
    let ratio = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    for row in &against.rows {
        println!(
            "{:<13} {:<9} {:>5}  {:<20} {:>8} {:>8} {:>8.2} {:>8.2} {:>7.1} % {:>6.1} %",
            row.work,
            row.port,
            row.burst,
            row.variant,
            ratio(row.before_ratio),
            ratio(row.now_ratio),
            row.before_cycles,
            row.now_cycles,
            row.change,
            row.apart
        );
    }
    println!("{} (ratios are in front, cycles behind them)", against.verdict());
}

#[cfg(test)]
mod test {
    use super::*;

    fn row(variant: &str, cycles: f64, ratio: Option<f64>) -> Row {
        Row { work: "template".into(), port: "net_null".into(), burst: 64, variant: variant.into(), cycles, ratio }
    }

    #[test]
    fn rows_that_both_have_are_compared_by_ratio_where_they_have_one() {
        let now = [
            vec![row("wasm", 30.0, Some(1.5)), row("price", 4.0, None), row("new", 1.0, None)],
            vec![row("wasm", 33.0, Some(1.7)), row("price", 4.0, None), row("new", 1.0, None)],
        ];
        let before = [
            vec![row("wasm", 20.0, Some(1.0)), row("price", 8.0, None)],
            vec![row("price", 8.0, None), row("wasm", 20.0, Some(1.2))],
        ];
        let rows = beside("works", &now, &before);
        let told: Vec<_> = rows.iter().map(|row| (row.variant.as_str(), row.change, row.apart)).collect();
        assert_eq!(told, [("wasm", 45.455, 10.0), ("price", -50.0, 0.0)]);
        assert_eq!((rows[0].before_cycles, rows[0].now_cycles, rows[0].now_ratio), (20.0, 31.5, Some(1.6)));
        let against = Against { revision: "r".into(), turns: 2, rows };
        assert_eq!(against.verdict(), "Of 1 rows with a twin, 1 have a ratio more than 2 % above");
    }

    #[test]
    fn parts_are_read_from_the_help() {
        let help = "Possible values:\n          - works:     Whole loops at several bursts\n          - sdk:       A generator\n";
        assert_eq!(named(help), ["works", "sdk"]);
    }
}
