//! What is read of ports: counters, link, addresses, descriptions; and their end.

use super::device::{Abilities, Device};
use super::on_bus::LastCounters;
use super::on_interface::OnInterface;
use super::port::Port;
use super::strerror;
use super::trust::meaning;
use perigee_abi::PortInfo;
use perigee_core::lock;
use perigee_dpdk_sys::{self as sys, offload};
use perigee_report::{PortDescription, PortStats};
use std::collections::BTreeMap;
use std::ffi::CStr;

/// A string of DPDK's, or nothing.
pub(super) fn text(at: *const libc::c_char) -> String {
    if at.is_null() {
        return String::new();
    }
    // SAFETY:
    // - DPDK's names are terminated and live as long as the driver.
    unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
}

impl Device {
    /// Describes the device without starting it.
    pub fn describe(&self, abilities: &Abilities) -> PortDescription {
        let (speed_mbps, link_up) = link(self.id);
        // SAFETY:
        // - any port number may be asked for.
        let numa_node = unsafe { sys::rte_eth_dev_socket_id(self.id) };
        let [a, b, c, d, e, f] = mac(self.id);
        PortDescription {
            device: self.device.clone(),
            driver: abilities.driver.clone(),
            mac: format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
            link_up,
            speed_mbps,
            numa_node,
            max_rx_queues: abilities.max_rx_queues,
            max_tx_queues: abilities.max_tx_queues,
            max_mtu: abilities.max_mtu,
            // SAFETY:
            // - the function takes any bit and returns a static string.
            rx_offloads: offload_names(abilities.rx_offloads, |bit| unsafe { sys::rte_eth_dev_rx_offload_name(bit) }),
            // SAFETY:
            // - as above.
            tx_offloads: offload_names(abilities.tx_offloads, |bit| unsafe { sys::rte_eth_dev_tx_offload_name(bit) }),
            rss: abilities.rss != 0,
            rx_timestamps: abilities.rx_offloads & offload::RX_TIMESTAMP != 0 || abilities.driver == "net_pcap",
            tx_at_time: abilities.tx_offloads & offload::TX_SEND_ON_TIMESTAMP != 0,
            copies_on_rx: abilities.needs_plain_pool(),
        }
    }
}

fn offload_names(bits: u64, name: impl Fn(u64) -> *const libc::c_char) -> Vec<String> {
    (0..64).map(|i| 1 << i).filter(|bit| bits & bit != 0).map(|bit| text(name(bit))).collect()
}

impl Port {
    /// The port as modules see it.
    pub fn info(&self, may_tx: bool) -> PortInfo {
        let (speed_mbps, link_up) = self.link();
        PortInfo {
            mac: mac(self.device.id),
            mtu: self.mtu,
            link_up: link_up.into(),
            speed_mbps,
            offloads: self.offloads,
            may_tx: may_tx.into(),
            reserved: [0; 2],
        }
    }

    /// The link is up.
    pub fn link_up(&self) -> bool {
        self.link().1
    }

    /// Speed in Mbit/s, and whether the link is up: by the kernel, where it knows better than the driver.
    fn link(&self) -> (u32, bool) {
        if self.device.is_gone() {
            return (0, false);
        }
        let (speed, up) = link(self.device.id);
        (speed, self.device.interface.as_ref().map_or(up, OnInterface::is_up))
    }

    /// Counters since the start.
    pub fn stats(&self) -> PortStats {
        let (stats, xstats) = self.counters();
        let beside = self.abilities.counts_beside;
        let (speed_mbps, link_up) = self.link();
        let mut stats = PortStats {
            name: self.device.name.clone(),
            device: self.device.device.clone(),
            driver: self.abilities.driver.clone(),
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes.saturating_sub(stats.ipackets.saturating_mul(beside)),
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes.saturating_sub(stats.opackets.saturating_mul(beside)),
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            rx_nombuf: stats.rx_nombuf,
            tx_errors: stats.oerrors,
            unwritten: 0,
            unwritten_bytes: self.outputs().missing(stats.opackets, stats.obytes),
            discarded: 0,
            kernel_drops: self.kernel_drops(),
            rx_too_long: self.too_long(),
            link_up,
            link_downs: self.events.downs(),
            events: self.events.told(),
            speed_mbps,
            xstats,
            wire: None,
            replay: None,
            means: meaning(&self.abilities.driver, &self.device.device, self.outputs().is_unchecked()),
            flows: Vec::new(),
        };
        self.memif.iter().for_each(|memif| memif.complete(&mut stats));
        stats
    }
}

impl Port {
    /// The driver's counters; of a card that is gone those that were read last, for it answers no more.
    fn counters(&self) -> LastCounters {
        let last = self.device.bus.as_ref().map(|bus| lock(&bus.last));
        if let Some(last) = last.as_ref().filter(|_| self.device.is_gone()) {
            return LastCounters::clone(last);
        }
        let mut stats = sys::rte_eth_stats::default();
        // SAFETY:
        // - the port exists, and stats is a valid place for the answer.
        unsafe { sys::rte_eth_stats_get(self.device.id, &raw mut stats) };
        let counters = (stats, xstats(self.device.id));
        if let Some(mut last) = last {
            last.clone_from(&counters);
        }
        counters
    }
}

/// Speed in Mbit/s, and whether the link is up.
fn link(port: u16) -> (u32, bool) {
    let (mut speed, mut up) = (0, 0);
    // SAFETY:
    // - both places are valid; the shim copes with a port that cannot say.
    unsafe { sys::perigee_link(port, &raw mut speed, &raw mut up) };
    (speed, up != 0)
}

fn mac(port: u16) -> [u8; 6] {
    let mut mac = sys::rte_ether_addr::default();
    // SAFETY:
    // - the place is valid; a port that does not exist leaves it at zero.
    unsafe { sys::rte_eth_macaddr_get(port, &raw mut mac) };
    mac.addr_bytes
}

fn xstats(port: u16) -> BTreeMap<String, u64> {
    // SAFETY:
    // - with no place given, only the number of counters is returned.
    let count = unsafe { sys::rte_eth_xstats_get_names(port, std::ptr::null_mut(), 0) };
    let count = u32::try_from(count).unwrap_or(0);
    let mut names = vec![sys::rte_eth_xstat_name::default(); count as usize];
    let mut values = vec![sys::rte_eth_xstat::default(); count as usize];
    // SAFETY:
    // - names has place for count entries.
    let named = unsafe { sys::rte_eth_xstats_get_names(port, names.as_mut_ptr(), count) };
    // SAFETY:
    // - values has place for count entries.
    let valued = unsafe { sys::rte_eth_xstats_get(port, values.as_mut_ptr(), count) };
    if named != valued || u32::try_from(valued) != Ok(count) {
        return BTreeMap::new();
    }
    let named = values.iter().filter(|v| v.value != 0).filter_map(|v| {
        let name = names.get(usize::try_from(v.id).ok()?)?;
        Some((text(name.name.as_ptr()), v.value))
    });
    named.collect()
}

/// Stops a device.
pub(super) fn stop(port: u16) {
    // A virtual port has set the flag of the kernel's interface below it, which outlives the port.
    // SAFETY:
    // - any port number may be given; a port that is gone is refused.
    unsafe { sys::rte_eth_promiscuous_disable(port) };
    // SAFETY:
    // - no lcore uses the port any more; one that is not started is left alone.
    unsafe { sys::rte_eth_dev_stop(port) };
}

/// Closes and removes a device that is stopped, so that its name can be used again.
pub(super) fn close(port: u16) {
    let mut info = sys::rte_eth_dev_info::default();
    // SAFETY:
    // - the place is valid; a port that is gone is refused.
    let known = unsafe { sys::rte_eth_dev_info_get(port, &raw mut info) } == 0;
    // SAFETY:
    // - no lcore uses the port any more.
    unsafe { sys::rte_eth_dev_close(port) };
    if known && !info.device.is_null() {
        // SAFETY:
        // - the device is EAL's and was not removed since it was asked for.
        let code = unsafe { sys::rte_dev_remove(info.device) };
        if code < 0 {
            tracing::debug!(port, "rte_dev_remove: {}", strerror(code));
        }
    }
}

impl Abilities {
    /// The MTU that the driver is asked for. net_af_packet and net_memif say that they take 1,518 bytes at most, and take
    /// whatever fits the frames of the ring or the buffers: they are not asked for more, and an interface keeps the MTU that
    /// it was given.
    pub(super) fn driver_mtu(&self, mtu: u16) -> u16 {
        if matches!(self.driver.as_str(), "net_af_packet" | "net_memif") { mtu.min(1_500) } else { mtu }
    }
}

/// Open sockets of this process of an address family: AF_PACKET, AF_XDP.
pub(super) fn sockets_of(family: i32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|e| e.file_name().to_string_lossy().parse::<i32>().ok());
    numbers.filter(|&fd| is_socket_of(family, fd)).collect()
}

fn is_socket_of(family: i32, fd: i32) -> bool {
    let mut domain = 0_i32;
    let mut len = u32::try_from(size_of::<i32>()).unwrap_or(4);
    // SAFETY:
    // - the place for the answer has the length that is stated; a descriptor that is no socket is refused.
    let code =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_DOMAIN, (&raw mut domain).cast(), &raw mut len) };
    code == 0 && domain == family
}

/// Packets that an AF_PACKET socket saw, and those among them that the kernel dropped because it was full, since this was
/// asked last (the kernel begins anew).
pub(super) fn packet_socket_counts(fd: i32) -> (u64, u64) {
    /// `struct tpacket_stats` of packet(7): packets, drops.
    const PACKET_STATISTICS: i32 = 6;
    let mut stats = [0_u32; 2];
    let mut len = u32::try_from(size_of_val(&stats)).unwrap_or(8);
    // SAFETY:
    // - the place for the answer has the length that is stated.
    let code =
        unsafe { libc::getsockopt(fd, libc::SOL_PACKET, PACKET_STATISTICS, stats.as_mut_ptr().cast(), &raw mut len) };
    if code == 0 { (stats[0].into(), stats[1].into()) } else { (0, 0) }
}

/// Packets that the kernel dropped since the start because the rx ring of an AF_XDP socket was full. What it dropped for
/// other reasons the driver counts as missed.
pub(super) fn xdp_socket_drops(fd: i32) -> u64 {
    /// The place of `rx_ring_full` in `struct xdp_statistics` (linux/if_xdp.h).
    const RX_RING_FULL: usize = 3;
    let mut stats = [0_u64; 6];
    let mut len = u32::try_from(size_of_val(&stats)).unwrap_or(48);
    // SAFETY:
    // - the place for the answer has the length that is stated.
    let code =
        unsafe { libc::getsockopt(fd, libc::SOL_XDP, libc::XDP_STATISTICS, stats.as_mut_ptr().cast(), &raw mut len) };
    if code == 0 { stats[RX_RING_FULL] } else { 0 }
}
