//! What follows from a configuration: what is where, and how many of each.

use super::{Chain, Config, FlowAction, FlowRule, Port, Source};
use perigee_machine::Card;
use std::collections::BTreeSet;

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

    /// The cards of the ports that have one, as this machine has them now.
    pub fn cards(&self) -> Vec<Card> {
        self.ports.iter().filter_map(Port::card).collect()
    }

    /// How many rx queues of port number `port` other queues may have to bring packets to.
    pub fn inboxes(&self, port: usize) -> u64 {
        if self.rx_queues(port) > 1 { self.flow_queues(port).len() as u64 } else { 0 }
    }

    /// Rx queues of port number `port` to which flow rules lead.
    pub(super) fn flow_queues(&self, port: usize) -> BTreeSet<u16> {
        let led = |rule: &FlowRule| if let FlowAction::Queue(queue) = rule.action { Some(queue) } else { None };
        self.ports[port].flows.iter().filter_map(led).collect()
    }

    /// Whether a chain reads that rx queue of port number `port`.
    pub(super) fn reads_queue(&self, port: usize, queue: u16) -> bool {
        self.chains.iter().any(|chain| chain.reads(&self.ports[port].name, queue))
    }

    /// Whether all ports are made in software.
    #[must_use]
    pub fn all_virtual(&self) -> bool {
        self.ports.iter().all(Port::is_virtual)
    }
}

impl Port {
    /// Its card, as this machine has it now; `None` for virtual devices.
    pub fn card(&self) -> Option<Card> {
        self.device_text().pci_address().map(|address| Card::at(&address))
    }
}

impl Chain {
    /// Whether it reads that rx queue of a port.
    pub(super) fn reads(&self, port: &str, queue: u16) -> bool {
        let Source::Port { port: own, queue: first } = &self.source else { return false };
        let (queue, first) = (usize::from(queue), usize::from(*first));
        own == port && (first..first + self.width()).contains(&queue)
    }
}
