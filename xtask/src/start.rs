//! Building what runs, and running it in this process's place: signals then reach it, and its exit code is ours.

use crate::command::{self, Repository};
use crate::modules;
use anyhow::{Error, Result};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

const DEMO: &str = "examples/demo/demo.toml";

/// The demonstration on virtual ports.
pub(crate) fn demo(repository: &Repository, duration: &str) -> Result<()> {
    modules::build(repository)?;
    let perigee = build(repository, "perigee")?;
    become_it(repository.command(perigee).args(["run", DEMO, "--duration", duration]))
}

/// The benchmark.
pub(crate) fn bench(repository: &Repository, args: &[OsString]) -> Result<()> {
    modules::build(repository)?;
    let bench = build(repository, "perigee-bench")?;
    become_it(repository.command(bench).args(args))
}

/// Builds a binary of the workspace and says where it is.
///
/// `--workspace` although it is one binary: cargo unites the features of the packages that it is asked for, and for one
/// package alone it would compile the engine a second time, with a feature less in some crate far below.
pub(crate) fn build(repository: &Repository, binary: &str) -> Result<PathBuf> {
    // Not quiet: the first time this takes minutes, and a terminal that shows nothing looks like a hang.
    command::run(repository.cargo("build").args(["--release", "--workspace", "--bin", binary]))?;
    Ok(repository.target().join("release").join(binary))
}

fn become_it(command: &mut Command) -> Result<()> {
    let error = command.exec();
    Err(Error::new(error).context(format!("cannot start {}", command::shown(command))))
}
