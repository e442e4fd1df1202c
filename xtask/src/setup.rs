//! What the tests need beyond what the build needs: packages, and tools that cargo installs.

use crate::command::{self, Repository};
use crate::{languages, python};
use anyhow::{Context, Result};
use std::env;
use std::path::Path;

/// Packages, and why. `./x install` skips what is there.
const PACKAGES: [(&str, &str); 15] = [
    ("iproute2", "network namespaces, veth pairs and TAP interfaces as peers of our ports"),
    ("ethtool", "switches the kernel's offloads off on these"),
    ("fping", "asks the responder module, and waits for each answer"),
    ("iputils-ping", "sees when it is there"),
    ("iperf3", "sends TCP and UDP through the forwarder"),
    ("tcpreplay", "sends frames with VLAN tags, byte for byte"),
    ("tshark", "records real traffic, compares recordings, and is the second opinion on every header that we build"),
    ("curl", "makes HTTP traffic to record"),
    ("bind9-dnsutils", "makes DNS traffic to record"),
    ("dnsmasq-base", "answers it"),
    ("python3", "serves HTTP for it"),
    ("python3-venv", "holds scapy and the Zig compiler, which come as Python packages"),
    ("minisign", "signs what perigee verifies, and the other way round"),
    ("prometheus", "reads our metrics, and its linter finds nothing to say about them"),
    ("g++", "builds libfuzzer for ./x soak"),
];

/// A program that `cargo install` builds from source.
struct Tool {
    name: &'static str,
    /// The one to build. A version that is there already is good enough.
    version: &'static str,
}

const MDBOOK: Tool = Tool { name: "mdbook", version: "0.5.4" };
const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// The second opinion on every header, besides Wireshark. Debian's is of 2022.
const SCAPY: &str = "2.8.0";

/// Installs all that is missing.
pub(crate) fn all(repository: &Repository) -> Result<()> {
    let mut packages: Vec<&str> = PACKAGES.iter().map(|(name, _)| *name).collect();
    packages.extend(lint_packages(repository));
    command::run(repository.command("./x").arg("install").args(packages))?;
    for tool in [MDBOOK, CARGO_DENY] {
        install(repository, &tool)?;
    }
    languages::setup_all(repository)?;
    scapy(repository)
}

/// Installs scapy. PERIGEE_PYTHON names another Python that has it.
fn scapy(repository: &Repository) -> Result<()> {
    let python = env::var_os("PERIGEE_PYTHON").map_or_else(|| python::interpreter(repository), Into::into);
    let is_there = format!("import sys, scapy; sys.exit(scapy.VERSION != '{SCAPY}')");
    if command::works(repository.command(&python).args(["-c", &is_there])) {
        return Ok(());
    }
    python::install(repository, &format!("scapy=={SCAPY}"))
        .context("no scapy; the tests of headers that need it cannot run")
}

/// Debian's cargo comes without formatter and linter; rustup's toolchain has both (rust-toolchain.toml asks for them).
fn lint_packages(repository: &Repository) -> Vec<&'static str> {
    let own = env::var_os("CARGO").is_some_and(|cargo| Path::new(&cargo).starts_with("/usr/bin"));
    let missing = |task: &str| own && !command::works(repository.cargo(task).arg("--version"));
    let mut packages = Vec::new();
    if missing("fmt") {
        packages.push("rustfmt-web");
    }
    if missing("clippy") {
        packages.push("rust-web-clippy");
    }
    packages
}

fn install(repository: &Repository, tool: &Tool) -> Result<()> {
    if command::works(repository.command(command::installed(tool.name)).arg("--version")) {
        return Ok(());
    }
    println!("building {} {} (once; some minutes)", tool.name, tool.version);
    let mut cargo = repository.cargo("install");
    cargo.args(["--quiet", "--locked", "--version", tool.version, tool.name]);
    command::run(&mut cargo).with_context(|| format!("no {}; the steps that need it cannot run", tool.name))
}
