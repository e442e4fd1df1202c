//! What a run takes of the machine's memory, worked out before anything is mapped: pools of rooms, DPDK's headers and queues,
//! and what the host keeps for modules. `setup` makes what is planned here, and nothing beside it; the configuration's checks compare it
//! with what there is.

use super::sizes::{header_bytes, own_bytes, pool_bytes, ring_bytes, room_len};
use crate::INBOX;
use crate::{Config, Placed, Source};
use perigee_machine::HugePages;
use std::collections::BTreeMap;

/// Which region a pool lies in: that of a domain, by its position among [`Config::domains`], or (`None`) the one that no
/// module sees.
pub type Place = Option<usize>;

/// A pool of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPool {
    /// The region that it lies in.
    pub place: Place,
    /// What statistics call it.
    pub label: String,
    /// How many rooms it has.
    pub rooms: u32,
    /// The key of the configuration that decides its size.
    pub key: String,
}

/// All memory of a run that its configuration decides.
#[derive(Clone, Debug)]
pub struct Needs {
    /// Bytes of each room: those of the largest MTU. A module may rely on it for every packet that it sees, whichever port
    /// the packet came from.
    pub room: usize,
    /// Regions have a multiple of so many bytes: whole huge pages, where cards reach them.
    unit: usize,
    /// Of each port, by number.
    pub ports: Vec<PlannedPool>,
    /// Of each placed generator, in order of placement; `None` for chains with another source.
    pub generators: Vec<Option<PlannedPool>>,
    /// Of each domain.
    pub copies: Vec<PlannedPool>,
    /// Rooms in which packets are checked, where the addresses of some are limited.
    pub checked: Option<PlannedPool>,
    /// Each port's own pool in DPDK's memory, where its driver insists on one: how many rooms, and of how many bytes.
    pub own: Vec<Option<(u32, usize)>>,
    /// Bytes that DPDK needs of its own memory besides the pools: rings, ports and their queues.
    dpdk_beside: u64,
    /// Bytes that the host keeps for modules, tables of what they hold; and for packets that it remembers.
    host: u64,
    /// Instances of all modules.
    instances: u64,
}

/// How many huge pages a run would fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HugePagesNeeded {
    /// For packets' rooms.
    pub rooms: u64,
    /// For DPDK's own memory.
    pub dpdk: u64,
}

impl HugePagesNeeded {
    /// Both together.
    pub fn all(self) -> u64 {
        self.rooms.saturating_add(self.dpdk)
    }
}

const HUGE: usize = HugePages::SIZE;
/// Address space of an instance: a reservation and its guard, whatever the memory that is granted.
const INSTANCE: u64 = (4 << 30) + (64 << 20);
/// What EAL needs before there is a port, and each port and each of its queues then: measured, and rounded up
/// (`dpdk_needs_no_more_than_is_planned` in the tests).
const EAL: u64 = 6 << 20;
const PORT: u64 = 256 << 10;
const QUEUE: u64 = 64 << 10;
/// Of a queue's descriptor, for cards: drivers in software that are known have none.
const DESCRIPTOR: u64 = 128;
/// Of a packet that a module may hold: its place in a table that is made at once, and what is added when it is used.
const HELD: u64 = 96;
/// EAL describes each page of 4 KiB that it may use: bytes for a page.
const PAGE_ENTRY: u64 = 80;

impl Needs {
    /// What this configuration needs, placed so.
    pub fn new(config: &Config, placed: &[Placed]) -> Self {
        Self {
            room: room_len(config.room_mtu()),
            unit: if config.all_virtual() { 4_096 } else { HUGE },
            ports: port_pools(config),
            generators: placed.iter().map(|placed| generator_pool(config, placed)).collect(),
            copies: copies(config),
            checked: config.limits_sources().then(|| PlannedPool {
                place: None,
                label: "checked".to_owned(),
                rooms: config.checked_pool(),
                key: "chain".to_owned(),
            }),
            own: own_pools(config),
            dpdk_beside: dpdk_beside(config, placed),
            host: host(config),
            instances: config.modules.iter().map(|module| u64::from(config.instances(&module.name))).sum(),
        }
    }

    /// All pools of rooms.
    pub fn pools(&self) -> impl Iterator<Item = &PlannedPool> {
        let generators = self.generators.iter().flatten();
        self.ports.iter().chain(generators).chain(&self.copies).chain(&self.checked)
    }

    /// Bytes of each region.
    pub fn regions(&self) -> BTreeMap<Place, usize> {
        let mut bytes = BTreeMap::new();
        for pool in self.pools() {
            let region: &mut usize = bytes.entry(pool.place).or_default();
            *region = region.saturating_add(pool_bytes(pool.rooms, self.room));
        }
        bytes.values_mut().for_each(|bytes| *bytes = bytes.next_multiple_of(self.unit));
        bytes
    }

    /// Bytes of all regions.
    pub fn rooms_bytes(&self) -> u64 {
        self.regions().values().fold(0, |all, bytes| all.saturating_add(*bytes as u64))
    }

    /// Bytes that DPDK needs of its own memory: `run.eal_memory`, or huge pages.
    pub fn dpdk_bytes(&self) -> u64 {
        let headers = self.pools().map(|pool| header_bytes(pool.rooms));
        let own = self.own.iter().flatten().map(|(rooms, room)| own_bytes(*rooms, *room));
        headers.chain(own).fold(self.dpdk_beside, u64::saturating_add)
    }

    /// Bytes that the run touches, where EAL may use `eal_memory`.
    pub fn all_bytes(&self, eal_memory: u64) -> u64 {
        let described = (eal_memory / 4_096).saturating_mul(PAGE_ENTRY);
        [self.dpdk_bytes(), self.host, described].into_iter().fold(self.rooms_bytes(), u64::saturating_add)
    }

    /// Pages of 2 MiB if all of it lies in such.
    pub fn huge_pages(&self) -> HugePagesNeeded {
        let size = HugePages::SIZE as u64;
        let rooms = self.regions().values().map(|bytes| *bytes as u64 / size).fold(0, u64::saturating_add);
        // DPDK takes whole pages for each piece that finds no place in those it has.
        let pieces = self.pools().count() as u64 + self.own.iter().flatten().count() as u64;
        HugePagesNeeded { rooms, dpdk: self.dpdk_bytes().div_ceil(size).saturating_add(pieces) }
    }

    /// Bytes of address space.
    pub fn address_space(&self, eal_memory: u64) -> u64 {
        let instances = self.instances.saturating_mul(INSTANCE);
        [self.rooms_bytes(), self.host, eal_memory].into_iter().fold(instances, u64::saturating_add)
    }

    /// The largest pool, and the bytes that go with it: what to lower first.
    pub fn largest(&self) -> Option<&PlannedPool> {
        self.pools().max_by_key(|pool| pool.rooms)
    }
}

fn port_pools(config: &Config) -> Vec<PlannedPool> {
    let pool = |(number, port): (usize, &crate::Port)| PlannedPool {
        place: config.port_domain(number),
        label: format!("rx of {}", port.name),
        rooms: config.port_pool(number),
        key: format!("port[{number}].pool"),
    };
    config.ports.iter().enumerate().map(pool).collect()
}

/// Rooms of their own port's length: net_af_xdp takes none that is longer than a page, however long another port's are.
fn own_pools(config: &Config) -> Vec<Option<(u32, usize)>> {
    let room = |port: usize| room_len(config.ports[port].mtu);
    (0..config.ports.len()).map(|port| Some((config.own_pool(port)?, room(port)))).collect()
}

/// A generator's own pool, in the region of its domain.
fn generator_pool(config: &Config, placed: &Placed) -> Option<PlannedPool> {
    let chain = &config.chains[placed.chain];
    matches!(chain.source, Source::Module { .. }).then(|| PlannedPool {
        place: config.entry_domain(chain),
        label: format!("{} on lcore {}", chain.name, placed.lcore),
        rooms: config.generator_pool(placed.chain),
        key: format!("chain[{}].source.pool", placed.chain),
    })
}

fn copies(config: &Config) -> Vec<PlannedPool> {
    let names = config.domains();
    let label = |name: &str| if names.len() == 1 { "copies".to_owned() } else { format!("copies of {name}") };
    let rooms = config.copies_pool();
    let pool = |(domain, name): (usize, &&str)| PlannedPool {
        place: Some(domain),
        label: label(name),
        rooms,
        key: "chain".to_owned(),
    };
    names.iter().enumerate().map(pool).collect()
}

fn dpdk_beside(config: &Config, placed: &[Placed]) -> u64 {
    let rings = config.rings.iter().map(|ring| ring_bytes(ring.size));
    let ports = config.ports.iter().enumerate().map(|(number, port)| {
        let senders = config.senders(placed, number).len() as u64;
        let tx = senders.saturating_mul(port.tx_queues_per_lcore.into()).max(1);
        let queues = u64::from(config.rx_queues(number)).saturating_add(tx);
        let inboxes = config.inboxes(number).saturating_mul(ring_bytes(INBOX));
        let is_known = port.device_text().driver().is_some_and(|driver| driver.arguments.is_some());
        let descriptors = if is_known { 0 } else { port.rx_descriptors.max(port.tx_descriptors) };
        let descriptors = u64::from(descriptors).saturating_mul(DESCRIPTOR);
        queues.saturating_mul(QUEUE + descriptors).saturating_add(PORT).saturating_add(inboxes)
    });
    rings.chain(ports).fold(EAL, u64::saturating_add)
}

fn host(config: &Config) -> u64 {
    let held = config.modules.iter().map(|module| {
        u64::from(module.grants.hold).saturating_mul(config.instances(&module.name).into()).saturating_mul(HELD)
    });
    let remembered = config.histories.iter().map(|history| history.memory);
    held.chain(remembered).fold(0, u64::saturating_add)
}
