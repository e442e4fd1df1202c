//! Everything that can be said about a configuration without starting anything. Each function adds the problems that it
//! finds to the list; none stops at the first, so that a user mends a file in one go.

mod captures;
mod capturing;
mod chains;
mod device_texts;
mod devices;
mod entries;
mod faults;
mod files;
mod filters;
mod flows;
mod grants;
mod interfaces;
mod load;
mod memory;
mod paths;
mod played;
mod queues;
mod sim;
mod streams;
mod triggers;
mod web;
mod wires;

use super::{Config, allowed_cpus};
use crate::Grants;
use perigee_machine::{Memory, Rights};
use std::path::Path;

pub use captures::Captures;
pub(crate) use streams::pace;

use perigee_report::{Problem, Severity};

impl Config {
    /// Finds what is wrong with the configuration in itself, whatever the machine: names, ranges, what fits together.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        entries::run(self, &mut found);
        web::web(self, &mut found);
        load::load(self, &mut found);
        entries::ports(self, &mut found);
        device_texts::shared(self, &mut found);
        devices::arguments(self, &mut found);
        devices::observed(self, &mut found);
        captures::arguments(self, &mut found);
        entries::modules(self, &mut found);
        faults::modules(self, &mut found);
        faults::watchdog(self, &mut found);
        flows::rules(self, &mut found);
        flows::rss(self, &mut found);
        entries::rings(self, &mut found);
        chains::chains(self, &mut found);
        streams::streams(self, &mut found);
        paths::paths(self, &mut found);
        capturing::captures(self, &mut found);
        capturing::histories(self, &mut found);
        triggers::triggers(self, &mut found);
        sim::sim(self, &mut found);
        found.0
    }

    /// Finds what the machine cannot give: `cpus` are those that the run may use ([`allowed_cpus`]).
    #[must_use]
    pub fn validate_cpus(&self, cpus: &[u32]) -> Vec<Problem> {
        let mut found = Problems::default();
        chains::lcores(self, cpus, &mut found);
        queues::queues(self, &self.placement(cpus), &mut found);
        found.0
    }

    /// Finds filters that libpcap does not compile. It may look names up, which takes as long as it takes.
    #[must_use]
    pub fn validate_filters(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        filters::filters(self, &mut found);
        found.0
    }

    /// Finds what ports want of the kernel and cannot have: interfaces, and rights.
    #[must_use]
    pub fn validate_interfaces(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        interfaces::interfaces(self, &mut found);
        found.0
    }

    /// Finds what of the run does not fit into the memory that this machine and process have left.
    #[must_use]
    pub fn validate_memory(&self, cpus: &[u32]) -> Vec<Problem> {
        let mut found = Problems::default();
        memory::memory(self, &Memory::now(), Rights::now(), cpus, &mut found);
        found.0
    }

    /// Finds files that are named and not there, and secrets' files that others can get at; a module's files are looked for in `base`.
    #[must_use]
    pub fn validate_files(&self, base: &Path) -> Vec<Problem> {
        let mut found = Problems::default();
        files::modules(self, base, &mut found);
        files::secrets(self, base, &mut found);
        files::devices(self, &mut found);
        played::paths(self, base, &mut found);
        devices::interfaces(self, &mut found);
        load::files(self, base, &mut found);
        streams::files(self, base, &mut found);
        found.0
    }

    /// Reads the captures that ports will read to their ends (into memory, those that are played from there), and asks for the interfaces that they are made on. What is wrong
    /// there is in [`Captures::problems`]; it is no part of [`Self::problems`], for it takes as long as the files are long.
    #[must_use]
    pub fn captures(&self, base: &Path) -> Captures {
        Captures::look(self, base)
    }

    /// All that can be found without starting anything, on this machine.
    #[must_use]
    pub fn problems(&self, base: &Path) -> Vec<Problem> {
        self.problems_on(base, &allowed_cpus())
    }

    /// As [`Self::problems`], on a machine with these CPUs.
    #[must_use]
    pub fn problems_on(&self, base: &Path, cpus: &[u32]) -> Vec<Problem> {
        let mut found = self.validate();
        found.extend(self.validate_cpus(cpus));
        found.extend(self.validate_filters());
        found.extend(self.validate_files(base));
        found.extend(self.validate_interfaces());
        // Numbers that are out of their range add up to nothing that would help.
        if found.iter().all(|problem| problem.severity == Severity::Warning) {
            found.extend(self.validate_memory(cpus));
        }
        found
    }
}

/// Refuses a manifest with numbers that no configuration can grant, in one line.
pub fn grantable(grants: &Grants) -> Result<(), String> {
    let mut found = Problems::default();
    grants::numbers(grants, "", "its grants", &mut found);
    let wrong: Vec<_> =
        found.0.iter().filter(|problem| problem.severity == Severity::Error).map(ToString::to_string).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// The list that the checks write to.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn error(&mut self, path: impl Into<String>, what: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem { path: path.into(), what: what.into(), help: help.into(), severity: Severity::Error });
    }

    fn warning(&mut self, path: impl Into<String>, what: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem { path: path.into(), what: what.into(), help: help.into(), severity: Severity::Warning });
    }

    /// Checks that `name` is one of `known`, which are things of that `kind`; `who` asks for it.
    fn known(&mut self, path: String, who: &str, kind: &str, name: &str, known: &[&str]) {
        if !known.contains(&name) {
            self.error(path, format!("{who}: unknown {kind} {name:?}"), known_names(kind, name, known));
        }
    }

    /// Checks that the names of one kind are there and differ; `names` are in the order of the file.
    fn names<'a>(&mut self, kind: &str, names: impl Iterator<Item = &'a str>) {
        let names: Vec<&str> = names.collect();
        for (index, name) in names.iter().enumerate() {
            let path = format!("{kind}[{index}].name");
            if name.is_empty() {
                self.error(path, format!("{kind} number {index} has an empty name"), "chains and statistics need one");
            } else if let Some(first) = names[..index].iter().position(|other| other == name) {
                let help = format!("{kind} number {first} has that name already");
                self.error(path, format!("duplicate {kind} name {name:?}"), help);
            }
        }
    }
}

/// What to offer to somebody who wrote `name`.
fn known_names(kind: &str, name: &str, known: &[&str]) -> String {
    let list = known.join(", ");
    match (known, closest(name, known.iter().copied())) {
        ([], _) => format!("no {kind} is declared: add a [[{kind}]]"),
        (_, Some(close)) => format!("did you mean {close:?}? known {kind}s: {list}"),
        (_, None) => format!("known {kind}s: {list}"),
    }
}

/// The name that somebody probably meant, where one is close enough.
#[must_use]
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in a short name and two in a longer one; in names of one letter every other name would be "close".
    let most = if name.chars().count() > 4 { 2 } else { 1 };
    let distance = |other: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let best = known.filter(|other| other.chars().count() > 1).min_by_key(distance)?;
    (name.chars().count() > 1 && distance(&best) <= most).then_some(best)
}
