//! `perigee trigger`: waits for something to happen, and writes what was before it as well as what comes after it.

use super::dumps::{Bounds, Dumps, Folder};
use super::module::Watcher;
use super::query::program;
use super::tape;
use super::watch::{Bursts, Faults, Watch};
use super::work::{Until, Work};
use crate::capture::Session;
use crate::client::Client;
use crate::output::{self, JsonOption};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use perigee_runtime::config::trigger::Burst;
use perigee_runtime::config::{parse_duration, parse_size};
use perigee_runtime::text;
use signal_hook::consts::SIGUSR1;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

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
    burst: Option<Burst>,
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
    let watch = watch(args, client, &session)?;
    let bounds = Bounds {
        past_ns: tape::ns(args.past),
        future_ns: tape::ns(args.future),
        all: args.all,
        per_minute: args.per_minute,
        bytes: args.most_bytes,
        dumps: args.count,
    };
    let quiet = args.json.is_stdout();
    if !quiet {
        output::line(&format!("watching {}", text::line(&name, text::NAME)));
    }
    let info = session.info.clone();
    let folder = Folder { path: &args.into, shown: &args.into };
    let mut work = Work::new(watch, Dumps::new(&info, folder, &name, bounds), &mut session, true);
    work.quiet = quiet;
    let ended = work.follow(&mut session, &Until { is_over, duration: args.duration, reload: Some(&reload) });
    let outcome = work.end(&name, &session);
    json.write(&outcome)?;
    if !quiet {
        output::line(&outcome.shown());
    }
    ended.map(|()| ExitCode::SUCCESS)
}

fn watch(args: &TriggerArgs, client: Client, session: &Session) -> Result<Watch> {
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
    Ok(match args.burst {
        Some(burst) => Watch::Burst(Bursts::new(burst)),
        None => Watch::Faults(Faults::of(client)),
    })
}
