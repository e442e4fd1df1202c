//! AssemblyScript, by its own compiler, which runs on Node.js.

use super::{Language, MODULES, copy_files, readme_example};
use crate::command::{self, Repository};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const LANGUAGE: Language =
    Language { key: "as", name: "AssemblyScript", folder: "guest-sdk/as", setup, build };

/// npm installs what these say: the compiler in one version, with a checksum for each package.
const LOCK: &str = "package-lock.json";
const PACKAGE: &str = "package.json";

/// The same for every module; `guest-sdk/as/README.md` tells users of them.
const FLAGS: [&str; 7] = ["--runtime", "stub", "--enable", "simd", "-O3", "--use", "abort=assembly/perigee/abort"];

/// Where the compiler is: not beside the sources, so that these stay as they are.
fn tools(repository: &Repository) -> PathBuf {
    repository.path("target/languages/as-tools")
}

fn setup(repository: &Repository) -> Result<()> {
    if check(repository).is_ok() {
        return Ok(());
    }
    // A Node.js that somebody installed otherwise may conflict with Debian's package, so that is asked for only where
    // there is none.
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if !command::works(repository.command(program).arg("--version")) {
            command::run(repository.command("./x").arg("install").arg(package))?;
        }
    }
    let tools = tools(repository);
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    let sources = repository.path(LANGUAGE.folder);
    for file in [PACKAGE, LOCK] {
        fs::copy(sources.join(file), tools.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    let mut npm = repository.command("npm");
    npm.current_dir(&tools).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    command::run(&mut npm).context("npm could not install the AssemblyScript compiler")?;
    check(repository)
}

fn build(repository: &Repository, out: &Path) -> Result<()> {
    check(repository)?;
    let folder = repository.path(LANGUAGE.folder);
    let checks = out.join("checks.wasm");
    compile(repository, &folder, "checks", &checks)?;
    command::run(repository.command("node").arg(folder.join("checks.mjs")).arg(&checks))
        .context("the kit's own checks failed")?;
    for module in MODULES {
        compile(repository, &folder, module, &out.join(format!("{module}.wasm")))?;
    }
    example(repository, &folder, &out.join("readme")).context("the example in README.md")
}

/// Builds the example of the README, in a folder with the SDK beside it, as a user would.
fn example(repository: &Repository, sdk: &Path, folder: &Path) -> Result<()> {
    copy_files(&sdk.join("assembly"), &folder.join("assembly"))?;
    fs::write(folder.join("assembly/example.ts"), readme_example(repository, LANGUAGE.folder, "ts")?)?;
    compile(repository, folder, "example", &folder.join("example.wasm"))
}

fn compile(repository: &Repository, folder: &Path, source: &str, to: &Path) -> Result<()> {
    let mut asc = repository.command("node");
    // Names inside the compiler are paths from where it is started, and `abort` in FLAGS is one.
    asc.current_dir(folder);
    asc.arg(compiler(repository)).arg(format!("assembly/{source}.ts")).args(FLAGS).arg("--outFile").arg(to);
    command::run(&mut asc)
}

fn compiler(repository: &Repository) -> PathBuf {
    tools(repository).join("node_modules/assemblyscript/bin/asc.js")
}

/// Says what is missing, if anything is.
fn check(repository: &Repository) -> Result<()> {
    command::output(repository.command("node").arg("--version")).context(
        "modules in AssemblyScript need Node.js: Debian's packages nodejs and npm bring it; ./x setup installs them",
    )?;
    let wanted = fs::read(repository.path(LANGUAGE.folder).join(LOCK))
        .with_context(|| format!("{}/{LOCK} is missing", LANGUAGE.folder))?;
    // npm empties the folder of packages before it installs, so a compiler there means that it came to its end.
    let is_there = fs::read(tools(repository).join(LOCK)).is_ok_and(|there| there == wanted);
    ensure!(
        is_there && compiler(repository).is_file(),
        "modules in AssemblyScript need its compiler, asc, in the version of {}/{PACKAGE}; ./x setup installs it by npm",
        LANGUAGE.folder
    );
    Ok(())
}
