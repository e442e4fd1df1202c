//! Devices before they are ports: probed, and asked what they can do.

use super::dma::Mapped;
use super::on_bus::OnBus;
use super::on_interface::OnInterface;
use super::packet_socket::{PacketSockets, TooLong};
use super::port_info::sockets_of;
use super::region::Region;
use super::{eal, memif, strerror};
use perigee_config::device::interface_of;
use perigee_config::device::{PCAP_LONGEST, PacketRing, argument, kind};
use perigee_config::{Config, Port};
use perigee_dpdk_sys as sys;
use perigee_machine::Card;
use perigee_machine::netlink::{Link, Netlink, Which};
use perigee_pcap::capture::Outputs;
use perigee_report::Error;
use std::sync::Arc;

/// Shorthand for the answers of DPDK's calls.
pub(super) fn check(what: &str, code: i32) -> Result<(), String> {
    if code < 0 { Err(format!("{what}: {}", strerror(code))) } else { Ok(()) }
}

/// A probed device, before it is configured.
#[derive(Debug)]
pub struct Device {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) device: String,
    /// Sockets of AF_PACKET that appeared when the device was probed: only the kernel knows what it dropped there.
    pub(super) sockets: Vec<i32>,
    /// Those among them that are ours in the place of the driver's.
    pub(super) packet: Option<PacketSockets>,
    /// What is kept from those that are not.
    pub(super) too_long: Option<TooLong>,
    /// The interface that it is made on, where that is one of the kernel's.
    pub(super) interface: Option<OnInterface>,
    /// The card that it is.
    pub(super) card: Option<Card>,
    /// The same, watched.
    pub(super) bus: Option<OnBus>,
    /// What the card reaches.
    dma: Option<Mapped>,
    /// Files that it writes. Closed after the driver has closed them.
    pub outputs: Arc<Outputs>,
}

/// What can be done with a device, read once.
#[derive(Clone, Debug)]
pub struct Abilities {
    /// The driver's name.
    pub driver: String,
    /// Most rx queues.
    pub max_rx_queues: u16,
    /// Most tx queues.
    pub max_tx_queues: u16,
    /// `RTE_ETH_RX_OFFLOAD_*`.
    pub rx_offloads: u64,
    /// `RTE_ETH_TX_OFFLOAD_*`.
    pub tx_offloads: u64,
    /// `RTE_ETH_RSS_*`.
    pub rss: u64,
    /// Bytes of its key of RSS; 0 where the driver does not say.
    pub hash_key_len: u8,
    /// Largest MTU.
    pub max_mtu: u16,
    /// It is a card on the PCI bus.
    pub is_pci: bool,
    /// Bytes at the end of each frame that its byte counters count and nobody sees: the frame check sequence.
    pub(super) counts_beside: u64,
}

impl Device {
    /// Lets the device come up.
    pub fn probe(config: &Config, port: &Port) -> Result<Self, Error> {
        let told = |what| port_error(&port.name, &port.device, what);
        memif::remove_leftover(&port.device).map_err(told)?;
        let before = sockets_of(libc::AF_PACKET);
        let (mut outputs, driven) = Outputs::open(&config.device(port)).map_err(told)?;
        let id = eal::probe(&driven).map_err(told)?;
        let found = outputs.find();
        let mut sockets = sockets_of(libc::AF_PACKET);
        sockets.retain(|socket| !before.contains(socket));
        // In the order in which they were opened, which is that of the queues.
        sockets.sort_unstable();
        let (name, device) = (port.name.clone(), port.device.clone());
        let outputs = Arc::new(outputs);
        let card = port.card();
        let bus = card.as_ref().and_then(OnBus::new);
        let (packet, too_long, interface, dma) = (None, None, None, None);
        let mut made = Self { id, name, device, sockets, packet, too_long, interface, card, bus, dma, outputs };
        found.map_err(told)?;
        let found = interface_of(&port.device).and_then(|name| Some((name, link_of(name)?)));
        if let Some((name, link)) = found {
            made.bound(port, &link).map_err(|e| told(format!("its packet sockets: {e}")))?;
            let longest = made.packet.as_ref().map_or(0, PacketSockets::longest);
            let sends = argument(&port.device, "tx_iface").is_none_or(|other| other == name);
            made.interface = Some(OnInterface::new(name, &link, longest, sends));
        }
        Ok(made)
    }

    /// Keeps packets from the driver that it would cut.
    fn bound(&mut self, port: &Port, link: &Link) -> std::io::Result<()> {
        match (kind(&port.device), PacketRing::of(port)) {
            ("net_af_packet", Ok(ring)) => {
                self.packet = Some(PacketSockets::replace(&self.sockets, link.number, ring)?);
            }
            ("net_pcap", _) => self.too_long = Some(TooLong::instead_of(&self.sockets, link.number, PCAP_LONGEST)?),
            _ => {}
        }
        Ok(())
    }

    /// Lets the card reach regions, before it is started: from then on it may write.
    pub fn map<'a>(&mut self, regions: impl Iterator<Item = &'a Region>) -> Result<(), Error> {
        let Some(card) = &self.card else { return Ok(()) };
        let mapped = Mapped::new(self.id, card.is_by_vfio(), regions);
        self.dma = Some(mapped.map_err(|what| port_error(&self.name, &self.device, what))?);
        Ok(())
    }

    /// What DPDK says of it.
    pub fn abilities(&self) -> Result<Abilities, Error> {
        let mut info = sys::rte_eth_dev_info::default();
        // SAFETY:
        // - the port exists, and info is a valid place for the answer.
        let code = unsafe { sys::rte_eth_dev_info_get(self.id, &raw mut info) };
        check("rte_eth_dev_info_get", code).map_err(|what| port_error(&self.name, &self.device, what))?;
        let driver = super::port_info::text(info.driver_name);
        Ok(Abilities {
            // em_ethdev.c reads GORC and GOTC as they are; igb, ixgbe and others take the sequence off.
            counts_beside: if driver == "net_e1000_em" { 4 } else { 0 },
            max_rx_queues: info.max_rx_queues.min(queues_of(&driver)),
            max_tx_queues: info.max_tx_queues.min(queues_of(&driver)),
            driver,
            rx_offloads: info.rx_offload_capa,
            tx_offloads: info.tx_offload_capa,
            rss: info.flow_type_rss_offloads,
            hash_key_len: info.hash_key_size,
            max_mtu: info.max_mtu,
            is_pci: self.card.is_some(),
        })
    }
}

impl Abilities {
    /// The driver lays its own buffers out, or finds data by the header's address: it gets an ordinary pool, and what it
    /// receives is copied into the window.
    pub fn needs_plain_pool(&self) -> bool {
        matches!(self.driver.as_str(), "net_af_xdp" | "mlx5_pci" | "mlx5_auxiliary" | "net_mlx4" | "mlx4_pci")
    }
}

/// Queues that a driver can really use. net_e1000_em says two for all of its cards; the older ones have one, and take for sent what
/// is laid into a second one and never leaves them; the newer ones have one set of checksum offloads for both.
fn queues_of(driver: &str) -> u16 {
    if driver == "net_e1000_em" { 1 } else { u16::MAX }
}

/// What the kernel says of an interface; nothing where it is not there.
fn link_of(name: &str) -> Option<Link> {
    Netlink::open().ok()?.ask(Which::Name(name)).ok()
}

pub(super) fn port_error(name: &str, device: &str, what: String) -> Error {
    Error::Port { name: name.to_owned(), device: device.to_owned(), what }
}

impl Drop for Device {
    fn drop(&mut self) {
        super::port_info::stop(self.id);
        // A card that is stopped writes no more.
        self.dma = None;
        super::port_info::close(self.id);
    }
}
