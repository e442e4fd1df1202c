//! `./x test --in SYSTEM`: the tests on another system than the one that builds.
//!
//! The system's files lie in a folder of the user's cache, made once from its packages by mmdebstrap; `./x` installs the rest in
//! there, as it does on a machine that has nothing yet. They are entered by `scripts/in-system.sh`, with a target folder of their own.

use crate::command::{self, Repository};
use crate::steps;
use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A system that Perigee is built and tested on.
struct System {
    /// As `--in` names it.
    name: &'static str,
    /// As its archive names it.
    suite: &'static str,
    /// Its packages: lines of sources.list(5).
    sources: &'static [&'static str],
    /// The keys that its archive is signed with, and the package of ours that brings them.
    keys: (&'static str, &'static str),
    /// `./x soak` runs the tests there, too.
    in_soak: bool,
}

const SYSTEMS: [System; 2] = [
    System {
        name: "debian13",
        suite: "trixie",
        sources: &[
            "deb http://deb.debian.org/debian trixie main",
            "deb http://deb.debian.org/debian trixie-updates main",
            "deb http://deb.debian.org/debian-security trixie-security main",
        ],
        keys: ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
        in_soak: true,
    },
    System {
        name: "ubuntu24.04",
        suite: "noble",
        sources: &[
            "deb http://archive.ubuntu.com/ubuntu noble main universe",
            "deb http://archive.ubuntu.com/ubuntu noble-updates main universe",
            "deb http://security.ubuntu.com/ubuntu noble-security main universe",
        ],
        // Debian 12 has no such package, Debian 13 has.
        keys: ("/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-archive-keyring"),
        in_soak: false,
    },
];

/// What the caller's environment says that holds there as well; and how names begin of which all do.
const KEPT: [&str; 7] = ["CI", "TERM", "RUST_BACKTRACE", "CARGO_BUILD_JOBS", "http_proxy", "https_proxy", "no_proxy"];
const KEPT_FAMILIES: [&str; 5] = ["PROPTEST_", "CARGO_HTTP_", "CARGO_NET_", "PIP_", "npm_config_"];
/// What the machine knows of the network around it.
const NETWORK: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"];

/// The names of all.
pub(crate) fn names() -> Vec<&'static str> {
    SYSTEMS.iter().map(|system| system.name).collect()
}

/// The names of those that belong to `./x soak`.
pub(crate) fn in_soak() -> Vec<&'static str> {
    SYSTEMS.iter().filter(|system| system.in_soak).map(|system| system.name).collect()
}

/// Runs the named steps in that system, or all that depend on it. Makes the system where it is not there yet.
///
/// # Errors
/// It cannot be made (its packages cannot be had, no rights), or a step fails in it.
pub(crate) fn test(repository: &Repository, name: &str, only: &[String]) -> Result<()> {
    let system = SYSTEMS.iter().find(|system| system.name == name);
    let system = system.with_context(|| format!("no system {name:?}: {} are known", names().join(", ")))?;
    let folder = cache(env::var_os("XDG_CACHE_HOME").map(PathBuf::from), env::home_dir())?.join(name);
    let root = folder.join("root");
    if !root.exists() {
        make(repository, system, &folder, &root).with_context(|| format!("no {name} to test in"))?;
    }
    let toolchain = toolchain(repository)?.unwrap_or_default();
    bring_network(repository, &root)?;
    bring_crates(repository, &root)?;
    println!("testing in {name}, whose files are in {}", folder.display());
    let enter = repository.path("xtask/scripts/in-system.sh");
    let mut test = repository.command(if command::is_root() { enter.as_path() } else { Path::new("sudo") });
    if !command::is_root() {
        test.arg("--preserve-env").arg(enter);
    }
    // Not as arguments of env(1): an address of a proxy may have a password, and messages show arguments.
    test.env_clear().envs(env::vars_os().filter(|(key, _)| key.to_str().is_some_and(is_kept)));
    test.arg(&root).arg(repository.root()).arg(folder.join("target")).arg(toolchain).args(["./x", "test"]);
    if only.is_empty() {
        test.args(steps::of_the_system())
    } else {
        test.args(only)
    };
    command::run(&mut test).with_context(|| format!("the tests in {name}"))
}

/// Where systems are kept: `perigee/systems` in the user's cache.
fn cache(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Result<PathBuf> {
    let cache = xdg.filter(|path| path.is_absolute()).or_else(|| home.map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME says where systems can be kept")?.join("perigee/systems"))
}

/// Makes a system of the least that there is, to which `./x` then adds what is missing.
fn make(repository: &Repository, system: &System, folder: &Path, root: &Path) -> Result<()> {
    let (keys, package) = system.keys;
    command::run(repository.command("./x").args(["install", "mmdebstrap"]))?;
    if !Path::new(keys).exists() {
        command::run(repository.command("./x").args(["install", package])).with_context(|| {
            format!(
                "its archive's keys ({keys}) are in the package {package}, which this machine's sources do not have"
            )
        })?;
    }
    println!("fetching {}, once: about 130 MB, and 2 GB with all that the tests need", system.name);
    command::run(as_root(repository, "mkdir").arg("--parents").arg(folder))?;
    // Under another name until it is whole.
    let part = folder.join("part");
    command::run(as_root(repository, "rm").args(["--recursive", "--force", "--one-file-system"]).arg(&part))?;
    let mut mmdebstrap = as_root(repository, "mmdebstrap");
    mmdebstrap.args(["--mode=root", "--quiet", "--variant=minbase", "--include=ca-certificates"]);
    mmdebstrap.arg(format!("--keyring={keys}")).arg(system.suite).arg(&part).args(system.sources);
    command::run(&mut mmdebstrap).context("its packages cannot be had from here")?;
    command::run(as_root(repository, "mv").arg(&part).arg(root))
}

/// Takes over what the machine knows of the network around it.
fn bring_network(repository: &Repository, root: &Path) -> Result<()> {
    for file in NETWORK.map(Path::new).into_iter().filter(|file| file.exists()) {
        let to = root.join(file.strip_prefix("/").unwrap_or(file));
        command::run(as_root(repository, "cp").args(["--dereference", "--remove-destination"]).arg(file).arg(to))?;
    }
    Ok(())
}

/// Copies the crates that cargo has fetched already.
fn bring_crates(repository: &Repository, root: &Path) -> Result<()> {
    let own = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let to = root.join("root/.cargo/registry");
    command::run(as_root(repository, "mkdir").arg("--parents").arg(&to))?;
    let folders = ["cache", "index"].map(|name| own.clone().unwrap_or_default().join("registry").join(name));
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let mut copy = as_root(repository, "cp");
        command::run(copy.args(["--recursive", "--update", "--preserve=timestamps"]).arg(folder).arg(&to))?;
    }
    Ok(())
}

/// The compiler's folder, where it is one that can be taken along. A distribution's own cannot: there the system's is installed.
fn toolchain(repository: &Repository) -> Result<Option<PathBuf>> {
    let sysroot = PathBuf::from(command::output(repository.rustc().args(["--print", "sysroot"]))?.trim());
    Ok(Some(sysroot).filter(|sysroot| !sysroot.starts_with("/usr") && sysroot.join("bin/cargo").is_file()))
}

fn is_kept(variable: &str) -> bool {
    KEPT.contains(&variable) || KEPT_FAMILIES.iter().any(|family| variable.starts_with(family))
}

/// A program with the rights that mounts and other users' files need.
fn as_root(repository: &Repository, program: impl AsRef<Path>) -> Command {
    if command::is_root() {
        return repository.command(program);
    }
    let mut sudo = repository.command("sudo");
    sudo.arg(program.as_ref());
    sudo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_kept_in_the_users_cache() {
        let kept = |xdg: Option<&str>, home: Option<&str>| cache(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(kept(Some("/c"), Some("/h")).unwrap(), Path::new("/c/perigee/systems"));
        assert_eq!(kept(Some("relative"), Some("/h")).unwrap(), Path::new("/h/.cache/perigee/systems"));
        assert!(kept(None, None).is_err());
    }

    #[test]
    fn nothing_of_the_builders_toolchain_comes_along() {
        for variable in ["CI", "PIP_CERT", "https_proxy", "PROPTEST_CASES"] {
            assert!(is_kept(variable), "{variable}");
        }
        for variable in ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "LD_LIBRARY_PATH", "RUSTC", "PATH", "HOME"] {
            assert!(!is_kept(variable), "{variable}");
        }
    }

    #[test]
    fn an_unknown_system_is_refused_by_name() {
        let repository = Repository::find().unwrap();
        let error = test(&repository, "debian1", &[]).unwrap_err().to_string();
        assert_eq!(error, "no system \"debian1\": debian13, ubuntu24.04 are known");
        assert!(in_soak().iter().all(|name| names().contains(name)));
    }
}
