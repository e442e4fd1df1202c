//! Perigee's own tools. `./x` makes sure that a compiler and DPDK are there and calls this; `cargo xtask` works as well.
//!
//! It depends on no other crate of the workspace, so that it builds in seconds and while they do not build. It is the one
//! place that knows a WebAssembly toolchain.

mod abi;
mod codegen;
mod command;
mod conformance;
mod files;
mod languages;
mod modules;
mod python;
mod setup;
mod soak;
mod source;
mod start;
mod steps;
mod tidy;
mod toolchain;
mod unprivileged;

use anyhow::Result;
use clap::{Parser, Subcommand};
use command::Repository;
use std::ffi::OsString;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "x", about = "Build, show, test and measure Perigee", version, disable_help_subcommand = true)]
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
        /// Only these steps, in the order of the whole
        #[arg(value_name = "STEP", value_parser = steps::names())]
        only: Vec<String>,
    },
    /// Measure each boundary against the same work in native code; arguments go to the benchmark (try -- --help)
    Bench {
        /// Arguments of the benchmark, such as --json bench.json
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
        args: Vec<OsString>,
    },
    /// Try much more than the tests do: packets, with a fuzzer, and what modules can do to the host; prints a table of figures
    Soak {
        /// Smaller figures: all of it within a quarter of an hour
        #[arg(long)]
        quick: bool,
        /// Only these scenarios (benches/soak/README.md has a list), and no fuzzer
        #[arg(value_name = "SCENARIO")]
        only: Vec<String>,
    },
    /// Check the modules of each language against the ABI, and measure them side by side
    Conformance,
    /// Install what the tests need: packages, scapy, mdbook, cargo-deny
    Setup,
    /// Build every module to target/modules/NAME.wasm
    BuildModules,
    /// Check what compilers do not: where unsafe is, the ABI's version, file lengths, links and more
    Tidy,
    /// Write anew what tests compare with: docs/headers-table.md, messages of the compiler; the ABI has its own --bless
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
        Task::Test { only } => steps::run(&repository, &only),
        Task::Bench { args } => start::bench(&repository, &args),
        Task::Soak { quick, only } => soak::run(&repository, quick, &only),
        Task::Bless => steps::bless(&repository),
        Task::Conformance => conformance::run(&repository),
        Task::Setup => setup::all(&repository),
        Task::BuildModules => modules::build_all(&repository),
        Task::Tidy => tidy::run(&repository),
        Task::Codegen { bless: true } => codegen::bless(&repository),
        Task::Codegen { bless: false } => codegen::check(&repository),
        Task::AbiCheck { bless: true } => abi::bless(&repository),
        Task::AbiCheck { bless: false } => abi::check(&repository),
    }
}
