//! What commands need beyond what the build needs: packages, and tools that cargo installs. Each command installs its own, where
//! it is missing; `./x setup` installs everything.

use crate::command::{self, Repository};
use crate::{languages, python, web};
use anyhow::{Context, Result};
use std::env;
use std::path::Path;

/// Packages, and why. `./x install` skips what is there.
const PACKAGES: [(&str, &str); 25] = [
    ("iproute2", "network namespaces, veth pairs and TAP interfaces as peers of our ports"),
    ("procps", "ends processes by their numbers: `kill`"),
    ("ethtool", "switches the kernel's offloads off on these"),
    ("fping", "asks the responder module, and waits for each answer"),
    ("iputils-ping", "sees when it is there"),
    ("traceroute", "finds the router on the way"),
    ("mtr-tiny", "finds it, too"),
    ("iperf3", "sends TCP and UDP through the forwarder"),
    ("tcpreplay", "sends frames with VLAN tags, byte for byte"),
    ("tshark", "records real traffic, compares recordings, and is the second opinion on every header that we build"),
    ("tcpdump", "reads what we capture"),
    ("curl", "makes HTTP traffic to record"),
    ("bind9-dnsutils", "makes DNS traffic to record"),
    ("dnsmasq-base", "answers it"),
    ("python3", "serves HTTP for it"),
    ("python3-venv", "holds scapy, the Zig compiler and what checks our Python package, which come as Python packages"),
    ("frr", "gives routes by its Forwarding Plane Manager"),
    ("bird2", "gives them by BGP, and through the kernel's table"),
    ("nftables", "is the kernel's translator and firewall, beside which ours stand"),
    ("minisign", "signs what perigee verifies, and the other way round"),
    ("prometheus", "reads our metrics, and its linter finds nothing to say about them"),
    ("tmux", "is the terminal on which `perigee top` is tried"),
    ("libhdrhistogram-java", "reads our logs of HdrHistogram, as the tools of that project do"),
    ("default-jre-headless", "runs it"),
    ("g++", "builds libfuzzer for ./x soak"),
];

/// What opens the page of `perigee web`. No other step needs it, and it is large.
const BROWSER: &str = "chromium";

/// What `./x package` is made with, and why.
const PACKAGING: [(&str, &str); 6] = [
    ("debhelper", "makes the Debian package"),
    ("lintian", "finds what is wrong with it"),
    ("mandoc", "finds what is wrong with manual pages"),
    ("mmdebstrap", "makes the systems in which it is tried, and the image's"),
    ("umoci", "makes the image, without a daemon"),
    ("systemd-container", "starts such a system with systemd as its first process"),
];

/// What `./x bench` compares with, and what it is.
const OPPONENTS: [(&str, &str); 2] = [
    ("libluajit-5.1-2", "runs loops as MoonGen's scripts have them"),
    ("dpdk-dev", "is dpdk-testpmd, which forwards on the same virtual ports"),
];

/// A program that `cargo install` builds from source.
struct Tool {
    name: &'static str,
    /// The one to build. A version that is there already is good enough.
    version: &'static str,
    /// What of it is built.
    features: &'static [&'static str],
}

/// Without its server and its eyes on files, which take as long to build as the rest.
const MDBOOK: Tool =
    Tool { name: "mdbook", version: "0.5.4", features: &["--no-default-features", "--features", "search"] };
const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2", features: &[] };

/// The second opinion on every header, besides Wireshark. Debian's is of 2022.
const SCAPY: &str = "2.8.0";

/// Installs all that is missing.
pub(crate) fn all(repository: &Repository) -> Result<()> {
    lints(repository)?;
    web::setup(repository)?;
    browser(repository)?;
    mdbook(repository)?;
    cargo_deny(repository)?;
    tests(repository)
}

/// What the tests run with: packages, compilers for modules in all languages, scapy.
pub(crate) fn tests(repository: &Repository) -> Result<()> {
    packages(repository)?;
    languages::setup_all(repository)?;
    scapy(repository)?;
    python::requirements(repository)
}

/// The packages of Debian alone.
pub(crate) fn packages(repository: &Repository) -> Result<()> {
    command::run(repository.command("./x").arg("install").args(PACKAGES.map(|(name, _)| name)))
}

/// The browser.
pub(crate) fn browser(repository: &Repository) -> Result<()> {
    command::run(repository.command("./x").args(["install", BROWSER]))
}

/// What `./x package` is made and tried with.
pub(crate) fn packaging(repository: &Repository) -> Result<()> {
    command::run(repository.command("./x").arg("install").args(PACKAGING.map(|(name, _)| name)))
}

/// What `./x bench` compares with.
pub(crate) fn opponents(repository: &Repository) -> Result<()> {
    command::run(repository.command("./x").arg("install").args(OPPONENTS.map(|(name, _)| name)))?;
    // A library of its own: in the workspace its dependencies would have the engine compiled with other features.
    let mut cargo = repository.cargo("build");
    cargo.args(["--quiet", "--release", "--locked", "--manifest-path", "benches/rbpf/Cargo.toml", "--target-dir"]);
    command::run(cargo.arg(repository.target().join("rbpf"))).context("no rbpf")
}

/// Formatter and linter.
pub(crate) fn lints(repository: &Repository) -> Result<()> {
    let packages = lint_packages(repository);
    if packages.is_empty() { Ok(()) } else { command::run(repository.command("./x").arg("install").args(packages)) }
}

/// What makes the book.
pub(crate) fn mdbook(repository: &Repository) -> Result<()> {
    install(repository, &MDBOOK)
}

/// What looks at dependencies.
pub(crate) fn cargo_deny(repository: &Repository) -> Result<()> {
    install(repository, &CARGO_DENY)
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
    // Unoptimised and without symbols: each runs for seconds, and is built in a quarter of the time.
    let mut cargo = repository.cargo("install");
    cargo
        .args(["--quiet", "--locked", "--debug", "--version", tool.version, tool.name])
        .args(tool.features)
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    command::run(&mut cargo).with_context(|| format!("no {}; the steps that need it cannot run", tool.name))
}
