//! `./x soak`: what must hold for any packet, for many more packets than `./x test` has time for.

use crate::command::{self, Repository};
use crate::{modules, package, setup, steps, system, unprivileged, vm, web};
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
    /// libFuzzer on packets, and on each of what else others may have written.
    wire_seconds: u32,
    other_seconds: Option<u32>,
    /// Of property tests: the headers of the guest SDK; configurations, modules and captures; descriptors and output lists
    /// against the model, of which each is a run.
    headers: u32,
    corpus: u32,
    model: u32,
}

const FULL: Effort =
    Effort { wire_seconds: 600, other_seconds: Some(60), headers: 20_000, corpus: 200_000, model: 50_000 };
const QUICK: Effort = Effort { wire_seconds: 30, other_seconds: None, headers: 1_000, corpus: 8_000, model: 1_500 };

/// The targets that need the runtime: building it with coverage takes long, so the quick run leaves them to plain loops.
const OTHERS: [&str; 7] = ["config", "control", "module", "pcap", "policy", "routes", "signature"];

/// What is no scenario of `benches/soak`: what operators install, installed and used.
const PACKAGE: &str = "package";

/// And the page for browsers, for minutes.
const PAGE: &str = "web";

/// And router, translator, firewall, balancer and policer in virtual time.
const FUNCTIONS: &str = "functions";

/// And the drivers of virtual cards, whose jobs may be named behind it.
const CARDS: &str = "vm";

/// Runs the fuzzer on packets, then property tests with many cases, then the scenarios of `benches/soak`, the drivers of virtual
/// cards, the packages' trial, and what `./x test` runs in other systems; or some of the last four.
pub(crate) fn run(repository: &Repository, quick: bool, only: &[String], cards: &vm::Options) -> Result<()> {
    if let Some((first, jobs)) = only.split_first()
        && first == CARDS
    {
        return vm::run(repository, cards, jobs);
    }
    // First of all: whoever has waited for ten minutes does not want to hear what is missing.
    setup::tests(repository)?;
    if !only.is_empty() {
        let is_other = |name: &&String| {
            [PACKAGE, PAGE, FUNCTIONS].contains(&name.as_str()) || system::names().contains(&name.as_str())
        };
        let (others, only): (Vec<_>, Vec<_>) = only.iter().partition(is_other);
        if !only.is_empty() {
            scenarios(repository, quick, &only)?;
        }
        return others.into_iter().try_for_each(|name| other(repository, name, quick));
    }
    let effort = if quick { &QUICK } else { &FULL };
    fuzz(repository, &["wire"], &["--no-default-features", "--bin", "wire"], effort.wire_seconds)?;
    // The seed is the time's: each run tries others.
    let seed = std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_secs());
    let headers = ["--package", "perigee-guest", "--test", "headers", "--test", "corpus"];
    properties(repository, &headers, effort.headers, seed)?;
    properties(repository, &["--workspace", "--test", "all", "--", "model::"], effort.model, seed)?;
    let reads = ["--workspace", "--test", "without_ports", "--", "any_configuration", "any_module", "any_capture"];
    properties(repository, &reads, effort.corpus, seed)?;
    if let Some(seconds) = effort.other_seconds {
        fuzz(repository, &OTHERS, &["--bins"], seconds)?;
        unprivileged::run_all(repository)?;
        steps::twins(repository)?;
    }
    scenarios(repository, quick, &[])?;
    web::soak(repository, quick)?;
    functions(repository, quick)?;
    // Each of these takes as long as all of the quick run.
    if quick {
        return Ok(());
    }
    vm::run(repository, cards, &[])?;
    [PACKAGE].into_iter().chain(system::in_soak()).try_for_each(|name| other(repository, name, quick))
}

fn other(repository: &Repository, name: &str, quick: bool) -> Result<()> {
    match name {
        PACKAGE => package::run(repository, &[package::Part::Trial]),
        PAGE => web::soak(repository, quick),
        FUNCTIONS => {
            modules::build_all(repository)?;
            command::run(repository.cargo("build").args(["--release", "--workspace", "--bins"]))?;
            functions(repository, quick)
        }
        _ => system::test(repository, name, &[]),
    }
}

/// Network functions between links that lose and reorder, with swaps and floods, by many seeds; and the faults that must be found.
fn functions(repository: &Repository, quick: bool) -> Result<()> {
    let mut run = repository.command(repository.path("examples/seeds/run.sh"));
    run.env("PERIGEE", repository.target().join("release/perigee")).env("SEEDS", if quick { "50" } else { "1000" });
    command::run(&mut run).context("a function does not keep to what it must; above it says which seed shows it again")
}

/// Runs property tests with so many cases.
fn properties(repository: &Repository, tests: &[&str], cases: u32, seed: u64) -> Result<()> {
    println!("property tests: {} with {cases} cases, PROPTEST_RNG_SEED={seed}", tests.join(" "));
    let mut test = repository.cargo("test");
    test.arg("--release").args(tests);
    command::run(test.env("PROPTEST_CASES", cases.to_string()).env("PROPTEST_RNG_SEED", seed.to_string()))
}

/// Runs `perigee-soak`, whose table is the end of it all.
fn scenarios(repository: &Repository, quick: bool, only: &[&String]) -> Result<()> {
    modules::build_all(repository)?;
    command::run(repository.cargo("build").args(["--release", "--workspace", "--bins"]))?;
    let mut soak = repository.command(repository.target().join("release/perigee-soak"));
    soak.arg("--json").arg(repository.target().join("soak.json")).args(quick.then_some("--quick")).args(only);
    command::run(&mut soak).context("a scenario failed; the table above says which, and how to repeat it alone")
}

/// Builds targets without cargo-fuzz, and runs each for so long. What it finds beyond the corpus stays in `target/fuzz`.
fn fuzz(repository: &Repository, names: &[&str], what: &[&str], seconds: u32) -> Result<()> {
    let target = repository.target().join("fuzz");
    let version = command::output(repository.rustc().arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let mut build = repository.cargo("build");
    build.args(["--release", "--manifest-path", "fuzz/Cargo.toml"]).args(what);
    // With a target named, build scripts and macros are compiled without these flags.
    build.args(["--target", host]).arg("--target-dir").arg(&target).env("RUSTFLAGS", FLAGS);
    command::run(&mut build).context("the fuzz targets do not build")?;
    for name in names {
        let (found, failed) = (target.join("corpus").join(name), target.join("artifacts").join(name));
        for folder in [&found, &failed] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        println!("libfuzzer: {name} for {seconds} s");
        let mut fuzzer = repository.command(target.join(host).join("release").join(name));
        fuzzer.arg(&found).arg(format!("fuzz/corpus/{name}")).arg(format!("-max_total_time={seconds}"));
        fuzzer.args([
            "-timeout=10",
            if *name == "wire" { "-max_len=1900" } else { "-max_len=4096" },
            "-print_final_stats=1",
        ]);
        fuzzer.arg(format!("-artifact_prefix={}/", failed.display()));
        command::run(&mut fuzzer).with_context(|| {
            format!("some bytes break a rule of fuzz/src/{name}.rs; libfuzzer wrote them where it says above")
        })?;
    }
    Ok(())
}
