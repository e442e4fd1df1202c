//! Devices before they are ports: probed, and asked what they can do.

use super::port_info::sockets_of;
use super::{eal, strerror};
use crate::error::Error;
use perigee_dpdk_sys as sys;

/// Shorthand for the answers of DPDK's calls.
pub(super) fn check(what: &str, code: i32) -> Result<(), String> {
    if code < 0 { Err(format!("{what}: {}", strerror(code))) } else { Ok(()) }
}

/// A probed device, before it is configured.
#[derive(Debug)]
pub(crate) struct Device {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) device: String,
    /// Sockets of AF_PACKET that appeared when the device was probed: only the kernel knows what it dropped there.
    pub(super) sockets: Vec<i32>,
}

/// What can be done with a device, read once.
#[derive(Clone, Debug)]
pub(crate) struct Abilities {
    pub(crate) driver: String,
    pub(crate) max_rx_queues: u16,
    pub(crate) max_tx_queues: u16,
    pub(crate) rx_offloads: u64,
    pub(crate) tx_offloads: u64,
    pub(crate) rss: u64,
    pub(crate) max_mtu: u16,
    pub(crate) is_pci: bool,
}

impl Device {
    /// Lets the device come up.
    pub(crate) fn probe(name: &str, device: &str) -> Result<Self, Error> {
        let before = sockets_of(libc::AF_PACKET);
        let id = eal::probe(device).map_err(|what| port_error(name, device, what))?;
        let sockets = sockets_of(libc::AF_PACKET).into_iter().filter(|s| !before.contains(s)).collect();
        Ok(Self { id, name: name.to_owned(), device: device.to_owned(), sockets })
    }

    /// What DPDK says of it.
    pub(crate) fn abilities(&self) -> Result<Abilities, Error> {
        let mut info = sys::rte_eth_dev_info::default();
        // SAFETY:
        // - the port exists, and info is a valid place for the answer.
        let code = unsafe { sys::rte_eth_dev_info_get(self.id, &raw mut info) };
        check("rte_eth_dev_info_get", code).map_err(|what| port_error(&self.name, &self.device, what))?;
        Ok(Abilities {
            driver: super::port_info::text(info.driver_name),
            max_rx_queues: info.max_rx_queues,
            max_tx_queues: info.max_tx_queues,
            rx_offloads: info.rx_offload_capa,
            tx_offloads: info.tx_offload_capa,
            rss: info.flow_type_rss_offloads,
            max_mtu: info.max_mtu,
            is_pci: self.device.contains(':') && !self.device.starts_with("net_"),
        })
    }
}

impl Abilities {
    /// The driver lays its own buffers out, or finds data by the header's address: it gets an ordinary pool, and what it
    /// receives is copied into the window.
    pub(crate) fn needs_plain_pool(&self) -> bool {
        matches!(self.driver.as_str(), "net_af_xdp" | "mlx5_pci" | "mlx5_auxiliary" | "net_mlx4" | "mlx4_pci")
    }
}

pub(super) fn port_error(name: &str, device: &str, what: String) -> Error {
    Error::Port { name: name.to_owned(), device: device.to_owned(), what }
}

impl Drop for Device {
    fn drop(&mut self) {
        super::port_info::close(self.id);
    }
}
