//! `./x soak`: what must hold for any packet, for many more packets than `./x test` has time for.

use crate::command::{self, Repository};
use crate::modules;
use anyhow::{Context, Result};
use std::fs;

/// What libfuzzer needs to see where the code goes: flags of the stable compiler. The address sanitizer, which only a
/// nightly one has, is left out: what runs here has no unsafe code but zerocopy's.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions=on \
    -Coverflow-checks=on";

/// How long, and how many cases.
struct Effort {
    fuzz_seconds: u32,
    cases: &'static str,
}

const FULL: Effort = Effort { fuzz_seconds: 600, cases: "20000" };
const QUICK: Effort = Effort { fuzz_seconds: 30, cases: "1000" };

/// Runs the fuzzer on packets, then the property tests of the headers with many cases, then the scenarios of `benches/soak`.
pub(crate) fn run(repository: &Repository, quick: bool) -> Result<()> {
    let effort = if quick { &QUICK } else { &FULL };
    fuzz(repository, effort.fuzz_seconds)?;
    // The seed is the time's: each run tries others.
    let mut test = repository.cargo("test");
    test.args(["--release", "--package", "perigee-guest", "--test", "headers", "--test", "corpus"]);
    let seed = std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_secs()).to_string();
    println!("property tests: {} cases, PROPTEST_RNG_SEED={seed}", effort.cases);
    command::run(test.env("PROPTEST_CASES", effort.cases).env("PROPTEST_RNG_SEED", seed))?;
    scenarios(repository, quick)
}

/// Runs `perigee-soak`, whose table is the end of it all.
fn scenarios(repository: &Repository, quick: bool) -> Result<()> {
    modules::build_all(repository)?;
    command::run(repository.cargo("build").args(["--release", "--workspace", "--bins"]))?;
    let mut soak = repository.command(repository.target().join("release/perigee-soak"));
    soak.arg("--json").arg(repository.target().join("soak.json")).args(quick.then_some("--quick"));
    command::run(&mut soak).context("a scenario failed; the table above says which, and how to repeat it alone")
}

/// Builds the target `wire` without cargo-fuzz, and runs it. What it finds beyond the corpus stays in `target/fuzz`.
fn fuzz(repository: &Repository, seconds: u32) -> Result<()> {
    let target = repository.target().join("fuzz");
    let (found, failed) = (target.join("corpus/wire"), target.join("artifacts/wire"));
    for folder in [&found, &failed] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let version = command::output(repository.rustc().arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let mut build = repository.cargo("build");
    build.args(["--release", "--no-default-features", "--manifest-path", "fuzz/Cargo.toml", "--bin", "wire"]);
    // With a target named, build scripts and macros are compiled without these flags.
    build.args(["--target", host]).arg("--target-dir").arg(&target).env("RUSTFLAGS", FLAGS);
    command::run(&mut build).context("the fuzz target does not build; libfuzzer needs a C++ compiler (./x setup)")?;
    let mut fuzzer = repository.command(target.join(host).join("release/wire"));
    fuzzer.arg(&found).arg("fuzz/corpus/wire").arg(format!("-max_total_time={seconds}"));
    fuzzer.args(["-timeout=10", "-max_len=1900", "-print_final_stats=1"]);
    fuzzer.arg(format!("-artifact_prefix={}/", failed.display()));
    command::run(&mut fuzzer)
        .context("a packet breaks a rule of fuzz/src/wire.rs; libfuzzer wrote it where it says above")
}
