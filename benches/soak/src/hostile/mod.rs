//! Hostile modules, one per abuse, and what must become of each. The catalogue is in `benches/soak/hostile/*.toml`, by theme;
//! [`bulk`] adds bulk memory operations at every edge of the window.

pub mod bulk;
mod group;
mod judge;
mod text;

pub use group::{Outcome, refuse, run_group};
pub use text::PAGES;

use serde::Deserialize;
use std::collections::BTreeSet;

/// A hostile module: what it does, and what must become of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hostile {
    /// Its name, the only one of that name.
    pub name: String,
    /// What it does.
    pub abuse: String,
    /// The threat: T1 to T23 of the threat model.
    pub threat: String,
    /// Its whole text, instead of the parts below.
    pub module: Option<String>,
    /// A built module of `target/modules`, instead of text; its configuration says which abuse.
    pub file: Option<String>,
    /// Imports beside those of the host.
    pub imports: String,
    /// Functions and the like.
    pub items: String,
    /// What it does for each packet, with its descriptor in `$d` and its number in `$i`; by default: Next.
    pub each: Option<String>,
    /// What it does once in each batch, after that.
    pub once: String,
    /// It is the source of its chain: `generate` in place of `process`.
    pub generates: bool,
    /// The items define the callback.
    pub own_callback: bool,
    /// Spare rooms that it asks for.
    pub spares: u32,
    /// Pages of its memory, where that is not [`PAGES`].
    pub pages: u32,
    /// Keys of its `[[module]]` in the configuration.
    pub config: String,
    /// Keys of its `[module.grants]`, beside those that all have.
    pub grants: String,
    /// It writes into rooms of others in its trust domain, so what these send is anything: it is in a run with its like.
    pub scribbles: bool,
    /// Calls that the harness makes: message, save, restore.
    pub ask: Option<Ask>,
    /// Batches that it lives through at least, where it lives.
    pub batches: Option<u64>,

    /// It is not started, and the error has this text.
    pub refused: Option<String>,
    /// It fails, and the reason has this text.
    pub fault: Option<String>,
    /// The class of its fault.
    pub class: Option<String>,
    /// Counters of its chain that rise: causes of drops, `bad_outputs`, `tx_time_ignored`, `created`, `log_lost`.
    pub counts: Vec<String>,
    /// The answer to `ask` is an error with this text.
    pub answer: Option<String>,
    /// It does no harm, and lives on.
    pub lives: bool,
}

/// What the harness asks of a module while the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// `Run::message` with four bytes.
    Message,
    /// `Run::save`.
    Save,
    /// `Run::restore` with four bytes.
    Restore,
}

#[derive(Deserialize)]
struct Catalogue {
    module: Vec<Hostile>,
}

/// The catalogue's files.
const FILES: [(&str, &str); 9] = [
    ("load", include_str!("../../hostile/load.toml")),
    ("init", include_str!("../../hostile/init.toml")),
    ("descriptors", include_str!("../../hostile/descriptors.toml")),
    ("lists", include_str!("../../hostile/lists.toml")),
    ("traps", include_str!("../../hostile/traps.toml")),
    ("time", include_str!("../../hostile/time.toml")),
    ("hostcalls", include_str!("../../hostile/hostcalls.toml")),
    ("memory", include_str!("../../hostile/memory.toml")),
    ("languages", include_str!("../../hostile/languages.toml")),
];

/// A module that passes packets on, for whoever needs one.
#[must_use]
pub fn harmless_text() -> String {
    text::text(&Hostile::default()).unwrap_or_default()
}

/// A module that puts each second packet into its output list, and holds some.
#[must_use]
pub(crate) fn listing_text() -> String {
    let each = "(i32.store offset=8 (local.get $d) (select (i32.const 5) (i32.const 1) (i32.and (local.get $i) (i32.const 1))))
      (if (i32.and (local.get $i) (i32.const 1)) (then (call $list (i32.shr_u (local.get $i) (i32.const 1)) (local.get $d)
        (local.get $i) (select (i32.const 4) (i32.const 2) (i32.eq (local.get $i) (i32.const 7))))))";
    text::text(&Hostile { each: Some(each.to_owned()), spares: 4, ..Hostile::default() }).unwrap_or_default()
}

/// All hostile modules that were written by hand.
///
/// # Panics
/// Where the catalogue contradicts itself: it is part of this program.
#[must_use]
pub fn catalogue() -> Vec<Hostile> {
    let mut all = Vec::new();
    for (file, text) in FILES {
        let read: Catalogue = toml::from_str(text).unwrap_or_else(|e| panic!("benches/soak/hostile/{file}.toml: {e}"));
        all.extend(read.module);
    }
    let mut names = BTreeSet::new();
    for hostile in &all {
        assert!(names.insert(&hostile.name), "two modules {}", hostile.name);
        assert!(hostile.threat.starts_with('T') && !hostile.abuse.is_empty(), "{}: what for?", hostile.name);
        let says = usize::from(hostile.refused.is_some() || hostile.fault.is_some() || hostile.lives)
            + hostile.counts.len()
            + usize::from(hostile.answer.is_some());
        assert!(says > 0, "{}: nothing is expected of it", hostile.name);
    }
    all
}
