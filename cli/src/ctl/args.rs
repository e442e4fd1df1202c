//! The command line of `perigee ctl`.

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueHint};
use std::io::Read;
use std::path::PathBuf;

/// Which run, what of it.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee ctl status
  perigee ctl stats --watch
  perigee ctl message firewall 'rules?'
  perigee ctl --socket forward log-level perigee_runtime=debug")]
pub(crate) struct CtlArgs {
    /// The run's socket, or its name where that has no slash. Default: the only run of this user.
    #[arg(long, global = true, value_name = "PATH|NAME", value_hint = ValueHint::FilePath)]
    pub(super) socket: Option<PathBuf>,
    /// Print the answer as JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// What runs, since when, and what has failed.
    Status,
    /// All counters: ports, chains, modules, rings, pools.
    Stats {
        /// Show rates once a second, until the run ends.
        #[arg(long, short)]
        watch: bool,
    },
    /// The modules and their instances.
    Modules,
    /// Send a message to all instances of a module, and print what each answers.
    Message {
        /// The module's name in the configuration.
        module: String,
        /// The message: text, @FILE for a file's bytes, or @- for standard input.
        message: String,
    },
    /// Print the filter of the run's log, or set it.
    LogLevel {
        /// error, warn, info, debug, trace, or a filter like `perigee_runtime=debug`.
        filter: Option<String>,
    },
    /// Print all metrics in Prometheus' text format.
    Metrics,
    /// Stop the run as a signal does, and wait until its process has ended.
    Stop {
        /// Do not wait.
        #[arg(long)]
        no_wait: bool,
    },
}

/// What an argument brings: itself, or with an @ what is in a file.
pub(super) fn content(argument: &str) -> Result<Vec<u8>> {
    match argument.strip_prefix('@') {
        None => Ok(argument.as_bytes().to_vec()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
            Ok(bytes)
        }
        Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}")),
    }
}
