//! Ports: from a device string to queues that give and take bursts.

use super::burst::Burst;
use super::device::{Abilities, Device, check, port_error};
use super::events::Events;
use super::memif::Memif;
use super::observer::{Observer, Way};
use super::on_interface::OnInterface;
use super::packet_socket::{PacketSockets, TooLong};
use super::pool::Pool;
use super::port_info::{packet_socket_counts, sockets_of, xdp_socket_drops};
use super::timestamp::{Origin, RxTimestamp};
use perigee_abi::offloads;
use perigee_config as config;
use perigee_config::sizes::MAX_L2;
use perigee_dpdk_sys::{self as sys, offload};
use perigee_pcap::capture::Outputs;
use perigee_report::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many queues a port needs: known when all chains are placed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queues {
    /// Rx queues.
    pub rx: u16,
    /// Tx queues.
    pub tx: u16,
}

/// A running port. Dropped, it is stopped, closed and removed.
#[derive(Debug)]
pub struct Port {
    pub(super) device: Device,
    pub(super) abilities: Abilities,
    /// What has happened to it.
    pub(super) events: Events,
    /// Its number in the run.
    pub number: u16,
    /// Its MTU.
    pub mtu: u16,
    /// How many queues it has.
    pub queues: Queues,
    /// Tx offloads in use ([`offloads`]): what the software need not do.
    pub offloads: u32,
    /// Tags are stripped, by the port or (where it cannot) by us.
    pub vlan_strip: VlanStrip,
    /// Where its rx timestamps are, where it gives them.
    pub timestamp: Option<RxTimestamp>,
    /// The rooms that its packets lie in.
    pub pool: Arc<Pool>,
    /// Where the driver insists on a pool of its own.
    pub plain_pool: Option<Arc<Pool>>,
    pub(super) kernel_drops: AtomicU64,
    /// Sockets of AF_XDP, which the driver opens with its queues.
    xdp_sockets: Vec<i32>,
    /// It takes packets for any address.
    pub(super) promiscuous: bool,
    /// It was started with launch times.
    pub(super) launch: bool,
    /// Somebody else is to see what leaves.
    observe: bool,
    /// What net_memif does not do by itself.
    pub(super) memif: Option<Memif>,
}

/// Who takes VLAN tags off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VlanStrip {
    /// Nobody: modules see the frame as it was on the wire.
    Off,
    /// The port.
    Port,
    /// The host, in software.
    Software,
}

impl Port {
    /// Configures and starts a probed device; with `launch` it holds packets until the times that they carry, if it says that it can.
    pub fn start(
        device: Device,
        number: u16,
        config: &config::Port,
        queues: Queues,
        pool: Arc<Pool>,
        plain_pool: Option<Arc<Pool>>,
        launch: bool,
    ) -> Result<Self, Error> {
        let abilities = device.abilities()?;
        let (rx_offloads, tx_offloads) = wanted_offloads(config, &abilities);
        let launch = launch && abilities.tx_offloads & offload::TX_SEND_ON_TIMESTAMP != 0;
        let tx_offloads = tx_offloads | if launch { offload::TX_SEND_ON_TIMESTAMP } else { 0 };
        let vlan_strip = match (config.vlan_strip, rx_offloads & offload::RX_VLAN_STRIP != 0) {
            (false, _) => VlanStrip::Off,
            (true, true) => VlanStrip::Port,
            (true, false) => VlanStrip::Software,
        };
        let timestamp = rx_timestamp(&abilities, rx_offloads, config);
        let queues = real_queues(&abilities, queues);
        let mut port = Self {
            events: Events::new(&device.name),
            offloads: abi_offloads(rx_offloads, tx_offloads, timestamp.is_some()),
            device,
            abilities,
            number,
            mtu: config.mtu,
            queues,
            vlan_strip,
            timestamp,
            pool,
            plain_pool,
            kernel_drops: AtomicU64::new(0),
            xdp_sockets: Vec::new(),
            promiscuous: config.promiscuous,
            launch,
            observe: config.observe,
            memif: Memif::of(&config.device),
        };
        let before = sockets_of(libc::AF_XDP);
        port.bring_up(config, rx_offloads, tx_offloads).map_err(|what| port.error(what))?;
        // What the driver took of the pool in vain must not stay in this thread's cache.
        port.pool.flush_cache();
        port.xdp_sockets = sockets_of(libc::AF_XDP).into_iter().filter(|s| !before.contains(s)).collect();
        port.device.interface.iter().for_each(|interface| interface.started(!port.xdp_sockets.is_empty()));
        Ok(port)
    }

    fn error(&self, what: String) -> Error {
        port_error(&self.device.name, &self.device.device, what)
    }

    fn bring_up(&self, config: &config::Port, rx_offloads: u64, tx_offloads: u64) -> Result<(), String> {
        let (id, abilities) = (self.device.id, &self.abilities);
        if self.queues.rx > abilities.max_rx_queues || self.queues.tx > abilities.max_tx_queues {
            return Err(format!(
                "the plan needs {} rx and {} tx queues, the device has {} and {}. Each lcore that sends to a port needs a \
                 tx queue of its own: give the device more (net_af_packet: qpairs=N, net_pcap: one tx_pcap per queue), or \
                 let one lcore send and bring packets to it by a [[ring]]",
                self.queues.rx, self.queues.tx, abilities.max_rx_queues, abilities.max_tx_queues
            ));
        }
        let Queues { rx, tx, .. } = self.queues;
        let mtu = abilities.driver_mtu(config.mtu);
        let spread = abilities.spread(config.rss.as_ref())?;
        spread.tell(&self.device.name, abilities, rx);
        let (functions, (key, key_len)) = (spread.functions, spread.key());
        // SAFETY:
        // - the port exists and is not started; the key has the length that is said, and is only read.
        let code = unsafe {
            sys::perigee_port_configure(id, rx, tx, rx_offloads, tx_offloads, mtu.into(), functions, key, key_len)
        };
        check("rte_eth_dev_configure", code)
            .map_err(|e| format!("{e} (rx queues {rx}, tx queues {tx}, MTU {})", config.mtu))?;
        self.set_up_queues(config)?;
        self.set_mtu(mtu)?;
        if config.promiscuous {
            // SAFETY:
            // - the port exists.
            let code = unsafe { sys::rte_eth_promiscuous_enable(id) };
            if let Err(e) = check("promiscuous mode", code) {
                tracing::warn!(port = %self.device.name, "{e}: only frames to the port's own address come in");
            }
        }
        // SAFETY:
        // - the port is configured and its queues are set up.
        let code = unsafe { sys::rte_eth_dev_start(id) };
        let hint = || self.memif.as_ref().map_or(String::new(), |memif| format!("; {}", memif.hint()));
        check("rte_eth_dev_start", code).map_err(|e| e + &hint())
    }

    fn set_up_queues(&self, config: &config::Port) -> Result<(), String> {
        let id = self.device.id;
        let (mut rx_desc, mut tx_desc) = (config.rx_descriptors, config.tx_descriptors);
        // SAFETY:
        // - the port is configured; both places are valid.
        let code = unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &raw mut rx_desc, &raw mut tx_desc) };
        check("rte_eth_dev_adjust_nb_rx_tx_desc", code)?;
        self.descriptors_as_planned(config, rx_desc, tx_desc)?;
        let pool = self.plain_pool.as_ref().unwrap_or(&self.pool);
        for queue in 0..self.queues.rx {
            // SAFETY:
            // - the port is configured with this queue, and the pool outlives it.
            let code =
                unsafe { sys::rte_eth_rx_queue_setup(id, queue, rx_desc, u32::MAX, std::ptr::null(), pool.as_ptr()) };
            check(&format!("rx queue {queue}"), code).map_err(|e| format!("{e}{}", self.room_help()))?;
        }
        for queue in 0..self.queues.tx {
            // SAFETY:
            // - the port is configured with this queue.
            let code = unsafe { sys::rte_eth_tx_queue_setup(id, queue, tx_desc, u32::MAX, std::ptr::null()) };
            check(&format!("tx queue {queue}"), code)?;
        }
        Ok(())
    }

    /// Pools are as large as the rings that the configuration asks for; a device that makes larger ones would keep all packets.
    fn descriptors_as_planned(&self, config: &config::Port, rx: u16, tx: u16) -> Result<(), String> {
        let asked = [("rx_descriptors", config.rx_descriptors, rx), ("tx_descriptors", config.tx_descriptors, tx)];
        match asked.iter().find(|(_, asked, made)| self.abilities.is_pci && made > asked) {
            None => Ok(()),
            Some((key, asked, made)) => {
                Err(format!("{key} is {asked}, and its rings have {made} at least: {key} = {made}"))
            }
        }
    }

    fn room_help(&self) -> String {
        let mtu = self.mtu;
        match self.abilities.driver.as_str() {
            _ if self.abilities.is_pci => {
                return format!(
                    ". Rooms have {} bytes here, for mtu = {mtu}: where DPDK's lines above ask for larger ones, raise `mtu`",
                    self.pool.room_len()
                );
            }
            "net_af_packet" => {
                ". Its frame must hold what a room holds: give framesz= (a power of two at least as large as the MTU and \
                 headers), and blocksz= a multiple of it"
            }
            "net_af_xdp" => {
                ". AF_XDP needs root, a kernel with it, queues that the interface has (`ethtool -l`), no other XDP program \
                 on it, and an MTU of at most 3,506, of a veth's other end as well"
            }
            "net_pcap" => {
                ". With infinite_rx all packets of the capture lie in the port's pool: raise `pool`, or `mtu`"
            }
            _ => "",
        }
        .to_owned()
    }

    fn set_mtu(&self, mtu: u16) -> Result<(), String> {
        let mut now = 0;
        // SAFETY:
        // - the port exists, and the place for the answer is valid.
        let code = unsafe { sys::rte_eth_dev_get_mtu(self.device.id, &raw mut now) };
        if code == 0 && now == mtu {
            return Ok(());
        }
        // SAFETY:
        // - the port exists.
        let code = unsafe { sys::rte_eth_dev_set_mtu(self.device.id, mtu) };
        // Devices without an MTU of their own (net_ring, net_null, net_pcap) say that they cannot set it.
        if code == -libc::ENOTSUP { Ok(()) } else { check(&format!("MTU {mtu}"), code) }
    }

    /// DPDK's number of it.
    pub fn dpdk_id(&self) -> u16 {
        self.device.id
    }

    /// Name in the configuration.
    pub fn name(&self) -> &str {
        &self.device.name
    }

    /// Longest frame that may be sent, without frame check sequence.
    pub fn max_frame(&self) -> u16 {
        self.mtu.saturating_add(u16::try_from(MAX_L2).unwrap_or(u16::MAX))
    }

    /// True where the device is a real one.
    pub fn is_physical(&self) -> bool {
        self.abilities.is_pci
    }

    /// What it gives are mbufs as another port sent them, flags and all.
    pub fn hands_on_mbufs(&self) -> bool {
        self.abilities.driver == "net_ring"
    }

    /// Frees what waits in a port that hands on mbufs (net_ring): nobody will take it, and closing the port would lose it.
    /// Returns how many packets that are.
    pub fn discard_waiting(&self) -> u64 {
        let mut discarded = 0;
        let mut waiting = Burst::new();
        for queue in 0..if self.hands_on_mbufs() { self.queues.rx } else { 0 } {
            while self.rx(queue, &mut waiting, perigee_abi::MAX_BATCH) != 0 {
                discarded += waiting.free_all() as u64;
            }
        }
        discarded
    }

    /// The files that it writes.
    pub fn outputs(&self) -> &Arc<Outputs> {
        &self.device.outputs
    }

    /// Puts the files that it writes in their places.
    pub fn commit_outputs(&self) -> Result<(), Error> {
        self.outputs().commit().map_err(|what| self.error(what))
    }

    /// Tells, once, that files do not take what is sent to them.
    pub fn watch_outputs(&self) {
        if !self.outputs().has_files() {
            return;
        }
        let stats = self.stats();
        if let Some(bytes) = self.outputs().first_missing(stats.tx_packets, stats.tx_bytes) {
            tracing::error!(port = self.name(), "{bytes} bytes that were sent are not in its file: is the disk full?");
        }
    }

    /// Nothing can be sent now: the interface below is not set up, or gone, or the card was pulled out. What is sent all the same would wait in the
    /// driver, counted as sent, and go out late or never.
    #[inline]
    pub fn is_shut(&self) -> bool {
        self.device.is_gone() || self.device.interface.as_ref().is_some_and(OnInterface::is_shut)
    }

    /// Who else sees what it sends and has these bytes for a tag, where that is asked for.
    pub fn observer(&self, tag: [u8; 2]) -> Option<Result<Observer, Error>> {
        let interface = self.device.interface.as_ref().filter(|_| self.observe)?;
        let way = if self.abilities.driver == "net_tap" { Way::In } else { Way::Out };
        let opened = Observer::open(interface.sends_by(), way, tag, self.max_frame().into());
        Some(opened.map_err(|e| self.error(format!("observe: its packet socket: {e}"))))
    }

    /// Packets that the kernel dropped in front of an AF_PACKET or AF_XDP port since the start: no DPDK counter has them.
    pub fn kernel_drops(&self) -> u64 {
        let new: u64 = self.device.sockets.iter().map(|&s| packet_socket_counts(s).1).sum();
        let in_xdp: u64 = self.xdp_sockets.iter().map(|&s| xdp_socket_drops(s)).sum();
        self.kernel_drops.fetch_add(new, Ordering::Relaxed) + new + in_xdp
    }

    /// Packets that did not come in because the driver would have cut them.
    pub fn too_long(&self) -> u64 {
        let in_rings = self.device.packet.as_ref().map_or(0, PacketSockets::too_long);
        in_rings + self.device.too_long.as_ref().map_or(0, TooLong::count)
    }
}

fn wanted_offloads(config: &config::Port, abilities: &Abilities) -> (u64, u64) {
    let strip = if config.vlan_strip { offload::RX_VLAN_STRIP } else { 0 };
    let checksum = offload::RX_IPV4_CKSUM | offload::RX_UDP_CKSUM | offload::RX_TCP_CKSUM;
    let rx = strip | checksum | offload::RX_TIMESTAMP | offload::RX_RSS_HASH;
    let tx = offload::TX_VLAN_INSERT | offload::TX_IPV4_CKSUM | offload::TX_UDP_CKSUM | offload::TX_TCP_CKSUM;
    if config.offload { (rx & abilities.rx_offloads, tx & abilities.tx_offloads) } else { (0, 0) }
}

fn abi_offloads(rx: u64, tx: u64, timestamp: bool) -> u32 {
    let pairs = [
        (tx & offload::TX_VLAN_INSERT != 0, offloads::TX_VLAN),
        (tx & offload::TX_IPV4_CKSUM != 0, offloads::TX_IP_CHECKSUM),
        (tx & offload::TX_UDP_CKSUM != 0, offloads::TX_UDP_CHECKSUM),
        (tx & offload::TX_TCP_CKSUM != 0, offloads::TX_TCP_CHECKSUM),
        (rx & offload::RX_IPV4_CKSUM != 0, offloads::RX_CHECKSUM),
        (timestamp, offloads::RX_TIME),
    ];
    pairs.iter().filter(|(has, _)| *has).fold(0, |bits, (_, bit)| bits | bit)
}

/// Drivers that pair each rx queue with a tx queue get as many of both.
fn real_queues(abilities: &Abilities, wanted: Queues) -> Queues {
    // A port that is only read still has a tx queue, and the other way round: few drivers start without.
    let rx = wanted.rx.max(1).min(abilities.max_rx_queues.max(wanted.rx));
    let tx = wanted.tx.max(1).min(abilities.max_tx_queues.max(wanted.tx));
    let paired = matches!(abilities.driver.as_str(), "net_tap" | "net_af_xdp" | "net_ring");
    if paired { Queues { rx: rx.max(tx), tx: rx.max(tx) } } else { Queues { rx, tx } }
}

/// Ports whose driver gives timestamps, in which unit, and by which clock.
fn rx_timestamp(abilities: &Abilities, rx_offloads: u64, config: &config::Port) -> Option<RxTimestamp> {
    match abilities.driver.as_str() {
        // net_pcap gives the time of the record in microseconds, asked or not. A file's are of another time.
        "net_pcap" if config.reads_capture() => RxTimestamp::of_dynamic_field(1_000, Origin::Unknown),
        "net_pcap" => RxTimestamp::of_dynamic_field(1_000, Origin::Unix),
        "net_af_packet" if rx_offloads & offload::RX_TIMESTAMP != 0 => RxTimestamp::of_dynamic_field(1, Origin::Unix),
        _ if rx_offloads & offload::RX_TIMESTAMP != 0 => RxTimestamp::of_dynamic_field(1, Origin::Unknown),
        _ => None,
    }
}
