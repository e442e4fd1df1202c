//! `./x codegen`: accessors of the guest SDK compile to what the store by hand compiles to, and to what they did before.

use crate::command::{self, Repository};
use crate::modules;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use wasmparser::{ExternalKind, FunctionBody, Parser, Payload};

const PACKAGE: &str = "codegen-probe";
const SNAPSHOTS: &str = "guest-sdk/codegen/snapshots";

/// Compares the probes with each other and with the snapshots.
pub(crate) fn check(repository: &Repository) -> Result<()> {
    let (toolchain, probes) = probes(repository)?;
    let mut wrong = different(&probes);
    if matches!(toolchain, Toolchain::Own) {
        for (name, code) in &probes {
            let Some(name) = name.strip_prefix("sdk_") else { continue };
            let file = repository.path(SNAPSHOTS).join(format!("{name}.txt"));
            if fs::read_to_string(&file).unwrap_or_default() != *code {
                wrong.push(format!("{name} is no longer {SNAPSHOTS}/{name}.txt; it is now\n{code}"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{}\nwhere that is right: ./x codegen --bless", wrong.join("\n"));
    }
    println!("{} accessors are what the store by hand is, by the {} toolchain", probes.len() / 2, toolchain.name());
    Ok(())
}

/// Writes the snapshots anew. What is not what the store by hand is, is refused here too.
pub(crate) fn bless(repository: &Repository) -> Result<()> {
    let (toolchain, probes) = probes(repository)?;
    let wrong = different(&probes);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    if !matches!(toolchain, Toolchain::Own) {
        bail!("snapshots belong to the toolchain of rust-toolchain.toml, with rustup's {}", crate::toolchain::TARGET);
    }
    let folder = repository.path(SNAPSHOTS);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, code) in probes.iter().filter_map(|(name, code)| Some((name.strip_prefix("sdk_")?, code))) {
        let file = folder.join(format!("{name}.txt"));
        fs::write(&file, code).with_context(|| format!("cannot write {}", file.display()))?;
    }
    command::run(repository.command("git").args(["status", "--short", SNAPSHOTS]))
}

/// Pairs whose two functions are not the same, and functions that have no other one.
fn different(probes: &BTreeMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, code) in probes {
        let Some((side, pair)) = name.split_once('_') else { continue };
        let other = format!("{}_{pair}", if side == "sdk" { "raw" } else { "sdk" });
        match probes.get(&other) {
            None => wrong.push(format!("{name} has no {other} beside it")),
            Some(by_hand) if side == "sdk" && by_hand != code => {
                wrong.push(format!("{pair}: the accessor is\n{code}and the store by hand\n{by_hand}"));
            }
            Some(_) => {}
        }
    }
    wrong
}

/// The functions `sdk_X` and `raw_X` as text.
fn probes(repository: &Repository) -> Result<(Toolchain, BTreeMap<String, String>)> {
    let toolchain = Toolchain::pick(repository)?;
    let built = modules::compile(repository, &toolchain, &[PACKAGE])?;
    let file = built.join("codegen_probe.wasm");
    let probes = functions(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if probes.is_empty() {
        bail!("{PACKAGE} exports no pairs sdk_X and raw_X");
    }
    Ok((toolchain, probes))
}

fn functions(file: &Path) -> Result<BTreeMap<String, String>> {
    let wasm = fs::read(file)?;
    let (mut exports, mut bodies, mut imported) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(&wasm) {
        match payload? {
            Payload::ImportSection(imports) => imported = imports.into_imports().count(),
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let is_probe = export.name.starts_with("sdk_") || export.name.starts_with("raw_");
                    if export.kind == ExternalKind::Func && is_probe {
                        exports.push((export.name.to_owned(), export.index as usize));
                    }
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }
    let code = |index: usize| bodies.get(index - imported).context("an export of an imported function").map(text);
    exports.into_iter().map(|(name, index)| Ok((name, code(index)??))).collect()
}

/// Locals and instructions, one a line.
fn text(body: &FunctionBody<'_>) -> Result<String> {
    let mut text = String::new();
    for local in body.get_locals_reader()? {
        let (count, kind) = local?;
        let _ = writeln!(text, "local {count} {kind}");
    }
    for operator in body.get_operators_reader()? {
        let _ = writeln!(text, "{:?}", operator?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(probes: &[(&str, &str)]) -> usize {
        different(&probes.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned())).collect()).len()
    }

    #[test]
    fn a_pair_must_be_the_same() {
        assert_eq!(wrong(&[("sdk_a", "store"), ("raw_a", "store")]), 0);
        assert_eq!(wrong(&[("sdk_a", "check store"), ("raw_a", "store")]), 1);
    }

    #[test]
    fn nothing_stands_alone() {
        assert_eq!(wrong(&[("sdk_a", "store"), ("raw_b", "store")]), 2);
    }
}
