//! The page of `perigee web`: the library that draws its curves, which is fetched by npm, and its test in a browser.

use crate::command::{self, Repository};
use crate::{files, modules, setup, start};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is said which packages there are, each in one version and with a checksum.
const SOURCES: &str = "cli/web";
const LOCK: &str = "package-lock.json";
const PACKAGE: &str = "package.json";

/// Files of uPlot, and where `cli/build.rs` looks for them.
const VENDOR: &str = "cli/src/web/vendor";
const UPLOT: [&str; 3] = ["dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"];

/// Where npm puts packages: not beside the sources, so that these stay as they are.
fn packages(repository: &Repository) -> PathBuf {
    repository.path("target/web")
}

/// Fetches what is missing.
pub(crate) fn setup(repository: &Repository) -> Result<()> {
    if !is_there(repository) {
        // A Node.js that somebody installed otherwise may conflict with Debian's package.
        for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
            if !command::works(repository.command(program).arg("--version")) {
                command::run(repository.command("./x").arg("install").arg(package))?;
            }
        }
        let to = packages(repository);
        fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
        for file in [PACKAGE, LOCK] {
            files::place(&repository.path(SOURCES).join(file), &to.join(file))?;
        }
        let mut npm = repository.command("npm");
        npm.current_dir(&to).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        command::run(&mut npm).context("npm could not fetch what draws curves; the page works without, with tables")?;
        // Last, so that it means that npm came to its end.
        fs::write(to.join("done"), fs::read(to.join(LOCK))?).context("target/web")?;
    }
    let uplot = packages(repository).join("node_modules/uplot");
    for file in UPLOT {
        let name = Path::new(file).file_name().unwrap_or_default();
        files::place(&uplot.join(file), &repository.path(VENDOR).join(name))?;
    }
    Ok(())
}

fn is_there(repository: &Repository) -> bool {
    let read = |path: PathBuf| fs::read(path).ok();
    let wanted = read(repository.path(SOURCES).join(LOCK));
    wanted.is_some() && read(packages(repository).join("done")) == wanted
}

/// `./x test web`: the page in a browser.
pub(crate) fn test(repository: &Repository) -> Result<()> {
    command::run(&mut script(repository, "browser.mjs")?)
}

/// `./x soak web`: the memory of page and server over time.
pub(crate) fn soak(repository: &Repository, quick: bool) -> Result<()> {
    let mut script = script(repository, "soak.mjs")?;
    script.env("SECONDS", if quick { "60" } else { "600" });
    command::run(&mut script)
}

/// A script with all that it needs.
fn script(repository: &Repository, name: &str) -> Result<Command> {
    setup(repository)?;
    setup::browser(repository)?;
    modules::build(repository)?;
    let perigee = start::build(repository, "perigee")?;
    let mut node = repository.command("timeout");
    node.args(["--kill-after=10", "900", "node"]).arg(repository.path(SOURCES).join(name));
    node.env("PERIGEE", perigee).env("MODULES", repository.path("target/modules"));
    node.env("NODE_PACKAGES", packages(repository));
    Ok(node)
}
