//! Hostile modules, one per abuse, and what must become of each. The catalogue is in `benches/soak/hostile/*.toml`, by theme;
//! [`bulk`] adds bulk memory operations at every edge of the window.

pub mod bulk;
mod group;
mod judge;
mod module;
mod text;

pub use group::{Outcome, refuse, run_group};
pub use module::{Ask, Hostile};
pub use text::PAGES;

use serde::Deserialize;
use std::collections::BTreeSet;

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
