//! What DPDK sees of devices, without a run.

use crate::device::Device;
use crate::eal::{Eal, EalOptions};
use perigee_config::{Config, Port};
use perigee_machine::HugePages;
use perigee_report::{Error, PortDescription};

/// Huge pages with which DPDK can look at cards.
const ENOUGH: u64 = 32;

/// Lets each device come up, describes it, and removes it again. Of a device that does not come up there is an error in the place
/// of its description, in the order of the devices.
///
/// # Errors
/// Where DPDK does not start.
pub fn describe(devices: &[String]) -> Result<Vec<Result<PortDescription, Error>>, Error> {
    let ports: Vec<Port> = devices.iter().map(|device| Port::new(device, device)).collect();
    let config = Config { ports, ..Config::default() };
    let cards = config.ports.iter().filter(|port| !port.is_virtual());
    let pci: Vec<String> = cards.map(|port| port.device_text().spelled_out()).collect();
    // Cards may want them; nothing else does, for no packet comes.
    let huge_pages = !pci.is_empty() && HugePages::now().free >= ENOUGH;
    let has_iommu = config.cards().iter().all(|card| !card.is_unguarded());
    Eal::start(&EalOptions { huge_pages, memory_mb: 64, pci, has_iommu, extra: Vec::new() })?;
    let describe = |port: &Port| {
        let probed = Device::probe(&config, port)?;
        Ok(probed.describe(&probed.abilities()?))
    };
    let described = config.ports.iter().map(describe).collect();
    crate::log::emit();
    Ok(described)
}
