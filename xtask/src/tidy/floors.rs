//! Inside a crate, files and folders stand on floors too: who is named in `use crate::...` stands below. So there is no circle of
//! imports, and a reader may begin at the top or at the ground.
//!
//! Between crates Cargo keeps the order; `dependencies.rs` says which arrows there are.

use super::Finding;
use crate::files::File;
use crate::source::{self, Kind};

/// A crate's folder, and its rooms from the top to the ground. Rooms of one line know nothing of each other.
struct House {
    folder: &'static str,
    floors: &'static [&'static [&'static str]],
}

#[rustfmt::skip]
const HOUSES: &[House] = &[
    House { folder: "runtime/src/", floors: &[
        &["target", "sim"],
        &["latencies"],
        &["run", "bench"],
        &["setup"],
        &["swap", "fault", "losses", "snapshot", "manifest", "graph", "capture"],
        &["lcores"],
        &["profiling"],
        &["parts", "options", "readers"],
    ] },
    House { folder: "runtime/datapath/src/", floors: &[
        &["lcore"],
        &["orders"],
        &["switch"],
        &["rebuild"],
        &["chain", "shares"],
        &["stage"],
        &["outlet", "guard", "faults"],
        &["pacer"],
        &["shape"],
        &["seat"],
        &["source", "health"],
        &["taps", "timing", "entrance"],
        &["flow", "filter", "offload", "border", "probing", "stamp", "identity"],
        &["sieve"],
        &["ledger"],
        &["recorder", "phases"],
        &["on_wire", "pressure", "port", "headers", "stream"],
    ] },
    House { folder: "runtime/pace/src/", floors: &[
        &["schedule", "wheel", "fit", "choice"],
        &["walk"],
        &["exact"],
        &["tempo", "draws"],
    ] },
    House { folder: "runtime/measure/src/", floors: &[
        &["receiver", "sender", "matcher", "stages", "observer"],
        &["readings"],
        &["flow", "arrivals"],
        &["window", "sent", "order", "delay", "gaps", "load"],
        &["density", "sliding"],
        &["buckets"],
        &["run"],
        &["probe", "memory", "sights"],
        &["times"],
        &["tally"],
    ] },
    House { folder: "cli/src/", floors: &[
        &["main"],
        &["convert"],
        &["streams", "short", "rerun", "replay", "manual", "inspect", "check", "ports", "doctor", "provenance"],
        &["run"],
        &["attendants", "control", "view"],
        &["args", "supervisor", "log", "pci", "signals", "ready"],
        &["top", "history", "find"],
        &["capture", "web", "routes", "ctl", "conformance", "sim", "calibrate", "clocks", "plot", "dissect"],
        &["client", "live"],
        &["profile"],
        &["rates", "summary", "load", "module_config", "paced", "new", "jail", "intervals"],
        &["read", "table"],
        &["output"],
        &["terminal"],
    ] },
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    check_against(files, HOUSES)
}

fn check_against(files: &[File], houses: &[House]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (house, file) in houses.iter().flat_map(|house| files.iter().map(move |file| (house, file))) {
        let Some(inside) = file.path.strip_prefix(house.folder).filter(|inside| inside.ends_with(".rs")) else {
            continue;
        };
        let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        // The root names them all, and tests may look up.
        if room == "lib" || inside.ends_with("tests.rs") {
            continue;
        }
        let Some(own) = house.floor(room) else {
            let what = "stands on no floor: give it one in xtask/src/tidy/floors.rs";
            findings.push(Finding::Error(format!("{}: {what}", file.path)));
            continue;
        };
        for (line, named) in named(&file.text) {
            if named != room && house.floor(&named).is_some_and(|floor| floor <= own) {
                let what = format!("{room} names {named}, which does not stand below it (xtask/src/tidy/floors.rs)");
                findings.push(Finding::Error(format!("{}:{line}: {what}", file.path)));
            }
        }
    }
    findings
}

impl House {
    /// 0 is the top.
    fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|floor| floor.contains(&room))
    }
}

/// The rooms that code names as `crate::ROOM` before its tests, with their lines.
fn named(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line = 1;
    let own = text.split("#[cfg(test)]\nmod test").next().unwrap_or_default();
    for (kind, piece) in source::pieces(own) {
        if kind == Kind::Code {
            for (at, _) in piece.match_indices("crate::") {
                let before = piece[..at].chars().next_back();
                let room: String =
                    piece[at + "crate::".len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    found.push((line + piece[..at].matches('\n').count(), room));
                }
                // `use crate::{a, b::c};`
                let list = piece[at + "crate::".len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
                let rooms = list.into_iter().flat_map(|list| list.split(','));
                let at = line + piece[..at].matches('\n').count();
                found.extend(rooms.map(|room| (at, room.trim().split("::").next().unwrap_or_default().to_owned())));
            }
        }
        line += piece.matches('\n').count();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &[House] = &[House { folder: "h/src/", floors: &[&["roof"], &["left", "right"], &["ground"]] }];

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.into(), text: text.into() };
        let text = |finding: Finding| match finding {
            Finding::Error(text) | Finding::Warning(text) => text,
        };
        check_against(&[file], HOUSE).into_iter().map(text).collect()
    }

    #[test]
    fn whoever_looks_up_is_told() {
        for text in ["use crate::roof::Tile;", "use super::x;\nuse crate::roof;", "fn f() { crate::roof::g() }"] {
            assert_eq!(found("h/src/ground.rs", text).len(), 1, "{text}");
        }
        assert_eq!(found("h/src/left/mod.rs", "use crate::{ground, right::X};").len(), 1);
        assert!(
            found("h/src/left/mod.rs", "use crate::right::X;")[0].starts_with("h/src/left/mod.rs:1: left names right")
        );
        assert!(found("h/src/attic.rs", "")[0].contains("stands on no floor"));
    }

    #[test]
    fn whoever_looks_down_or_only_talks_is_not() {
        for text in [
            "use crate::ground::Stone;",
            "/// [`crate::roof`]",
            "use crate::left::a;",
            "#[cfg(test)]\nmod test { use crate::roof; }",
        ] {
            assert_eq!(found("h/src/left/b.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(found("h/src/lib.rs", "use crate::roof;"), Vec::<String>::new());
        assert_eq!(found("other/src/ground.rs", "use crate::roof;"), Vec::<String>::new());
    }
}
