//! Checks of what modules are granted.

use super::super::{Config, Module, rooms};
use super::{Problems, played};
use crate::{Grants, Hostcall};
use perigee_abi::{MAX_COUNTERS, names};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a WebAssembly memory can have.
const MEMORY: RangeInclusive<u64> = 64 << 10..=4 << 30;
/// A guest's stack lies on its thread's, which has 4 MiB on an lcore and may have 2 where a run is started.
const STACK: RangeInclusive<u64> = 16 << 10..=1 << 20;
/// Elements of tables are pointers of the host's.
const MAX_TABLE: u32 = 1 << 20;
/// Queues that one lcore can own on a port.
const QUEUES: RangeInclusive<u16> = 0..=15;
/// More than any port does; beyond, sums of what is granted in a burst would overflow.
const MAX_RATE: u64 = 1 << 43;

/// Checks the manifest of one module, whose entry is at `path`.
pub(super) fn manifest(config: &Config, module: &Module, path: &str, who: &str, found: &mut Problems) {
    let (grants, path) = (&module.grants, format!("{path}.grants"));
    numbers(grants, &path, who, found);
    let ports: Vec<&str> = config.ports.iter().map(|port| port.name.as_str()).collect();
    for (nth, port) in grants.tx.iter().enumerate() {
        found.known(format!("{path}.tx[{nth}]"), who, "port", port, &ports);
        played::sends(config, format!("{path}.tx[{nth}]"), who, port, found);
    }
    let rings: Vec<&str> = config.rings.iter().map(|ring| ring.name.as_str()).collect();
    for (nth, ring) in grants.rings.iter().enumerate() {
        found.known(format!("{path}.rings[{nth}]"), who, "ring", ring, &rings);
    }
    let modules: Vec<&str> = config.modules.iter().map(|module| module.name.as_str()).collect();
    for (nth, target) in grants.tell.iter().enumerate() {
        found.known(format!("{path}.tell[{nth}]"), who, "module", target, &modules);
    }
    if let Some(writer) = &grants.state_of {
        state_of(config, module, writer, (format!("{path}.state_of"), who), found);
    }
    let histories: Vec<&str> = config.histories.iter().map(|history| history.name.as_str()).collect();
    for (nth, history) in grants.history.iter().enumerate() {
        found.known(format!("{path}.history[{nth}]"), who, "history", history, &histories);
    }
    for (nth, queue) in grants.tx_queues.iter().enumerate().filter(|(_, queue)| !QUEUES.contains(queue)) {
        let help = "an lcore owns at most 16 on a port: they count from 0 to 15";
        found.error(format!("{path}.tx_queues[{nth}]"), format!("{who}: tx queue {queue} is granted"), help);
    }
}

/// Checks whose state region a module reads.
fn state_of(config: &Config, module: &Module, writer: &str, (path, who): (String, &str), found: &mut Problems) {
    let modules: Vec<&str> = config.modules.iter().map(|module| module.name.as_str()).collect();
    let Some(other) = config.module(writer).and_then(|index| config.modules.get(index)) else {
        return found.known(path, who, "module", writer, &modules);
    };
    let instances = config.instances(writer);
    let (what, help) = if module.name == writer {
        (
            "reads its own state region (state_of)".to_owned(),
            "that it has anyway: name another module, or leave the key away",
        )
    } else if other.grants.state_of.is_some() {
        let what = format!("reads the state region of module {writer:?}, which reads another's itself (state_of)");
        (what, "name the module that writes it")
    } else if other.domain != module.domain {
        let what = format!("reads the state region of module {writer:?}, which is of another trust domain (state_of)");
        (what, "modules that share memory trust each other: give both the same `domain`, or use `tell`")
    } else if instances != 1 {
        let what = format!("reads the state region of module {writer:?}, which has {instances} instances (state_of)");
        (what, "there is one who writes: give that module one place in one chain, on one lcore")
    } else {
        return;
    };
    found.error(path, format!("{who} {what}"), help);
}

impl Config {
    /// For each module that reads a state region which does not fit its own: which, and a text. `len`: bytes of a module's, 0: it has
    /// none; nothing where nobody knows.
    pub fn unfit_regions(&self, len: impl Fn(&str) -> Option<u32>) -> Vec<(String, String)> {
        let unfit = |module: &Module| {
            let writer = module.grants.state_of.as_ref()?;
            let (own, others) = (len(&module.name)?, len(writer)?);
            let what = format!(
                "reads the state region of module {writer:?} (grants.state_of), which has {others} bytes, and declares one of {own}: \
                 both are to declare as many, at least one page of 4096"
            );
            (own != others || own == 0).then(|| (module.name.clone(), what))
        };
        self.modules.iter().filter_map(unfit).collect()
    }

    /// For each module that may tell another something which does not listen: which, and a text. `listens`: exports `message`.
    pub fn deaf_targets(&self, listens: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let deaf = |module: &Module| {
            let target = module.grants.tell.iter().find(|target| !listens(target))?;
            let what = format!(
                "may tell module {target:?} something (grants.tell), which exports no \"{}\": take it out of the list, or \
                 export it",
                names::MESSAGE
            );
            Some((module.name.clone(), what))
        };
        self.modules.iter().filter_map(deaf).collect()
    }
}

/// Checks the trust domain of module number `index`.
pub(super) fn domain(config: &Config, index: usize, path: &str, who: &str, found: &mut Problems) {
    let module = &config.modules[index];
    if module.domain.is_empty() {
        let help = "give it a name, or leave the key away: modules without it share one";
        found.error(format!("{path}.domain"), format!("{who}: domain is empty"), help);
    }
    // Of two that differ only the second is told: one message for each that has to be changed.
    let same = |other: &&Module| {
        other.domain == module.domain
            && (&other.grants.source_mac, &other.grants.source_ip)
                != (&module.grants.source_mac, &module.grants.source_ip)
    };
    if let Some(other) = config.modules[..index].iter().find(same) {
        let what = format!("{who}: its source addresses are not those of module {:?} in the same domain", other.name);
        let help = "modules of one domain can write each other's packets: grant both the same source_mac and source_ip, or \
                    give one a `domain` of its own";
        found.error(format!("{path}.grants"), what, help);
    }
}

/// Checks the numbers of one manifest, at `path`.
pub(super) fn numbers(grants: &Grants, path: &str, who: &str, found: &mut Problems) {
    limits(grants, path, who, found);
    rates(grants, path, who, found);
}

fn limits(grants: &Grants, path: &str, who: &str, found: &mut Problems) {
    if !MEMORY.contains(&grants.memory) {
        let what = format!("{who}: memory is {} bytes", grants.memory);
        found.error(format!("{path}.memory"), what, "it must be 64K to 4G");
    }
    if !STACK.contains(&grants.stack) {
        let what = format!("{who}: stack is {} bytes", grants.stack);
        found.error(format!("{path}.stack"), what, "it must be 16K to 1M; 512K is usual");
    }
    if grants.table > MAX_TABLE {
        let what = format!("{who}: table is {}", grants.table);
        found.error(format!("{path}.table"), what, format!("it must be 0 to {MAX_TABLE}"));
    }
    deadlines(grants, path, who, found);
    if grants.hold > rooms::MOST {
        let what = format!("{who}: hold is {}", grants.hold);
        found.error(format!("{path}.hold"), what, format!("no pool has more than {} rooms", rooms::MOST));
    }
    if grants.hold > 0 && grants.hold_age.is_zero() {
        let help = "every held packet would be freed at once";
        found.error(format!("{path}.hold_age"), format!("{who}: hold_age is 0"), help);
    }
    if grants.counters as usize > MAX_COUNTERS {
        let what = format!("{who}: counters is {}", grants.counters);
        found.error(format!("{path}.counters"), what, format!("a module has at most {MAX_COUNTERS}"));
    }
    let silent = [
        (Hostcall::Log, "log", "log_lines", grants.log_lines),
        (Hostcall::Counter, "counter", "counters", grants.counters),
    ];
    for (hostcall, name, key, _) in silent.into_iter().filter(|(_, _, _, most)| *most == 0) {
        if grants.hostcalls.contains(&hostcall) {
            let what = format!("{who}: the hostcall {name:?} is granted, and {key} is 0");
            found.warning(format!("{path}.{key}"), what, "nothing of it would be seen: take one of them away");
        }
    }
}

/// A call is stopped at a tick of the epoch's clock, of which it sees the first before its time counts.
fn deadlines(grants: &Grants, path: &str, who: &str, found: &mut Problems) {
    let both = [("deadline", grants.deadline, "10ms"), ("control_deadline", grants.control_deadline, "100ms")];
    for (key, deadline, usual) in both {
        if deadline.is_zero() {
            let help = format!("no call could end in time; {usual} is usual");
            found.error(format!("{path}.{key}"), format!("{who}: {key} is 0"), help);
        } else if deadline < Duration::from_millis(1) {
            let what = format!("{who}: {key} is {deadline:?}");
            let help = "calls are looked at each millisecond: one that does not end is stopped after about 2ms. \
                        1ms says no less";
            found.warning(format!("{path}.{key}"), what, help);
        }
    }
}

fn rates(grants: &Grants, path: &str, who: &str, found: &mut Problems) {
    for (key, rate) in [("packets_per_second", grants.packets_per_second), ("bits_per_second", grants.bits_per_second)]
    {
        if let Some(rate) = rate.filter(|rate| !(1..=MAX_RATE).contains(rate)) {
            let help =
                format!("it must be 1 to {MAX_RATE}; a module without tx, rings and a chain's end sends nothing");
            found.error(format!("{path}.{key}"), format!("{who}: {key} is {rate}"), help);
        }
    }
}
