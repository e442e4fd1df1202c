//! `./x package trial`: what an operator does with the package and the image, done in systems of its own. The steps are scripts
//! in packaging/trial; here are the systems in which they run, and what tools say of the package as a file.

use super::{VERSION, folder, image, system};
use crate::command::{self, Repository};
use crate::vm;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What there is on a machine that packages are installed on, as far as the steps use it; and what our package needs, so that
/// it can be installed without a network.
const PACKAGES: [&str; 12] = [
    "systemd-sysv",
    "dbus",
    "udev",
    "sudo",
    "iproute2",
    "procps",
    "man-db",
    "bash-completion",
    "mandoc",
    "libpcap0.8",
    "librte-meta-bus",
    "librte-meta-net",
];
/// Most time for the steps on a card: a CPU that is emulated is slow.
const ON_A_CARD: Duration = Duration::from_secs(900);

/// By which `perigee ctl` and a run know each other's version (runtime/control/src/lib.rs).
const AGENT: &str = "perigee-ctl/";
/// What an upgrade upgrades to: of the same length.
const NEXT: &str = "0.9.9";

/// What a machine has and a container of systemd-nspawn has not: all capabilities, TAP, the list of the kernel's modules, which
/// DPDK wants to see, programs in the kernel, and landlock, which version 252 does not know.
const NSPAWN: [&str; 5] = [
    "--capability=all",
    "--bind=/dev/net/tun",
    "--bind-ro=/sys/module",
    "--system-call-filter=bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    "--hostname=localhost",
];

/// Tries all of it; each step says what it has seen.
pub(super) fn run(repository: &Repository, package: &Path) -> Result<()> {
    ensure!(command::is_root(), "the trial starts whole systems: it needs root");
    println!("--- lintian");
    command::run(repository.command("lintian").args(["--fail-on", "error,warning", "--allow-root"]).arg(package))?;
    println!("--- manual pages");
    manual(repository)?;
    let next = next(repository, package)?;
    let system = base(repository, package)?;
    println!("--- in a folder, without systemd");
    in_folder(repository, &system, package)?;
    println!("--- with systemd as the first process");
    booted(repository, &system, &[package, &next])?;
    println!("--- on a card of a virtual machine");
    in_machine(repository, &system, package)?;
    println!("--- the image");
    in_image(repository)?;
    println!("the package and the image are as they should be");
    Ok(())
}

/// No page has anything in it that a reader of pages warns of.
fn manual(repository: &Repository) -> Result<()> {
    let pages = folder(repository).join("build/man");
    let mut pages: Vec<PathBuf> = fs::read_dir(&pages).context("no pages")?.flatten().map(|page| page.path()).collect();
    pages.sort();
    ensure!(!pages.is_empty(), "there is no page");
    let said = repository.command("mandoc").args(["-T", "lint", "-W", "error"]).args(&pages).output();
    let said = said.context("cannot start mandoc")?;
    ensure!(said.status.success(), "mandoc finds errors:\n{}", String::from_utf8_lossy(&said.stdout));
    for page in &pages {
        let mut man = repository.command("man");
        let shown = man.args(["--warnings=all", "--local-file", "--encoding=UTF-8"]).arg(page).env("MANWIDTH", "80");
        let shown = shown.output().context("cannot start man")?;
        let warned = String::from_utf8_lossy(&shown.stderr);
        ensure!(shown.status.success() && warned.is_empty(), "{}: {warned}", page.display());
    }
    println!("ok: {} pages, without a warning", pages.len());
    Ok(())
}

/// The package of a later version, whose `ctl` calls itself so: all else in it is as in this one.
fn next(repository: &Repository, package: &Path) -> Result<PathBuf> {
    let content = folder(repository).join("next");
    if content.exists() {
        fs::remove_dir_all(&content).with_context(|| format!("cannot remove {}", content.display()))?;
    }
    command::run(repository.command("dpkg-deb").arg("--raw-extract").arg(package).arg(&content))?;
    let (control, binary) = (content.join("DEBIAN/control"), content.join("usr/bin/perigee"));
    let text = fs::read_to_string(&control).context("the package has no control file")?;
    fs::write(&control, text.replace(&format!("\nVersion: {VERSION}\n"), &format!("\nVersion: {NEXT}\n")))?;
    let (old, new) = (format!("{AGENT}{VERSION}"), format!("{AGENT}{NEXT}"));
    let mut bytes = fs::read(&binary).context("the package has no binary")?;
    ensure!(replace(&mut bytes, old.as_bytes(), new.as_bytes()) > 0, "the binary does not say {old}");
    fs::write(&binary, bytes)?;
    let built = folder(repository).join(format!("perigee_{NEXT}_amd64.deb"));
    command::run(repository.command("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&content).arg(&built))?;
    Ok(built)
}

/// Writes `new`, which is as long, over each `old`; how many there were.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) -> usize {
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    places.iter().for_each(|at| bytes[*at..*at + old.len()].copy_from_slice(new));
    places.len()
}

/// A system that has what the package needs, and not the package. Made once, and again after a week: it is of packages that
/// change.
fn base(repository: &Repository, package: &Path) -> Result<PathBuf> {
    let system = folder(repository).join("system");
    let depends = command::output(repository.command("dpkg-deb").arg("--field").arg(package).arg("Depends"))?;
    let of = format!("{}\n{depends}", PACKAGES.join(" "));
    let made = folder(repository).join("system.of");
    let week = std::time::Duration::from_secs(7 * 24 * 3600);
    let is_fresh =
        fs::metadata(&made).and_then(|made| made.modified()).is_ok_and(|then| then.elapsed().is_ok_and(|t| t < week));
    if is_fresh && fs::read_to_string(&made).is_ok_and(|made_of| made_of == of) {
        return Ok(system);
    }
    if system.exists() {
        fs::remove_dir_all(&system).with_context(|| format!("cannot remove {}", system.display()))?;
    }
    // Of alternatives the first.
    let needed = depends.split(',').filter_map(|one| one.split_whitespace().next());
    let packages: Vec<&str> = PACKAGES.into_iter().chain(needed).collect();
    system::make(repository, "apt", &packages, None, &system)?;
    fs::write(&made, of)?;
    Ok(system)
}

/// A copy of the system that a trial may spoil, with what it is given in /trial.
fn copy(repository: &Repository, system: &Path, name: &str, files: &[&Path]) -> Result<PathBuf> {
    let copy = folder(repository).join(name);
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    command::run(repository.command("cp").args(["--archive", "--reflink=auto"]).arg(system).arg(&copy))?;
    let trial = copy.join("trial");
    fs::create_dir_all(&trial).with_context(|| format!("cannot make {}", trial.display()))?;
    command::run(repository.command("cp").args(files).arg("-t").arg(&trial))?;
    command::run(repository.command("cp").args(["-r", "packaging/trial/."]).arg(&trial))?;
    Ok(copy)
}

fn in_folder(repository: &Repository, system: &Path, package: &Path) -> Result<()> {
    let root = copy(repository, system, "folder", &[package])?;
    let mut enter = repository.command("sh");
    enter.arg("packaging/trial/inside.sh").arg(&root).args(["sh", "/trial/folder.sh"]);
    command::run(&mut enter).context("packaging/trial/folder.sh fails")
}

/// Starts the system, in which a unit runs the steps and ends it.
fn booted(repository: &Repository, system: &Path, packages: &[&Path]) -> Result<()> {
    let root = copy(repository, system, "booted", packages)?;
    let unit = "[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/bin/sh /trial/booted.sh\n\
        StandardOutput=append:/trial/said\nStandardError=append:/trial/said\nExecStopPost=/bin/systemctl poweroff\n";
    let units = root.join("etc/systemd/system");
    fs::write(units.join("trial.service"), unit).context("cannot write the unit of the trial")?;
    let wanted = units.join("multi-user.target.wants");
    fs::create_dir_all(&wanted)?;
    std::os::unix::fs::symlink("../trial.service", wanted.join("trial.service"))?;
    let mut start = repository.command("systemd-nspawn");
    start.args(["--boot", "--quiet", "--keep-unit", "--register=no", "--console=pipe", "--private-network"]);
    start.args(NSPAWN).arg("--directory").arg(&root);
    let log = fs::File::create(folder(repository).join("booted.log")).context("cannot write the console's log")?;
    let ended = start.stdin(std::process::Stdio::null()).stdout(log.try_clone()?).stderr(log).status();
    let said = fs::read_to_string(root.join("trial/said")).unwrap_or_default();
    print!("{said}");
    if !said.ends_with("all is well\n") {
        bail!("packaging/trial/booted.sh fails (systemd-nspawn: {ended:?}); target/package/booted.log has the console");
    }
    Ok(())
}

/// Boots the system in a virtual machine, where a card is behind an IOMMU.
fn in_machine(repository: &Repository, system: &Path, package: &Path) -> Result<()> {
    let root = copy(repository, system, "machine", &[package])?;
    let (bed, accel) = vm::bed(repository, &vm::Options::default())?;
    let steps = fs::read_to_string(repository.path("packaging/trial/machine.sh")).context("no steps")?;
    vm::prepare(&bed, &root, &steps)?;
    let image = folder(repository).join("machine.img");
    vm::image(&root, &image, 2048)?;
    let outcome = vm::boot(&bed, accel, &image, ON_A_CARD, |line| println!("{line}"))?;
    if outcome.lines.last().is_none_or(|line| line != "all is well") {
        outcome.last.iter().for_each(|line| println!("| {line}"));
        bail!("packaging/trial/machine.sh fails; the console is in target/vm/guests/systemd");
    }
    Ok(())
}

/// Unpacks the image, and starts what it says with the capabilities that docs/installing.md names.
fn in_image(repository: &Repository) -> Result<()> {
    let bundle = folder(repository).join("bundle");
    if bundle.exists() {
        fs::remove_dir_all(&bundle).with_context(|| format!("cannot remove {}", bundle.display()))?;
    }
    let image = format!("{}:{VERSION}", image::layout(repository).display());
    command::run(repository.command("umoci").args(["unpack", "--image", &image]).arg(&bundle))?;
    let mut script = repository.command("sh");
    command::run(script.arg("packaging/trial/image.sh").arg(&bundle)).context("packaging/trial/image.sh fails")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_replaced_wherever_it_stands() {
        let mut bytes = b"x perigee-ctl/0.1.0 y perigee-ctl/0.1.0".to_vec();
        assert_eq!(replace(&mut bytes, b"perigee-ctl/0.1.0", b"perigee-ctl/0.9.9"), 2);
        assert_eq!(bytes, b"x perigee-ctl/0.9.9 y perigee-ctl/0.9.9");
        assert_eq!(replace(&mut bytes, b"perigee-ctl/0.1.0", b"perigee-ctl/0.9.9"), 0);
        assert_eq!(VERSION.len(), NEXT.len(), "the binary is patched in place");
    }
}
