//! What differs between two configurations, as a list of actions. Nothing is done here: `crate::Run::apply` does it.

use super::path::MeasuredPath;
use super::stream::Stream;
use super::{Chain, Config, Module, Port, Ring};
use std::fmt;

/// One difference, and what it takes to get from the old to the new.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The module is replaced while packets flow.
    Swap {
        /// Its name.
        module: String,
        /// What differs: `file`, `config`, `grants`, `secrets`.
        changed: Vec<&'static str>,
    },
    /// The module comes in while packets flow: it is loaded and tried.
    Add {
        /// Its name.
        module: String,
    },
    /// The module goes.
    Remove {
        /// Its name.
        module: String,
    },
    /// The chain gets other stages while packets flow. Those that stay keep their instances.
    Stages {
        /// Its name.
        chain: String,
        /// Its stages before.
        from: Vec<String>,
        /// And after.
        to: Vec<String>,
    },
    /// A setting of the run changes while packets flow.
    Run {
        /// What differs, as `tick 1ms -> 2ms`.
        what: String,
    },
    /// This cannot be done while packets flow.
    Restart {
        /// What differs, as `port lan: mtu 1500 -> 9000`.
        what: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Swap { module, changed } => write!(f, "swap module {module} ({} changed)", changed.join(", ")),
            Self::Add { module } => write!(f, "add module {module}"),
            Self::Remove { module } => write!(f, "take out module {module}"),
            Self::Stages { chain, from, to } => {
                write!(f, "change chain {chain} (stages [{}] -> [{}])", from.join(", "), to.join(", "))
            }
            Self::Run { what } => write!(f, "change run ({what})"),
            Self::Restart { what } => write!(f, "{what} needs a restart"),
        }
    }
}

const ADDED: &str = "adding it";
const TAKEN_OUT: &str = "taking it out";

/// Texts of the fields that differ: `mtu 1500 -> 9000`.
macro_rules! changes {
    ($old:expr, $new:expr; $($field:ident),+ $(,)?) => {{
        let (old, new) = ($old, $new);
        let mut changes = Vec::new();
        $(if old.$field != new.$field {
            changes.push(format!("{} {} -> {}", stringify!($field), text(&old.$field), text(&new.$field)));
        })+
        changes
    }};
}

impl Config {
    /// The differences between this configuration and a new one, in the order of the new one. A pure function: what is in
    /// the modules' files is not looked at.
    #[must_use]
    pub fn diff(&self, new: &Self) -> Vec<Action> {
        let mut actions = Vec::new();
        let (before, after) = (&self.run, &new.run);
        let live = changes!(before, after; duration, tick, watchdog, watchdog_abort, capture_memory);
        actions.extend(live.into_iter().map(|what| Action::Run { what }));
        let run = changes!(before, after; seed, burst, idle, huge_pages, eal_memory, eal_args, evidence, jail, user,
            control, metrics, web, web_insecure, web_control, web_origin);
        restart(&mut actions, "run", run);
        let load = if self.load == new.load { vec![] } else { vec!["other settings".to_owned()] };
        restart(&mut actions, "load", load);
        by_name(&mut actions, "port", &self.ports, &new.ports, |p| &p.name, port);
        by_name(&mut actions, "ring", &self.rings, &new.rings, |r| &r.name, ring);
        by_name(&mut actions, "chain", &self.chains, &with_stages_of(&new.chains, &self.chains), |c| &c.name, chain);
        by_name(&mut actions, "stream", &self.streams, &new.streams, |s| &s.name, stream);
        let captures = if self.capturing == new.capturing { vec![] } else { vec!["its entries".to_owned()] };
        restart(&mut actions, "capture", captures);
        let histories = if self.histories == new.histories { vec![] } else { vec!["its entries".to_owned()] };
        restart(&mut actions, "history", histories);
        let triggers = if self.triggers == new.triggers { vec![] } else { vec!["its entries".to_owned()] };
        restart(&mut actions, "trigger", triggers);
        by_name(&mut actions, "path", &self.paths, &new.paths, |p| &p.name, path);
        self.diff_modules(new, &mut actions);
        self.diff_stages(new, &mut actions);
        actions
    }

    fn diff_modules(&self, new: &Self, actions: &mut Vec<Action>) {
        for module in &new.modules {
            let place = format!("module {}", module.name);
            let old = self.modules.iter().find(|old| old.name == module.name);
            if let Some(old) = old.filter(|old| old.domain != module.domain) {
                restart(actions, &place, changes!(old, module; domain));
            } else if !self.domains().contains(&module.domain.as_str()) && !self.modules.is_empty() {
                restart(actions, &place, vec![format!("the new domain {:?}", module.domain)]);
            } else if module.grants.limits_sources() && !self.limits_sources() {
                restart(actions, &place, vec!["the first grants of source_mac or source_ip of this run".to_owned()]);
            } else if old.is_none() {
                actions.push(Action::Add { module: module.name.clone() });
            } else if let Some(old) = old.filter(|old| *old != module) {
                actions.push(Action::Swap { module: module.name.clone(), changed: module_changes(old, module) });
            }
        }
        let gone = self.modules.iter().filter(|old| new.module(&old.name).is_none());
        actions.extend(gone.map(|old| Action::Remove { module: old.name.clone() }));
    }

    /// Stages come and go, but for what the ports' memory was laid out for: the domain into which a chain's packets come.
    fn diff_stages(&self, new: &Self, actions: &mut Vec<Action>) {
        let one_domain = |config: &Self| config.domains().len() == 1 && !config.limits_sources();
        let entry = |config: &Self, chain: &Chain| {
            let first = chain.modules().next()?;
            Some(config.modules.get(config.module(first)?)?.domain.clone())
        };
        for chain in &new.chains {
            let Some(old) = self.chains.iter().find(|old| old.name == chain.name) else { continue };
            if old.stages == chain.stages {
                continue;
            }
            if entry(self, old) == entry(new, chain) || one_domain(self) && one_domain(new) {
                let (from, to) = (old.stages.clone(), chain.stages.clone());
                actions.push(Action::Stages { chain: chain.name.clone(), from, to });
            } else {
                let what = "another trust domain of its first module".to_owned();
                restart(actions, &format!("chain {}", chain.name), vec![what]);
            }
        }
    }
}

/// These chains with the stages of others, by name: what is left to compare is all but the stages.
fn with_stages_of(chains: &[Chain], others: &[Chain]) -> Vec<Chain> {
    let one = |chain: &Chain| {
        let other = others.iter().find(|other| other.name == chain.name);
        Chain { stages: other.unwrap_or(chain).stages.clone(), ..chain.clone() }
    };
    chains.iter().map(one).collect()
}

fn restart(actions: &mut Vec<Action>, place: &str, changes: Vec<String>) {
    actions.extend(changes.into_iter().map(|change| Action::Restart { what: format!("{place}: {change}") }));
}

/// Compares what has names. Ports and rings are known to modules by their position, so the order counts too.
fn by_name<T: PartialEq>(
    actions: &mut Vec<Action>,
    kind: &str,
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &String,
    changes: impl Fn(&T, &T) -> Vec<String>,
) {
    for item in new {
        match old.iter().find(|old| name(old) == name(item)) {
            Some(before) if before != item => {
                let mut changes = changes(before, item);
                if changes.is_empty() {
                    changes.push("other settings".to_owned());
                }
                restart(actions, &format!("{kind} {}", name(item)), changes);
            }
            Some(_) => {}
            None => restart(actions, &format!("{kind} {}", name(item)), vec![ADDED.to_owned()]),
        }
    }
    for item in old.iter().filter(|old| !new.iter().any(|new| name(new) == name(old))) {
        restart(actions, &format!("{kind} {}", name(item)), vec![TAKEN_OUT.to_owned()]);
    }
    let names = |items: &[T]| items.iter().map(|item| name(item).clone()).collect::<Vec<_>>();
    let (mut before, mut after) = (names(old), names(new));
    let moved = before != after;
    before.sort();
    after.sort();
    if moved && before == after {
        restart(actions, &format!("{kind}s"), vec!["another order".to_owned()]);
    }
}

fn port(old: &Port, new: &Port) -> Vec<String> {
    let mut changes = changes!(old, new; device, mtu, promiscuous, vlan_strip, offload, observe, rx_descriptors, tx_descriptors,
        rx_queues, tx_queues_per_lcore, pool);
    // These are told as what they are: all that is in them would fill a screen.
    for (what, differs) in [("rss", old.rss != new.rss), ("flow rules", old.flows != new.flows)] {
        changes.extend(differs.then(|| format!("other {what}")));
    }
    changes
}

fn ring(old: &Ring, new: &Ring) -> Vec<String> {
    changes!(old, new; size, backpressure)
}

fn chain(old: &Chain, new: &Chain) -> Vec<String> {
    changes!(old, new; lcores, weight, source, filter, tx, when_full, stage_times)
}

fn path(old: &MeasuredPath, new: &MeasuredPath) -> Vec<String> {
    let mut changes = changes!(old, new; timeout, places);
    if old.identity != new.identity {
        changes.push(format!("identity {} -> {}", old.identity, new.identity));
    }
    let places = [("first", old.first != new.first), ("then", old.then != new.then)];
    changes.extend(places.into_iter().filter(|(_, differs)| *differs).map(|(which, _)| format!("other `{which}`")));
    changes
}

fn stream(old: &Stream, new: &Stream) -> Vec<String> {
    let rates = [old.rate, new.rate].map(|rate| rate.map_or_else(|| "unset".to_owned(), |rate| rate.to_string()));
    let rate = (old.rate != new.rate).then(|| format!("rate {} -> {}", rates[0], rates[1]));
    rate.into_iter().chain(changes!(old, new; chain, late, late_after, start, after, duration, count, paused)).collect()
}

fn module_changes(old: &Module, new: &Module) -> Vec<&'static str> {
    let differ = [
        ("file", old.file != new.file),
        ("config", old.config != new.config),
        ("grants", old.grants != new.grants),
        ("secrets", old.secrets != new.secrets),
    ];
    let mut changed: Vec<&str> = differ.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name).collect();
    if changed.is_empty() {
        changed.push("other settings");
    }
    changed
}

/// A value as a person would write it.
fn text(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    let inner = text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')'));
    match inner {
        Some(inner) => inner.to_owned(),
        None if text == "None" => "unset".to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const BEFORE: &str = r#"
[[port]]
name = "lan"
device = "net_null0"
[[ring]]
name = "r"
[[module]]
name = "fw"
file = "fw.wasm"
config = { rules = 1 }
[[module]]
name = "old"
file = "old.wasm"
[[chain]]
name = "c"
source = { port = "lan" }
stages = ["fw"]
"#;

    /// The differences after `change` was made to the text.
    fn diff(from: &str, to: &str) -> Vec<String> {
        let read = |text: &str| Config::parse(text, "run.toml").unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert!(BEFORE.contains(from), "{from}");
        let actions = read(BEFORE).diff(&read(&BEFORE.replacen(from, to, 1)));
        actions.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_difference_is_a_line() {
        let none: [&str; 0] = [];
        assert_eq!(diff("fw.wasm", "fw.wasm"), none);
        assert_eq!(diff("fw.wasm", "fw2.wasm"), ["swap module fw (file changed)"]);
        assert_eq!(diff("rules = 1", "rules = 2"), ["swap module fw (config changed)"]);
        assert_eq!(
            diff("\"fw.wasm\"\nconfig = { rules = 1 }", "\"x.wasm\"\ngrants = { hold = 3 }"),
            ["swap module fw (file, config, grants changed)"]
        );
        assert_eq!(diff("\"net_null0\"", "\"net_null0\"\nmtu = 9000"), ["port lan: mtu 1500 -> 9000 needs a restart"]);
        assert_eq!(
            diff("\"net_null0\"", "\"net_null0\"\n[[port.flow]]\naction = \"drop\""),
            ["port lan: other flow rules needs a restart"]
        );
        assert_eq!(
            diff("name = \"c\"", "name = \"c\"\nfilter = \"arp\""),
            ["chain c: filter unset -> \"arp\" needs a restart"]
        );
        assert_eq!(
            diff("stages = [\"fw\"]", "stages = [\"fw\", \"old\"]"),
            ["change chain c (stages [fw] -> [fw, old])"]
        );
        assert_eq!(
            diff("name = \"r\"", "name = \"s\""),
            ["ring s: adding it needs a restart", "ring r: taking it out needs a restart"]
        );
        assert_eq!(diff("\n[[port]]", "\n[run]\nburst = 32\n[[port]]"), ["run: burst 64 -> 32 needs a restart"]);
        assert_eq!(diff("[[module]]\nname = \"old\"\nfile = \"old.wasm\"\n", ""), ["take out module old"]);
        assert_eq!(diff("\n[[port]]", "\n[run]\ntick = \"2ms\"\n[[port]]"), ["change run (tick 1ms -> 2ms)"]);
        assert_eq!(diff("\n[[port]]", "\n[run]\nwatchdog = \"2s\"\n[[port]]"), ["change run (watchdog unset -> 2s)"]);
        assert_eq!(diff("\n[[port]]", "\n[load]\ncache = \"off\"\n[[port]]"), ["load: other settings needs a restart"]);
        let new = "name = \"old\"\nfile = \"old.wasm\"\n[[module]]\nname = \"new\"\nfile = \"n.wasm\"\n";
        let old = "name = \"old\"\nfile = \"old.wasm\"\n";
        let source = "grants = { source_ip = [\"10.0.0.0/8\"] }\n";
        assert_eq!(diff(old, new), ["add module new"]);
        assert_eq!(
            diff(old, &format!("{new}domain = \"else\"\n")),
            ["module new: the new domain \"else\" needs a restart"]
        );
        assert_eq!(
            diff(&format!("[[module]]\n{old}"), &format!("{source}[[module]]\n{old}{source}")),
            ["fw", "old"].map(|name| format!(
                "module {name}: the first grants of source_mac or source_ip of this run needs a restart"
            ))
        );
        assert_eq!(diff("name = \"old\"", "name = \"new\""), ["add module new", "take out module old"]);
    }
}
