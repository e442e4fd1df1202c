//! What all commands that run take.

use crate::intervals::IntervalOptions;
use crate::jail::Jail;
use crate::load::LoadOptions;
use crate::output::JsonOption;
use clap::{Args, ValueHint};
use perigee_runtime::EvidenceOptions;
use perigee_runtime::config::{parse_duration, parse_metrics_address};
use perigee_runtime::profile::Profiler;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What `run`, `gen` and `forward` have in common.
#[derive(Args, Debug, Default)]
pub(crate) struct RunOptions {
    /// How long to run, like 10s or 5min, or a number of seconds; counts before what the configuration says.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    #[command(flatten)]
    pub(crate) json: JsonOption,
    #[command(flatten)]
    pub(crate) intervals: IntervalOptions,
    /// Keep evidence of failures: each leaves a folder in this directory, with the failed batch, a backtrace and a core dump.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) evidence: Option<PathBuf>,
    /// As --evidence, and record what the modules are given, so that `perigee replay` can show a failure again. Costs time
    /// for each packet.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "evidence")]
    pub(crate) record: Option<PathBuf>,
    /// With --record: batches between two snapshots of an instance. More of them cost less, and are replayed for longer.
    #[arg(long, value_name = "BATCHES", requires = "record", default_value_t = EvidenceOptions::RECORD_EVERY,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) record_every: u32,
    /// The socket on which `perigee ctl` can ask this run, or `off`. Default: NAME.sock in $XDG_RUNTIME_DIR/perigee,
    /// /run/perigee (root, or whose that is) or /tmp/perigee-UID, where NAME is that of the configuration's file.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) control: Option<PathBuf>,
    /// Serve metrics to Prometheus at this address, as 127.0.0.1:9095, or port of this machine: `GET /metrics`.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_metrics_address)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Sample the lcores, and write into this folder what they were at: a flame graph (flame.svg), folded stacks, a table of functions, which
    /// the summary has as well, and a map for `perf` (docs/profiling.md). It is made for its owner alone, and costs about 1 % of the time.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) profile: Option<PathBuf>,
    /// With --profile: samples a second of each lcore.
    #[arg(long, value_name = "HZ", requires = "profile", default_value_t = Profiler::HZ,
        value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub(crate) profile_rate: u32,
    /// Write the line `ready` to this open file descriptor, and close it, when ports and lcores work: for scripts and
    /// supervisors that must wait for that.
    #[arg(long, value_name = "N")]
    pub(crate) ready_fd: Option<u32>,
    /// Show neither live numbers nor the summary; errors only.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Show the run as `perigee top` does, in place of lines of numbers: pages, and keys that act (docs/watching.md). Standard error
    /// must be a terminal.
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) view: bool,
    /// What the process gives up before modules are loaded: on: rights, files, and system calls that it does not need; log:
    /// the same, but such calls are made, and logged by the kernel; off: nothing. Counts before what the configuration says,
    /// without which it is on.
    #[arg(long, value_name = "MODE")]
    pub(crate) jail: Option<Jail>,
}
