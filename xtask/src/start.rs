//! Building what runs, and running it in this process's place: signals then reach it, and its exit code is ours.

use crate::command::{self, Repository};
use crate::{against, modules, setup};
use anyhow::{Error, Result};
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

const DEMO: &str = "examples/demo/demo.toml";

/// Minutes that one CPU of a virtual machine of 2026 needs for a build of everything (two took 13), and how many CPUs it can keep busy.
const FIRST_BUILD_MINUTES: usize = 26;
const FIRST_BUILD_CPUS: usize = 8;
/// Where it is written how long it took: `./x bench` has a row for it.
const FIRST_BUILD: &str = "first-build.json";

/// The demonstration on virtual ports.
pub(crate) fn demo(repository: &Repository, duration: &str) -> Result<()> {
    modules::build(repository)?;
    let perigee = build(repository, "perigee")?;
    become_it(repository.command(perigee).args(["run", DEMO, "--duration", duration]))
}

/// The benchmark.
pub(crate) fn bench(repository: &Repository, args: &[OsString]) -> Result<()> {
    modules::build(repository)?;
    // What is measured from outside, as its users start it.
    build(repository, "perigee")?;
    let bench = build(repository, "perigee-bench")?;
    // Whom the benchmark cannot have, it names, and has no row for.
    if let Err(why) = setup::opponents(repository) {
        println!("not all that Perigee is compared with is here: {why:#}");
    }
    become_it(repository.command(bench).args(against::resolve(repository, args)?))
}

/// Builds a binary of the workspace and says where it is.
///
/// `--workspace` although it is one binary: cargo unites the features of the packages that it is asked for, and for one
/// package alone it would compile the engine a second time, with a feature less in some crate far below.
pub(crate) fn build(repository: &Repository, binary: &str) -> Result<PathBuf> {
    let built = repository.target().join("release").join(binary);
    if !built.exists() {
        println!("{}", first_build(thread::available_parallelism().map_or(1, usize::from)));
    }
    let (is_first, begun) = (!has_engine(&repository.target()), Instant::now());
    // Not quiet: a terminal that shows nothing for minutes looks like a hang.
    command::run(repository.cargo("build").args(["--release", "--workspace", "--bin", binary]))?;
    if is_first {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let text = format!("{{ \"seconds\": {:.1}, \"cpus\": {cpus} }}\n", begun.elapsed().as_secs_f64());
        // What the benchmark tells of it; where it cannot be written, it tells nothing.
        let _ = fs::write(repository.target().join(FIRST_BUILD), text);
    }
    Ok(built)
}

/// Whether what takes longest of a build is there.
fn has_engine(target: &Path) -> bool {
    let built = fs::read_dir(target.join("release/deps")).into_iter().flatten().flatten();
    built.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("libwasmtime-"))
}

/// What to expect of a build that has all before it.
fn first_build(cpus: usize) -> String {
    let minutes = FIRST_BUILD_MINUTES.div_ceil(cpus.min(FIRST_BUILD_CPUS));
    format!(
        "building Perigee for the first time: about {minutes} minutes here (CPUs: {cpus}), most of it for the WebAssembly \
         engine; later builds take seconds"
    )
}

fn become_it(command: &mut Command) -> Result<()> {
    let error = command.exec();
    Err(Error::new(error).context(format!("cannot start {}", command::shown(command))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_the_first_one_where_there_is_no_engine() {
        let target = std::env::temp_dir().join(format!("perigee-x-first-{}", std::process::id()));
        assert!(!has_engine(&target));
        fs::create_dir_all(target.join("release/deps")).unwrap();
        fs::write(target.join("release/deps/libwasmtime_environ-1.rlib"), "").unwrap();
        assert!(!has_engine(&target));
        fs::write(target.join("release/deps/libwasmtime-1.rlib"), "").unwrap();
        assert!(has_engine(&target));
        fs::remove_dir_all(target).unwrap();
    }

    #[test]
    fn the_first_build_is_as_long_as_the_machine_has_cpus() {
        let minutes = |cpus| first_build(cpus).split_once("about ").unwrap().1.split_once(' ').unwrap().0.to_owned();
        assert_eq!([1, 2, 4, 8, 64].map(minutes), ["26", "13", "7", "4", "4"]);
    }
}
