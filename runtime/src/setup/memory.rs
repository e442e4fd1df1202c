//! How much memory the packets of a run need, and the pools in it: a region for each trust domain, which the windows of its
//! modules map, and one that no window maps.

use crate::config::{Config, Placed, Source as From};
use crate::dpdk::pool::{MAX_L2, Pool, pool_bytes, room_len};
use crate::dpdk::region::Region;
use crate::error::Error;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rooms for copies, spare rooms and packets from outside the region.
const COPIES: u32 = 2_047;

/// What the modules of one trust domain share. A room lies in the region of one domain for good, so what another domain's
/// packets left behind is never in it.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    pub(crate) name: String,
    /// Where copies and spare rooms come from. Freed before the region.
    pub(crate) copies: Arc<Pool>,
    pub(crate) region: Arc<Region>,
}

/// The regions and the pools in them.
pub(super) struct Memory {
    pub(super) pools: Vec<Arc<Pool>>,
    /// Of each port, by number.
    pub(super) port_pools: Vec<Arc<Pool>>,
    /// Of each placed generator, in order of placement.
    pub(super) rooms: Vec<Option<Arc<Pool>>>,
    /// In the order of [`Config::domains`].
    pub(super) domains: Vec<Domain>,
    pub(super) sealed: Sealed,
}

/// What no module sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealed {
    /// Rooms in which packets are checked, where the addresses of some are limited.
    pub(crate) checked: Option<Arc<Pool>>,
    /// Where those lie, and what ports fill that several domains read. Freed last.
    region: Option<Arc<Region>>,
}

/// Which region a pool lies in: that of a domain, or (`None`) the one that no module sees.
type Place = Option<usize>;

/// The regions as they are filled. Pools are dropped before what they lie in.
struct Regions {
    room: usize,
    pools: Vec<Arc<Pool>>,
    by_place: BTreeMap<Place, Region>,
}

impl Regions {
    fn pool(&mut self, place: Place, label: &str, n: u32) -> Result<Arc<Pool>, Error> {
        let missing = || Error::Memory(format!("pool {label} has no region"));
        let region = self.by_place.get_mut(&place).ok_or_else(missing)?;
        let pool = Arc::new(Pool::new(label, n, self.room, region)?);
        self.pools.push(Arc::clone(&pool));
        Ok(pool)
    }
}

impl Memory {
    /// All rooms of a run have one length, that of the largest MTU: a module may rely on it for every packet that it
    /// sees, whichever port the packet came from.
    pub(super) fn new(config: &Config, placed: &[Placed], huge: bool) -> Result<Self, Error> {
        let mtus = config.ports.iter().map(|port| port.mtu.max(ring_mtu(&port.device)));
        let room = room_len(mtus.max().unwrap_or(1_500));
        let names = config.domains();
        let ports: Vec<(Place, u32)> =
            (0..config.ports.len()).map(|port| (config.port_domain(port), config.port_pool(port))).collect();
        let generators: Vec<Option<(Place, u32)>> = placed.iter().map(|p| generator_pool(config, p)).collect();
        let checked = config.limits_sources().then(|| checked_pool(config, placed));
        let copies = (0..names.len()).map(|domain| (Some(domain), COPIES));
        let all = ports.iter().copied().chain(generators.iter().flatten().copied()).chain(copies);
        let mut bytes: BTreeMap<Place, usize> = BTreeMap::new();
        for (place, n) in all.chain(checked.map(|n| (None, n))) {
            *bytes.entry(place).or_default() += pool_bytes(n, room);
        }
        let regions = bytes.into_iter().map(|(place, bytes)| Ok((place, Region::new(bytes, huge)?)));
        let by_place = regions.collect::<Result<_, Error>>()?;
        let mut regions = Regions { room, pools: Vec::new(), by_place };
        let mut port_pools = Vec::new();
        for (port, (place, n)) in config.ports.iter().zip(ports) {
            port_pools.push(regions.pool(place, &format!("rx of {}", port.name), n)?);
        }
        let mut rooms = Vec::new();
        for (placed, generator) in placed.iter().zip(generators) {
            let label = format!("{} on lcore {}", config.chains[placed.chain].name, placed.lcore);
            rooms.push(generator.map(|(place, n)| regions.pool(place, &label, n)).transpose()?);
        }
        let mut copies = Vec::new();
        for (domain, name) in names.iter().enumerate() {
            let label = if names.len() == 1 { "copies".to_owned() } else { format!("copies of {name}") };
            copies.push(regions.pool(Some(domain), &label, COPIES)?);
        }
        let checked = checked.map(|n| regions.pool(None, "checked", n)).transpose()?;
        let Regions { mut by_place, pools, .. } = regions;
        let sealed = Sealed { checked, region: by_place.remove(&None).map(Arc::new) };
        // In order of their numbers: what is left are the domains', each of which has a pool of copies.
        let domains = names.iter().zip(copies).zip(by_place.into_values());
        let domain = |((name, copies), region): ((&&str, _), _)| Domain {
            name: (*name).to_owned(),
            copies,
            region: Arc::new(region),
        };
        let domains = domains.map(domain).collect();
        Ok(Self { pools, port_pools, rooms, domains, sealed })
    }

    /// All regions, for the ports that read them.
    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.domains.iter().map(|domain| &*domain.region).chain(self.sealed.region.as_deref())
    }
}

/// net_af_packet insists on rooms that hold a whole frame of its ring, but for 32 bytes of the kernel's own: the MTU whose
/// rooms do. 0 for other devices.
fn ring_mtu(device: &str) -> u16 {
    const KERNELS: u16 = 32;
    let frame = device.split(',').find_map(|argument| argument.strip_prefix("framesz="));
    let bytes = frame.and_then(|bytes| bytes.parse::<u16>().ok()).unwrap_or(0);
    bytes.saturating_sub(KERNELS).saturating_sub(u16::try_from(MAX_L2).unwrap_or(0))
}

/// A generator's own pool, in the region of its domain.
fn generator_pool(config: &Config, placed: &Placed) -> Option<(Place, u32)> {
    let chain = &config.chains[placed.chain];
    match chain.source {
        From::Module { pool, .. } => Some((config.entry_domain(chain), pool)),
        _ => None,
    }
}

/// Rooms for all packets that were checked and can be under way: in the ports' tx queues, in rings, and some bursts.
fn checked_pool(config: &Config, placed: &[Placed]) -> u32 {
    let lcores = u32::try_from(placed.len()).unwrap_or(u32::MAX);
    let queues = |port: &crate::config::Port| u32::from(port.tx_descriptors) * u32::from(port.tx_queues_per_lcore);
    let in_ports = config.ports.iter().map(queues).sum::<u32>().saturating_mul(lcores);
    let in_rings = config.rings.iter().fold(0_u32, |all, ring| all.saturating_add(ring.size));
    let wanted = in_ports.saturating_add(in_rings).saturating_add(16 * 256);
    wanted.clamp(4_096, 1 << 22).next_power_of_two() - 1
}
