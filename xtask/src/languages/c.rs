//! C, by clang and the linker that belongs to it.

use super::{Language, MODULES};
use crate::command::{self, Repository};
use anyhow::{Context, Result, ensure};
use std::path::Path;

pub(super) const LANGUAGE: Language = Language { key: "c", name: "C", folder: "guest-sdk/c", setup, build };

/// One clang that compiles to WebAssembly and finds a linker is enough, whichever package it comes from.
const PACKAGES: [&str; 2] = ["clang", "lld"];

/// The same for every module; `guest-sdk/c/README.md` tells users of them.
const FLAGS: [&str; 14] = [
    "--target=wasm32",
    "-std=c11",
    "-O3",
    "-ffreestanding",
    "-nostdlib",
    "-msimd128",
    "-mbulk-memory",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    "-Wl,--fatal-warnings",
];

fn setup(repository: &Repository) -> Result<()> {
    if check(repository).is_ok() {
        return Ok(());
    }
    command::run(repository.command("./x").arg("install").args(PACKAGES))?;
    check(repository)
}

fn build(repository: &Repository, out: &Path) -> Result<()> {
    check(repository)?;
    for module in MODULES {
        let source = repository.path(LANGUAGE.folder).join(format!("{module}.c"));
        let mut clang = repository.command("clang");
        clang.args(FLAGS).arg("-o").arg(out.join(format!("{module}.wasm"))).arg(source);
        command::run(&mut clang)?;
    }
    Ok(())
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
