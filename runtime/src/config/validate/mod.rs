//! Everything that can be said about a configuration without starting anything. Each function adds the problems that it
//! finds to the list; none stops at the first, so that a user mends a file in one go.

mod chains;
mod entries;
mod faults;
mod files;
mod grants;
mod load;

use super::{Config, allowed_cpus};
use std::fmt;
use std::path::Path;

/// Something in a configuration that is wrong or surprising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `chain[1].source.port`.
    pub path: String,
    /// What: `chain "load": unknown port "x"`.
    pub what: String,
    /// What to do about it: `known ports: a, b`. Empty where there is nothing to add.
    pub help: String,
    /// Whether it keeps the run from starting.
    pub severity: Severity,
}

/// Whether a problem keeps a run from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The run would not do what the file says.
    Error,
    /// The run starts, though something in the file is probably not meant so.
    Warning,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}

impl Config {
    /// Finds what is wrong with the configuration in itself, whatever the machine: names, ranges, what fits together.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        entries::run(self, &mut found);
        load::load(self, &mut found);
        entries::ports(self, &mut found);
        entries::modules(self, &mut found);
        faults::modules(self, &mut found);
        faults::watchdog(self, &mut found);
        entries::rings(self, &mut found);
        chains::chains(self, &mut found);
        found.0
    }

    /// Finds what the machine cannot give: `cpus` are those that the run may use ([`allowed_cpus`]).
    #[must_use]
    pub fn validate_cpus(&self, cpus: &[u32]) -> Vec<Problem> {
        let mut found = Problems::default();
        chains::lcores(self, cpus, &mut found);
        found.0
    }

    /// Finds files that are named and not there; a module's file is looked for in `base`.
    #[must_use]
    pub fn validate_files(&self, base: &Path) -> Vec<Problem> {
        let mut found = Problems::default();
        files::modules(self, base, &mut found);
        files::devices(self, &mut found);
        load::files(self, base, &mut found);
        found.0
    }

    /// All that can be found without starting anything, on this machine.
    #[must_use]
    pub fn problems(&self, base: &Path) -> Vec<Problem> {
        let mut found = self.validate();
        found.extend(self.validate_cpus(&allowed_cpus()));
        found.extend(self.validate_files(base));
        found
    }
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
pub(super) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in a short name and two in a longer one; in names of one letter every other name would be "close".
    let most = if name.chars().count() > 4 { 2 } else { 1 };
    let distance = |other: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let best = known.filter(|other| other.chars().count() > 1).min_by_key(distance)?;
    (name.chars().count() > 1 && distance(&best) <= most).then_some(best)
}
