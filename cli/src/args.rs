//! The command line.

use crate::conformance::parse_name;
use crate::ctl::CtlArgs;
use crate::new::{Kind, Language};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use perigee_runtime::config::{parse_duration, parse_metrics_address};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Runs sandboxed WebAssembly packet modules on DPDK ports.
///
/// A run is described by a TOML file: ports, modules, and the chains that join them. For the usual cases `gen` and
/// `forward` need no file. `perigee doctor` says what this machine can do.
#[derive(Debug, Parser)]
#[command(name = "perigee", version, max_term_width = 100, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How much to log to standard error: error, warn, info, debug, trace, or a filter like `perigee_runtime=debug`.
    /// Default: the environment's PERIGEE_LOG, else warn.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

const EXIT_CODES: &str = "Exit codes:
  0         all went well
  1         the input was wrong, or the run could not start
  2         a module failed, or the accounting did not balance
  130, 143  a second SIGINT or SIGTERM ended the run without a clean stop";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a configuration file.
    ///
    /// Runs until its duration is over, all of its sources have ended, or a signal (SIGINT, SIGTERM) asks it to stop. Then
    /// the chains are drained and a summary accounts for every packet. A second signal ends it at once.
    #[command(after_long_help = "Example:
  perigee run examples/demo/demo.toml --duration 10s --json summary.json")]
    Run {
        /// The configuration file.
        #[arg(value_hint = ValueHint::FilePath)]
        config: PathBuf,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Generate packets with a module and send them on a port.
    #[command(after_long_help = "Examples:
  perigee gen target/modules/udp-gen.wasm --port net_null0 --duration 5s
  perigee gen target/modules/udp-gen.wasm --port 0000:01:00.0 --lcore 2 --lcore 3 --config 'dst = \"10.0.0.2\"'")]
    Gen {
        #[command(flatten)]
        module: ModuleArgs,
        /// The port to send on: a virtual device with its arguments, or a PCI address.
        #[arg(long, value_name = "DEVICE")]
        port: String,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Forward packets between two ports through a module, in both directions.
    #[command(after_long_help = "Examples:
  perigee forward target/modules/l2-forward.wasm --port net_tap0 --port net_tap1
  perigee forward target/modules/counter.wasm --port 0000:01:00.0 --port 0000:01:00.1 --lcore 2 --lcore 3")]
    Forward {
        #[command(flatten)]
        module: ModuleArgs,
        /// A port: a virtual device with its arguments, or a PCI address. Given twice.
        #[arg(long = "port", value_name = "DEVICE", required = true)]
        ports: Vec<String>,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Check a configuration or a module without starting anything.
    ///
    /// A configuration is checked with the files that it names, and its modules are loaded under its limits. Everything
    /// that is found is told, not only the first thing.
    #[command(after_long_help = "Examples:
  perigee check perigee.toml
  perigee check target/modules/reflector.wasm")]
    Check {
        /// A configuration (.toml) or a module (.wasm, .wat).
        #[arg(value_name = "CONFIG|MODULE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Show what is in a module: exports, imports, memory, ABI version, window, callbacks.
    #[command(after_long_help = "Example:
  perigee inspect target/modules/udp-gen.wasm --json -")]
    Inspect {
        /// The module (.wasm, .wat).
        #[arg(value_hint = ValueHint::FilePath)]
        module: PathBuf,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Make a module project that builds, tests and runs at once.
    ///
    /// A folder with a small module to change, its tests, a configuration that runs without a network card, scripts that
    /// build and test, and the language's kit.
    #[command(after_long_help = "Examples:
  perigee new my-firewall --lang rust
  perigee new my-load --lang zig --kind generator --path ~/src/my-load")]
    New {
        /// What the module is called: letters, digits, - and _.
        name: String,
        /// What to write it in.
        #[arg(long = "lang", value_name = "LANGUAGE")]
        language: Language,
        /// What it does in a chain.
        #[arg(long, default_value = "stage")]
        kind: Kind,
        /// The project's folder, new or empty. Default: the name, in this folder.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        path: Option<PathBuf>,
        /// For Rust: the folder of the crate perigee-guest. Default: guest-sdk of the repository that this program was
        /// built from.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        sdk: Option<PathBuf>,
    },
    /// Check that a module keeps the ABI's contract, in a host without ports.
    ///
    /// The suite `abi` is for any module; `reflector` and `udp-gen` are for the two modules that each language's kit has.
    /// Ends with exit code 2 where a case fails.
    #[command(after_long_help = "Examples:
  perigee conformance my-module.wasm
  perigee conformance target/modules/reflector.wasm --suite abi --suite reflector --measure
  perigee conformance my-module.wasm --suite abi --suite cases.toml")]
    Conformance {
        /// The module (.wasm, .wat).
        #[arg(value_hint = ValueHint::FilePath)]
        module: PathBuf,
        /// What to check: abi, reflector, udp-gen, or a file with cases of your own (.toml; conformance/README.md has the
        /// format). May be given several times.
        #[arg(long = "suite", value_name = "NAME|FILE", value_parser = parse_name, value_hint = ValueHint::FilePath,
            default_value = "abi")]
        suites: Vec<String>,
        /// The module's configuration where a case has none of its own, as for `gen`.
        #[arg(long, value_name = "TOML")]
        config: Vec<String>,
        /// Measure what a packet costs, where all cases pass.
        #[arg(long)]
        measure: bool,
        /// Show the cases that pass as well.
        #[arg(long, short)]
        verbose: bool,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Show the ports that DPDK sees: driver, link, queues, offloads, timestamping.
    ///
    /// These are the network cards bound to a driver that DPDK can use, and the devices given by --port.
    #[command(after_long_help = "Example:
  perigee ports --port net_null0 --port net_tap0")]
    Ports {
        /// A device to describe as well: a virtual device with its arguments, or a PCI address.
        #[arg(long = "port", value_name = "DEVICE")]
        ports: Vec<String>,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Say what this machine has, what it lacks, and which command mends it.
    ///
    /// Looks at huge pages, rights, clocks, IOMMU, network cards, DPDK and its drivers, and the WebAssembly toolchains.
    /// Needs no rights, changes nothing, and always ends with exit code 0.
    Doctor {
        #[command(flatten)]
        json: JsonOption,
    },
    /// Ask a run that is under way: what it does, what its modules say; change its log, stop it.
    ///
    /// Speaks with the process's control socket (docs/control.md), which `run`, `gen` and `forward` have unless
    /// `--control off` says otherwise.
    Ctl(CtlArgs),
    /// Print a completion script for a shell.
    #[command(after_long_help = "Example:
  perigee completions bash > ~/.local/share/bash-completion/completions/perigee")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What `run`, `gen` and `forward` have in common.
#[derive(Args, Debug, Default)]
pub(crate) struct RunOptions {
    /// How long to run, like 10s or 5min; counts before what the configuration says.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) json: JsonOption,
    /// The socket on which `perigee ctl` can ask this run, or `off`. Default: NAME.sock in $XDG_RUNTIME_DIR/perigee,
    /// /run/perigee (root) or /tmp/perigee-UID, where NAME is that of the configuration's file.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) control: Option<PathBuf>,
    /// Serve metrics to Prometheus at this address, as 127.0.0.1:9095, or port of this machine: `GET /metrics`.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_metrics_address)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Show neither live numbers nor the summary; errors only.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Where to write JSON.
#[derive(Args, Debug, Default)]
pub(crate) struct JsonOption {
    /// Write the result as JSON to this file; `-` is standard output, in place of the text for people.
    #[arg(long = "json", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

/// The module of `gen` and `forward`.
#[derive(Args, Debug)]
pub(crate) struct ModuleArgs {
    /// The module (.wasm, .wat).
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) module: PathBuf,
    /// The module's configuration, as TOML (`src = "10.0.0.1"`, or a table in braces) or as key=value, where a value that
    /// is no TOML is text. May be given several times.
    #[arg(long, value_name = "TOML")]
    pub(crate) config: Vec<String>,
    /// The CPU to run on; given several times, the work is spread over as many. Default: chosen by load.
    #[arg(long = "lcore", value_name = "CPU")]
    pub(crate) lcores: Vec<u32>,
    /// Packets asked of a source at once, 1 to 256.
    #[arg(long, value_name = "PACKETS", default_value_t = 64)]
    pub(crate) burst: u16,
    /// Where the module's random numbers start.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

impl JsonOption {
    /// Whether standard output belongs to the JSON text.
    pub(crate) fn is_stdout(&self) -> bool {
        self.file.as_deref().is_some_and(|file| file.as_os_str() == "-")
    }
}
