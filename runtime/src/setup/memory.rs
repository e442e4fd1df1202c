//! How much memory the packets of a run need, and the pools in it.

use crate::config::{Config, Placed, Source as From};
use crate::dpdk::pool::{Pool, pool_bytes, room_len};
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
    pub(super) fn new(config: &Config, placed: &[Placed], huge: bool) -> Result<Self, Error> {
        let port_sizes: Vec<_> =
            (0..config.ports.len()).map(|i| (config.port_pool(i), room_len(config.ports[i].mtu))).collect();
        let largest = port_sizes.iter().map(|(_, room)| *room).max().unwrap_or_else(|| room_len(1_500));
        let rooms: Vec<_> = placed.iter().map(|p| generator_pool(config, p)).collect();
        let bytes =
            |sizes: &mut dyn Iterator<Item = (u32, usize)>| sizes.map(|(n, room)| pool_bytes(n, room)).sum::<usize>();
        let total = bytes(&mut port_sizes.iter().copied())
            + bytes(&mut rooms.iter().flatten().map(|n| (*n, largest)))
            + pool_bytes(COPIES, largest);
        let mut region = Region::new(total, huge)?;
        let mut pools = Vec::new();
        let mut pool = |label: &str, n: u32, room: usize, region: &mut Region| {
            let pool = Arc::new(Pool::new(label, n, room, region)?);
            pools.push(Arc::clone(&pool));
            Ok::<_, Error>(pool)
        };
        let mut port_pools = Vec::new();
        for (port, (n, room)) in config.ports.iter().zip(&port_sizes) {
            port_pools.push(pool(&format!("rx of {}", port.name), *n, *room, &mut region)?);
        }
        let mut room_pools = Vec::new();
        for (placed, n) in placed.iter().zip(&rooms) {
            let chain = &config.chains[placed.chain].name;
            let label = format!("{chain} on lcore {}", placed.lcore);
            room_pools.push(n.map(|n| pool(&label, n, largest, &mut region)).transpose()?);
        }
        let copies = pool("copies", COPIES, largest, &mut region)?;
        Ok(Self { region, pools, port_pools, rooms: room_pools, copies })
    }
}

/// Size of a generator's own pool.
fn generator_pool(config: &Config, placed: &Placed) -> Option<u32> {
    match config.chains[placed.chain].source {
        From::Module { pool, .. } => Some(pool),
        _ => None,
    }
}
