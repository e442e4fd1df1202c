//! Checks of the chains: their names, sources, stages, ports and lcores.

use super::super::placement::write_cpu_list;
use super::super::shares::WEIGHTS;
use super::super::{Chain, Config, Source};
use super::{Problems, entries, played};
use std::collections::HashMap;

pub(super) fn chains(config: &Config, found: &mut Problems) {
    if config.chains.is_empty() {
        found.error("chain", "no chain is declared: nothing would run", "add a [[chain]] with a source");
    }
    found.names("chain", config.chains.iter().map(|chain| chain.name.as_str()));
    let modules: Vec<&str> = config.modules.iter().map(|module| module.name.as_str()).collect();
    let ports: Vec<&str> = config.ports.iter().map(|port| port.name.as_str()).collect();
    for (index, chain) in config.chains.iter().enumerate() {
        let (path, who) = (format!("chain[{index}]"), format!("chain {:?}", chain.name));
        for (nth, stage) in chain.stages.iter().enumerate() {
            found.known(format!("{path}.stages[{nth}]"), &who, "module", stage, &modules);
        }
        for (nth, port) in chain.tx.iter().enumerate() {
            found.known(format!("{path}.tx[{nth}]"), &who, "port", port, &ports);
            played::sends(config, format!("{path}.tx[{nth}]"), &who, port, found);
            if chain.tx[..nth].contains(port) {
                let help = "once is enough: the first in the list is where packets go by default";
                found.error(format!("{path}.tx[{nth}]"), format!("{who}: port {port:?} is named twice"), help);
            }
        }
        for (nth, lcore) in chain.lcores.iter().enumerate() {
            if chain.lcores[..nth].contains(lcore) {
                let help = "each of a chain's workers has its own lcore; other chains may share it";
                found.error(format!("{path}.lcores[{nth}]"), format!("{who}: lcore {lcore} is named twice"), help);
            }
        }
        if !WEIGHTS.contains(&chain.weight) {
            let help =
                "it must be 1 to 1000; a chain of weight 2 gets twice the time of one of weight 1 on the same lcore";
            found.error(format!("{path}.weight"), format!("{who}: weight is {}", chain.weight), help);
        }
        match &chain.source {
            Source::Port { port, queue } => {
                found.known(format!("{path}.source.port"), &who, "port", port, &ports);
                port_source(config, chain, port, *queue, &path, found);
            }
            Source::Module { module, .. } => {
                found.known(format!("{path}.source.module"), &who, "module", module, &modules);
                if chain.filter.is_some() {
                    let help = "a filter decides which packets of a port or of a ring a chain takes; a generator makes its own";
                    found.error(format!("{path}.filter"), format!("{who}: a generator's chain has a filter"), help);
                }
                generator(config, index, &path, found);
            }
            Source::Ring { ring } => {
                let rings: Vec<&str> = config.rings.iter().map(|ring| ring.name.as_str()).collect();
                found.known(format!("{path}.source.ring"), &who, "ring", ring, &rings);
                let held = held(config, chain) * chain.width() as u64;
                // Its packets are of any pool.
                let rooms = if held == 0 { 0 } else { config.all_pools() };
                holding(&who, &path, held, rooms, "all ports and generators together", found);
            }
        }
    }
    one_reader_per_queue(config, found);
    one_reader_per_ring(config, found);
}

fn port_source(config: &Config, chain: &Chain, port: &str, queue: u16, path: &str, found: &mut Problems) {
    let Some(index) = config.port(port) else { return };
    let who = format!("chain {:?}", chain.name);
    let last = usize::from(queue) + chain.width() - 1;
    let have = usize::from(config.rx_queues(index));
    if last >= have && config.ports[index].rx_queues != Some(0) {
        let what = format!("{who}: reads rx queue {last} of port {port:?}, which has {have}");
        found.error(
            format!("{path}.source.queue"),
            what,
            format!("queues count from 0: give the port `rx_queues = {}`", last + 1),
        );
    }
    let held = held(config, chain) * chain.width() as u64;
    holding(&who, path, held, config.port_pool(index), &format!("port {port:?}"), found);
}

fn generator(config: &Config, index: usize, path: &str, found: &mut Problems) {
    let (chain, pool) = (&config.chains[index], config.generator_pool(index));
    let who = format!("chain {:?}", chain.name);
    entries::pool(&format!("{path}.source.pool"), &who, pool, config.least_generator_pool(index), found);
    holding(&who, path, held(config, chain), pool, "its generator", found);
    if chain.tx.is_empty() && chain.stages.is_empty() && config.rings.is_empty() {
        found.warning(path, format!("{who}: nothing that it makes can leave"), "name a port in `tx`");
    }
}

/// How many packets the stages of one of the chain's workers may hold.
pub(super) fn held(config: &Config, chain: &Chain) -> u64 {
    let stages = chain.stages.iter().filter_map(|stage| config.module(stage));
    stages.map(|stage| u64::from(config.modules[stage].grants.hold)).sum()
}

/// A module that holds every room of a pool would stop the packets that it waits for.
fn holding(who: &str, path: &str, held: u64, pool: u32, owner: &str, found: &mut Problems) {
    if held > 0 && held >= u64::from(pool) {
        let what = format!("{who}: its modules may hold {held} packets, and the pool of {owner} has {pool}");
        found.error(
            format!("{path}.stages"),
            what,
            "none would be left for new packets: lower `hold`, or give the pool more rooms",
        );
    }
}

fn one_reader_per_queue(config: &Config, found: &mut Problems) {
    let mut readers: HashMap<(&str, usize), usize> = HashMap::new();
    for (index, chain) in config.chains.iter().enumerate() {
        let Source::Port { port, queue } = &chain.source else { continue };
        let queues = usize::from(*queue)..usize::from(*queue) + chain.width();
        let taken = queues.filter_map(|queue| match readers.insert((port, queue), index) {
            Some(first) if first != index => Some((queue, first)),
            _ => None,
        });
        // One message for a pair of chains, however many queues they share.
        if let Some((queue, first)) = taken.min() {
            let (name, first) = (&chain.name, &config.chains[first].name);
            let what = format!("chain {name:?}: rx queue {queue} of port {port:?} is read by chain {first:?} already");
            found.error(
                format!("chain[{index}].source"),
                what,
                "a queue has one reader: give one of them another `queue`",
            );
        }
    }
}

fn one_reader_per_ring(config: &Config, found: &mut Problems) {
    let mut readers: HashMap<&str, &str> = HashMap::new();
    for (index, chain) in config.chains.iter().enumerate() {
        let Source::Ring { ring } = &chain.source else { continue };
        let name = &chain.name;
        let help = "a ring has one reader: declare a ring for each";
        if let Some(first) = readers.insert(ring, name) {
            let what = format!("chain {name:?}: ring {ring:?} is read by chain {first:?} already");
            found.error(format!("chain[{index}].source.ring"), what, help);
        } else if chain.width() > 1 {
            let what = format!("chain {name:?}: {} lcores would read ring {ring:?}", chain.width());
            found.error(format!("chain[{index}].lcores"), what, help);
        }
    }
}

pub(super) fn lcores(config: &Config, cpus: &[u32], found: &mut Problems) {
    // Where the kernel does not tell, there is nothing to check against.
    if cpus.is_empty() {
        return;
    }
    let have = format!("this process may use {} ({})", count(cpus.len(), "CPU"), write_cpu_list(cpus));
    for (index, chain) in config.chains.iter().enumerate() {
        let who = format!("chain {:?}", chain.name);
        let path = format!("chain[{index}].lcores");
        if chain.lcores.len() > cpus.len() {
            found.error(path, format!("{who}: wants {}", count(chain.lcores.len(), "lcore")), have.clone());
            continue;
        }
        for (nth, lcore) in chain.lcores.iter().enumerate().filter(|(_, lcore)| !cpus.contains(lcore)) {
            found.error(format!("{path}[{nth}]"), format!("{who}: there is no lcore {lcore}"), have.clone());
        }
    }
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
