//! The command line of `perigee ctl`.

use crate::module_config::ConfigArgs;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use perigee_runtime::config::parse_duration;
use perigee_runtime::config::stream::Rate;
use std::path::PathBuf;
use std::time::Duration;

/// Which run, what of it.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee ctl status
  perigee ctl stats --watch
  perigee ctl message firewall 'rules?'
  perigee ctl --socket forward log-level perigee=debug")]
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

/// What becomes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Hold {
    /// No packets until it goes on.
    Pause,
    /// It goes on.
    Resume,
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
    /// Make new instances of a module now, in the place of those that have failed.
    #[command(
        after_long_help = "Also where they failed too often, and the breaker has opened. Instances that run are left alone."
    )]
    Restart {
        /// The module's name in the configuration.
        module: String,
    },
    /// The streams: their rates, and what became of them.
    Streams,
    /// Give a stream another rate.
    #[command(after_long_help = "Examples:
  perigee ctl rate voice '1.5 Mpps'
  perigee ctl rate voice '25 %'")]
    Rate {
        /// The stream's name in the configuration.
        stream: String,
        /// Packets per second (`1 Mpps`), bits per second of frames (`1 Gbit/s`) or on layer 1 (`1 Gbit/s l1`), or a part of the
        /// link (`25 %`).
        #[arg(value_parser = Rate::parse)]
        rate: Rate,
    },
    /// Give a stream another pattern: how its packets follow each other.
    #[command(after_long_help = "Examples:
  perigee ctl pattern voice poisson
  perigee ctl pattern voice '{ kind = \"bursts\", size = 32 }' --rate '1 Mpps'")]
    Pattern {
        /// The stream's name in the configuration.
        stream: String,
        /// A name (`constant`, `poisson`), or a pattern with its keys as TOML, as the configuration has it.
        #[arg(value_name = "NAME|TOML")]
        pattern: String,
        /// Its rate from then on. Default: the one that it has.
        #[arg(long, value_parser = Rate::parse)]
        rate: Option<Rate>,
    },
    /// Let a stream pause, or go on.
    Stream {
        /// Which of the two.
        #[arg(value_enum)]
        what: Hold,
        /// The stream's name in the configuration.
        stream: String,
    },
    /// Replace a module while packets flow, and print what it cost.
    ///
    /// Without a configuration of its own, the new module gets what the old one had. What the old one knows goes over only
    /// where both have the callbacks save and restore (docs/state.md): the answer says so for each instance.
    #[command(after_long_help = "Examples:
  perigee ctl swap firewall firewall-2.wasm
  perigee ctl swap firewall firewall-2.wasm --config 'rules = [\"10.0.0.0/8\"]' --grace 10s")]
    Swap {
        /// The module's name in the configuration.
        module: String,
        /// The new module (.wasm, .wat).
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        // Without one, the new module gets what the old one had.
        #[command(flatten)]
        config: ConfigArgs,
        /// How long the old instances are kept, to go on if a new one fails.
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
        grace: Duration,
        /// Begin without the old module's state.
        #[arg(long)]
        fresh: bool,
    },
    /// Print what differs between what runs and a configuration file, and what of it needs a restart.
    Diff {
        /// The configuration file.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Apply a changed configuration file while packets flow: all of its differences, or none.
    Apply {
        /// The configuration file.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Print the filter of the run's log, or set it.
    LogLevel {
        /// error, warn, info, debug, trace, or a filter like `perigee=debug`.
        filter: Option<String>,
    },
    /// The routes of a router module, with the states of their next hops, and the batches that each instance has reached.
    #[command(after_long_help = "Examples:
  perigee ctl routes router
  perigee ctl routes router 10.0.0.0/8      # this prefix, and those inside it
  perigee ctl routes router 10.1.2.3        # the route that a packet to it takes")]
    Routes {
        /// The module's name in the configuration.
        module: String,
        /// A prefix: it and those inside it. An address: the route to it.
        #[arg(value_name = "PREFIX|ADDRESS")]
        of: Option<String>,
    },
    /// The neighbours of a router module, with their states.
    Neighbours {
        /// The module's name in the configuration.
        module: String,
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
