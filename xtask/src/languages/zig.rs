//! Zig, by the compiler that PyPI has as the package `ziglang`: the language still changes with each release, and no
//! distribution has the one that the sources are written for.

use super::{Language, MODULES, readme_example};
use crate::command::{self, Repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const LANGUAGE: Language = Language { key: "zig", name: "Zig", folder: "guest-sdk/zig", setup, build };

/// The release that the sources are written for, and those that understand them too.
const RELEASE: &str = "0.17.1";
const SERIES: &str = "0.17.";
/// Where Python packages go: nothing is installed outside of the repository.
const VENV: &str = "target/venv";

/// `guest-sdk/zig/README.md` tells users of them.
const FLAGS: [&str; 8] = [
    "-target",
    "wasm32-freestanding",
    "-mcpu=generic+simd128",
    "-O",
    "ReleaseFast",
    "-fno-entry",
    "-rdynamic",
    "-fstrip",
];

fn setup(repository: &Repository) -> Result<()> {
    if find(repository).is_ok() {
        return Ok(());
    }
    println!("fetching Zig {RELEASE}");
    let venv = repository.path(VENV);
    let python = venv.join("bin/python");
    if !command::works(repository.command(&python).args(["-m", "pip", "--version"])) {
        command::run(repository.command("python3").args(["-m", "venv", "--clear"]).arg(&venv))
            .context("Python cannot make an environment: Debian's package python3-venv brings what it takes")?;
    }
    let mut pip = repository.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).arg(format!("ziglang=={RELEASE}"));
    command::run(&mut pip)?;
    find(repository).map(|_| ())
}

fn build(repository: &Repository, out: &Path) -> Result<()> {
    let zig = find(repository)?;
    let source = |name: &str| repository.path(LANGUAGE.folder).join(name);
    // The compiler's cache lies beside what is built, not in the user's home.
    let start = |task: &str| {
        let mut command = zig.command(repository);
        command.arg(task).arg("--cache-dir").arg(out.join("cache")).arg("--global-cache-dir").arg(out.join("cache"));
        command
    };
    let build = |source: &Path, to: &Path| {
        command::run(start("build-exe").arg(source).args(FLAGS).arg(format!("-femit-bin={}", to.display())))
    };
    for module in MODULES {
        build(&source(&format!("{module}.zig")), &out.join(format!("{module}.wasm")))?;
    }
    let example = place_example(repository, out)?;
    build(&example, &example.with_extension("wasm")).context("the example in README.md")?;
    test(start("test").arg(source("perigee.zig")))
}

/// Puts the example of the README into a folder with all of the SDK beside it, as a user would.
fn place_example(repository: &Repository, out: &Path) -> Result<PathBuf> {
    let folder = out.join("readme");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for entry in fs::read_dir(repository.path(LANGUAGE.folder))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    let example = folder.join("example.zig");
    fs::write(&example, readme_example(repository, LANGUAGE.folder, "zig")?)?;
    Ok(example)
}

/// Runs the SDK's own tests, and shows what they print only where one fails.
fn test(zig: &mut Command) -> Result<()> {
    let output = zig.output().with_context(|| format!("cannot start {}", command::shown(zig)))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("the tests of perigee.zig failed");
    }
    Ok(())
}

/// How the compiler is started.
enum Zig {
    /// As one that is installed.
    Own,
    /// As a Python package.
    Package,
}

impl Zig {
    fn command(&self, repository: &Repository) -> Command {
        match self {
            Self::Own => repository.command("zig"),
            Self::Package => {
                let mut command = repository.command(repository.path(VENV).join("bin/python"));
                command.args(["-m", "ziglang"]);
                command
            }
        }
    }

    fn fits(&self, repository: &Repository) -> bool {
        let version = self.command(repository).arg("version").output();
        version.is_ok_and(|output| output.status.success() && output.stdout.starts_with(SERIES.as_bytes()))
    }
}

/// The one that is installed where it fits, else ours.
fn find(repository: &Repository) -> Result<Zig> {
    let zig = [Zig::Own, Zig::Package].into_iter().find(|zig| zig.fits(repository));
    zig.with_context(|| {
        format!("modules in Zig need Zig {RELEASE}: ./x setup fetches it from PyPI (package ziglang) to {VENV}")
    })
}
