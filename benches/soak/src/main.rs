//! Runs the scenarios, each in a process of its own, and prints what came of them.

use anyhow::{Context, Result, bail};
use clap::Parser;
use perigee_soak::{COMPILE_SERVER, Report, Scenario, Task, scenarios};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// A scenario that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(12 * 3_600);
const QUICK_PATIENCE: Duration = Duration::from_secs(300);

/// Long runs against the host: what must hold, tried many times
#[derive(Parser)]
#[command(name = "perigee-soak", version)]
struct Args {
    /// Only these scenarios (--list names them)
    #[arg(value_name = "SCENARIO")]
    only: Vec<String>,
    /// Small figures: all within a quarter of an hour on two cores
    #[arg(long)]
    quick: bool,
    /// As many of each, in place of the scenario's own figure
    #[arg(long, value_name = "N")]
    size: Option<u64>,
    /// Where random numbers begin; by default another each time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the table as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Name the scenarios and end
    #[arg(long)]
    list: bool,
    /// Run the one scenario in this process, and write its report there
    #[arg(long, value_name = "FILE", hide = true)]
    inside: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Before anything else: what compiles has no threads, and no descriptors but its socket.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == COMPILE_SERVER) {
        return perigee_runtime::load::serve().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let quiet = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into());
    tracing_subscriber::fmt().with_env_filter(quiet).with_writer(std::io::stderr).init();
    match perform(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("perigee-soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True where all that was asked for holds.
fn perform(args: &Args) -> Result<bool> {
    if args.list {
        scenarios::ALL.iter().for_each(|s| println!("{:>12}  {} ({} {})", s.name, s.about, s.quick, s.unit));
        return Ok(true);
    }
    let chosen = chosen(&args.only)?;
    let seed = args.seed.unwrap_or_else(|| UNIX_EPOCH.elapsed().map_or(1, |time| time.as_secs()));
    if let Some(file) = &args.inside {
        let [scenario] = chosen[..] else { bail!("--inside takes one scenario") };
        let size = args.size.unwrap_or(scenario.quick);
        let report = (scenario.run)(&Task::new(size, seed)?)?;
        let value = json!({ "done": report.done, "figures": report.figures });
        std::fs::write(file, value.to_string()).with_context(|| format!("cannot write {}", file.display()))?;
        return Ok(true);
    }
    println!("seed {seed}");
    let mut rows = Vec::new();
    for scenario in chosen {
        let size = args.size.unwrap_or(if args.quick { scenario.quick } else { scenario.full });
        println!("\n--- {}: {} ({size} {})", scenario.name, scenario.about, scenario.unit);
        let row = Row::of(scenario, size, seed, if args.quick { QUICK_PATIENCE } else { PATIENCE });
        row.print();
        rows.push(row);
    }
    println!("\n{:>12} {:>12} {:>12} {:>8}  result", "scenario", "asked", "done", "seconds");
    rows.iter().for_each(Row::print);
    if let Some(file) = &args.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        let text = serde_json::to_string_pretty(&json!({ "seed": seed, "quick": args.quick, "scenarios": rows }))?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(rows.iter().all(|row| row.result.is_ok()))
}

fn chosen(only: &[String]) -> Result<Vec<&'static Scenario>> {
    if only.is_empty() {
        return Ok(scenarios::ALL.iter().collect());
    }
    let find =
        |name: &String| scenarios::find(name).with_context(|| format!("no scenario {name:?}: --list names them"));
    only.iter().map(find).collect()
}

/// A line of the table.
struct Row {
    scenario: &'static Scenario,
    asked: u64,
    taken: Duration,
    result: Result<Report, String>,
}

impl Row {
    /// Runs a scenario in a process of its own.
    fn of(scenario: &'static Scenario, asked: u64, seed: u64, patience: Duration) -> Self {
        let begin = Instant::now();
        let result = apart(scenario, asked, seed, patience).map_err(|error| format!("{error:#}"));
        Self { scenario, asked, taken: begin.elapsed(), result }
    }

    fn done(&self) -> u64 {
        self.result.as_ref().map_or(0, |report| report.done)
    }

    fn print(&self) {
        let (name, asked, taken) = (self.scenario.name, self.asked, self.taken.as_secs_f64());
        let result = match &self.result {
            Ok(report) => {
                let figures = report.figures.iter().map(|(name, value)| format!("{name}={value}"));
                format!("ok {}", figures.collect::<Vec<_>>().join(" "))
            }
            Err(error) => format!("FAILED: {error}"),
        };
        println!("{name:>12} {asked:>12} {:>12} {taken:>8.1}  {result}", self.done());
    }

    fn json(&self) -> Value {
        let (result, figures) = match &self.result {
            Ok(report) => ("ok", report.figures.clone()),
            Err(error) => ("failed", Map::from_iter([("error".to_owned(), error.clone().into())])),
        };
        json!({ "scenario": self.scenario.name, "asked": self.asked, "unit": self.scenario.unit, "done": self.done(),
                "seconds": self.taken.as_secs_f64(), "result": result, "figures": figures })
    }
}

fn apart(scenario: &Scenario, size: u64, seed: u64, patience: Duration) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.json");
    let mut child = Command::new(std::env::current_exe()?);
    child.arg(scenario.name).args(["--size", &size.to_string(), "--seed", &seed.to_string()]);
    let mut child = child.arg("--inside").arg(&file).spawn().context("cannot start a process")?;
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begin.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            bail!("does not end within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if !status.success() {
        bail!("its process ended with {status}; what it printed is above");
    }
    read(&file)
}

fn read(file: &Path) -> Result<Report> {
    let text = std::fs::read_to_string(file).context("it left no report")?;
    let value: Value = serde_json::from_str(&text)?;
    let done = value["done"].as_u64().context("its report has no \"done\"")?;
    Ok(Report { done, figures: value["figures"].as_object().cloned().unwrap_or_default() })
}
