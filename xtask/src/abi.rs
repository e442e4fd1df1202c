//! The ABI's code and its version change together, or not at all: `abi/ABI.lock` remembers both.

use crate::command::Repository;
use crate::files::{self, File};
use crate::source;
use anyhow::{Context, Result, bail};
use std::fmt::{self, Display};
use std::fs;

const FOLDER: &str = "abi/src";
const LOCK: &str = "abi/ABI.lock";
const NOTE: &str = "\
# Which version of the ABI the code in abi/src is, by a checksum over that code without comments and white space.
# Where the code changed in what a module sees, raise ABI_VERSION; then, in any case: ./x abi-check --bless
";

/// A version and the code that it stands for.
#[derive(Debug, PartialEq)]
struct State {
    version: u32,
    checksum: u64,
}

impl Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NOTE}version = {}\nchecksum = {:016x}\n", self.version, self.checksum)
    }
}

impl State {
    /// Of the code as it is. The files come sorted by path.
    fn of_code(files: &[File]) -> Result<Self> {
        let mut checksum = FNV_BASIS;
        let mut version = None;
        for file in files {
            let code = source::stripped(&file.text);
            checksum = fnv(fnv(checksum, &file.path), &code);
            version = version.or_else(|| number_after(&code, "pubconstABI_VERSION:u32="));
        }
        Ok(Self { version: version.context("abi/src has no `pub const ABI_VERSION: u32`")?, checksum })
    }

    fn of_lock(text: &str) -> Option<Self> {
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        let checksum = u64::from_str_radix(field("checksum")?, 16).ok()?;
        Some(Self { version: field("version")?.parse().ok()?, checksum })
    }

    /// What is wrong with the code, given what the lock says.
    fn problem(&self, lock: Option<&Self>) -> Option<String> {
        let Some(lock) = lock else {
            return Some(format!("{LOCK} is missing or unreadable: ./x abi-check --bless"));
        };
        if self == lock {
            None
        } else if self.version == lock.version {
            Some(format!(
                "the code in {FOLDER} changed, ABI_VERSION is still {}. Where a module can see the change, raise it; then ./x \
                 abi-check --bless",
                self.version
            ))
        } else {
            Some(format!("ABI_VERSION is {}, {LOCK} says {}: ./x abi-check --bless", self.version, lock.version))
        }
    }
}

/// What is wrong: the code changed and the lock did not, or the other way round.
pub(crate) fn problem(repository: &Repository) -> Result<Option<String>> {
    let code = State::of_code(&files::under(repository, FOLDER)?)?;
    let lock = fs::read_to_string(repository.path(LOCK)).ok().and_then(|text| State::of_lock(&text));
    Ok(code.problem(lock.as_ref()))
}

/// Fails where something is wrong.
pub(crate) fn check(repository: &Repository) -> Result<()> {
    if let Some(problem) = problem(repository)? {
        bail!(problem);
    }
    println!("{LOCK} is true");
    Ok(())
}

/// Writes the lock anew.
pub(crate) fn bless(repository: &Repository) -> Result<()> {
    let state = State::of_code(&files::under(repository, FOLDER)?)?;
    fs::write(repository.path(LOCK), state.to_string()).with_context(|| format!("cannot write {LOCK}"))?;
    println!("{LOCK} is of version {}", state.version);
    Ok(())
}

fn number_after(code: &str, start: &str) -> Option<u32> {
    code.split_once(start)?.1.split_once(';')?.0.parse().ok()
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: it guards against forgetting, not against malice, and needs no dependency.
fn fnv(checksum: u64, text: &str) -> u64 {
    text.bytes().fold(checksum, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(code: &str) -> State {
        State::of_code(&[File { path: "abi/src/lib.rs".into(), text: format!("//! Doc.\n{code}") }]).expect("a version")
    }

    #[test]
    fn the_lock_reads_what_it_writes() {
        let state = state("pub const ABI_VERSION: u32 = 7;");
        assert_eq!(state.version, 7);
        assert_eq!(State::of_lock(&state.to_string()), Some(state));
    }

    #[test]
    fn comments_change_nothing() {
        let (old, new) =
            (state("pub const ABI_VERSION: u32 = 1;"), state("/// More.\npub const ABI_VERSION: u32 = 1;"));
        assert_eq!(new.problem(Some(&old)), None);
    }

    #[test]
    fn changed_code_needs_a_blessing() {
        let old = state("pub const ABI_VERSION: u32 = 1;");
        let same_version = state("pub const ABI_VERSION: u32 = 1; pub const A: u8 = 0;").problem(Some(&old));
        assert!(same_version.is_some_and(|text| text.contains("still 1")));
        let next_version = state("pub const ABI_VERSION: u32 = 2;").problem(Some(&old));
        assert!(next_version.is_some_and(|text| text.contains("is 2, abi/ABI.lock says 1")));
        assert!(old.problem(None).is_some());
    }

    #[test]
    fn fnv_is_fnv() {
        assert_eq!(fnv(FNV_BASIS, "foobar"), 0x8594_4171_f739_67e8);
    }
}
