//! Backends, services, and who gets a new connection.

use crate::forward::Tunnel;
use crate::maglev::{Member, Moved, NOBODY, Permutation, Table};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use perigee_guest::state::{FiveTuple, FiveTuple4};
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, Text};

/// Longest name of a backend.
pub(crate) const NAME: usize = 32;

/// What the control plane says of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It takes connections.
    Up,
    /// It keeps those that it has.
    Drain,
    /// It has none: they go to others.
    Down,
}

impl Health {
    pub(crate) const ALL: [(Self, &'static str); 3] = [(Self::Up, "up"), (Self::Drain, "drain"), (Self::Down, "down")];

    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == word).map(|(health, _)| health)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// A backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backend {
    pub(crate) name: Text<NAME>,
    pub(crate) health: Health,
    pub(crate) weight: u16,
    pub(crate) mac: Mac,
    /// Where tunnels to it end.
    pub(crate) address: Option<IpAddr>,
    /// The port that leads to it; none: the one that a packet came from.
    pub(crate) port: Option<u16>,
    pub(crate) permutation: Permutation,
    /// What it got.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// What a service is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Front {
    pub(crate) address: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) port: u16,
}

impl Front {
    fn to_number4(self) -> Option<u64> {
        match self.address {
            IpAddr::V4(address) => Some(front4(address, self.protocol, self.port)),
            IpAddr::V6(_) => None,
        }
    }

    /// Where a flow goes.
    #[inline]
    fn of(flow: &FiveTuple) -> Self {
        match flow {
            FiveTuple::V4(flow) => {
                Self { address: flow.destination.into(), protocol: flow.protocol, port: flow.destination_port }
            }
            FiveTuple::V6(flow) => {
                Self { address: flow.destination.into(), protocol: flow.protocol, port: flow.destination_port }
            }
        }
    }
}

/// The front of a service of IPv4 as a number, in the order of fronts.
#[inline(always)]
fn front4(address: Ipv4Addr, protocol: u8, port: u16) -> u64 {
    u64::from(address.to_bits()) << 32 | u64::from(protocol) << 16 | u64::from(port)
}

/// A virtual service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    pub(crate) front: Front,
    pub(crate) tunnel: Tunnel,
    /// The number of its group.
    pub(crate) group: usize,
}

/// Backends that have services together, and their table: it depends on nothing else, so all these services share it.
pub(crate) struct Group {
    /// Numbers of its backends, sorted.
    pub(crate) backends: Vec<u16>,
    pub(crate) table: Table,
}

impl Group {
    /// Fills the table with the backends that take connections.
    fn fill(&mut self, all: &[Backend]) -> Moved {
        let members = self.backends.iter().filter_map(|number| {
            let backend = all.get(usize::from(*number)).filter(|backend| backend.health == Health::Up)?;
            Some(Member { backend: *number, permutation: backend.permutation, weight: backend.weight })
        });
        self.table.fill(members)
    }

    pub(crate) fn has(&self, backend: u16) -> bool {
        self.backends.binary_search(&backend).is_ok()
    }
}

/// All backends and services.
pub(crate) struct Pool {
    /// In the order of their names, which is that of their turns: so it does not matter how a configuration sorts them.
    pub(crate) backends: Vec<Backend>,
    /// In the order of their fronts.
    pub(crate) services: Vec<Service>,
    /// Those of IPv4 as numbers ([`front4`]): they stand before the others, in the same order.
    pub(crate) fronts4: Vec<u64>,
    pub(crate) groups: Vec<Group>,
}

impl Pool {
    /// The service that a flow is for.
    #[inline]
    pub(crate) fn service(&self, flow: &FiveTuple) -> Option<usize> {
        let front = Front::of(flow);
        self.services.binary_search_by(|service| service.front.cmp(&front)).ok()
    }

    /// The same for a flow of IPv4.
    #[inline(always)]
    pub(crate) fn service4(&self, flow: &FiveTuple4) -> Option<usize> {
        let front = front4(flow.destination, flow.protocol, flow.destination_port);
        match *self.fronts4 {
            [only] => (only == front).then_some(0),
            _ => self.fronts4.binary_search(&front).ok(),
        }
    }

    /// Sorts the services, which are all there now.
    pub(crate) fn sort_services(&mut self) {
        self.services.sort_unstable_by_key(|service| service.front);
        self.fronts4 = self.services.iter().map_while(|service| service.front.to_number4()).collect();
    }

    /// A service with the address and protocol of a later fragment, which has no port.
    pub(crate) fn is_served(&self, flow: &FiveTuple) -> bool {
        let front = Front::of(flow);
        let same = |other: &Front| (other.address, other.protocol) == (front.address, front.protocol);
        self.services.iter().any(|service| same(&service.front))
    }

    /// The service of a later fragment that follows to this backend: any of its address and protocol that has the backend, since a
    /// configuration in which they reach it in different ways is refused.
    pub(crate) fn tunnelled_as(&self, flow: &FiveTuple, backend: u16) -> Option<usize> {
        let front = Front::of(flow);
        self.services.iter().position(|service| {
            let other = service.front;
            let is_same = (other.address, other.protocol) == (front.address, front.protocol);
            is_same && self.groups.get(service.group).is_some_and(|group| group.has(backend))
        })
    }

    /// The backend that a new connection of this hash gets.
    #[inline]
    pub(crate) fn choose(&self, service: usize, hash: u64) -> Option<u16> {
        let backend = self.groups.get(self.services.get(service)?.group)?.table.lookup(hash);
        (backend != NOBODY).then_some(backend)
    }

    /// Whether a backend may keep its connections.
    #[inline]
    pub(crate) fn keeps(&self, backend: u16) -> bool {
        self.backends.get(usize::from(backend)).is_some_and(|backend| backend.health != Health::Down)
    }

    /// The backend of a name.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.backends.binary_search_by(|backend| backend.name.as_str().cmp(name)).ok()
    }

    /// Sets a backend's health, and says what that did to all tables together.
    pub(crate) fn set_health(&mut self, name: &str, health: Health) -> Result<Moved, Refusal> {
        let at = self.named(name).ok_or_else(|| {
            Refusal::from_parts(&["no backend has the name \"", name, "\"; the message `backends?` lists them"])
        })?;
        self.backends[at].health = health;
        let number = u16::try_from(at).unwrap_or(NOBODY);
        let mut moved = Moved::default();
        for group in self.groups.iter_mut().filter(|group| group.has(number)) {
            let one = group.fill(&self.backends);
            moved.places += one.places;
            moved.needless += one.needless;
        }
        Ok(moved)
    }

    /// Fills all tables.
    pub(crate) fn fill(&mut self) {
        for group in &mut self.groups {
            group.fill(&self.backends);
        }
    }
}
