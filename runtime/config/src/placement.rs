//! Which lcore runs which chain.

use super::{Config, Source};
use perigee_machine::Affinity;
use std::collections::BTreeMap;

/// One worker of a chain: the chain's stages, as they run on one lcore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Position of the chain.
    pub chain: usize,
    /// Which of the chain's workers it is, from 0.
    pub worker: usize,
    /// The CPU that it runs on.
    pub lcore: u32,
    /// The rx queue that it reads, where the chain's source is a port.
    pub queue: Option<u16>,
}

impl Config {
    /// Says on which CPU each chain's workers run, in the order of the chains. A chain that names no lcore gets the CPU
    /// with the fewest workers on it, the first of several: so chains spread over the machine, and on a small one they
    /// share CPUs and are polled in turn.
    ///
    /// `cpus` are those that may be used; with none of them known, CPU 0 is taken.
    #[must_use]
    pub fn placement(&self, cpus: &[u32]) -> Vec<Placed> {
        let mut load: BTreeMap<u32, usize> = cpus.iter().map(|&cpu| (cpu, 0)).collect();
        for lcore in self.chains.iter().flat_map(|chain| &chain.lcores) {
            *load.entry(*lcore).or_default() += 1;
        }
        let mut placed = Vec::new();
        for (index, chain) in self.chains.iter().enumerate() {
            let mut lcores = chain.lcores.clone();
            if lcores.is_empty() {
                // `min_by_key` takes the first of equals, and `cpus` are in the order of preference.
                let lcore = cpus.iter().copied().min_by_key(|cpu| load[cpu]).unwrap_or(0);
                *load.entry(lcore).or_default() += 1;
                lcores.push(lcore);
            }
            for (worker, lcore) in lcores.into_iter().enumerate() {
                let queue = match chain.source {
                    Source::Port { queue, .. } => u16::try_from(worker).ok().and_then(|nth| queue.checked_add(nth)),
                    Source::Module { .. } | Source::Ring { .. } => None,
                };
                placed.push(Placed { chain: index, worker, lcore, queue });
            }
        }
        placed
    }
}

impl Config {
    /// CPUs whose chains send to port number `port`, in order: the first owns the first tx queues.
    pub fn senders(&self, placed: &[Placed], port: usize) -> Vec<u32> {
        let name = &self.ports[port].name;
        let sends = |placed: &&Placed| self.chains[placed.chain].granted_ports().any(|granted| granted == name);
        let mut cpus: Vec<u32> = placed.iter().filter(sends).map(|placed| placed.lcore).collect();
        cpus.sort_unstable();
        cpus.dedup();
        cpus
    }
}

/// The CPUs that this process may run on: fewer than the machine has where a container or `taskset` says so, or where some
/// are offline.
#[must_use]
pub fn allowed_cpus() -> Vec<u32> {
    let cpus = Affinity::of(std::process::id()).map(|set| set.cpus()).unwrap_or_default();
    if !cpus.is_empty() {
        return cpus.into_iter().filter_map(|cpu| u32::try_from(cpu).ok()).collect();
    }
    // A machine with more CPUs than such a set holds.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.map(|list| parse_cpu_list(list.trim())).unwrap_or_default()
}

/// Reads the kernel's notation of CPU lists: `0-3,8`.
pub(super) fn parse_cpu_list(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Writes a list of CPUs in the kernel's notation.
pub(super) fn write_cpu_list(cpus: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let text = |&(first, last): &(u32, u32)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}
