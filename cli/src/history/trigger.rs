//! `perigee trigger`: waits for something to happen, and writes what was before it as well as what comes after it.

use super::dumps::{Bounds, Dumps, Events, Written};
use super::module::{Counts, Watcher};
use super::query::program;
use super::tape;
use super::watch::{Burst, Event, Faults, Watch};
use crate::capture::{Session, pause};
use crate::client::Client;
use crate::output::{self, JsonOption};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use perigee_runtime::config::{parse_duration, parse_size};
use perigee_runtime::text;
use serde::Serialize;
use signal_hook::consts::SIGUSR1;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Events that are looked at before more packets are.
const MOST_EVENTS: usize = 1_024;

/// What is waited for, and what is written then.
#[derive(Args, Debug)]
#[command(
    group(clap::ArgGroup::new("what").required(true).args(["filter", "module", "burst", "fault"])),
    after_long_help = "Examples:
  perigee trigger --into dumps --filter 'tcp[tcpflags] & tcp-rst != 0'    # each flow that is reset
  perigee trigger lab --into dumps --burst 1MB/100us --past 10ms          # what a microburst consisted of
  perigee trigger --into dumps --module scan.wasm --config ports.json     # what a module of yours finds
  perigee trigger --into dumps --fault --past 1s --future 0s              # what a module got before it failed"
)]
pub(crate) struct TriggerArgs {
    /// The history's name in the configuration. Default: the only one.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The run's socket, or its name where that has no slash. Default: the only run of this user.
    #[arg(long, value_name = "PATH|NAME", value_hint = ValueHint::FilePath)]
    socket: Option<PathBuf>,
    /// The folder for dumps, which is there: dump-00001.pcapng and so on.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    into: PathBuf,
    /// A packet that passes this filter, in libpcap's language.
    #[arg(long, short = 'f', value_name = "FILTER")]
    filter: Option<String>,
    /// A packet that this module sends to any port. It sees copies. SIGUSR1 has it read again from its file, while it goes on.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    module: Option<PathBuf>,
    /// A file with the module's configuration, JSON.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "module")]
    config: Option<PathBuf>,
    /// More bytes within a time than this, as 1MB/100us.
    #[arg(long, value_name = "BYTES/TIME", value_parser = Burst::parse)]
    burst: Option<(u64, Duration)>,
    /// A failure of one of the run's modules.
    #[arg(long)]
    fault: bool,
    /// How much of the time before is written.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "5s")]
    past: Duration,
    /// How much of the time after.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    future: Duration,
    /// Packets of all flows, where what has happened is about one.
    #[arg(long)]
    all: bool,
    /// So many dumps a minute at most; what happens beyond that is counted.
    #[arg(long, value_name = "DUMPS", default_value_t = 6)]
    per_minute: usize,
    /// A dump ends when it has so many bytes.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "100MB")]
    most_bytes: u64,
    /// Stop after so many dumps.
    #[arg(long, value_name = "DUMPS", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this time.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    json: JsonOption,
}

/// All that came of it.
#[derive(Debug, Serialize)]
struct Outcome {
    history: String,
    events: Events,
    dumps: Vec<Written>,
    /// Packets that it should have looked at, and that were written over in memory first.
    missed: u64,
    module: Option<Counts>,
}

/// `perigee trigger`, until `is_over`, the run's end, or what the command line says.
pub(crate) fn trigger(args: &TriggerArgs, is_over: &dyn Fn() -> bool) -> Result<ExitCode> {
    let json = output::Json::open(&args.json)?;
    if !args.into.is_dir() {
        bail!("{} is no folder: make it first", args.into.display());
    }
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGUSR1, Arc::clone(&reload)).context("signal handler")?;
    let client = Client::find(args.socket.as_deref())?;
    let (name, mut session) = tape::open(&client, args.name.as_deref())?;
    let watch = watch(args, &session)?;
    let info = session.info.clone();
    let bounds = Bounds {
        past_ns: tape::ns(args.past),
        future_ns: tape::ns(args.future),
        all: args.all,
        per_minute: args.per_minute,
        bytes: args.most_bytes,
        dumps: args.count,
    };
    let dumps = Dumps::new(&info, &args.into, &name, bounds);
    let start_ns = tape::now_ns(&session);
    session.lanes.seek(start_ns);
    let quiet = args.json.is_stdout();
    if !quiet {
        output::line(&format!("watching {}", text::line(&name, text::NAME)));
    }
    let mut work = Work { client: &client, watch, dumps, written: Vec::new(), quiet, start_ns };
    let ended = work.follow(args, is_over, &reload, &mut session);
    let missed = session.lanes.missed();
    let module = if let Watch::Module(watcher) = &work.watch { Some(watcher.counts.clone()) } else { None };
    let outcome = Outcome { events: work.dumps.events, dumps: work.written, history: name, missed, module };
    json.write(&outcome)?;
    if !quiet {
        output::line(&outcome.shown());
    }
    ended.map(|()| ExitCode::SUCCESS)
}

fn watch(args: &TriggerArgs, session: &Session) -> Result<Watch> {
    if let Some(filter) = &args.filter {
        return Ok(Watch::Filter(program(filter)?, filter.clone()));
    }
    if let Some(file) = &args.module {
        let config = args
            .config
            .as_ref()
            .map(|file| std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display())));
        let points = session.info.places.len();
        let watcher = Watcher::load(file, config.transpose()?.as_deref(), points)
            .with_context(|| format!("module {}", file.display()))?;
        return Ok(Watch::Module(Box::new(watcher)));
    }
    Ok(args.burst.map_or_else(|| Watch::Faults(Faults::new()), |burst| Watch::Burst(Burst::new(burst))))
}

struct Work<'a> {
    client: &'a Client,
    watch: Watch,
    dumps: Dumps<'a>,
    written: Vec<Written>,
    quiet: bool,
    /// Whose packets are not waited for: those that came before.
    start_ns: u64,
}

impl Work<'_> {
    fn follow(
        &mut self,
        args: &TriggerArgs,
        is_over: &dyn Fn() -> bool,
        reload: &AtomicBool,
        session: &mut Session,
    ) -> Result<()> {
        let begun = std::time::Instant::now();
        let mut events = Vec::new();
        loop {
            let ended = session.lanes.has_ended() || session.is_closed();
            let (watch, start_ns) = (&mut self.watch, self.start_ns);
            let handed = session.lanes.drain(ended, |place, record| {
                if record.ns >= start_ns {
                    watch.see(place, record, &mut events);
                }
                events.len() < MOST_EVENTS
            });
            self.watch.tend(self.client, tape::now_ns(session), &mut events);
            if reload.swap(false, Ordering::Relaxed) {
                self.swap(&mut events);
            }
            for event in events.drain(..) {
                self.dumps.begin(session, event)?;
            }
            let is_late = args.duration.is_some_and(|duration| begun.elapsed() >= duration);
            let last = is_over() || is_late || (ended && handed == 0);
            self.dumps(tape::now_ns(session), last)?;
            if self.dumps.are_enough() || last {
                return Ok(());
            }
            if handed == 0 {
                pause();
            }
        }
    }

    fn swap(&mut self, events: &mut Vec<Event>) {
        let Watch::Module(watcher) = &mut self.watch else { return };
        match watcher.swap(events) {
            Ok(()) if self.quiet => {}
            Ok(()) => output::line(&format!("reads {} again", watcher.name())),
            Err(error) => {
                output::warning(&format!("the old module goes on: {}", text::line(&format!("{error:#}"), text::WORDS)));
            }
        }
    }

    /// Goes on with dumps; at the end until they have all that there is.
    fn dumps(&mut self, now: u64, is_over: bool) -> Result<()> {
        loop {
            let (finished, went) = self.dumps.go_on(now, is_over);
            for written in &finished {
                if !self.quiet {
                    output::line(&written.shown());
                }
            }
            self.written.extend(finished);
            went?;
            if !is_over || self.dumps.is_idle() {
                return Ok(());
            }
        }
    }
}

impl Written {
    fn shown(&self) -> String {
        let Self { file, why, packets, missed, lacks_ns, .. } = self;
        let mut shown = format!("{file}: {packets} packets ({})", text::line(why, text::WORDS));
        if *missed > 0 {
            shown += &format!("; {missed} were written over before they were read");
        }
        if *lacks_ns > 0 {
            shown += &format!("; the history lacks the first {} ms of that time", lacks_ns / 1_000_000);
        }
        if self.is_cut {
            shown += "; cut at --most-bytes";
        }
        shown
    }
}

impl Outcome {
    fn shown(&self) -> String {
        let Events { seen, dumped, covered, refused } = self.events;
        let mut shown = format!(
            "events {seen}: {dumped} dumped, {covered} within a dump, {refused} refused; packets missed {}",
            self.missed
        );
        if let Some(Counts { packets, unseen, failures, swaps, .. }) = &self.module {
            shown += &format!("; module: {packets} packets seen, {unseen} not, {failures} failures, {swaps} swaps");
        }
        shown
    }
}
