//! Which chains compete for an lcore, and by which weights.

use super::{Chain, Config, Source};
use std::collections::BTreeMap;

/// Weights that a chain may have.
pub(super) const WEIGHTS: std::ops::RangeInclusive<u32> = 1..=1_000;

impl Config {
    /// The group of each chain. Chains that hand each other packets, by a ring, by a port that gives out what it is sent, or by
    /// flow rules, do not compete: what one of them is kept from doing is missing to the other. So they are of one group, and groups compete.
    #[must_use]
    pub fn groups(&self) -> Vec<usize> {
        let mut groups: Vec<usize> = (0..self.chains.len()).collect();
        for (from, sender) in self.chains.iter().enumerate() {
            for (to, _) in self.chains.iter().enumerate().filter(|(_, reader)| self.hands_on(sender, reader)) {
                let (keep, other) = (groups[from].min(groups[to]), groups[from].max(groups[to]));
                groups.iter_mut().filter(|group| **group == other).for_each(|group| *group = keep);
            }
        }
        groups
    }

    /// What one chain sends another may read.
    fn hands_on(&self, sender: &Chain, reader: &Chain) -> bool {
        match &reader.source {
            Source::Ring { ring } => sender.modules().any(|name| {
                let module = self.module(name).map(|index| &self.modules[index]);
                module.is_some_and(|module| module.grants.rings.contains(ring))
            }),
            Source::Port { port, .. } => {
                let Some(index) = self.port(port) else { return false };
                let sent_to = self.sent_to(port);
                let beside = matches!(&sender.source, Source::Port { port: other, .. } if other == port);
                sent_to.is_some_and(|name| sender.granted_ports().any(|granted| granted == name))
                    || beside && self.flow_queues(index).iter().any(|queue| reader.reads(port, *queue))
            }
            Source::Module { .. } => false,
        }
    }

    /// For each CPU on which chains of several trust domains would compete, a sentence that says what that means: one of them
    /// can hold up the others for as long as a call may take.
    #[must_use]
    pub fn shared_lcores(&self, cpus: &[u32]) -> Vec<String> {
        let mut lcores: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for placed in self.placement(cpus) {
            lcores.entry(placed.lcore).or_default().push(placed.chain);
        }
        let groups = self.groups();
        let told = |(lcore, chains): (u32, Vec<usize>)| {
            let domains = |chain: &usize| self.chains[*chain].modules().map(|name| self.domain_of(name));
            let mut all: Vec<usize> = chains.iter().flat_map(domains).collect();
            all.sort_unstable();
            all.dedup();
            if all.len() < 2 || chains.iter().all(|chain| groups[*chain] == groups[chains[0]]) {
                return None;
            }
            let module = |name: &String| self.module(name).map(|index| self.modules[index].grants.deadline);
            let longest = chains.iter().flat_map(|chain| self.chains[*chain].modules().filter_map(module)).max();
            let longest = humantime::format_duration(longest.unwrap_or_default());
            let names: Vec<&str> = chains.iter().map(|chain| self.chains[*chain].name.as_str()).collect();
            Some(format!(
                "lcore {lcore}: chains {} are of several trust domains. Each gets its share of the CPU by its weight, but one call \
                 holds up the others for as long as its deadline, up to {longest}: give them lcores of their own, or shorter deadlines",
                names.join(", ")
            ))
        };
        lcores.into_iter().filter_map(told).collect()
    }
}
