//! C, by clang and the linker that belongs to it.

use super::{Language, MODULES, readme_example};
use crate::command::{self, Repository};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

pub(super) const LANGUAGE: Language = Language { key: "c", name: "C", folder: "guest-sdk/c", setup, build };

/// One clang that compiles to WebAssembly and finds a linker is enough, whichever package it comes from.
const PACKAGES: [&str; 2] = ["clang", "lld"];

/// The same for every module; `guest-sdk/c/README.md` tells users of them.
const FLAGS: [&str; 8] = [
    "--target=wasm32",
    "-O3",
    "-nostdlib",
    "-msimd128",
    "-mbulk-memory",
    "-Wl,--no-entry",
    "-Wl,--stack-first",
    "-Wl,--strip-all",
];
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic"];
/// The header's own tests run natively, where exports and imports mean nothing. The addresses of the areas must have 32 bits.
const TEST_FLAGS: [&str; 7] =
    ["-std=c11", "-O1", "-fno-builtin", "-no-pie", "-fno-pie", "-Wno-unknown-attributes", "-Wno-ignored-attributes"];

fn setup(repository: &Repository) -> Result<()> {
    if check(repository).is_ok() {
        return Ok(());
    }
    command::run(repository.command("./x").arg("install").args(PACKAGES))?;
    check(repository)
}

fn build(repository: &Repository, out: &Path) -> Result<()> {
    check(repository)?;
    let source = |name: &str| repository.path(LANGUAGE.folder).join(name);
    let compile = |standard: &str| {
        let mut clang = repository.command("clang");
        clang.args(FLAGS).args(WARNINGS).arg(format!("-std={standard}"));
        if command::is_ci() {
            clang.args(["-Werror", "-Wl,--fatal-warnings"]);
        }
        clang
    };
    for module in MODULES {
        let to = out.join(format!("{module}.wasm"));
        command::run(compile("c11").arg("-o").arg(to).arg(source(&format!("{module}.c"))))?;
    }
    // The header promises C++ too.
    let mut clang = compile("c++17");
    clang.args(["-Wno-unused-command-line-argument", "-fsyntax-only", "-x", "c++"]).arg(source("reflector.c"));
    command::run(&mut clang)?;
    let example = out.join("readme.c");
    fs::write(&example, readme_example(repository, LANGUAGE.folder, "c")?)?;
    let mut clang = compile("c11");
    command::run(clang.arg("-I").arg(source("")).arg("-o").arg(out.join("readme.wasm")).arg(example))?;
    test(repository, &source("test.c"), &out.join("test")).context("the tests of perigee.h")
}

/// Builds one file, which needs nothing but the header, to a module. One that is newer already stays.
pub(super) fn build_file(repository: &Repository, from: &str, to: &Path) -> Result<()> {
    let from = repository.path(from);
    let sources = super::modified(&from).max(super::newest(&repository.path(LANGUAGE.folder))?);
    if super::modified(to) > sources {
        return Ok(());
    }
    setup(repository)?;
    let part = to.with_extension("part");
    command::run(
        repository.command("clang").args(FLAGS).args(WARNINGS).arg("-std=c11").arg("-o").arg(&part).arg(from),
    )?;
    fs::rename(&part, to).with_context(|| format!("cannot write {}", to.display()))
}

/// Builds the tests for the machine at hand and runs them.
fn test(repository: &Repository, source: &Path, program: &Path) -> Result<()> {
    let mut clang = repository.command("clang");
    command::run(clang.args(TEST_FLAGS).arg("-o").arg(program).arg(source))?;
    command::run(&mut repository.command(program))
}

/// Says what is missing, if anything is.
fn check(repository: &Repository) -> Result<()> {
    let mut clang = repository.command("clang");
    let targets = command::output(clang.arg("-print-targets")).context(
        "modules in C need clang: Debian's packages clang and lld bring it and its linker; ./x setup installs them",
    )?;
    let has_target = targets.split_whitespace().any(|word| word == "wasm32");
    ensure!(
        has_target,
        "this clang does not compile to WebAssembly; Debian's package clang does; ./x setup installs it"
    );
    let mut clang = repository.command("clang");
    let linker = command::output(clang.args(["--target=wasm32", "-print-prog-name=wasm-ld"]))?;
    // Where there is none, clang prints the bare name.
    let is_there = Path::new(linker.trim()).is_absolute();
    ensure!(is_there, "clang finds no wasm-ld, the linker: Debian's package lld brings it; ./x setup installs it");
    Ok(())
}
