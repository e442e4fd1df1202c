//! Ports: from a device string to queues that give and take bursts.

use super::device::{Abilities, Device, check, port_error};
use super::packet::Burst;
use super::pool::{MAX_L2, Pool};
use super::port_info::{packet_socket_drops, sockets_of, xdp_socket_drops};
use crate::config;
use crate::error::Error;
use perigee_abi::offloads;
use perigee_dpdk_sys::{self as sys, offload};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// How many queues a port needs: known when all chains are placed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queues {
    pub(crate) rx: u16,
    pub(crate) tx: u16,
    /// Rx queues that chains read.
    pub(crate) read: u16,
}

/// A running port. Dropped, it is stopped, closed and removed.
#[derive(Debug)]
pub(crate) struct Port {
    pub(super) device: Device,
    pub(super) abilities: Abilities,
    /// Its number in the run.
    pub(crate) number: u16,
    pub(crate) mtu: u16,
    pub(crate) queues: Queues,
    /// Tx offloads in use ([`offloads`]): what the software need not do.
    pub(crate) offloads: u32,
    /// Tags are stripped, by the port or (where it cannot) by us.
    pub(crate) vlan_strip: VlanStrip,
    pub(crate) timestamp: Option<RxTimestamp>,
    /// The rooms that its packets lie in.
    pub(crate) pool: Arc<Pool>,
    /// Where the driver insists on a pool of its own.
    pub(crate) plain_pool: Option<Arc<Pool>>,
    pub(super) kernel_drops: AtomicU64,
    /// Sockets of AF_XDP, which the driver opens with its queues.
    xdp_sockets: Vec<i32>,
}

/// Who takes VLAN tags off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VlanStrip {
    /// Nobody: modules see the frame as it was on the wire.
    Off,
    /// The port.
    Port,
    /// The host, in software.
    Software,
}

/// Where a port leaves its rx timestamps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RxTimestamp {
    pub(crate) flag: u64,
    pub(crate) offset: usize,
    /// Nanoseconds in one unit.
    pub(crate) unit_ns: u64,
}

impl Port {
    /// Configures and starts a probed device.
    pub(crate) fn start(
        device: Device,
        number: u16,
        config: &config::Port,
        queues: Queues,
        pool: Arc<Pool>,
        plain_pool: Option<Arc<Pool>>,
    ) -> Result<Self, Error> {
        let abilities = device.abilities()?;
        let (rx_offloads, tx_offloads) = wanted_offloads(config, &abilities);
        let vlan_strip = match (config.vlan_strip, rx_offloads & offload::RX_VLAN_STRIP != 0) {
            (false, _) => VlanStrip::Off,
            (true, true) => VlanStrip::Port,
            (true, false) => VlanStrip::Software,
        };
        let timestamp = rx_timestamp(&abilities);
        let queues = real_queues(&abilities, queues);
        let mut port = Self {
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
        };
        let before = sockets_of(libc::AF_XDP);
        port.bring_up(config, rx_offloads, tx_offloads).map_err(|what| port.error(what))?;
        port.xdp_sockets = sockets_of(libc::AF_XDP).into_iter().filter(|s| !before.contains(s)).collect();
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
        self.check_unread()?;
        let Queues { rx, tx, .. } = self.queues;
        let (rss, mtu) = (abilities.rss & offload::RSS_IP_L4, abilities.driver_mtu(config.mtu));
        // SAFETY:
        // - the port exists and is not started.
        let code = unsafe { sys::perigee_port_configure(id, rx, tx, rx_offloads, tx_offloads, mtu.into(), rss) };
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
        check("rte_eth_dev_start", unsafe { sys::rte_eth_dev_start(id) })
    }

    /// The kernel spreads flows over all queues that a virtual device has: those in a queue that nobody reads would be
    /// lost, and no counter would show it.
    fn check_unread(&self) -> Result<(), String> {
        let read = self.queues.read;
        let pairs = self.device.device.split(',').find_map(|argument| argument.strip_prefix("qpairs="));
        let has = match self.abilities.driver.as_str() {
            "net_tap" | "net_af_xdp" => self.queues.rx,
            "net_af_packet" => pairs.and_then(|pairs| pairs.parse().ok()).unwrap_or(1),
            _ => return Ok(()),
        };
        if read == 0 || read >= has {
            return Ok(());
        }
        Err(format!(
            "it has {has} rx queues, of which chains read {read}: the kernel spreads flows over all of them, and the others' \
             would be lost. Let a chain read each queue (lcores = [...]), or let one lcore alone send to this port: its rx \
             and tx queues come in pairs"
        ))
    }

    fn set_up_queues(&self, config: &config::Port) -> Result<(), String> {
        let id = self.device.id;
        let (mut rx_desc, mut tx_desc) = (config.rx_descriptors, config.tx_descriptors);
        // SAFETY:
        // - the port is configured; both places are valid.
        let code = unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &raw mut rx_desc, &raw mut tx_desc) };
        check("rte_eth_dev_adjust_nb_rx_tx_desc", code)?;
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

    fn room_help(&self) -> &'static str {
        match self.abilities.driver.as_str() {
            "net_af_packet" => {
                ". Its frame must hold what a room holds: give framesz= (a power of two at least as large as the MTU and \
                 headers), and blocksz= a multiple of it"
            }
            "net_af_xdp" => ". AF_XDP needs root, a kernel with it, and an interface without another XDP program",
            _ => "",
        }
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
    pub(crate) fn dpdk_id(&self) -> u16 {
        self.device.id
    }

    /// Name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.device.name
    }

    /// Longest frame that may be sent, without frame check sequence.
    pub(crate) fn max_frame(&self) -> u16 {
        self.mtu.saturating_add(u16::try_from(MAX_L2).unwrap_or(u16::MAX))
    }

    /// True where the device is a real one.
    pub(crate) fn is_physical(&self) -> bool {
        self.abilities.is_pci
    }

    /// What it gives are mbufs as another port sent them, flags and all.
    pub(crate) fn hands_on_mbufs(&self) -> bool {
        self.abilities.driver == "net_ring"
    }

    /// Frees what waits in a port that hands on mbufs (net_ring): nobody will take it, and closing the port would lose it.
    pub(crate) fn discard_waiting(&self) {
        let mut waiting = Burst::new();
        for queue in 0..if self.hands_on_mbufs() { self.queues.rx } else { 0 } {
            while self.rx(queue, &mut waiting, perigee_abi::MAX_BATCH) != 0 {
                waiting.free_all();
            }
        }
    }

    /// Receives up to `max` packets to the end of the burst.
    #[inline]
    pub(crate) fn rx(&self, queue: u16, burst: &mut Burst, max: usize) -> usize {
        burst.extend_raw(max, |mbufs, n| {
            // SAFETY:
            // - the port is started and the queue belongs to the calling lcore; there is place for n pointers.
            unsafe { sys::perigee_rx_burst(self.device.id, queue, mbufs, n) }.into()
        })
    }

    /// Sends packets from the front of the burst; what the port does not take stays in it.
    #[inline]
    pub(crate) fn tx(&self, queue: u16, burst: &mut Burst) -> usize {
        burst.drain_raw(|mbufs, n| {
            // SAFETY:
            // - the port is started and the queue belongs to the calling lcore; the burst forgets what was taken.
            unsafe { sys::perigee_tx_burst(self.device.id, queue, mbufs, n) }.into()
        })
    }

    /// Lets the driver prepare offloads; returns how many packets from the front are ready.
    pub(crate) fn tx_prepare(&self, queue: u16, burst: &mut Burst) -> usize {
        let mut ready = 0;
        burst.drain_raw(|mbufs, n| {
            // SAFETY:
            // - as for tx; nothing leaves the burst.
            ready = unsafe { sys::perigee_tx_prepare(self.device.id, queue, mbufs, n) }.into();
            0
        });
        ready
    }

    /// Packets that the kernel dropped in front of an AF_PACKET or AF_XDP port since the start: no DPDK counter has them.
    pub(crate) fn kernel_drops(&self) -> u64 {
        let new: u64 = self.device.sockets.iter().map(|&s| packet_socket_drops(s)).sum();
        let in_xdp: u64 = self.xdp_sockets.iter().map(|&s| xdp_socket_drops(s)).sum();
        self.kernel_drops.fetch_add(new, Ordering::Relaxed) + new + in_xdp
    }

    /// Lets the port's device reach the region by DMA.
    pub(crate) fn map_dma(&self, base: usize, len: usize) -> Result<(), Error> {
        if !self.is_physical() {
            return Ok(());
        }
        super::port_info::map_dma(self.device.id, base, len).map_err(|what| self.error(what))
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
    if paired { Queues { rx: rx.max(tx), tx: rx.max(tx), ..wanted } } else { Queues { rx, tx, ..wanted } }
}

/// Ports whose driver gives timestamps, and in which unit. DPDK has one field for all ports of the process.
fn rx_timestamp(abilities: &Abilities) -> Option<RxTimestamp> {
    static FIELD: OnceLock<Option<(i32, u64)>> = OnceLock::new();
    let unit_ns = match abilities.driver.as_str() {
        // net_pcap gives the time of the record in microseconds.
        "net_pcap" => 1_000,
        _ if abilities.rx_offloads & offload::RX_TIMESTAMP != 0 => 1,
        _ => return None,
    };
    let field = *FIELD.get_or_init(|| {
        let (mut offset, mut flag) = (0, 0);
        // SAFETY:
        // - EAL is started, and both places are valid.
        let code = unsafe { sys::rte_mbuf_dyn_rx_timestamp_register(&raw mut offset, &raw mut flag) };
        (code == 0).then_some((offset, flag))
    });
    let (offset, flag) = field?;
    Some(RxTimestamp { flag, offset: usize::try_from(offset).ok()?, unit_ns })
}
