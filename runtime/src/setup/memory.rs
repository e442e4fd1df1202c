//! How much memory the packets of a run need, and the pools in it.

use crate::config::{Config, Placed, Source as From};
use crate::dpdk::pool::{MAX_L2, Pool, pool_bytes, room_len};
use crate::dpdk::region::Region;
use crate::error::Error;
use std::sync::Arc;

/// Rooms for copies, spare rooms and packets from outside the region.
const COPIES: u32 = 2_047;

/// The region and the pools in it.
pub(super) struct Memory {
    pub(super) region: Region,
    pub(super) pools: Vec<Arc<Pool>>,
    /// Of each port, by number.
    pub(super) port_pools: Vec<Arc<Pool>>,
    /// Of each placed generator, in order of placement.
    pub(super) rooms: Vec<Option<Arc<Pool>>>,
    pub(super) copies: Arc<Pool>,
}

impl Memory {
    /// All rooms of a run have one length, that of the largest MTU: a module may rely on it for every packet that it
    /// sees, whichever port the packet came from.
    pub(super) fn new(config: &Config, placed: &[Placed], huge: bool) -> Result<Self, Error> {
        let mtus = config.ports.iter().map(|port| port.mtu.max(ring_mtu(&port.device)));
        let room = room_len(mtus.max().unwrap_or(1_500));
        let port_sizes: Vec<u32> = (0..config.ports.len()).map(|port| config.port_pool(port)).collect();
        let room_sizes: Vec<Option<u32>> = placed.iter().map(|p| generator_pool(config, p)).collect();
        let sizes = port_sizes.iter().chain(room_sizes.iter().flatten()).chain([&COPIES]);
        let mut region = Region::new(sizes.map(|n| pool_bytes(*n, room)).sum(), huge)?;
        let mut pools = Vec::new();
        let mut pool = |label: &str, n: u32| {
            let pool = Arc::new(Pool::new(label, n, room, &mut region)?);
            pools.push(Arc::clone(&pool));
            Ok::<_, Error>(pool)
        };
        let mut port_pools = Vec::new();
        for (port, n) in config.ports.iter().zip(port_sizes) {
            port_pools.push(pool(&format!("rx of {}", port.name), n)?);
        }
        let mut rooms = Vec::new();
        for (placed, n) in placed.iter().zip(room_sizes) {
            let label = format!("{} on lcore {}", config.chains[placed.chain].name, placed.lcore);
            rooms.push(n.map(|n| pool(&label, n)).transpose()?);
        }
        let copies = pool("copies", COPIES)?;
        Ok(Self { region, pools, port_pools, rooms, copies })
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

/// Size of a generator's own pool.
fn generator_pool(config: &Config, placed: &Placed) -> Option<u32> {
    match config.chains[placed.chain].source {
        From::Module { pool, .. } => Some(pool),
        _ => None,
    }
}
