//! `perigee run`, and the part of a run that all commands share: start, watch, stop, account.

use crate::args::RunOptions;
use crate::attendants::Attendants;
use crate::control::{Doors, name_of};
use crate::intervals::{Files, Intervals, LEAST};
use crate::live::Live;
use crate::profile::Profiled;
use crate::read::read;
use crate::ready::Ready;
use crate::signals::StopSignal;
use crate::summary::End;
use crate::supervisor::{SignsOfLife, Supervisor};
use crate::view::{Shown, View};
use crate::web::Page;
use crate::{calibrate, load, log, output, summary};
use anyhow::{Context, Result};
use perigee_control::Server;
use perigee_runtime::config::{Config, ConfigError};
use perigee_runtime::jail::{self, Mode};
use perigee_runtime::{Error, EvidenceOptions, Options, Run, Summary};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a run is looked at: the most by which it ends late.
const LOOK: Duration = Duration::from_millis(5);

/// `perigee run`.
pub(crate) fn run(file: &Path, options: &RunOptions) -> Result<ExitCode> {
    let loaded = read(file)?;
    let asked = Session { name: &name_of(file), base: &loaded.base, text: Some(&loaded.text) };
    let ended = session(&asked, loaded.config.clone(), options);
    ended.map_err(|error| match error.downcast_ref::<Error>() {
        Some(Error::Config { problems }) => ConfigError { problems: loaded.locate(problems) }.into(),
        _ => error,
    })
}

/// What a run is called, and where it comes from.
pub(crate) struct Session<'a> {
    /// What it is called in its socket.
    pub(crate) name: &'a str,
    /// Where paths of its configuration start.
    pub(crate) base: &'a Path,
    /// The configuration as it was written, if it was.
    pub(crate) text: Option<&'a str>,
}

/// Runs a valid configuration until its end, and tells what came of it.
pub(crate) fn session(asked: &Session<'_>, config: Config, options: &RunOptions) -> Result<ExitCode> {
    session_and_summary(asked, config, options).map(|(code, _)| code)
}

/// As [`session`], and gives the summary to whoever goes on with it.
pub(crate) fn session_and_summary(
    asked: &Session<'_>,
    mut config: Config,
    options: &RunOptions,
) -> Result<(ExitCode, Summary)> {
    let Session { name, base, text } = *asked;
    let ready = Ready::take(options.ready_fd)?;
    let stop = StopSignal::listen()?;
    let supervisor = Arc::new(Supervisor::connect());
    load::apply(&options.load, &mut config)?;
    // The jail leaves no way to files that are not open.
    let result = output::Json::open(&options.json)?;
    let intervals = Files::open(&options.intervals, &options.json, LEAST)?;
    let doors = Doors::open(name, &config, base, options)?;
    let (mut with, profiled) = runtime_options(options)?;
    let mode = options.jail.map(Mode::from).or(config.run.jail).unwrap_or(Mode::On);
    with.jail = Some(mode);
    with.removed.extend(doors.file());
    // A process of its own, which ends with this function.
    let page = Page::start(&config.run, doors.file().as_deref(), mode, &log::now())?;
    if let Some(page) = page.as_ref().filter(|_| !options.quiet) {
        output::line(&page.told());
    }
    let calibrations = if config.streams.is_empty() { Vec::new() } else { calibrate::known() };
    with.calibrations = calibrate::methods(&calibrations);
    let mut attendants = Attendants::start(&config, base, mode)?;
    let view = options.view.then(|| View::start(doors.file().as_deref())).transpose()?;
    with.captures = attendants.requests();
    let mut run = Run::start_with(&config, base, &with)?;
    let begun = run.take_captures();
    let run = Arc::new(run);
    attendants.begin(&run, begun)?;
    let mut intervals = intervals.begin(&run)?;
    let server = doors.serve(&run, &supervisor)?;
    // For whoever starts it from a program, and must know when ports and lcores work.
    tracing::info!("running");
    ready.tell();
    supervisor.ready();
    let end = watch(
        &run,
        &Asked { signal: &stop, server: &server, supervisor: &supervisor },
        options.duration,
        Eyes { shown: shown(view, options, &run), intervals: intervals.as_mut(), attendants: &mut attendants },
    );
    supervisor.stopping();
    let socket = server.close();
    attendants.leave_to_run();
    let mut summary = Arc::into_inner(run).context("the run is still in use, which is a bug in Perigee")?.stop();
    calibrate::floors(&mut summary, &calibrations, &config);
    if let Some(manifest) = &mut summary.manifest {
        manifest.config = text.map(str::to_owned);
        manifest.command = std::env::args().collect();
    }
    jail::with_rights(|| drop(socket));
    // Where it cannot be written, the numbers are still worth telling.
    let written = intervals.map_or(Ok(()), |intervals| intervals.finish(&summary)).and(result.write(&summary));
    let failed = attendants.end(&summary.snapshot);
    let profiled = profiled.map(|profiled| profiled.write(&summary.snapshot)).transpose();
    if !options.quiet && !is_stdout(options) {
        output::result(&summary::text(&summary, end))?;
        output::result(profiled.as_ref().ok().and_then(Option::as_deref).unwrap_or_default())?;
    }
    let failures = [failures(&summary), failed].concat();
    failures.iter().for_each(|failure| output::error(failure));
    written.and(profiled.map(drop))?;
    let code = ExitCode::from(if failures.is_empty() { 0 } else { 2 });
    Ok((code, summary))
}

/// What is shown to people while it runs.
fn shown(view: Option<View>, options: &RunOptions, run: &Run) -> Shown {
    match view {
        Some(view) => Shown::View(view, options.duration.or_else(|| run.duration())),
        None if options.quiet || is_stdout(options) => Shown::Nothing,
        None => Shown::Lines(Box::new(Live::start(options.duration.or_else(|| run.duration())))),
    }
}

/// Whether standard output belongs to what other programs read.
fn is_stdout(options: &RunOptions) -> bool {
    options.json.is_stdout() || options.intervals.is_stdout()
}

/// What of the command line concerns the runtime; and the profile that it is to make, if it is.
fn runtime_options(options: &RunOptions) -> Result<(Options, Option<Profiled>)> {
    let mut runtime = load::options(&options.load)?;
    let recorded = options.record.as_ref().map(|directory| EvidenceOptions::recording(directory, options.record_every));
    runtime.evidence = recorded.or_else(|| options.evidence.as_deref().map(EvidenceOptions::new));
    let profiled = options.profile.as_deref().map(|folder| Profiled::open(folder, options.profile_rate)).transpose()?;
    runtime.profiler = profiled.as_ref().map(Profiled::profiler);
    Ok((runtime, profiled))
}

/// Who may ask for the end, and who looks on.
struct Asked<'a> {
    signal: &'a StopSignal,
    server: &'a Server,
    /// Who is told that the run lives.
    supervisor: &'a Supervisor,
}

/// What is told while it runs.
struct Eyes<'a> {
    /// To people.
    shown: Shown,
    intervals: Option<&'a mut Intervals>,
    /// To processes of the run's own.
    attendants: &'a mut Attendants,
}

fn watch(run: &Run, asked: &Asked<'_>, given: Option<Duration>, mut eyes: Eyes<'_>) -> End {
    let started = Instant::now();
    let mut signs = SignsOfLife::start(asked.supervisor);
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
        signs.give(|| run.is_alive());
        if eyes.shown.look(run) {
            return End::Signal;
        }
        eyes.attendants.look(run);
        if let Some(intervals) = &mut eyes.intervals {
            intervals.look(run);
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
    failures.extend(summary.losses.iter().cloned());
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
