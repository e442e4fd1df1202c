//! `./x test unprivileged`: the runtime's and the command's tests once more, as nobody.
//!
//! `cargo-test` runs them with the rights of whoever builds. Where that is root, nothing would show that root is not needed. What
//! needs namespaces makes user namespaces of its own. What only root can do (net_af_xdp, the change of user) says "not run" and passes.

use crate::command::{self, Repository};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Tests that need a toolchain, whose files are the builder's own.
const NOT_AS_NOBODY: [&str; 1] = ["new"];
/// A macro of the compiler's: its tests are linked with the toolchain's libraries.
const MACROS: &str = "perigee-guest-derive";

/// Runs them.
pub(crate) fn run(repository: &Repository) -> Result<()> {
    let own = repository.target().join("tmp");
    fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
    if fs::metadata("/proc/self").context("/proc")?.uid() != 0 {
        println!("cargo-test has run without root already");
        return Ok(());
    }
    // The laboratory's lock, which nobody can take, but not make.
    let lock = own.join("lab.lock");
    if !lock.exists() {
        File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
    }
    let mut cargo = repository.cargo("test");
    cargo.args(["--release", "--workspace", "--exclude", MACROS, "--no-fail-fast", "--lib"]);
    for folder in ["runtime/tests", "cli/tests"] {
        for name in names(&repository.path(folder))? {
            cargo.args(["--test", &name]);
        }
    }
    // Only the machine that is built for has a runner: build scripts are started without.
    let runner = repository.path("xtask/scripts/as-nobody.sh");
    let triple = format!("{}_UNKNOWN_LINUX_GNU", std::env::consts::ARCH.to_uppercase());
    command::run(cargo.env(format!("CARGO_TARGET_{triple}_RUNNER"), runner))
}

/// The tests in a folder, one for each file.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let mut names: Vec<String> = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.retain(|name| !NOT_AS_NOBODY.contains(&name.as_str()));
    names.sort();
    Ok(names)
}
