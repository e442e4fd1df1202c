//! Packages of PyPI, in an environment inside the repository's target folder: nothing is installed outside of it.

use crate::command::{self, Repository};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// The environment's interpreter.
pub(crate) fn interpreter(repository: &Repository) -> PathBuf {
    repository.path("target/venv/bin/python3")
}

/// Installs a package, as in `name==1.2.3`, into the environment, which is made where it is not there or does not work.
pub(crate) fn install(repository: &Repository, package: &str) -> Result<()> {
    let python = interpreter(repository);
    if !command::works(repository.command(&python).args(["-m", "pip", "--version"])) {
        command::run(repository.command("python3").args(["-m", "venv", "--clear"]).arg(repository.path("target/venv")))
            .context("Python cannot make an environment: Debian's package python3-venv brings what it takes")?;
    }
    println!("fetching {package}");
    let mut pip = repository.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]);
    command::run(&mut pip)
}
