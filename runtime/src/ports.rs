//! What DPDK sees of devices, without a run.

use crate::config::is_pci_address;
use crate::dpdk::device::Device;
use crate::dpdk::eal::{Eal, EalOptions};
use crate::{Error, PortDescription};

/// Lets each device come up, describes it, and removes it again.
///
/// # Errors
/// Where DPDK does not start, or a device does not come up.
pub fn describe(devices: &[String]) -> Result<Vec<PortDescription>, Error> {
    let pci = devices.iter().filter(|d| is_pci_address(d)).cloned().collect();
    Eal::start(&EalOptions { huge_pages: None, memory_mb: 64, pci, extra: Vec::new() })?;
    let describe = |device: &String| {
        let probed = Device::probe(device, device)?;
        Ok(probed.describe(&probed.abilities()?))
    };
    devices.iter().map(describe).collect()
}
