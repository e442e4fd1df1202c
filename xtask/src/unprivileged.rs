//! `./x test unprivileged`: the runtime's and the command's tests once more, as nobody.
//!
//! `cargo-test` runs them with the rights of whoever builds. Where that is root, nothing would show that root is not needed. What
//! needs namespaces makes user namespaces of its own. What only root can do (net_af_xdp, the change of user) says "not run" and passes.
//! `./x test` leaves out what would show nothing new; `./x soak` runs all.

use crate::command::{self, Repository};
use crate::{modules, setup};
use anyhow::{Context, Result};
use std::fs::{self, File};

/// The programs of tests, of the runtime and of the command.
const PROGRAMS: [&str; 3] = ["all", "alone", "without_ports"];
/// A macro of the compiler's: its tests are linked with the toolchain's libraries.
const MACROS: &str = "perigee-guest-derive";

/// Files of tests that need a toolchain or the Python that has scapy, whose files are the builder's own.
const NOT_AS_NOBODY: [&str; 3] = ["capture", "cures", "new"];
/// Files of tests that run each of their cases twice, as root and in a user namespace, whoever starts them.
const TWICE_ANYWAY: [&str; 11] = [
    "memif",
    "peers_interfaces",
    "peers_iperf",
    "peers_offload",
    "peers_pcap",
    "peers_ping",
    "peers_stop",
    "peers_vlan",
    "peers_vxlan",
    "ports_fail",
    "ports_start",
];
/// Files of tests of what modules do and get, of packets and of figures, where no right of the process is asked for that others do not
/// ask for.
const WITHOUT_RIGHTS: [&str; 38] = [
    "apply",
    "backpressure",
    "capture_dry",
    "conformance",
    "corpus",
    "ctl_swap",
    "dissect",
    "domains",
    "faults",
    "find",
    "flows",
    "grants",
    "history",
    "hostcalls",
    "intervals",
    "measuring",
    "messages",
    "methods",
    "model",
    "offloads",
    "one_model",
    "pacing",
    "read_ahead",
    "replay",
    "requests",
    "sim",
    "stage_times",
    "stamps",
    "streams",
    "swap",
    "swap_state",
    "texts",
    "theory",
    "time",
    "top",
    "trial",
    "web_bounds",
    "wires",
];

/// Runs those that show something new.
pub(crate) fn run(repository: &Repository) -> Result<()> {
    run_but(repository, &[TWICE_ANYWAY.as_slice(), WITHOUT_RIGHTS.as_slice()].concat())
}

/// Runs them all.
pub(crate) fn run_all(repository: &Repository) -> Result<()> {
    run_but(repository, &[])
}

fn run_but(repository: &Repository, left_out: &[&str]) -> Result<()> {
    let own = repository.target().join("tmp");
    fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
    if !command::is_root() {
        println!("cargo-test has run without root already");
        return Ok(());
    }
    setup::tests(repository)?;
    modules::build_all(repository)?;
    // The laboratory's lock, which nobody can take, but not make.
    let lock = own.join("lab.lock");
    if !lock.exists() {
        File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
    }
    let files = [NOT_AS_NOBODY.as_slice(), left_out].concat();
    // A test is called by its file: `jail::all_threads_are_confined`.
    let skip: Vec<String> = files.iter().flat_map(|file| ["--skip".to_owned(), format!("{file}::")]).collect();
    as_nobody(repository, &["--lib"], &[])?;
    as_nobody(repository, &PROGRAMS.map(|program| ["--test", program]).concat(), &skip)
}

/// Runs these programs of tests as nobody, but for what is skipped.
fn as_nobody(repository: &Repository, programs: &[&str], skip: &[String]) -> Result<()> {
    // Only the machine that is built for has a runner: build scripts are started without.
    let runner = repository.path("xtask/scripts/as-nobody.sh");
    let triple = format!("{}_UNKNOWN_LINUX_GNU", std::env::consts::ARCH.to_uppercase());
    let mut cargo = repository.cargo("test");
    cargo.args(["--release", "--workspace", "--exclude", MACROS, "--no-fail-fast"]).args(programs).arg("--").args(skip);
    command::run(cargo.env(format!("CARGO_TARGET_{triple}_RUNNER"), runner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_left_out_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in [NOT_AS_NOBODY.as_slice(), &TWICE_ANYWAY, &WITHOUT_RIGHTS].concat() {
            let is_there = |folder: &str| root.join(folder).join(format!("{file}.rs")).is_file();
            assert!(is_there("cli/tests") || is_there("runtime/tests"), "{file}");
        }
    }
}
