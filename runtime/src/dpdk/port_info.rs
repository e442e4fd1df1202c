//! What is read of ports: counters, link, addresses, descriptions; and their end.

use super::device::{Abilities, Device};
use super::port::Port;
use super::strerror;
use perigee_abi::PortInfo;
use perigee_dpdk_sys::{self as sys, offload};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CStr;

/// Counters of a port since its start, as its driver gives them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct PortStats {
    /// Name in the configuration.
    pub name: String,
    /// Device string.
    pub device: String,
    /// Driver's name.
    pub driver: String,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received, without frame check sequence.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent, without frame check sequence.
    pub tx_bytes: u64,
    /// Packets that the device dropped because nobody took them.
    pub rx_missed: u64,
    /// Packets received with an error.
    pub rx_errors: u64,
    /// Packets lost because the pool was empty.
    pub rx_nombuf: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets that the kernel dropped in front of an AF_PACKET or AF_XDP port, because its ring was full.
    pub kernel_drops: u64,
    /// The link is up.
    pub link_up: bool,
    /// Speed in Mbit/s; 0 where unknown.
    pub speed_mbps: u32,
    /// All further counters of the driver that are not 0.
    pub xstats: BTreeMap<String, u64>,
}

/// What DPDK sees of a device.
#[derive(Clone, Debug, Serialize)]
pub struct PortDescription {
    /// Device string.
    pub device: String,
    /// Driver's name.
    pub driver: String,
    /// MAC address.
    pub mac: String,
    /// The link is up.
    pub link_up: bool,
    /// Speed in Mbit/s; 0 where unknown.
    pub speed_mbps: u32,
    /// NUMA node; -1 where any.
    pub numa_node: i32,
    /// Most rx queues.
    pub max_rx_queues: u16,
    /// Most tx queues.
    pub max_tx_queues: u16,
    /// Largest MTU.
    pub max_mtu: u16,
    /// Names of the rx offloads.
    pub rx_offloads: Vec<String>,
    /// Names of the tx offloads.
    pub tx_offloads: Vec<String>,
    /// It spreads flows over rx queues.
    pub rss: bool,
    /// It stamps packets on rx.
    pub rx_timestamps: bool,
    /// It sends at a given time.
    pub tx_at_time: bool,
    /// Its packets are copied into the window instead of received there.
    pub copies_on_rx: bool,
}

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
    pub(crate) fn describe(&self, abilities: &Abilities) -> PortDescription {
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
    pub(crate) fn info(&self, may_tx: bool) -> PortInfo {
        let (speed_mbps, link_up) = link(self.device.id);
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
    pub(crate) fn link_up(&self) -> bool {
        link(self.device.id).1
    }

    /// Counters since the start.
    pub(crate) fn stats(&self) -> PortStats {
        let mut stats = sys::rte_eth_stats::default();
        // SAFETY:
        // - the port exists, and stats is a valid place for the answer.
        unsafe { sys::rte_eth_stats_get(self.device.id, &raw mut stats) };
        let (speed_mbps, link_up) = link(self.device.id);
        PortStats {
            name: self.device.name.clone(),
            device: self.device.device.clone(),
            driver: self.abilities.driver.clone(),
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes,
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes,
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            rx_nombuf: stats.rx_nombuf,
            tx_errors: stats.oerrors,
            kernel_drops: self.kernel_drops(),
            link_up,
            speed_mbps,
            xstats: xstats(self.device.id),
        }
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

/// Stops, closes and removes a device, so that its name can be used again.
pub(super) fn close(port: u16) {
    let mut info = sys::rte_eth_dev_info::default();
    // SAFETY:
    // - the place is valid; a port that is gone is refused.
    let known = unsafe { sys::rte_eth_dev_info_get(port, &raw mut info) } == 0;
    // A virtual port has set the flag of the kernel's interface below it, which outlives the port.
    // SAFETY:
    // - any port number may be given; a port that is gone is refused.
    unsafe { sys::rte_eth_promiscuous_disable(port) };
    // SAFETY:
    // - no lcore uses the port any more; one that is not started is left alone.
    unsafe { sys::rte_eth_dev_stop(port) };
    // SAFETY:
    // - as above.
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

/// Lets a device reach `len` bytes at `base` by DMA.
pub(super) fn map_dma(port: u16, base: usize, len: usize) -> Result<(), String> {
    let mut info = sys::rte_eth_dev_info::default();
    // SAFETY:
    // - the port exists, and info is a valid place for the answer.
    unsafe { sys::rte_eth_dev_info_get(port, &raw mut info) };
    let address = std::ptr::without_provenance_mut(base);
    // SAFETY:
    // - the region is registered with DPDK and outlives the port; with an IOMMU its addresses are its IOVAs.
    let code = unsafe { sys::rte_dev_dma_map(info.device, address, base as u64, len) };
    if code < 0 && code != -libc::ENOTSUP {
        return Err(format!(
            "the packets' memory cannot be mapped for DMA: {}. It needs an IOMMU (vfio-pci)",
            strerror(code)
        ));
    }
    Ok(())
}

impl Abilities {
    /// The MTU that the driver is asked for. net_af_packet says that it takes 1,518 bytes at most, and takes whatever fits
    /// the frames of its ring: it is not asked for more, and its interface keeps the MTU that it was given.
    pub(super) fn driver_mtu(&self, mtu: u16) -> u16 {
        if self.driver == "net_af_packet" { mtu.min(1_500) } else { mtu }
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

/// Packets that the kernel dropped in an AF_PACKET socket since this was asked last (the kernel resets it).
pub(super) fn packet_socket_drops(fd: i32) -> u64 {
    /// `struct tpacket_stats` of packet(7): packets, drops.
    const PACKET_STATISTICS: i32 = 6;
    let mut stats = [0_u32; 2];
    let mut len = u32::try_from(size_of_val(&stats)).unwrap_or(8);
    // SAFETY:
    // - the place for the answer has the length that is stated.
    let code =
        unsafe { libc::getsockopt(fd, libc::SOL_PACKET, PACKET_STATISTICS, stats.as_mut_ptr().cast(), &raw mut len) };
    if code == 0 { stats[1].into() } else { 0 }
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
