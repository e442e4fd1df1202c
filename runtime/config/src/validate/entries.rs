//! Checks of `[run]` and of what is declared beside it: ports, modules, rings.

use super::super::{Chain, Config, Module, ModuleConfig, Port, Source, rooms, secret, values};
use super::{Problems, device_texts, grants};
use perigee_abi::{MAX_BATCH, MAX_PORTS};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The largest frame that fits a descriptor's 16-bit length with room for headers to come.
const MTU: RangeInclusive<u16> = 68..=16_000;
/// A clock cannot be read more often than that without being most of the work.
const TICK: RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_secs(10);
/// EAL itself needs some; beyond a terabyte it is a slip of a unit.
const EAL_MEMORY: RangeInclusive<u64> = 16 << 20..=1 << 40;
const MAX_RING: u32 = 1 << 20;

pub(super) fn run(config: &Config, found: &mut Problems) {
    let run = &config.run;
    let burst = usize::from(run.burst);
    if !(1..=MAX_BATCH).contains(&burst) {
        found.error("run.burst", format!("burst is {burst}"), format!("it must be 1 to {MAX_BATCH}"));
    }
    if !TICK.contains(&run.tick) {
        let what = format!("tick is {}", humantime::format_duration(run.tick));
        found.error("run.tick", what, "it must be 1us to 10s");
    }
    if run.duration.is_some_and(|duration| duration.is_zero()) {
        found.error("run.duration", "duration is 0", "leave it away to run until a signal comes");
    }
    if run.evidence.as_deref() == Some("") {
        let help = "it is the directory for crash bundles; leave it out for none";
        found.error("run.evidence", "evidence is an empty text", help);
    }
    if run.control.as_ref().is_some_and(String::is_empty) {
        let help = "give a socket's path, or \"off\"; leave it away for the default place";
        found.error("run.control", "control is empty", help);
    }
    if !EAL_MEMORY.contains(&run.eal_memory) {
        found.error("run.eal_memory", format!("eal_memory is {} bytes", run.eal_memory), "it must be 16M to 1T");
    }
    if let Some(user) = run.user.as_deref().filter(|user| !crate::user::is_user(user)) {
        let what = format!("user {user:?} is no name in /etc/passwd and no UID:GID");
        found.error("run.user", what, "without the key it is \"nobody\"; \"65534:65534\" are numbers");
    }
}

pub(super) fn ports(config: &Config, found: &mut Problems) {
    found.names("port", config.ports.iter().map(|port| port.name.as_str()));
    if config.ports.len() > MAX_PORTS {
        let what = format!("{} ports are declared", config.ports.len());
        found.error(format!("port[{MAX_PORTS}]"), what, format!("a run has at most {MAX_PORTS}"));
    }
    for (index, port) in config.ports.iter().enumerate() {
        let (path, who) = (format!("port[{index}]"), format!("port {:?}", port.name));
        device_texts::device(config, index, port, found);
        if !MTU.contains(&port.mtu) {
            found.error(format!("{path}.mtu"), format!("{who}: mtu is {}", port.mtu), "it must be 68 to 16000");
        }
        for (key, value) in [("rx_descriptors", port.rx_descriptors), ("tx_descriptors", port.tx_descriptors)] {
            if value == 0 {
                found.error(
                    format!("{path}.{key}"),
                    format!("{who}: {key} is 0"),
                    "a queue needs descriptors; 1024 is usual",
                );
            }
        }
        if !(1..=16).contains(&port.tx_queues_per_lcore) {
            let what = format!("{who}: tx_queues_per_lcore is {}", port.tx_queues_per_lcore);
            found.error(format!("{path}.tx_queues_per_lcore"), what, "it must be 1 to 16");
        }
        queues(config, index, port, found);
        port_pool(config, index, port, found);
        let read = |source: &Source| matches!(source, Source::Port { port: name, .. } if *name == port.name);
        if !config.chains.iter().any(|chain| read(&chain.source) || chain.tx.contains(&port.name)) {
            found.warning(path, format!("{who} is not used"), "no chain reads from it or sends to it");
        }
    }
}

fn queues(config: &Config, index: usize, port: &Port, found: &mut Problems) {
    let path = format!("port[{index}].rx_queues");
    let who = format!("port {:?}", port.name);
    let Some(declared) = port.rx_queues else { return };
    if declared == 0 {
        found.error(path, format!("{who}: rx_queues is 0"), "a port has at least 1");
        return;
    }
    // A port that is only sent to need not be read.
    let unread: Vec<u16> = (0..declared).filter(|&queue| !config.reads_queue(index, queue)).collect();
    if let Some(queue) = unread.first().filter(|_| unread.len() < usize::from(declared)) {
        let help = "packets that the port's RSS puts there are lost";
        found.warning(path, format!("{who}: no chain reads rx queue {queue}"), help);
    }
}

fn port_pool(config: &Config, index: usize, port: &Port, found: &mut Problems) {
    let least = config.least_port_pool(index);
    pool(&format!("port[{index}].pool"), &format!("port {:?}", port.name), config.port_pool(index), least, found);
}

/// Checks the size of a pool that needs `least` rooms.
pub(super) fn pool(path: &str, who: &str, rooms: u32, least: u32, found: &mut Problems) {
    if !(least..=rooms::MOST).contains(&rooms) {
        let what = format!("{who}: a pool of {rooms} rooms");
        let help = if least > rooms::MOST {
            format!("queues take {least}, and {} is the most: fewer rx_queues or descriptors", rooms::MOST)
        } else if who.starts_with("chain") && least > 2 * 256 {
            format!(
                "it must have {least} to {}: cards keep what they have sent until their tx rings (tx_descriptors) are nearly full",
                rooms::MOST
            )
        } else {
            format!("it must have {least} to {}", rooms::MOST)
        };
        found.error(path, what, help);
    }
}

pub(super) fn modules(config: &Config, found: &mut Problems) {
    found.names("module", config.modules.iter().map(|module| module.name.as_str()));
    for (index, module) in config.modules.iter().enumerate() {
        let (path, who) = (format!("module[{index}]"), format!("module {:?}", module.name));
        if module.file.is_empty() {
            found.error(
                format!("{path}.file"),
                format!("{who}: file is empty"),
                "give the path of a .wasm or .wat file",
            );
        }
        grants::manifest(config, module, &path, &who, found);
        grants::domain(config, index, &path, &who, found);
        if let Some(ModuleConfig::Table(table)) = &module.config
            && !table.values().all(values::fits_json)
        {
            let what = format!("{who}: config has a number that is infinite or none");
            found.error(format!("{path}.config"), what, "the module gets its config as JSON, which has no such number");
        }
        secrets(module, &path, &who, found);
        let generates = |source: &Source| matches!(source, Source::Module { module: name, .. } if *name == module.name);
        let is_watching = || config.triggers.iter().any(|trigger| trigger.module.as_ref() == Some(&module.name));
        let in_chain = |chain: &Chain| generates(&chain.source) || chain.stages.contains(&module.name);
        if !config.chains.iter().any(in_chain) && !is_watching() {
            found.warning(path, format!("{who} is not used"), "no chain has it as source or stage");
        }
    }
}

/// They are keys of the document that the module gets, and of all that tells of them.
fn secrets(module: &Module, path: &str, who: &str, found: &mut Problems) {
    if module.secrets.is_empty() {
        return;
    }
    let path = format!("{path}.secrets");
    for (name, entry) in &module.secrets {
        if !secret::is_name(name) {
            let help = "letters, digits, - and _ are taken, 64 at most";
            found.error(&path, format!("{who}: a secret's name is {name:?}"), help);
        }
        if entry.file.is_empty() {
            found.error(
                &path,
                format!("{who}: secret {name:?}: file is empty"),
                "give the path of the file that it is in",
            );
        }
    }
    if module.secrets.len() > secret::SECRETS_MAX {
        let what = format!("{who} has {} secrets", module.secrets.len());
        found.error(&path, what, format!("at most {} are taken", secret::SECRETS_MAX));
    }
    match &module.config {
        Some(ModuleConfig::Text(_)) => found.error(path, format!("{who}: {}", secret::NO_TABLE.0), secret::NO_TABLE.1),
        Some(ModuleConfig::Table(table)) if table.contains_key(secret::KEY) => {
            found.error(path, format!("{who}: {}", secret::TAKEN.0), secret::TAKEN.1);
        }
        _ => {}
    }
}

pub(super) fn rings(config: &Config, found: &mut Problems) {
    found.names("ring", config.rings.iter().map(|ring| ring.name.as_str()));
    for (index, ring) in config.rings.iter().enumerate() {
        let (path, who) = (format!("ring[{index}]"), format!("ring {:?}", ring.name));
        if !ring.size.is_power_of_two() || !(2..=MAX_RING).contains(&ring.size) {
            let what = format!("{who}: size is {}", ring.size);
            let near = ring.size.clamp(2, MAX_RING).next_power_of_two();
            found.error(
                format!("{path}.size"),
                what,
                format!("it must be a power of two from 2 to {MAX_RING}; {near} is the next"),
            );
        }
        if let Some(marks) = ring.backpressure
            && !(0.0 < marks.low && marks.low < marks.high)
        {
            found.error(
                format!("{path}.backpressure"),
                format!("{who}: it would begin to press at {} of its size, and end at {}", marks.high, marks.low),
                "`low` is more than 0 and less than `high`, as in { high = \"80%\", low = \"50%\" }",
            );
        }
        if !config.chains.iter().any(|chain| chain.reads_ring(&ring.name)) {
            found.warning(
                path,
                format!("{who} is read by no chain"),
                "what modules put into it stays there until the end",
            );
        }
    }
}
