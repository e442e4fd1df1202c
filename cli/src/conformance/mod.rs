//! `perigee conformance`: whether a module keeps the contract, and what it costs.

mod checks;
mod compare;
mod own;
mod steps;
mod suite;

use crate::load::LoadOptions;
use crate::output::JsonOption;
use crate::table::count;
use crate::{load, output};
use anyhow::{Context, Result, bail};
use perigee_runtime::config::Load;
use perigee_runtime::config::secret::Secrets;
use perigee_runtime::jail::Mode;
use perigee_runtime::load::{Loader, Upload};
use perigee_runtime::trial::{Role, Setting, Subject, Trial};
use perigee_runtime::with_guest_stack;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use suite::Suite;

pub(crate) use suite::parse_name;

/// Packets of a call that is measured.
const BATCH: usize = 64;
/// Most time that a measurement takes.
const BUDGET: Duration = Duration::from_secs(2);
/// Exit code where a case fails.
const FAILED: u8 = 2;

/// What is asked of the command.
pub(crate) struct Asked<'a> {
    pub(crate) module: &'a Path,
    pub(crate) suites: &'a [String],
    pub(crate) config: Vec<u8>,
    pub(crate) secrets: Secrets,
    pub(crate) measure: bool,
    pub(crate) verbose: bool,
    pub(crate) json: &'a JsonOption,
    pub(crate) jail: Mode,
}

/// What came of it: the JSON.
#[derive(Debug, Serialize)]
struct Report {
    module: String,
    /// Bytes of the module.
    size: u64,
    passed: usize,
    failed: usize,
    cases: Vec<CaseReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Measurement>,
}

#[derive(Debug, Serialize)]
struct CaseReport {
    suite: String,
    case: String,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Debug, Serialize)]
struct Measurement {
    callback: &'static str,
    batch: usize,
    /// Median of quiet slices, and from their 10th to their 90th percentile.
    cycles_per_packet: f64,
    spread: f64,
    quiet_slices: usize,
    /// Bytes of the instance's memory, without its window and with it.
    memory: usize,
    memory_with_window: usize,
}

/// `perigee conformance`.
pub(crate) fn conformance(asked: &Asked<'_>) -> Result<ExitCode> {
    // The jail leaves no way to files that are not open, nor to a compile server that does not run.
    let result = output::Json::open(asked.json)?;
    let suites: Vec<_> = asked.suites.iter().map(|name| suite::find(name)).collect::<Result<_>>()?;
    let loader = load::options(&LoadOptions::default())?.loader(&Load::default(), Path::new(""))?;
    let upload = loader.read(asked.module)?;
    let report = perigee_runtime::confined(asked.jail, || report(asked, &suites, &loader, &upload))??;
    if result.write(&report)? {
        output::result(&text(&report, asked.verbose))?;
    }
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Runs the cases of the suites, in the order in which they were asked for.
fn report(asked: &Asked<'_>, suites: &[Suite], loader: &Loader, upload: &Upload) -> Result<Report> {
    let name = asked.module.file_name().unwrap_or_default().to_string_lossy();
    let subject = Subject::by(loader, &name, upload)?;
    let mut report = Report {
        module: asked.module.display().to_string(),
        size: subject.info().size,
        passed: 0,
        failed: 0,
        cases: Vec::new(),
        measured: None,
    };
    with_guest_stack(|| judge((&subject, loader), asked, suites, &mut report))??;
    Ok(report)
}

/// Runs the suites, and measures where that is asked for.
fn judge(
    (subject, loader): (&Subject, &Loader),
    asked: &Asked<'_>,
    suites: &[Suite],
    report: &mut Report,
) -> Result<()> {
    for (name, suite) in asked.suites.iter().zip(suites) {
        if let Some(callback) = suite.needs.as_deref().filter(|callback| !subject.has(callback)) {
            bail!("{}: suite {name} ({}) needs \"{callback}\", which is not exported", report.module, suite.about);
        }
        for case in &suite.case {
            let message = checks::run((subject, loader), &asked.config, &asked.secrets, case).err();
            report.cases.push(CaseReport {
                suite: name.clone(),
                case: case.name.clone(),
                passed: message.is_none(),
                message,
            });
        }
    }
    report.failed = report.cases.iter().filter(|case| !case.passed).count();
    report.passed = report.cases.len() - report.failed;
    // What breaks the contract has no price.
    if asked.measure && report.failed == 0 {
        report.measured = Some(measure(subject, asked)?);
    }
    Ok(())
}

/// Measures `generate` where the module is asked to be a generator, or can be nothing else.
fn measure(subject: &Subject, asked: &Asked<'_>) -> Result<Measurement> {
    let generates = asked.suites.iter().any(|suite| suite == "udp-gen") || !subject.has("process");
    let (role, callback) = if generates { (Role::Generate, "generate") } else { (Role::Process, "process") };
    let (config, secrets) = (asked.config.clone(), asked.secrets.clone());
    let setting = Setting { config, secrets, ..Setting::default() };
    let mut trial = Trial::start(subject, &setting)?;
    if role == Role::Generate {
        trial.prefill()?;
    }
    let measured = trial.measure(role, BATCH, BUDGET).context("measurement")?;
    let (memory, memory_with_window) = measured.memory;
    Ok(Measurement {
        callback,
        batch: measured.batch,
        cycles_per_packet: measured.cycles,
        spread: measured.spread,
        quiet_slices: measured.quiet_slices,
        memory,
        memory_with_window,
    })
}

/// The failures, or with `verbose` all cases, and a line for each suite.
fn text(report: &Report, verbose: bool) -> String {
    let mut text = String::new();
    for case in report.cases.iter().filter(|case| verbose || !case.passed) {
        let word = if case.passed { "ok    " } else { "FAILED" };
        text += &format!("{word} {}: {}\n", case.suite, case.case);
        let message = case.message.as_deref().unwrap_or_default();
        text.extend(message.lines().map(|line| format!("       {line}\n")));
    }
    text += &format!("{}: {} cases passed, {} failed\n", report.module, report.passed, report.failed);
    if let Some(m) = &report.measured {
        text += &format!(
            "{}: {:.2} cycles per packet in batches of {} (spread {:.2}, {} quiet slices)\nmemory: {} bytes, {} with the \
             window; file: {} bytes\n",
            m.callback,
            m.cycles_per_packet,
            m.batch,
            m.spread,
            m.quiet_slices,
            number(m.memory),
            number(m.memory_with_window),
            count(report.size)
        );
    }
    text
}

fn number(bytes: usize) -> String {
    count(u64::try_from(bytes).unwrap_or(u64::MAX))
}
