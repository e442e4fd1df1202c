//! Packages of PyPI, in an environment inside the repository's target folder: nothing is installed outside of it. And our own package, in
//! `python/`.

use crate::command::{self, Repository};
use crate::{modules, start};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The environment's interpreter.
pub(crate) fn interpreter(repository: &Repository) -> PathBuf {
    repository.path("target/venv/bin/python3")
}

/// Installs a package, as in `name==1.2.3`, into the environment, which is made where it is not there or does not work.
pub(crate) fn install(repository: &Repository, package: &str) -> Result<()> {
    pip(repository, package, &[package])
}

fn pip(repository: &Repository, what: &str, arguments: &[&str]) -> Result<()> {
    let python = interpreter(repository);
    if !command::works(repository.command(&python).args(["-m", "pip", "--version"])) {
        command::run(repository.command("python3").args(["-m", "venv", "--clear"]).arg(repository.path("target/venv")))
            .context("Python cannot make an environment: Debian's package python3-venv brings what it takes")?;
    }
    println!("fetching {what}");
    let mut pip = repository.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(arguments);
    command::run(&mut pip)
}

/// The packages that our own is checked with, by name and version.
const REQUIREMENTS: &str = "python/requirements.txt";

/// Other Pythons that the package is tried with, where they are there: the oldest one that it runs on, and a new one.
const OTHERS: [&str; 2] = ["python3.9", "python3.13"];

/// Installs what our package is checked with.
pub(crate) fn requirements(repository: &Repository) -> Result<()> {
    let is_there = "import importlib.metadata as m, sys\n\
        pins = [line.strip().split('==') for line in open(sys.argv[1]) if '==' in line]\n\
        sys.exit(any(m.version(name) != version for name, version in pins))";
    let python = interpreter(repository);
    if command::works(repository.command(&python).args(["-c", is_there, REQUIREMENTS])) {
        return Ok(());
    }
    pip(repository, "what our Python package is checked with", &["--requirement", REQUIREMENTS])
}

/// Our package: what it is made of, its types, its tests against real runs, its wheel, the notebook.
pub(crate) fn check(repository: &Repository) -> Result<()> {
    requirements(repository)?;
    modules::build(repository)?;
    let perigee = start::build(repository, "perigee")?;
    let python = |arguments: &[&str]| {
        let mut command = repository.command(interpreter(repository));
        command.args(arguments).env("PERIGEE", &perigee).env("PYTHONPATH", repository.path("python"));
        let caches = repository.target().join("python-caches");
        command.env("RUFF_CACHE_DIR", caches.join("ruff")).env("MYPY_CACHE_DIR", caches.join("mypy"));
        command.env("PYTHONPYCACHEPREFIX", caches.join("code"));
        command
    };
    command::run(&mut python(&["python/generate.py", "--check"]))?;
    command::run(&mut python(&["-m", "ruff", "check", "--quiet", "python"]))?;
    command::run(&mut python(&["-m", "ruff", "format", "--quiet", "--check", "python"]))?;
    command::run(&mut python(&["-m", "mypy", "--config-file", "python/pyproject.toml", "python/perigee"]))?;
    command::run(&mut python(&["-m", "openapi_spec_validator", "docs/openapi.json"]))?;
    let tests = ["-m", "unittest", "discover", "--start-directory", "python/tests"];
    command::run(&mut python(&tests))?;
    for other in OTHERS {
        let mut command = repository.command(other);
        if command::works(Command::new(other).arg("--version")) {
            println!("the same by {other}");
            command.args(tests).env("PERIGEE", &perigee).env("PYTHONPATH", repository.path("python"));
            command.env("PYTHONDONTWRITEBYTECODE", "1");
            command::run(&mut command)?;
        }
    }
    wheel(repository)?;
    command::run(repository.command("examples/notebook/run.sh").env("PERIGEE", &perigee))
}

/// Builds the wheel, installs it somewhere, and imports it from there.
pub(crate) fn wheel(repository: &Repository) -> Result<()> {
    requirements(repository)?;
    let to = repository.target().join("python");
    if to.exists() {
        fs::remove_dir_all(&to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    let installed = to.join("installed");
    let pip = |arguments: &[&str]| {
        let mut command = repository.command(interpreter(repository));
        command.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]).args(arguments);
        command
    };
    command::run(pip(&["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]).arg(&to).arg("./python"))?;
    command::run(
        pip(&["install", "--no-deps", "--no-index", "--find-links"])
            .arg(&to)
            .arg("--target")
            .arg(&installed)
            .arg("perigee"),
    )?;
    let imports = "import perigee, pathlib; print(perigee.__version__, (pathlib.Path(perigee.__file__).parent / 'py.typed').exists())";
    let mut python = repository.command(interpreter(repository));
    let said = command::output(python.args(["-c", imports]).env("PYTHONPATH", &installed))?;
    anyhow::ensure!(said.trim().ends_with("True"), "the wheel has no py.typed: {said}");
    println!("the wheel of perigee {} is in {}", said.trim().trim_end_matches(" True"), to.display());
    Ok(())
}

/// Makes the types anew, of docs/openapi.json.
pub(crate) fn bless(repository: &Repository) -> Result<()> {
    command::run(repository.command("python3").arg("python/generate.py"))
}
