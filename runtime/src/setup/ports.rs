//! DPDK and the ports.

use super::memory::Memory;
use perigee_config::needs::Needs;
use perigee_config::{Config, HugePages, Placed};
use perigee_dpdk::device::Device;
use perigee_dpdk::dma::{self, Addressing};
use perigee_dpdk::eal::{Eal, EalOptions};
use perigee_dpdk::pool::Pool;
use perigee_dpdk::port::{Port, Queues};
use perigee_machine as machine;
use perigee_machine::netlink::Netlink;
use perigee_report::Error;
use std::sync::Arc;

/// Starts EAL as the configuration says. Its own memory lies in huge pages only where that is asked for, or where cards want it
/// and enough are free: EAL cannot do without those that it lacks later, and rooms can ([`Region::new`]).
///
/// [`Region::new`]: perigee_dpdk::region::Region::new
pub(super) fn start_eal(config: &Config, needs: &Needs) -> Result<&'static Eal, Error> {
    let free = machine::HugePages::now().free;
    Eal::start(&EalOptions {
        huge_pages: match config.run.huge_pages {
            HugePages::On => true,
            HugePages::Off => false,
            HugePages::Auto => !config.all_virtual() && free >= needs.huge_pages().all(),
        },
        memory_mb: (config.run.eal_memory >> 20).max(16),
        pci: config
            .ports
            .iter()
            .filter(|port| !port.is_virtual())
            .map(|port| port.device_text().spelled_out())
            .collect(),
        has_iommu: config.cards().iter().all(|card| !card.is_unguarded()),
        extra: config.run.eal_args.clone(),
    })
}

pub(super) fn start_ports(
    config: &Config,
    placed: &[Placed],
    needs: &Needs,
    devices: Vec<Device>,
    memory: &Memory,
) -> Result<Vec<Arc<Port>>, Error> {
    let mut ports = Vec::new();
    for (number, mut device) in devices.into_iter().enumerate() {
        let entry = &config.ports[number];
        let senders = u16::try_from(config.senders(placed, number).len()).unwrap_or(u16::MAX);
        let tx = senders.saturating_mul(entry.tx_queues_per_lcore);
        let queues = Queues { rx: config.rx_queues(number), tx };
        let pool = Arc::clone(&memory.port_pools[number]);
        let abilities = device.abilities()?;
        let plain = if abilities.needs_plain_pool() {
            // Not one of the pools that must be full at the end: net_af_xdp never gives back what it has lent to the kernel.
            // The packets that modules see are copies in the port's other pool.
            let (rooms, room) = needs.own[number].unwrap_or_else(|| (pool.size(), pool.room_len().into()));
            let plain = Pool::plain(&format!("own of {}", entry.name), rooms, room, abilities.is_pci)?;
            if abilities.is_pci {
                dma::check(&plain, Addressing::now()).map_err(Error::Memory)?;
            }
            Some(Arc::new(plain))
        } else {
            None
        };
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        device.map(memory.regions())?;
        let port = Port::start(device, number, entry, queues, pool, plain)?;
        // A driver that fills its rx queues now has left rooms in the cache of this thread, which no lcore could have.
        port.pool.flush_cache();
        port.plain_pool.iter().for_each(|pool| pool.flush_cache());
        ports.push(Arc::new(port));
    }
    Ok(ports)
}

pub(super) fn open_netlink(ports: &[Arc<Port>]) -> Option<Netlink> {
    let opened = ports.iter().any(|port| port.is_on_interface()).then(Netlink::open).transpose();
    opened.unwrap_or_else(|e| {
        tracing::warn!("the kernel cannot be asked about interfaces, whose links are not watched: {e}");
        None
    })
}
