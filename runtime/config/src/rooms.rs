//! How many rooms the pools of a run get, where the configuration does not say it: as many as the queues of all ports keep
//! that the pool's packets can come to, and some bursts under way. One less than a power of two wastes no memory in DPDK.

use super::{Chain, Config, Port, Source, allowed_cpus, values};
use crate::INBOX;
use crate::needs::Needs;
use perigee_abi::MAX_SPARES;
use std::collections::BTreeSet;

/// Regions are whole pages.
const PAGE: usize = 4_096;
/// Bursts of a pool's packets that are under way at a time.
const BURSTS: u32 = 8;
/// What a port gets at least that a chain reads: bursts of it may wait for other ports.
const READ: u32 = 4_096;
/// What copies and spare rooms get at least in each trust domain.
const COPIES: u32 = 2_048;
/// No pool has more: 16 M packets are more than any window holds.
pub(super) const MOST: u32 = 1 << 24;

impl Config {
    /// How many data rooms the rx pool of port number `port` gets: what its entry says, or enough for what its rx queues
    /// keep, for what keep the tx queues that its packets can come to, and for some bursts; 4095 at least where a chain
    /// reads the port.
    #[must_use]
    pub fn port_pool(&self, index: usize) -> u32 {
        let readers = self.readers(index);
        let wanted = self.kept_by_rx_queues(index).saturating_add(self.bursts(BURSTS));
        let kept = self.kept_behind(&readers, None, any).saturating_add(self.kept_in_inboxes(index));
        let wanted = wanted.saturating_add(kept);
        let least = if readers.is_empty() { 0 } else { READ };
        self.ports[index].pool.unwrap_or_else(|| rounded(wanted.max(least)))
    }

    /// The fewest rooms with which port number `port` starts and gives packets, for ever.
    pub(super) fn least_port_pool(&self, index: usize) -> u32 {
        let by_cards = self.kept_behind(&self.readers(index), None, Port::is_card);
        self.kept_by_rx_queues(index).saturating_add(by_cards).saturating_add(self.bursts(2))
    }

    /// The fewest rooms with which the generators of that chain go on for ever: cards give back what they have sent only when
    /// their rings are nearly full, so a pool that is no larger than these is empty one day and stays so.
    pub(super) fn least_generator_pool(&self, chain: usize) -> u32 {
        let by_cards = self.kept_behind(&BTreeSet::from([chain]), Some(chain), Port::is_card);
        by_cards.saturating_add(self.bursts(2))
    }

    /// Rooms of the pool outside all windows that the driver of port number `port` insists on.
    pub fn own_pool(&self, index: usize) -> Option<u32> {
        let each = self.ports[index].kept_by_own_queue()?;
        Some(rounded(u32::from(self.real_rx_queues(index)).saturating_mul(each).saturating_add(self.bursts(BURSTS))))
    }

    /// How many data rooms each generator of that chain gets: what its source says, or so few that all stay in a core's
    /// cache, but enough for what keep the tx queues that its packets can come to. 0 where its source is none.
    #[must_use]
    pub fn generator_pool(&self, chain: usize) -> u32 {
        let Some(Source::Module { pool, .. }) = self.chains.get(chain).map(|chain| &chain.source) else { return 0 };
        let kept = self.kept_behind(&BTreeSet::from([chain]), Some(chain), any);
        let wanted = kept.saturating_add(self.bursts(BURSTS)).max(values::GENERATOR_POOL);
        pool.unwrap_or_else(|| rounded(wanted))
    }

    /// Rooms for copies, spare rooms and packets from outside, in each trust domain.
    pub fn copies_pool(&self) -> u32 {
        let creators = self.modules.iter().filter(|module| module.grants.create);
        let creators = creators.map(|module| self.instances(&module.name)).fold(0, u32::saturating_add);
        let spares = creators.saturating_mul(u32::try_from(MAX_SPARES).unwrap_or(u32::MAX));
        let all: BTreeSet<usize> = (0..self.chains.len()).collect();
        let wanted = self.kept_behind(&all, None, any).saturating_add(self.bursts(BURSTS)).saturating_add(spares);
        rounded(wanted.max(COPIES))
    }

    /// Rooms of all pools together.
    pub(super) fn all_pools(&self) -> u32 {
        let ports = (0..self.ports.len()).map(|port| self.port_pool(port));
        let generators = (0..self.chains.len()).map(|chain| self.generator_pool(chain));
        ports.chain(generators).fold(self.copies_pool(), u32::saturating_add)
    }

    /// Bytes of packets that the window of that module has to take: all rooms of its trust domain.
    #[must_use]
    pub fn window_bytes(&self, module: &str) -> u64 {
        let regions = Needs::new(self, &self.placement(&allowed_cpus())).regions();
        regions.get(&Some(self.domain_of(module))).map_or(0, |bytes| bytes.next_multiple_of(PAGE) as u64)
    }

    /// Rooms for all packets whose addresses were checked and that can be under way: in the ports' tx queues, in rings, and
    /// some bursts.
    pub fn checked_pool(&self) -> u32 {
        let all: BTreeSet<usize> = (0..self.chains.len()).collect();
        let in_rings = self.rings.iter().fold(0_u32, |all, ring| all.saturating_add(ring.size));
        let wanted = self.kept_behind(&all, None, any).saturating_add(in_rings).saturating_add(16 * 256);
        wanted.min(1 << 22).next_power_of_two() - 1
    }

    /// Chains that read that port.
    fn readers(&self, port: usize) -> BTreeSet<usize> {
        let name = &self.ports[port].name;
        let reads = |chain: &Chain| matches!(&chain.source, Source::Port { port, .. } if port == name);
        (0..self.chains.len()).filter(|index| reads(&self.chains[*index])).collect()
    }

    fn bursts(&self, number: u32) -> u32 {
        number * u32::from(self.run.burst)
    }

    fn kept_by_rx_queues(&self, port: usize) -> u32 {
        u32::from(self.real_rx_queues(port)).saturating_mul(self.ports[port].kept_by_rx_queue())
    }

    /// Packets that wait where flow rules lead.
    fn kept_in_inboxes(&self, port: usize) -> u32 {
        u32::try_from(self.inboxes(port)).unwrap_or(u32::MAX).saturating_mul(INBOX)
    }

    /// The rx queues that the port has: as many as its tx queues, where its driver pairs them.
    fn real_rx_queues(&self, port: usize) -> u16 {
        let entry = &self.ports[port];
        let pairs = entry.device_text().driver().is_some_and(|driver| driver.pairs_queues);
        let rx = self.rx_queues(port);
        if pairs { rx.max(self.most_tx_queues(port)) } else { rx }
    }

    /// Tx queues of the port if each worker of each chain that may send to it has an lcore of its own.
    fn most_tx_queues(&self, port: usize) -> u16 {
        let entry = &self.ports[port];
        let sends = |chain: &&Chain| chain.granted_ports().any(|name| *name == entry.name);
        let workers: usize = self.chains.iter().filter(sends).map(Chain::width).sum();
        u16::try_from(workers).unwrap_or(u16::MAX).saturating_mul(entry.tx_queues_per_lcore)
    }

    /// Packets of these chains that tx queues of such ports may keep: those of their own ports and, where a ring or net_ring carries
    /// packets on, those of the chains behind. Of the chain `alone` one worker counts: the others have pools of their own.
    fn kept_behind(&self, chains: &BTreeSet<usize>, alone: Option<usize>, such: fn(&Port) -> bool) -> u32 {
        let mut found = chains.clone();
        let mut new: Vec<usize> = chains.iter().copied().collect();
        // Where all are found already, nothing is left to look for.
        while found.len() < self.chains.len()
            && let Some(chain) = new.pop()
        {
            let next: Vec<usize> = (0..self.chains.len()).filter(|next| self.leads(chain, *next)).collect();
            new.extend(next.into_iter().filter(|next| found.insert(*next)));
        }
        let kept = |index: usize| {
            let chain = &self.chains[index];
            let workers = if alone == Some(index) { 1 } else { u32::try_from(chain.width()).unwrap_or(u32::MAX) };
            let ports =
                chain.granted_ports().filter_map(|name| self.port(name)).filter(|port| such(&self.ports[*port]));
            let queues = |port: usize| u32::from(self.ports[port].tx_queues_per_lcore);
            let each = ports.map(|port| queues(port).saturating_mul(self.kept_by_tx_queue(port)));
            each.fold(0, u32::saturating_add).saturating_mul(workers)
        };
        found.into_iter().map(kept).fold(0, u32::saturating_add)
    }

    /// Whether packets of one chain can come to the other one as they are.
    fn leads(&self, from: usize, to: usize) -> bool {
        let from = &self.chains[from];
        match &self.chains[to].source {
            Source::Port { port, .. } => {
                self.sent_to(port).is_some_and(|name| from.granted_ports().any(|granted| granted == name))
            }
            Source::Ring { ring } => {
                let mut modules = from.modules().filter_map(|module| self.module(module));
                modules.any(|module| self.modules[module].grants.rings.contains(ring))
            }
            Source::Module { .. } => false,
        }
    }
}

/// Of any port.
fn any(_: &Port) -> bool {
    true
}

fn rounded(wanted: u32) -> u32 {
    wanted.clamp(256, MOST).next_power_of_two() - 1
}
