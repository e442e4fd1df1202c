//! `./x test`: all that build machines run, in the order in which it is cheapest to fail.

use crate::command::{self, Repository};
use crate::{codegen, conformance, modules, python, setup, start, tidy, timings, unprivileged, web};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

struct Step {
    name: &'static str,
    run: fn(&Repository) -> Result<()>,
    /// What comes of it depends on the system: its kernel's tools, its DPDK.
    of_the_system: bool,
}

const STEPS: [Step; 16] = [
    Step { name: "setup", run: setup::all, of_the_system: false },
    Step { name: "fmt", run: fmt, of_the_system: false },
    Step { name: "tidy", run: tidy::run, of_the_system: false },
    Step { name: "build-modules", run: modules::build_all, of_the_system: false },
    Step { name: "codegen", run: codegen::check, of_the_system: false },
    Step { name: "build", run: build, of_the_system: true },
    Step { name: "clippy", run: clippy, of_the_system: false },
    Step { name: "cargo-test", run: cargo_test, of_the_system: true },
    Step { name: "unprivileged", run: unprivileged::run, of_the_system: true },
    Step { name: "conformance", run: conformance::run, of_the_system: true },
    Step { name: "python", run: python::check, of_the_system: true },
    Step { name: "examples", run: examples, of_the_system: true },
    Step { name: "web", run: web::test, of_the_system: false },
    Step { name: "doc", run: doc, of_the_system: false },
    Step { name: "book", run: book, of_the_system: false },
    Step { name: "deny", run: deny, of_the_system: false },
];

/// Most time an example may take: it shows one idea, it does not measure.
const EXAMPLE_LIMIT: &str = "120";

/// The names of all steps.
pub(crate) fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// The names of those that tell something new on another system.
pub(crate) fn of_the_system() -> impl Iterator<Item = &'static str> {
    STEPS.iter().filter(|step| step.of_the_system).map(|step| step.name)
}

/// Runs the named steps, or all; ends at the first that fails.
pub(crate) fn run(repository: &Repository, only: &[String]) -> Result<()> {
    let mut times = Vec::new();
    for step in STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)) {
        println!("\n=== {} ===", step.name);
        let start = Instant::now();
        let result = (step.run)(repository);
        let taken = start.elapsed();
        println!("=== {}: {} after {} ===", step.name, if result.is_ok() { "ok" } else { "FAILED" }, seconds(taken));
        times.push((step.name, taken));
        result.with_context(|| format!("step {}; alone: ./x test {}", step.name, step.name))?;
    }
    println!();
    for (name, taken) in &times {
        println!("{name:>14} {:>10}", seconds(*taken));
    }
    println!("{:>14} {:>10}", "all", seconds(times.iter().map(|(_, taken)| *taken).sum()));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn fmt(repository: &Repository) -> Result<()> {
    setup::lints(repository)?;
    command::run(repository.cargo("fmt").args(["--all", "--check"]))
}

fn build(repository: &Repository) -> Result<()> {
    command::run(repository.cargo("build").args(["--release", "--workspace", "--timings"]))?;
    timings::print_slowest(repository)
}

fn clippy(repository: &Repository) -> Result<()> {
    setup::lints(repository)?;
    let mut cargo = repository.cargo("clippy");
    command::run(cargo.args(["--release", "--workspace", "--all-targets", "--quiet", "--", "-Dwarnings"]))?;
    modules::clippy(repository)
}

fn cargo_test(repository: &Repository) -> Result<()> {
    setup::tests(repository)?;
    modules::build_all(repository)?;
    let mut cargo = repository.cargo("test");
    cargo.args(["--release", "--workspace", "--no-fail-fast", "--"]);
    command::run(cargo.args(AS_A_USER_TOO.iter().flat_map(|name| ["--skip", name])))
}

/// Those tests with root's rights that pass, too, where they have fewer: in a user's namespaces, of which these are twins. One of ping stays for
/// each driver. `./x soak` runs all.
const AS_A_USER_TOO: [&str; 9] = [
    "peers_iperf::iperf_over_af_packet_as_root",
    "peers_vxlan::the_kernels_vxlan_as_root",
    "peers_pcap::recorded_traffic_through_l2_forward_as_root",
    "peers_pcap::recorded_traffic_through_reflector_as_root",
    "memif::a_server_that_was_killed_comes_back_as_root",
    "peers_ping::ping_with_jumbo_frames_over_af_packet_as_root",
    "peers_vlan::tags_survive_af_packet_as_root",
    "peers_vlan::tags_survive_tap_as_root",
    "peers_vlan::tags_survive_memif_as_root",
];

/// Runs [`AS_A_USER_TOO`].
pub(crate) fn twins(repository: &Repository) -> Result<()> {
    let mut cargo = repository.cargo("test");
    cargo.args(["--release", "--workspace", "--test", "all", "--no-fail-fast", "--", "--exact"]).args(AS_A_USER_TOO);
    command::run(&mut cargo)
}

/// Writes listings in pages anew, then runs the tests that compare with files, and has them write these files.
pub(crate) fn bless(repository: &Repository) -> Result<()> {
    tidy::bless(repository)?;
    let mut cargo = repository.cargo("test");
    cargo.args(["--release", "--package", "perigee-guest", "--test", "table", "--test", "compile_fail"]);
    command::run(cargo.env("BLESS", "1").env("TRYBUILD", "overwrite"))?;
    // By --workspace, for a package alone would have the engine compiled anew.
    let mut cargo = repository.cargo("test");
    cargo.args(["--release", "--workspace", "--lib", "--quiet", "--", "openapi::"]);
    command::run(cargo.env("BLESS", "1"))?;
    python::bless(repository)
}

fn doc(repository: &Repository) -> Result<()> {
    let mut cargo = repository.cargo("doc");
    command::run(cargo.args(["--release", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-Dwarnings"))
}

/// Builds the book. mdbook only warns of a missing page or include, so its words decide.
fn book(repository: &Repository) -> Result<()> {
    setup::mdbook(repository)?;
    let mut mdbook = repository.command(command::installed("mdbook"));
    let to = repository.target().join("book");
    mdbook.env_remove("MDBOOK_LOG").env_remove("RUST_LOG");
    let output = mdbook.args(["build", "docs", "--dest-dir"]).arg(&to).output();
    let output = output.context("cannot start mdbook")?;
    let text = String::from_utf8_lossy(&output.stderr);
    eprint!("{text}");
    if !output.status.success() || has_warning(&text) {
        bail!("mdbook warned or failed");
    }
    println!("the book is in {}", to.display());
    Ok(())
}

fn has_warning(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| matches!(word, "WARN" | "ERROR"))
}

/// The lock file of `fuzz/`, which is no part of the workspace; licences, sources and duplicates. Advisories are left out: they need a database from the network, which build
/// machines do not have; `cargo deny check advisories` looks them up where there is one.
fn deny(repository: &Repository) -> Result<()> {
    let fuzz = ["--locked", "--format-version", "1", "--manifest-path", "fuzz/Cargo.toml"];
    command::output(repository.cargo("metadata").args(fuzz))
        .context("fuzz/Cargo.lock is not of these manifests; cargo metadata without --locked writes it anew")?;
    setup::cargo_deny(repository)?;
    let mut deny = repository.command(command::installed("cargo-deny"));
    command::run(deny.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
}

/// Runs `run.sh` of every folder in `examples/`.
fn examples(repository: &Repository) -> Result<()> {
    setup::packages(repository)?;
    modules::build(repository)?;
    let perigee = start::build(repository, "perigee")?;
    let mut failed = Vec::new();
    for example in folders(&repository.path("examples"))? {
        let name = example.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let start = Instant::now();
        if run_example(repository, &example, &perigee)? {
            println!("{name}: ok after {}", seconds(start.elapsed()));
        } else {
            println!("{name}: FAILED after {}", seconds(start.elapsed()));
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("examples that do not run: {}", failed.join(", ")) }
}

/// Runs one example, and shows what it printed only if it fails. True: it ended with exit code 0 in time.
fn run_example(repository: &Repository, example: &Path, perigee: &Path) -> Result<bool> {
    let mut command = repository.command("timeout");
    command.args(["--kill-after=10", EXAMPLE_LIMIT]).arg(example.join("run.sh"));
    command.env("PERIGEE", perigee).stdin(Stdio::null());
    let output = command.output().context("cannot start timeout")?;
    if !output.status.success() {
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.status.success())
}

/// The folders in a folder, by name.
pub(crate) fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of).with_context(|| format!("cannot read {}", of.display()))?;
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left out is there, and so is what stands for it.
    #[test]
    fn each_twin_has_its_other() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests");
        for test in AS_A_USER_TOO {
            let (file, name) = test.split_once("::").expect("a file and a name");
            let text = fs::read_to_string(tests.join(format!("{file}.rs"))).expect("a file of tests");
            let other = name.replace("_as_root", "_as_user");
            assert!(
                [name, &other].iter().all(|name| text.contains(&format!("fn {name}()"))) && name != other,
                "{test}"
            );
        }
    }

    #[test]
    fn only_a_level_is_a_warning() {
        assert!(has_warning(" WARN The page `x.md` is missing"));
        assert!(has_warning("2026-11-22 [ERROR] (mdbook): no such include"));
        assert!(!has_warning(" INFO Book building has started: WARNING_SIGNS.md"));
    }
}
