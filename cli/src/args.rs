//! The command line.

mod run;
mod streams;
#[cfg(test)]
mod tests;

use crate::calibrate::CalibrateArgs;
use crate::capture::CaptureArgs;
use crate::clocks::ClocksArgs;
use crate::conformance::parse_name;
use crate::ctl::CtlArgs;
use crate::dissect::DissectArgs;
use crate::find::FindArgs;
use crate::history::{HistoryArgs, TriggerArgs};
use crate::jail::JailOption;
use crate::load::LoadOptions;
use crate::module_config::{ConfigArgs, secret_file};
use crate::new::{Kind, Language};
use crate::output::JsonOption;
use crate::paced::PaceArgs;
use crate::plot::PlotArgs;
use crate::routes::RoutesArgs;
use crate::sim::SimArgs;
use crate::top::TopArgs;
use crate::web::WebArgs;
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::path::PathBuf;

pub(crate) use run::RunOptions;
pub(crate) use streams::{ConvertArgs, StreamsArgs};

/// Runs sandboxed WebAssembly packet modules on DPDK ports.
///
/// A run is described by a TOML file: ports, modules, and the chains that join them. For the usual cases `gen` and
/// `forward` need no file. `perigee doctor` says what this machine can do.
#[derive(Debug, Parser)]
#[command(name = "perigee", version, max_term_width = 100, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How much to log to standard error: error, warn, info, debug, trace, or a filter like `perigee=debug`.
    /// Default: the environment's PERIGEE_LOG, else warn.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

const EXIT_CODES: &str = "Exit codes:
  0         all went well
  1         the input was wrong, or the run could not start
  2         a module failed, or the accounting did not balance
  129, 130, 143  a second SIGHUP, SIGINT or SIGTERM, a second or more after the first, ended the run without a clean stop";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a configuration file.
    ///
    /// Runs until its duration is over, all of its sources have ended, or a signal (SIGINT, SIGTERM, SIGHUP) asks it to stop.
    /// Then the chains are drained and a summary accounts for every packet. A second signal, a second or more after the first,
    /// ends it at once.
    #[command(after_long_help = "Examples:
  perigee run examples/demo/demo.toml --duration 10s --json summary.json
  perigee run examples/demo/demo.toml --duration 10s --json-lines - --every 500ms | jq .elapsed_ns
  perigee run net.toml --ready-fd 3 3> ready &    # after mkfifo ready; then: read -r < ready")]
    Run {
        /// The configuration file.
        #[arg(value_hint = ValueHint::FilePath)]
        config: PathBuf,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Simulate a configuration in virtual time, as fast as this machine can.
    ///
    /// The same modules, chains, swaps and failures as in a run; only the cables are simulated: each port is an end of a wire
    /// (`device = "wire:NAME,end=a,rate=10G,delay=5us"`). A seed decides all that is random, and gives the same packets at the same
    /// times again. Events are scripted in `[[sim.event]]`. Ends with exit code 2 where something breaks that should hold.
    #[command(after_long_help = "Examples:
  perigee sim examples/sim/sim.toml
  perigee sim examples/sim/sim.toml --seeds 1000")]
    Sim(SimArgs),
    /// Repeat a run by the manifest in its summary, and compare.
    ///
    /// The summary that `--json` writes has a manifest: configuration, digests of modules, versions, the machine, its clock. Modules are
    /// looked for by their digests in the folders that you name; devices and other paths of the manifest are shown, and opened only
    /// with `--yes`. A policy holds as for `run`.
    Rerun(RerunArgs),
    /// Measure how well packets of a port leave at their times, rate by rate.
    ///
    /// Sends frames at each rate, reads them where they come in, and tells the rate that was got and how even the gaps were. The
    /// result is kept in $XDG_STATE_HOME/perigee (~/.local/state/perigee), and runs on the same port, machine and versions name it.
    Calibrate(CalibrateArgs),
    /// Draw what runs have measured, as SVG or PNG: latencies, gaps between packets, rates over time.
    ///
    /// Reads what `--json`, `--json-lines` and `--hdr-log` have written of runs whose streams have `probes`, or that have paths
    /// (docs/results.md). Several come into one picture.
    Plot(PlotArgs),
    /// Show the packets of a capture: number, time, length, headers with addresses and ports.
    ///
    /// Reads pcap and pcapng, to the nanosecond, and knows the headers of the guest SDK (docs/headers.md). Looks nothing up: all is
    /// numbers. A file that is cut short is shown as far as it is whole; then the place is told, with exit code 1.
    Dissect(DissectArgs),
    /// Send streams of packets, as a file describes them: without writing a module.
    ///
    /// Each stream of the file has a stack of headers, what varies in them, sizes, a rate and a pattern (docs/streams.md). The module
    /// stream-gen makes its packets. Runs as `perigee run` does, until all streams have ended.
    #[command(after_long_help = "Examples:
  perigee streams streams.toml --port out=net_tap0
  perigee streams streams.toml --print --count 3
  perigee streams streams.toml --pcap out.pcap --count 10000")]
    Streams(StreamsArgs),
    /// Make a file of streams from another generator's: a profile of TRex in YAML, or flows of moongen-simple in Lua. Or rules for the
    /// module firewall from those of nftables.
    ///
    /// Nothing of it runs: profiles, flows and rules are read as data. What has no counterpart is refused with its line, or with its
    /// rule's handle; what is left away is told.
    #[command(after_long_help = "Examples:
  perigee convert imix.yaml -o imix.toml
  perigee convert flows.lua | less
  nft -j list ruleset > rules.json && perigee convert rules.json -o firewall.toml")]
    Convert(ConvertArgs),
    /// Generate packets with a module and send them on a port.
    #[command(after_long_help = "Examples:
  perigee gen target/modules/udp-gen.wasm --port net_null0 --duration 5s
  perigee gen target/modules/udp-gen.wasm --port net_tap0 --rate '1.5 kpps' --pattern poisson --duration 5s
  perigee gen target/modules/udp-gen.wasm --port 0000:01:00.0 --lcore 2 --lcore 3 --config 'dst = \"10.0.0.2\"'")]
    Gen {
        #[command(flatten)]
        module: ModuleArgs,
        /// The port to send on: a virtual device with its arguments, or a PCI address.
        #[arg(long, value_name = "DEVICE")]
        port: String,
        #[command(flatten)]
        pace: PaceArgs,
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
    /// Check a configuration or a module without starting a run.
    ///
    /// A configuration is checked with the files that it names; its modules are loaded under its limits, in the jail, and an
    /// instance of each, which is thrown away, is given its configuration. Everything that is found is told, not only the
    /// first thing.
    #[command(after_long_help = "Examples:
  perigee check perigee.toml
  perigee check target/modules/reflector.wasm")]
    Check {
        /// A configuration (.toml) or a module (.wasm, .wat).
        #[arg(value_name = "CONFIG|MODULE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        load: LoadOptions,
        #[command(flatten)]
        jail: JailOption,
    },
    /// Show what is in a module: exports, imports, memory, ABI version, window, callbacks.
    #[command(after_long_help = "Example:
  perigee inspect target/modules/udp-gen.wasm --json -")]
    Inspect {
        /// The module (.wasm, .wat).
        #[arg(value_hint = ValueHint::FilePath)]
        module: PathBuf,
        #[command(flatten)]
        load: LoadOptions,
        #[command(flatten)]
        json: JsonOption,
        #[command(flatten)]
        jail: JailOption,
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
        // For cases that have none of their own.
        #[command(flatten)]
        config: ConfigArgs,
        /// A secret of the module's, from a file that nobody else can read: NAME=FILE. May be given several times.
        #[arg(long = "secret", value_name = "NAME=FILE", value_parser = secret_file)]
        secrets: Vec<(String, PathBuf)>,
        /// Measure what a packet costs, where all cases pass.
        #[arg(long)]
        measure: bool,
        /// Show the cases that pass as well.
        #[arg(long, short)]
        verbose: bool,
        #[command(flatten)]
        json: JsonOption,
        #[command(flatten)]
        jail: JailOption,
    },
    /// Look at clocks: the system's, and those of ports, how fast they run and whether they are clocks at all.
    Clocks(ClocksArgs),
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
    /// Make keys that sign modules.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign a module with its name and version: FILE.minisig.
    #[command(after_long_help = "Example:
  perigee sign my-module.wasm --key release.key --name my-module --version 7")]
    Sign(SignOptions),
    /// Verify a module's signature, or whether a policy admits it.
    ///
    /// Versions that were loaded before are not asked about here: a run does that.
    #[command(after_long_help = "Examples:
  perigee verify my-module.wasm --key release.pub
  perigee verify my-module.wasm --policy policy.toml")]
    Verify(VerifyOptions),
    /// Write the files of a run's own capture, which starts this by itself.
    #[command(name = "capture-writer", hide = true)]
    CaptureWriter,
    /// Waits for what is to be dumped of a run's history; started by it.
    #[command(name = "trigger-writer", hide = true)]
    TriggerWriter,
    /// Compile modules for a run, which starts this by itself.
    #[command(name = "compile-server", hide = true)]
    CompileServer,
    /// Show a recorded failure again, and compare it with the one of the run.
    ///
    /// Runs the module of a crash bundle in a host without ports, from the recording's snapshot on, with all inputs that it
    /// had, and compares trap, backtrace and memory. Ends with exit code 2 where something differs.
    #[command(after_long_help = "Examples:
  perigee run forward.toml --record evidence
  perigee replay evidence/20261122T204512Z-forward-4711-1
  perigee replay evidence/20261122T204512Z-forward-4711-1 --until 10 --core before.wasm")]
    Replay {
        /// The bundle: a folder that a run with --record has left.
        #[arg(value_hint = ValueHint::DirPath)]
        bundle: PathBuf,
        /// Stop after so many calls of the module.
        #[arg(long, value_name = "CALLS")]
        until: Option<usize>,
        /// Write a core dump of the module where the replay stands to this file.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        core: Option<PathBuf>,
        #[command(flatten)]
        jail: JailOption,
    },
    /// Ask a run that is under way: what it does, what its modules say; change its log, stop it.
    ///
    /// Speaks with the process's control socket (docs/control.md), which `run`, `gen` and `forward` have unless
    /// `--control off` says otherwise.
    Ctl(CtlArgs),
    /// Watch a run on the terminal: ports, chains, modules, pools, streams, drops; change streams and modules by keys.
    ///
    /// Speaks with the process's control socket, as `ctl` does (docs/watching.md).
    Top(TopArgs),
    /// Show a run that is under way in a browser: rates, tables, a picture of it, its streams.
    ///
    /// Serves a page at an address of this machine, for whoever has the token that is printed with it (docs/web.md). Changes nothing
    /// unless `--control` is given.
    Web(WebArgs),
    /// Bring routes of the kernel or of FRR to the module `router`, as long as they last.
    Routes(RoutesArgs),
    /// Capture packets of a run that is under way, at any point of its chains.
    ///
    /// Into files for Wireshark, tcpdump and others, or live to one of them. The run goes on as it would without: what this process does
    /// not take in time is written over, and counted.
    Capture(Box<CaptureArgs>),
    /// Look back at packets that a run remembers: list its histories, or write what is in one to a file.
    ///
    /// Of a run whose configuration has histories (docs/history.md). The run does nothing for it.
    History(Box<HistoryArgs>),
    /// Find packets in files: those that a capture has rotated, and any other.
    ///
    /// Goes through files in the order of their times. Where a capture has left an index beside a file, what cannot have such a packet is
    /// not read. Without --write they are counted.
    Find(Box<FindArgs>),
    /// Wait for something to happen in a history, and write what was before it as well as what comes after it.
    ///
    /// For a packet that passes a filter, for a burst, for what a module of yours says, or for a module's failure.
    Trigger(Box<TriggerArgs>),
    /// Print a completion script for a shell.
    #[command(after_long_help = "Example:
  perigee completions bash > ~/.local/share/bash-completion/completions/perigee")]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write a manual page for each command: for packages.
    #[command(name = "man-pages", hide = true)]
    ManPages {
        /// Where they go.
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a secret key, and beside it the public one with the end .pub.
    ///
    /// The password is asked for, or taken from the environment's PERIGEE_KEY_PASSWORD.
    New {
        /// Where the secret key goes.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Leave the secret key readable for whoever can read the file.
        #[arg(long)]
        no_password: bool,
    },
}

/// What is signed, and how.
#[derive(Args, Debug)]
pub(crate) struct SignOptions {
    /// The module.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The secret key's file, of `perigee key new` or of minisign.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: PathBuf,
    /// The module's name in configurations. Default: the file's, without its end.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The version: a whole number, higher than all before. Default: the seconds since 1970.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) version: Option<u64>,
}

/// What is verified, and against what.
#[derive(Args, Debug)]
pub(crate) struct VerifyOptions {
    /// The module; its signature is in FILE.minisig.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The public key, or its file.
    #[arg(long, value_name = "KEY|FILE", required_unless_present = "policy", conflicts_with = "policy")]
    pub(crate) key: Option<String>,
    /// The policy.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,
    /// The name that a policy wants in the signature. Default: the file's, without its end.
    #[arg(long, requires = "policy")]
    pub(crate) name: Option<String>,
}

/// The module of `gen` and `forward`.
#[derive(Args, Debug)]
pub(crate) struct ModuleArgs {
    /// The module (.wasm, .wat).
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) module: PathBuf,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// A grant beside or in place of those that the short form gives (tx to its ports, create, all hostcalls, the precise
    /// clock), as TOML or as key=value: `packets_per_second=1M`, `source_ip = ["10.0.0.0/8"]`. May be given several times.
    #[arg(long = "grant", value_name = "TOML")]
    pub(crate) grants: Vec<String>,
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

/// What is repeated.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee run examples/demo/demo.toml --duration 2s --json summary.json
  perigee rerun summary.json --modules target/modules             # shows what it would open
  perigee rerun summary.json --modules target/modules --yes       # does it, and compares")]
pub(crate) struct RerunArgs {
    /// The manifest: what `--json` has written at the end of a run.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) manifest: PathBuf,
    /// Where modules are looked for, by their digests; may be given several times.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, required = true)]
    pub(crate) modules: Vec<PathBuf>,
    /// Where the configuration's other paths start. Default: here.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) base: Option<PathBuf>,
    /// Open the devices and paths that the manifest names. Without it they are only shown.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) options: RunOptions,
}
