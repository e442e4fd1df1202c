//! `perigee run`, and the part of a run that all commands share: start, watch, stop, account.

use crate::args::RunOptions;
use crate::control::{Doors, name_of};
use crate::live::Live;
use crate::signals::StopSignal;
use crate::{load, output, summary};
use anyhow::{Context, Result, bail};
use perigee_runtime::config::{Config, ConfigError, Problem, Severity, locate};
use perigee_runtime::control::Server;
use perigee_runtime::jail::{self, Mode};
use perigee_runtime::{EvidenceOptions, Options, Run, Summary};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a run is looked at: the most by which it ends late.
const LOOK: Duration = Duration::from_millis(5);

/// A configuration from a file, without errors.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// The directory that its paths start from.
    pub(crate) base: PathBuf,
}

/// `perigee run`.
pub(crate) fn run(file: &Path, options: &RunOptions) -> Result<ExitCode> {
    let Loaded { config, base } = read(file)?;
    session(&name_of(file), config, &base, options)
}

/// Reads a configuration and refuses one with errors, all of them told with their lines. Warnings are told, too.
pub(crate) fn read(file: &Path) -> Result<Loaded> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = file.display().to_string();
    let config = Config::read(&text, &name)?;
    let base = file.parent().unwrap_or(Path::new("")).to_owned();
    let (errors, warnings): (Vec<_>, Vec<_>) = locate(&text, &name, &config.problems(&base))
        .into_iter()
        .partition(|problem| problem.severity == Severity::Error);
    for warning in warnings {
        output::line(&warning.to_string());
    }
    if errors.is_empty() { Ok(Loaded { config, base }) } else { Err(ConfigError { problems: errors }.into()) }
}

/// Refuses a configuration that was built in code, where no line can be pointed at.
pub(crate) fn refuse_problems(problems: &[Problem]) -> Result<()> {
    let (errors, warnings): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.severity == Severity::Error);
    for warning in warnings {
        output::warning(&warning.to_string());
    }
    if errors.is_empty() {
        return Ok(());
    }
    bail!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Why a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The time was over.
    Duration,
    /// A signal asked for it.
    Signal,
    /// A client of the control server asked for it.
    Client,
    /// All sources have given what they had, or a generator has failed.
    Sources,
}

/// Runs a valid configuration until its end, and tells what came of it. `name` is what the run is called in its socket.
pub(crate) fn session(name: &str, mut config: Config, base: &Path, options: &RunOptions) -> Result<ExitCode> {
    let stop = StopSignal::listen()?;
    load::apply(&options.load, &mut config)?;
    // The jail leaves no way to files that are not open.
    let result = output::Json::open(&options.json)?;
    let doors = Doors::open(name, &config, base, options)?;
    let mut with = runtime_options(options)?;
    with.jail = Some(options.jail.map(Mode::from).or(config.run.jail).unwrap_or(Mode::On));
    with.removed.extend(doors.file());
    let run = Arc::new(Run::start_with(&config, base, &with)?);
    let server = doors.serve(&run)?;
    // For whoever starts it from a program, and must know when ports and lcores work.
    tracing::info!("running");
    let end = watch(
        &run,
        &Asked { signal: &stop, server: &server },
        options.duration,
        options.quiet || options.json.is_stdout(),
    );
    let socket = server.close();
    let summary = Arc::into_inner(run).context("the run is still in use, which is a bug in Perigee")?.stop();
    jail::with_rights(|| drop(socket));
    let is_text_wanted = result.write(&summary)? && !options.quiet;
    if is_text_wanted {
        output::result(&summary::text(&summary, end))?;
    }
    for failure in failures(&summary) {
        output::error(&failure);
    }
    Ok(ExitCode::from(if failures(&summary).is_empty() { 0 } else { 2 }))
}

/// What of the command line concerns the runtime.
fn runtime_options(options: &RunOptions) -> Result<Options> {
    let mut runtime = load::options(&options.load)?;
    let recorded = options.record.as_ref().map(|directory| EvidenceOptions::recording(directory, options.record_every));
    runtime.evidence = recorded.or_else(|| options.evidence.as_deref().map(EvidenceOptions::new));
    Ok(runtime)
}

/// Who may ask for the end.
struct Asked<'a> {
    signal: &'a StopSignal,
    server: &'a Server,
}

fn watch(run: &Run, asked: &Asked<'_>, given: Option<Duration>, quiet: bool) -> End {
    let started = Instant::now();
    let mut live = (!quiet).then(|| Live::start(given.or_else(|| run.duration())));
    loop {
        // The configuration's may change while the run goes on.
        let duration = given.or_else(|| run.duration());
        let elapsed = started.elapsed();
        if asked.signal.is_asked() {
            return End::Signal;
        }
        if asked.server.stop_asked() {
            return End::Client;
        }
        if duration.is_some_and(|duration| elapsed >= duration) {
            return End::Duration;
        }
        if run.is_finished() {
            return End::Sources;
        }
        if let Some(live) = &mut live {
            live.look(run);
        }
        let rest = duration.map_or(LOOK, |duration| duration.saturating_sub(elapsed));
        std::thread::sleep(LOOK.min(rest));
    }
}

/// What makes a run a failed one.
fn failures(summary: &Summary) -> Vec<String> {
    let failed = summary.snapshot.modules.iter().filter_map(|module| {
        let reason = module.failed.as_ref()?;
        Some(format!("module {:?} in chain {:?} on lcore {} failed: {reason}", module.name, module.chain, module.lcore))
    });
    let mut failures: Vec<String> = failed.collect();
    failures.extend(summary.invalid.iter().map(|why| format!("the result is not valid: {why}")));
    if !summary.accounting.balanced {
        failures.push(
            "the accounting does not balance: packets were lost or counted twice, which is a bug in Perigee".to_owned(),
        );
    }
    for pool in summary.pools.iter().filter(|pool| !pool.full) {
        failures.push(format!(
            "pool {:?} has {} of its {} packets back: buffers were lost, which is a bug in Perigee",
            pool.name, pool.free, pool.size
        ));
    }
    failures
}
