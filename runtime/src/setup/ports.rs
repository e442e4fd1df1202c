//! DPDK, the ports, and the wires between some of them.

use super::memory::Memory;
use super::methods::wants_launch;
use crate::options::Options;
use crate::parts::splitmix;
use perigee_config::file::FileDevice;
use perigee_config::needs::Needs;
use perigee_config::{Captures, Config, HugePages, Placed};
use perigee_core::clock::Clock;
use perigee_datapath::port::Port;
use perigee_dpdk::device::Device;
use perigee_dpdk::dma::{self, Addressing};
use perigee_dpdk::eal::{Eal, EalOptions};
use perigee_dpdk::pool::Pool;
use perigee_dpdk::port::{Port as DpdkPort, Queues};
use perigee_machine as machine;
use perigee_machine::netlink::Netlink;
use perigee_replay::{Player, PlayerOptions, Tape};
use perigee_report::Error;
use perigee_wire::trace::Trace;
use perigee_wire::{End, EndOptions, lay};
use std::collections::BTreeMap;
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

/// What ports are made of.
pub(super) struct Making<'a> {
    pub(super) config: &'a Config,
    pub(super) placed: &'a [Placed],
    pub(super) needs: &'a Needs,
    pub(super) memory: &'a Memory,
    /// What was read before.
    pub(super) captures: &'a Captures,
    /// The run's clock, by which wires live.
    pub(super) clock: Clock,
    /// Where a simulation's wires are watched.
    pub(super) trace: Option<&'a Arc<Trace>>,
    /// By which methods of pacing are chosen.
    pub(super) options: &'a Options,
}

impl Making<'_> {
    /// Starts the ports on their devices, and lays the wires between the others. `devices` are in the order of the ports; an
    /// end of a wire has none, nor has a file.
    pub(super) fn ports(&self, devices: Vec<Option<Device>>) -> Result<Vec<Arc<dyn Port>>, Error> {
        let mut ends: BTreeMap<usize, End> = BTreeMap::new();
        let mut ports: Vec<Arc<dyn Port>> = Vec::new();
        for (number, device) in devices.into_iter().enumerate() {
            if let Some(device) = device {
                ports.push(Arc::new(self.start(number, device)?));
                continue;
            }
            if let Some(file) = self.config.ports[number].file() {
                ports.push(Arc::new(self.player(number, &file)?));
                continue;
            }
            let lacks = || Error::Request(format!("port {:?} has no other end", self.config.ports[number].name));
            let peer = self.config.wire_peer(number).ok_or_else(lacks)?;
            if number < peer {
                let [one, other] = lay(self.end(number), self.end(peer), self.clock, self.trace);
                ends.extend([(number, one), (peer, other)]);
            }
            ports.push(Arc::new(ends.remove(&number).ok_or_else(lacks)?));
        }
        Ok(ports)
    }

    fn start(&self, number: usize, mut device: Device) -> Result<DpdkPort, Error> {
        let entry = &self.config.ports[number];
        let senders = u16::try_from(self.config.senders(self.placed, number).len()).unwrap_or(u16::MAX);
        let tx = senders.saturating_mul(entry.tx_queues_per_lcore);
        let queues = Queues { rx: self.config.rx_queues(number), tx };
        let pool = Arc::clone(&self.memory.port_pools[number]);
        let abilities = device.abilities()?;
        let plain = if abilities.needs_plain_pool() {
            // Not one of the pools that must be full at the end: net_af_xdp never gives back what it has lent to the kernel.
            // The packets that modules see are copies in the port's other pool.
            let (rooms, room) = self.needs.own[number].unwrap_or_else(|| (pool.size(), pool.room_len().into()));
            let plain = Pool::plain(&format!("own of {}", entry.name), rooms, room, abilities.is_pci)?;
            if abilities.is_pci {
                dma::check(&plain, Addressing::now()).map_err(Error::Memory)?;
            }
            Some(Arc::new(plain))
        } else {
            None
        };
        device.map(self.memory.regions())?;
        let launch = wants_launch(self.config, &self.options.calibrations, number);
        let port = DpdkPort::start(device, number_of(number), entry, queues, pool, plain, launch)?;
        // A driver that fills its rx queues now has left rooms in the cache of this thread, which no lcore could have.
        port.pool.flush_cache();
        port.plain_pool.iter().for_each(|pool| pool.flush_cache());
        Ok(port)
    }

    /// A port that plays files, which have been read.
    fn player(&self, number: usize, file: &FileDevice) -> Result<Player, Error> {
        let entry = &self.config.ports[number];
        let lacks = || Error::Request(format!("port {:?} has nothing to play", entry.name));
        let recording = self.captures.recording(number).ok_or_else(lacks)?;
        let tape = Tape::new(recording, file, self.config.rx_queues(number));
        let facts = tape.facts();
        tracing::info!(
            port = entry.name,
            packets = facts.packets,
            bytes = facts.bytes,
            memory = file.takes(self.config.rx_queues(number), facts),
            "its files {}",
            if file.is_preloaded { "are in memory" } else { "are read from the disk while they are played" }
        );
        Ok(Player::new(PlayerOptions {
            name: entry.name.clone(),
            device: entry.device.clone(),
            number: number_of(number),
            mtu: entry.mtu,
            tape,
            pool: Arc::clone(&self.memory.port_pools[number]),
            strips_vlan: entry.vlan_strip,
            clock: self.clock,
            trace: self.trace.map(Arc::clone),
        }))
    }

    /// An end of a wire. What is drawn on its way out follows from the run's seed and its names.
    fn end(&self, number: usize) -> EndOptions {
        let entry = &self.config.ports[number];
        let own = entry.wire().map(|wire| format!("{}/{}", wire.wire, wire.end)).unwrap_or_default();
        let named = own.bytes().fold(self.config.run.seed, |seed, byte| splitmix(seed ^ u64::from(byte)));
        EndOptions {
            name: entry.name.clone(),
            device: entry.device.clone(),
            number: number_of(number),
            mtu: entry.mtu,
            cable: self.config.cable(number),
            tx_descriptors: entry.tx_descriptors,
            rx_descriptors: entry.rx_descriptors,
            places: usize::try_from(self.config.under_way(number)).unwrap_or(usize::MAX),
            pool: Arc::clone(&self.memory.port_pools[number]),
            seed: named,
            strips_vlan: entry.vlan_strip,
        }
    }
}

fn number_of(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

pub(super) fn open_netlink(ports: &[Arc<dyn Port>]) -> Option<Netlink> {
    let opened = ports.iter().any(|port| port.is_on_interface()).then(Netlink::open).transpose();
    opened.unwrap_or_else(|e| {
        tracing::warn!("the kernel cannot be asked about interfaces, whose links are not watched: {e}");
        None
    })
}
