//! Packet modules in languages other than Rust. Each language has its SDK in a folder of `guest-sdk/`, and there the same
//! two modules, a reflector and a generator; they are built from here to `target/modules/NAME-KEY.wasm`.

mod assemblyscript;
mod c;
mod go;
mod zig;

use crate::command::Repository;
use crate::files::place;
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// A language that modules are written in.
pub(crate) struct Language {
    /// Short name, as in `target/modules/reflector-KEY.wasm`.
    pub(crate) key: &'static str,
    /// The name that people know.
    pub(crate) name: &'static str,
    /// Folder of the SDK and of its modules, from the repository's root.
    pub(crate) folder: &'static str,
    /// Installs what building takes, where it is missing.
    pub(crate) setup: fn(&Repository) -> Result<()>,
    /// Builds `reflector.wasm` and `udp-gen.wasm` in a folder that exists.
    pub(crate) build: fn(&Repository, &Path) -> Result<()>,
}

/// All of them.
pub(crate) const LANGUAGES: &[Language] = &[c::LANGUAGE, zig::LANGUAGE, assemblyscript::LANGUAGE, go::LANGUAGE];

/// The modules that each language has.
pub(crate) const MODULES: [&str; 2] = ["reflector", "udp-gen"];

/// Modules in C for tests, with the names that they get: what a module can try against the host, and one with a flat state.
const IN_C: [(&str, &str); 2] =
    [("benches/soak/hostile/hostile.c", "hostile-c"), ("benches/modules/tally.c", "tally-c")];

/// Installs the toolchains that are missing.
pub(crate) fn setup_all(repository: &Repository) -> Result<()> {
    for language in LANGUAGES {
        (language.setup)(repository).with_context(|| format!("no compiler for modules in {}", language.name))?;
    }
    Ok(())
}

/// Builds all modules that are older than their sources, or than this program, which knows the compilers' flags.
pub(crate) fn build(repository: &Repository) -> Result<()> {
    let to = repository.path("target/modules");
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    let own = env::current_exe().ok().and_then(|path| modified(&path));
    let mut names = Vec::new();
    for language in LANGUAGES {
        let built = repository.path("target/languages").join(language.key);
        let sources = newest(&repository.path(language.folder))?.max(own);
        if oldest_module(&built) <= sources {
            fs::create_dir_all(&built).with_context(|| format!("cannot create {}", built.display()))?;
            build_one(repository, language, &built)?;
        }
        for module in MODULES {
            let name = format!("{module}-{}", language.key);
            place(&built.join(format!("{module}.wasm")), &to.join(format!("{name}.wasm")))?;
            names.push(name);
        }
    }
    for (source, name) in IN_C {
        let built = c::build_file(repository, source, &to.join(format!("{name}.wasm")));
        built.with_context(|| format!("cannot build {source}"))?;
        names.push(name.to_owned());
    }
    println!("modules in target/modules, in other languages: {}", names.join(", "));
    Ok(())
}

fn build_one(repository: &Repository, language: &Language, built: &Path) -> Result<()> {
    (language.setup)(repository).with_context(|| format!("no compiler for modules in {}", language.name))?;
    let result = (language.build)(repository, built);
    if result.is_err() {
        // A module that was built before a test failed would look like a good one to the next build.
        for module in MODULES {
            let _ = fs::remove_file(built.join(format!("{module}.wasm")));
        }
    }
    result.with_context(|| format!("cannot build the modules in {}", language.name))
}

/// The first block of code in the README of an SDK's folder whose language is called `word` there: what users begin with, so
/// it is built as well.
fn readme_example(repository: &Repository, folder: &str, word: &str) -> Result<String> {
    let path = repository.path(folder).join("README.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let block = text.split_once(&format!("```{word}\n")).and_then(|(_, rest)| rest.split_once("```"));
    let (block, _) =
        block.with_context(|| format!("{}: no block of code that begins with ```{word}", path.display()))?;
    Ok(block.to_owned())
}

/// Copies the files of a folder into another, which is made: an SDK beside a user's own module.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let place = to.join(entry.file_name());
            fs::copy(entry.path(), &place).with_context(|| format!("cannot write {}", place.display()))?;
        }
    }
    Ok(())
}

/// When the older of the two modules was built; nothing, which is before all times, where one is missing.
fn oldest_module(built: &Path) -> Option<SystemTime> {
    MODULES.iter().map(|module| modified(&built.join(format!("{module}.wasm")))).min().flatten()
}

/// When anything in a folder last changed, but for what is hidden and what package managers put there.
fn newest(folder: &Path) -> Result<Option<SystemTime>> {
    let mut newest = None;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if name == "node_modules" || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let changed = if kind.is_dir() { self::newest(&entry.path())? } else { modified(&entry.path()) };
        newest = newest.max(changed);
    }
    Ok(newest)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    fn write(path: &Path, seconds: u64) {
        let file = File::create(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn modules_are_built_where_one_is_missing_or_older_than_a_source() {
        let folder = env::temp_dir().join(format!("perigee-languages-{}", std::process::id()));
        let (sources, built) = (folder.join("sources"), folder.join("built"));
        for folder in [sources.join("inside"), sources.join("node_modules"), built.clone()] {
            fs::create_dir_all(folder).unwrap();
        }
        write(&sources.join("inside/perigee.h"), 100);
        write(&sources.join("node_modules/newer.h"), 900);
        let newest = newest(&sources).unwrap();
        assert_eq!(newest, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(100)));

        write(&built.join("reflector.wasm"), 200);
        assert!(oldest_module(&built) <= newest, "the generator is missing");
        write(&built.join("udp-gen.wasm"), 50);
        assert!(oldest_module(&built) <= newest, "the generator is older");
        write(&built.join("udp-gen.wasm"), 101);
        assert!(oldest_module(&built) > newest);
        fs::remove_dir_all(folder).unwrap();
    }

    /// Whatever a module can see raises the version, so an SDK that was forgotten fails here.
    #[test]
    fn the_sdks_are_written_for_this_version_of_the_abi() {
        let contract = include_str!("../../../abi/src/lib.rs");
        let version = contract.split_once("pub const ABI_VERSION: u32 = ").unwrap().1.split_once(';').unwrap().0;
        let sdks = [
            (include_str!("../../../guest-sdk/c/perigee_abi.h"), format!("#define PERIGEE_ABI_VERSION {version}u\n")),
            (include_str!("../../../guest-sdk/zig/abi.zig"), format!("pub const version: u32 = {version};\n")),
        ];
        for (text, line) in sdks {
            assert!(text.contains(&line), "not in an SDK: {line}");
        }
    }

    #[test]
    fn keys_differ() {
        let keys: std::collections::BTreeSet<_> = LANGUAGES.iter().map(|language| language.key).collect();
        assert_eq!(keys.len(), LANGUAGES.len());
    }
}
