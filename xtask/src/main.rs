//! Perigee's own tools. `./x` makes sure that a compiler and DPDK are there and calls this; `cargo xtask` works as well.
//!
//! It depends on no other crate of the workspace, so that it builds in seconds and while they do not build. It is the one
//! place that knows a WebAssembly toolchain.

mod abi;
mod against;
mod codegen;
mod command;
mod conformance;
mod files;
mod languages;
mod modules;
mod package;
mod python;
mod setup;
mod soak;
mod source;
mod start;
mod steps;
mod system;
mod tidy;
mod timings;
mod toolchain;
mod unprivileged;
mod vm;
mod web;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use command::Repository;
use std::ffi::OsString;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "./x", bin_name = "./x", about = "Build, show, test and measure Perigee", after_help = AFTER_HELP)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and show it on virtual ports: a generator at full speed and a network function behind it
    Demo {
        /// How long it runs
        #[arg(long, default_value = "10s")]
        duration: String,
    },
    /// Run all that the build machines run
    #[command(visible_alias = "ci")]
    Test {
        /// In another system, whose packages are fetched once into the cache: the steps that depend on the system, or those named
        #[arg(long = "in", value_name = "SYSTEM", value_parser = system::names())]
        system: Option<String>,
        /// Only these steps, in the order of the whole
        #[arg(value_name = "STEP", value_parser = steps::names())]
        only: Vec<String>,
    },
    /// Measure each boundary against the same work in native code; arguments go to the benchmark (try -- --help)
    Bench {
        /// Arguments of the benchmark, such as --json bench.json; `--against REVISION` builds that first, in target/against, and takes
        /// turns with it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
        args: Vec<OsString>,
    },
    /// Try more than the tests do: a fuzzer on packets, hostile modules on the host, drivers on virtual cards; prints tables
    Soak {
        /// Smaller figures: all of it within a quarter of an hour
        #[arg(long)]
        quick: bool,
        /// Only these scenarios (benches/soak/README.md has a list), systems (debian13), `web` (the page for browsers) or `functions`
        /// (router, NAT, firewall and balancer in virtual time), and no fuzzer; `vm` and jobs behind it: only the virtual cards
        /// (docs/operating.md), or some of their jobs
        #[arg(value_name = "SCENARIO")]
        only: Vec<String>,
        #[command(flatten)]
        vm: vm::Options,
    },
    /// Make what operators install, in target/package: a Debian package, and an image for containers with that in it
    Package {
        /// Only these parts; `trial` tries both: installs, starts, swaps, reloads, upgrades, removes. It needs root
        #[arg(value_name = "PART")]
        parts: Vec<package::Part>,
    },
    /// Check the modules of each language against the ABI, and measure them side by side
    Conformance,
    /// Install at once what all commands need: packages, compilers, scapy, what checks Python, mdbook, cargo-deny
    Setup,
    /// Build the wheel of the Python package: target/python/perigee-VERSION.whl
    Python,
    /// Build every module to target/modules/NAME.wasm
    BuildModules,
    /// Check what compilers do not: where unsafe is, the ABI's version, file lengths, links, listings in pages and more
    Tidy {
        /// Write the listings in pages anew, from the files that they show
        #[arg(long)]
        bless: bool,
    },
    /// Write anew what is compared with the code: listings in pages, docs/headers-table.md, docs/openapi.json, messages of the
    /// compiler; the ABI has its own --bless
    Bless,
    /// Check that accessors of the guest SDK compile to what a store by hand compiles to
    Codegen {
        /// Write guest-sdk/codegen/snapshots anew
        #[arg(long)]
        bless: bool,
    },
    /// Check that the ABI did not change under its version number
    AbiCheck {
        /// Write abi/ABI.lock anew
        #[arg(long)]
        bless: bool,
    },
}

const AFTER_HELP: &str = "Each command installs what it needs and what is missing (with sudo only then): ./x help COMMAND. \
    Needs Debian 12 or 13.";
/// The file that `./x help` shows: before there is a compiler, and so before this program is there.
const HELP: &str = "xtask/help.txt";

/// What the commands are.
fn help() -> String {
    Args::command().term_width(110).render_help().to_string()
}

fn main() -> ExitCode {
    match perform(Args::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        // Not by returning the error: that would print a backtrace of this program, which says nothing of the cause.
        Err(error) => {
            eprintln!("x: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    let repository = Repository::find()?;
    match task {
        Task::Demo { duration } => start::demo(&repository, &duration),
        Task::Test { system: Some(system), only } => system::test(&repository, &system, &only),
        Task::Test { system: None, only } => steps::run(&repository, &only),
        Task::Bench { args } => start::bench(&repository, &args),
        Task::Soak { quick, only, vm } => soak::run(&repository, quick, &only, &vm),
        Task::Package { parts } => package::run(&repository, &parts),
        Task::Bless => steps::bless(&repository),
        Task::Conformance => conformance::run(&repository),
        Task::Setup => setup::all(&repository),
        Task::Python => python::wheel(&repository),
        Task::BuildModules => modules::build_all(&repository),
        Task::Tidy { bless: true } => tidy::bless(&repository),
        Task::Tidy { bless: false } => tidy::run(&repository),
        Task::Codegen { bless: true } => codegen::bless(&repository),
        Task::Codegen { bless: false } => codegen::check(&repository),
        Task::AbiCheck { bless: true } => abi::bless(&repository),
        Task::AbiCheck { bless: false } => abi::check(&repository),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::process::Command;

    /// On a machine with nothing but a shell: nothing is installed, and nothing is compiled.
    #[test]
    fn help_needs_no_compiler() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../x");
        let bare = std::env::temp_dir().join(format!("perigee-x-{}", std::process::id()));
        std::fs::create_dir_all(&bare).unwrap();
        for program in ["cat", "dirname"] {
            let _ = symlink(Path::new("/usr/bin").join(program), bare.join(program));
        }
        let x = |arguments: &[&str]| {
            let mut bash = Command::new("/bin/bash");
            let output = bash.arg(&script).args(arguments).env_clear().env("PATH", &bare).output().unwrap();
            let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
            (output.status.code(), out, err)
        };
        for ask in ["help", "--help", "-h"] {
            assert_eq!(x(&[ask]), (Some(0), help(), String::new()), "{ask}");
        }
        assert_eq!(x(&[]), (Some(2), String::new(), help()));
        std::fs::remove_dir_all(bare).unwrap();
    }
}
