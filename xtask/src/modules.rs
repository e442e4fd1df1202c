//! Building the packet modules: every crate of the workspace whose library is a `cdylib`.

use crate::command::{self, Repository};
use crate::toolchain::{TARGET, Toolchain};
use crate::{files, languages};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A `cdylib` that is no module: see `codegen.rs`.
const PROBE: &str = "codegen-probe";
/// The profile in the workspace's Cargo.toml.
const PROFILE: &str = "module";
/// Cranelift does not vectorise, so LLVM has to: with SIMD on, as every engine that we support has it.
const SIMD: &str = "-Ctarget-feature=+simd128";
/// Each turn of a loop pays for a look at the epoch, so a packet loop that is unrolled pays once for several packets:
/// `./x bench` shows a fifth less for udp-gen's two fields.
const UNROLL: [&str; 3] =
    ["-Cllvm-args=-unroll-runtime", "-Cllvm-args=-unroll-threshold=400", "-Cllvm-args=-unroll-partial-threshold=400"];

/// A module's two names.
#[derive(Debug, PartialEq)]
struct Module {
    /// Of its package.
    package: String,
    /// Of its folder: what the built file is called.
    name: String,
    /// Of its library: what cargo calls the built file.
    library: String,
}

/// LLVM's loop strength reduction takes an access at a fixed offset for an addition of its own, which costs an instruction: in
/// WebAssembly an offset costs nothing. Without it a call of udp-gen for its template takes a seventh fewer instructions.
const KEEP_OFFSETS: &str = "-Cllvm-args=-disable-lsr";

/// Builds the modules of the workspace, and those of the SDKs for other languages.
pub(crate) fn build_all(repository: &Repository) -> Result<()> {
    build(repository)?;
    languages::build(repository)
}

/// Builds all modules of the workspace to `target/modules/NAME.wasm`.
pub(crate) fn build(repository: &Repository) -> Result<()> {
    let modules = find(repository)?;
    if modules.is_empty() {
        println!("no modules in this workspace");
        return Ok(());
    }
    let toolchain = Toolchain::pick(repository)?;
    let packages: Vec<_> = modules.iter().map(|module| module.package.as_str()).collect();
    let built = compile(repository, &toolchain, &packages)?;

    let to = repository.path("target/modules");
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    for module in &modules {
        let from = built.join(format!("{}.wasm", module.library));
        files::place(&from, &to.join(format!("{}.wasm", module.name)))?;
    }
    let names: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
    println!("modules in target/modules, by the {} toolchain: {}", toolchain.name(), names.join(", "));
    Ok(())
}

/// Compiles packages as modules are compiled; returns the folder with the built files.
pub(crate) fn compile(repository: &Repository, toolchain: &Toolchain, packages: &[&str]) -> Result<PathBuf> {
    let mut flags = vec![SIMD];
    flags.extend(UNROLL);
    flags.push(KEEP_OFFSETS);
    if command::is_ci() {
        flags.push("-Dwarnings");
    }
    let mut cargo = toolchain.cargo(repository, "build", &flags);
    // The first time takes a while, which is shown.
    if toolchain.target_dir(repository).exists() {
        cargo.arg("--quiet");
    }
    cargo.args(["--profile", PROFILE, "--lib"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    command::run(&mut cargo)?;
    Ok(toolchain.target_dir(repository).join(TARGET).join(PROFILE))
}

/// Lints the modules as they are compiled for WebAssembly; lints of the whole workspace see only what is compiled for
/// the host. Debian's toolchain has no clippy for a library built from source: there the compiler's warnings must do.
pub(crate) fn clippy(repository: &Repository) -> Result<()> {
    let modules = find(repository)?;
    let toolchain = Toolchain::pick(repository)?;
    if modules.is_empty() || matches!(toolchain, Toolchain::Debian { .. }) {
        println!("no lints for {TARGET} here");
        return Ok(());
    }
    let mut cargo = toolchain.cargo(repository, "clippy", &[SIMD]);
    cargo.args(["--quiet", "--profile", PROFILE, "--lib"]);
    for module in &modules {
        cargo.args(["--package", &module.package]);
    }
    command::run(cargo.args(["--", "-Dwarnings"]))
}

fn find(repository: &Repository) -> Result<Vec<Module>> {
    let metadata = metadata(repository)?;
    let mut modules: Vec<_> = packages(&metadata).filter_map(module_of).collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(modules)
}

/// What cargo knows of the workspace's own packages.
pub(crate) fn metadata(repository: &Repository) -> Result<Value> {
    let text = command::output(repository.cargo("metadata").args(["--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// The packages in cargo's metadata.
pub(crate) fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn module_of(package: &Value) -> Option<Module> {
    if package["name"] == PROBE {
        return None;
    }
    let mut targets = package["targets"].as_array()?.iter();
    let library = targets
        .find(|target| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib")))?;
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
    Some(Module {
        package: package["name"].as_str()?.to_owned(),
        name: folder.file_name()?.to_str()?.to_owned(),
        library: library["name"].as_str()?.replace('-', "_"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cdylib_is_a_module_named_by_its_folder() {
        let package = json!({
            "name": "perigee-udp-gen", "manifest_path": "/work/modules/udp-gen/Cargo.toml",
            "targets": [{ "name": "udp_gen", "kind": ["cdylib", "rlib"] }, { "name": "replay", "kind": ["test"] }],
        });
        let module = Module { package: "perigee-udp-gen".into(), name: "udp-gen".into(), library: "udp_gen".into() };
        assert_eq!(module_of(&package), Some(module));
    }

    #[test]
    fn other_crates_are_no_modules() {
        let package = json!({
            "name": "perigee-runtime", "manifest_path": "/work/runtime/Cargo.toml",
            "targets": [{ "name": "perigee_runtime", "kind": ["lib"] }],
        });
        assert_eq!(module_of(&package), None);
    }
}
