//! What the bed is made of: QEMU, a kernel and a few tools of Debian's packages. They are fetched with apt's own folders below
//! `target/vm` and unpacked there: nothing is installed, and no root is needed.

use super::initramfs;
use crate::command::{self, Repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages that are unpacked to `tools`, with what they need and this machine lacks. The virtual machine's BIOS lies in seabios.
const TOOLS: [&str; 6] =
    ["qemu-system-x86", "qemu-system-data", "qemu-system-common", "seabios", "busybox-static", "kmod"];
const KERNEL: &str = "linux-image-amd64";
/// What Debian 12's own QEMU 7.2 lacks is the card igb; its backports have QEMU 10.
const BACKPORTS: &str = "bookworm";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Written last: what lies beside it is whole.
const DONE: &str = "packages.txt";

/// Everything that a guest is started with, below `target/vm`.
pub(crate) struct Bed {
    /// `target/vm`.
    pub(crate) folder: PathBuf,
    /// The kernel's release, such as `6.1.0-56-amd64`.
    pub(crate) release: String,
}

impl Bed {
    /// Fetches and unpacks what is not there yet. `target/vm` may be removed at any time; then all is fetched anew.
    pub(crate) fn make(repository: &Repository) -> Result<Self> {
        let folder = repository.target().join("vm");
        if !folder.join(DONE).exists() {
            println!("vm: fetching QEMU and a kernel to {} (once; about 90 MB)", folder.display());
            fetch(&folder).context("the virtual machine's packages are not to be had")?;
        }
        let release = only_entry(&folder.join("kernel/lib/modules"))?;
        let bed = Self { folder, release };
        initramfs::make(&bed)?;
        Ok(bed)
    }

    /// QEMU's program, with what it finds its libraries, firmware and keymaps by.
    pub(crate) fn qemu(&self) -> Command {
        let tools = self.folder.join("tools");
        let mut command = Command::new(tools.join("usr/bin/qemu-system-x86_64"));
        command.env("LD_LIBRARY_PATH", tools.join("usr/lib/x86_64-linux-gnu"));
        command.env("QEMU_MODULE_DIR", tools.join("usr/lib/x86_64-linux-gnu/qemu"));
        for place in [tools.join("usr/share/qemu"), tools.join("usr/share/seabios"), "/usr/share/qemu".into()] {
            command.arg("-L").arg(place);
        }
        command
    }

    /// The kernel's image.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join("kernel/boot").join(format!("vmlinuz-{}", self.release))
    }

    /// The image that the kernel starts with.
    pub(crate) fn initramfs(&self) -> PathBuf {
        self.folder.join("initramfs.gz")
    }

    /// A program of the package kmod (`modprobe`, `depmod`) or busybox.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.folder.join("tools/bin").join(name)
    }

    /// QEMU's and the kernel's version, for people.
    pub(crate) fn versions(&self) -> Result<String> {
        let text = command::output(self.qemu().arg("-version"))?;
        let qemu = text.split_whitespace().nth(3).unwrap_or("of unknown version");
        Ok(format!("QEMU {qemu}, kernel {}", self.release))
    }
}

fn fetch(folder: &Path) -> Result<()> {
    for inside in ["apt/lists/partial", "apt/cache/archives/partial"] {
        let path = folder.join(inside);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    let sources = sources()?;
    fs::write(folder.join("apt/sources.list"), sources.text).context("cannot write apt's sources")?;
    command::run(apt(folder).args(["-qq", "update"]))?;
    let download = ["-qq", "-y", "--no-install-recommends", "--download-only", "--reinstall", "install"];
    let mut tools = apt(folder);
    tools.args(sources.backports.iter().flat_map(|suite| ["-t", suite.as_str()]));
    command::run(tools.args(download).args(TOOLS))?;
    let archives = folder.join("apt/cache/archives");
    for package in packages(&archives)? {
        unpack(&package, &folder.join("tools"))?;
    }
    command::run(apt(folder).args(download).arg(KERNEL))?;
    for package in packages(&archives)?.iter().filter(|path| name(path).starts_with("linux-image-")) {
        unpack(package, &folder.join("kernel"))?;
    }
    depmod(folder)?;
    let names: Vec<String> = packages(&archives)?.iter().map(|path| name(path)).collect();
    fs::remove_dir_all(&archives).context("cannot remove the packages that were unpacked")?;
    fs::write(folder.join(DONE), names.join("\n") + "\n").context("cannot write the list of packages")
}

/// kmod is one program, which does what its name says.
fn depmod(folder: &Path) -> Result<()> {
    let bin = folder.join("tools/bin");
    for link in ["depmod", "modprobe"] {
        if !bin.join(link).exists() {
            symlink("kmod", bin.join(link)).with_context(|| format!("cannot link {link}"))?;
        }
    }
    let kernel = folder.join("kernel");
    let release = only_entry(&kernel.join("lib/modules"))?;
    command::run(Command::new(bin.join("depmod")).arg("-b").arg(&kernel).arg(release))
}

struct Sources {
    text: String,
    /// The suite that QEMU comes from, where it is not the system's own.
    backports: Option<String>,
}

/// The system's own sources of its release, and its backports where they are needed: from the mirror that it is set to.
fn sources() -> Result<Sources> {
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let codename = codename.context("/etc/os-release names no release: this needs Debian")?.trim_matches('"');
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]);
    let targets = command::output(&mut targets)?;
    let mut lines: Vec<String> = Vec::new();
    let mut backports = None;
    let signed = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    for target in targets.lines() {
        let [uri, suite, "main"] = target.split(' ').collect::<Vec<_>>()[..] else { continue };
        if !suite.starts_with(codename) {
            continue;
        }
        lines.push(format!("deb {signed}{uri} {suite} main\n"));
        if codename == BACKPORTS && suite == codename {
            lines.push(format!("deb {signed}{uri} {codename}-backports main\n"));
            backports = Some(format!("{codename}-backports"));
        }
    }
    if lines.is_empty() {
        bail!("apt has no source of {codename} (/etc/apt/sources.list.d)");
    }
    lines.sort();
    lines.dedup();
    Ok(Sources { text: lines.concat(), backports })
}

/// apt with folders of its own. What is installed here it reads, so that it fetches only what is missing.
fn apt(folder: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    let option = |name: &str, value: &Path| format!("{name}={}", value.display());
    let own = folder.join("apt");
    for option in [
        option("Dir::Etc::SourceList", &own.join("sources.list")),
        option("Dir::Etc::SourceParts", Path::new("/dev/null")),
        option("Dir::State::Lists", &own.join("lists")),
        option("Dir::Cache", &own.join("cache")),
        "Debug::NoLocking=1".to_owned(),
        "APT::Sandbox::User=".to_owned(),
        "Acquire::Retries=3".to_owned(),
        // Some systems remove what they have fetched.
        "APT::Keep-Downloaded-Packages=true".to_owned(),
    ] {
        apt.arg("-o").arg(option);
    }
    apt
}

fn packages(archives: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(archives).with_context(|| format!("cannot read {}", archives.display()))?;
    let mut packages: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    packages.retain(|path| path.extension().is_some_and(|ending| ending == "deb"));
    packages.sort();
    Ok(packages)
}

fn unpack(package: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    command::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(to))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn only_entry(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names: Vec<String> = entries.flatten().map(|entry| name(&entry.path())).collect();
    let [only] = &names[..] else { bail!("{}: one kernel expected, found {names:?}", folder.display()) };
    Ok(only.clone())
}
