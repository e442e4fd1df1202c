//! What each piece took when somebody last looked: `benches/INSTRUCTIONS.lock`, which the tests hold the counts against.
//!
//! The counts are those of one compiler and one DPDK. The host's compiler is pinned; where DPDK or a module's bytes differ from those
//! of the lock, a piece may take a tenth more or less instead of a fiftieth.

use crate::report::Instructions;
use anyhow::{Context, Result, ensure};
use perigee_core::hex::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FILE: &str = "benches/INSTRUCTIONS.lock";
const NOTE: &str = "\
# Instructions of one burst of 64, counted by ./x bench --instructions; benches/tests/instructions.rs compares them.
# Where a change is worth its instructions, or saves some: ./x bench --instructions --bless
";
/// Modules whose code is counted, and the works that they do.
const MODULES: [(&str, &[&str]); 3] = [
    ("udp-gen", &["template", "two-fields", "two-fields+ip"]),
    ("raw-udp-gen", &["template", "two-fields", "two-fields+ip"]),
    ("reflector", &["mac-swap"]),
];
/// The twins are in C, for comparison: not ours to guard.
const TWIN: &str = "twin's kernel";
/// What asks for memory: how long that takes depends on what was asked before.
const ALLOCATES: &str = "watched: ";
/// Instructions up to which there is no difference: a register saved here or there. The way into a module had 296 in one folder and 304 in another, by the
/// same compiler: how it divides a crate, and so which of the engine's generic functions it inlines, depends on the folder's name.
const SLACK: u64 = 10;

/// The counts, and what they depend on beside this repository.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Lock {
    /// Parts of it are compiled into the host by the system's compiler.
    dpdk: String,
    /// By name: the SHA-256 of each module that was called.
    modules: BTreeMap<String, String>,
    /// By work and piece.
    counts: BTreeMap<String, u64>,
}

impl Lock {
    /// What was counted just now.
    pub(crate) fn of(counted: &[Instructions], dpdk: &str, root: &Path) -> Result<Self> {
        let digest = |name: &str| -> Result<String> {
            let file = root.join(format!("target/modules/{name}.wasm"));
            let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok(hex(&Sha256::digest(&bytes)))
        };
        let modules = MODULES.iter().map(|(name, _)| Ok(((*name).to_owned(), digest(name)?)));
        let ours = counted.iter().filter(|i| i.piece != TWIN);
        Ok(Self {
            dpdk: dpdk.to_owned(),
            modules: modules.collect::<Result<_>>()?,
            counts: ours.map(|i| (format!("{}: {}", i.work, i.piece), i.burst_instructions)).collect(),
        })
    }

    /// Makes it the one to compare with.
    pub(crate) fn bless(&self, root: &Path) -> Result<()> {
        let file = root.join(FILE);
        let text = NOTE.to_owned() + &toml::to_string(self)?;
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("\nwritten to {FILE}");
        Ok(())
    }

    /// The one to compare with.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let file = root.join(FILE);
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", file.display()))
    }

    /// What a piece takes, as `watched: report`.
    pub(crate) fn instructions(&self, piece: &str) -> Result<u64> {
        self.counts.get(piece).copied().with_context(|| format!("{FILE} has no {piece:?}"))
    }

    /// Fails where a piece takes more than the lock says, or less: then the lock would guard nothing.
    pub(crate) fn check(&self, root: &Path) -> Result<()> {
        let differences = self.differences(&Self::read(root)?);
        ensure!(
            differences.is_empty(),
            "{FILE} has other counts; where the change is worth it: ./x bench --instructions --bless\n  {}",
            differences.join("\n  ")
        );
        println!("\nas {FILE} says");
        Ok(())
    }

    fn differences(&self, lock: &Self) -> Vec<String> {
        let mut all = Vec::new();
        for (name, count) in &self.counts {
            let Some(was) = lock.counts.get(name) else {
                all.push(format!("{name}: {count}, and no count in the lock"));
                continue;
            };
            let share = match self.is_alike(lock, name) {
                _ if name.starts_with(ALLOCATES) => 4,
                true => 50,
                false => 10,
            };
            if count.abs_diff(*was) > (was / share).max(SLACK) {
                all.push(format!("{name}: {count}, was {was}, may differ by one in {share}"));
            }
        }
        let gone = lock.counts.keys().filter(|name| !self.counts.contains_key(*name));
        all.extend(gone.map(|name| format!("{name}: no longer counted")));
        all
    }

    /// Whether what this piece runs was made by the same compilers.
    fn is_alike(&self, lock: &Self, name: &str) -> bool {
        let work = name.split(": ").next().unwrap_or(name);
        let mut modules = MODULES.iter().filter(|(_, works)| works.contains(&work));
        self.dpdk == lock.dpdk && modules.all(|(module, _)| self.modules.get(*module) == lock.modules.get(*module))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn lock(dpdk: &str, reflector: &str, counts: &[(&str, u64)]) -> Lock {
        Lock {
            dpdk: dpdk.to_owned(),
            modules: [("reflector".to_owned(), reflector.to_owned())].into(),
            counts: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }

    #[test]
    fn a_fiftieth_is_the_same_and_more_is_not() {
        let was = lock("a", "m", &[("nothing: crossing", 100), ("mac-swap: call", 2_000)]);
        for (crossing, call, differing) in
            [(110, 2_040, 0), (111, 2_000, 1), (89, 2_000, 1), (100, 2_041, 1), (80, 1_900, 2)]
        {
            let now = lock("a", "m", &[("nothing: crossing", crossing), ("mac-swap: call", call)]);
            assert_eq!(now.differences(&was).len(), differing, "{crossing} {call}");
        }
        let report = |count| lock("a", "m", &[("watched: report", count)]);
        assert_eq!([report(1_200), report(1_300)].map(|now| now.differences(&report(1_000)).len()), [0, 1]);
    }

    #[test]
    fn other_compilers_have_a_tenth() {
        let was = lock("a", "m", &[("nothing: crossing", 1_000), ("mac-swap: call", 2_000)]);
        let counts = [("nothing: crossing", 1_030), ("mac-swap: call", 2_200)];
        assert_eq!(lock("b", "m", &counts).differences(&was), [""; 0]);
        let text = lock("a", "other", &counts).differences(&was).join("\n");
        assert_eq!(text, "nothing: crossing: 1030, was 1000, may differ by one in 50");
    }

    #[test]
    fn pieces_come_and_go_by_name() {
        let now = lock("a", "m", &[("b: poll", 1)]);
        let text = now.differences(&lock("a", "m", &[("a: poll", 1)])).join("\n");
        assert_eq!(text, "b: poll: 1, and no count in the lock\na: poll: no longer counted");
    }
}
