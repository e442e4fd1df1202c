//! What follows from a configuration: what is where, and how many of each.

use super::{Chain, Config, Port, Source};

impl Config {
    /// Position of the port of that name.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<usize> {
        self.ports.iter().position(|port| port.name == name)
    }

    /// Position of the module of that name.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<usize> {
        self.modules.iter().position(|module| module.name == name)
    }

    /// How many instances of the module of that name the run has: one for each lcore of each place in a chain.
    #[must_use]
    pub fn instances(&self, name: &str) -> u32 {
        let places = |chain: &Chain| chain.modules().filter(|module| *module == name).count() * chain.width();
        u32::try_from(self.chains.iter().map(places).sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// Position of the ring of that name.
    #[must_use]
    pub fn ring(&self, name: &str) -> Option<usize> {
        self.rings.iter().position(|ring| ring.name == name)
    }

    /// How many rx queues port number `port` gets: what its entry says, or the highest that a chain reads plus 1; at
    /// least 1, for there are drivers that refuse to start without.
    #[must_use]
    pub fn rx_queues(&self, port: usize) -> u16 {
        let name = &self.ports[port].name;
        let read = self.chains.iter().filter_map(|chain| match &chain.source {
            Source::Port { port, queue } if port == name => Some(usize::from(*queue).saturating_add(chain.width())),
            _ => None,
        });
        let most = u16::try_from(read.max().unwrap_or(1)).unwrap_or(u16::MAX);
        self.ports[port].rx_queues.unwrap_or(most)
    }

    /// How many data rooms the rx pool of port number `port` gets: what its entry says, or enough for all its rx and tx
    /// descriptors and some bursts under way, 4095 at least. A port that no chain reads gets what its driver takes for its
    /// rx queue. One less than a power of two wastes no memory in DPDK.
    #[must_use]
    pub fn port_pool(&self, index: usize) -> u32 {
        let port = &self.ports[index];
        let bursts = 8 * u32::from(self.run.burst);
        let is_read = |chain: &Chain| matches!(&chain.source, Source::Port { port: name, .. } if *name == port.name);
        let wanted = if self.chains.iter().any(is_read) {
            let rings = u32::from(port.rx_descriptors) + u32::from(port.tx_descriptors);
            u32::from(self.rx_queues(index)).saturating_mul(rings).saturating_add(bursts).max(4096)
        } else if port.is_virtual() {
            bursts
        } else {
            u32::from(self.rx_queues(index)).saturating_mul(port.rx_descriptors.into()).saturating_add(bursts)
        };
        port.pool.unwrap_or(wanted.clamp(256, 1 << 24).next_power_of_two() - 1)
    }

    /// Whether all ports are made in software.
    #[must_use]
    pub fn all_virtual(&self) -> bool {
        self.ports.iter().all(Port::is_virtual)
    }
}
