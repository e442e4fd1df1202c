//! Finding a compiler for WebAssembly: the host's own where it has the target, else Debian's with a standard library
//! built from its source package.

use crate::command::{self, Repository};
use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The one target of all modules.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Forces one toolchain: `rustup` or `debian`.
const SWITCH: &str = "PERIGEE_WASM_TOOLCHAIN";
/// Debian's compiler, its cargo, and the source of its standard library. All three come from one source package.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/std";

/// A toolchain that builds modules.
pub(crate) enum Toolchain {
    /// The host's, with the target installed (by rustup, or by a distribution that packages it).
    Own,
    /// Debian's `rustc-web`, which comes without the target: the standard library is built with the module.
    Debian {
        /// A linker for WebAssembly.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The first that works. What is there is preferred to what must be fetched.
    pub(crate) fn pick(repository: &Repository) -> Result<Self> {
        match env::var(SWITCH).as_deref() {
            Ok("rustup") => return Self::own(repository).with_context(|| format!("{SWITCH}=rustup: no {TARGET}")),
            Ok("debian") => return Self::debian(repository),
            Ok(other) => bail!("{SWITCH}={other}: rustup or debian are known"),
            Err(_) => {}
        }
        if has_target(repository) {
            return Ok(Self::Own);
        }
        if debian_is_there() {
            return Self::debian(repository);
        }
        Self::own(repository).map_or_else(|| Self::debian(repository), Ok)
    }

    /// The host's, after `rustup target add` where that is needed and works.
    fn own(repository: &Repository) -> Option<Self> {
        if !has_target(repository) {
            println!("fetching the standard library for {TARGET}");
            command::run(repository.command("rustup").args(["target", "add", TARGET])).ok()?;
        }
        has_target(repository).then_some(Self::Own)
    }

    /// Debian's, installed where it is missing.
    fn debian(repository: &Repository) -> Result<Self> {
        if !debian_is_there() {
            command::run(repository.command("./x").arg("install").args(DEBIAN_PACKAGES))?;
        }
        let linker = match find_linker(repository) {
            Some(linker) => linker,
            None => {
                command::run(repository.command("./x").args(["install", "lld"]))?;
                find_linker(repository).context("Debian's package lld brought no wasm-ld")?
            }
        };
        Ok(Self::Debian { linker })
    }

    /// A name for folders and messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Own => "rustup",
            Self::Debian { .. } => "debian",
        }
    }

    /// Cargo of this toolchain, ready to build modules with `flags` for the compiler.
    pub(crate) fn cargo(&self, repository: &Repository, task: &str, flags: &[&str]) -> Command {
        let mut command = match self {
            Self::Own => repository.cargo(task),
            Self::Debian { linker } => {
                let mut command = repository.command(DEBIAN_CARGO);
                command.arg(task).arg("-Zbuild-std=std,panic_abort");
                // -Zbuild-std asks for a nightly compiler; this is how a stable one says yes.
                command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC).env("RUSTDOC", "/usr/bin/rustdoc");
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        };
        // This variable wins over all others, so a user's RUSTFLAGS for the host (-C target-cpu=native) stay out.
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        command.args(["--target", TARGET]).arg("--target-dir").arg(self.target_dir(repository));
        command
    }

    /// A folder of its own: building modules does not wait for a build of the host, and switching the toolchain does not
    /// throw away what the other one built.
    pub(crate) fn target_dir(&self, repository: &Repository) -> PathBuf {
        repository.path("target/wasm").join(self.name())
    }
}

/// True where the host's compiler has a standard library for the target.
fn has_target(repository: &Repository) -> bool {
    let mut rustc = repository.rustc();
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    command::output(&mut rustc).is_ok_and(|dir| Path::new(dir.trim()).is_dir())
}

fn debian_is_there() -> bool {
    [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_LIBRARY].iter().all(|path| Path::new(path).exists())
}

/// The linker that came with the host's compiler, or Debian's.
fn find_linker(repository: &Repository) -> Option<PathBuf> {
    let sysroot = command::output(repository.rustc().args(["--print", "sysroot"])).unwrap_or_default();
    let host = Path::new(sysroot.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    [host, "/usr/bin/rust-lld".into(), "/usr/bin/wasm-ld".into()].into_iter().find(|path| path.exists())
}
