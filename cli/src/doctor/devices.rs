//! IOMMU and network cards.

use super::{Finding, State};
use crate::pci::{Machine, Nic, Use};

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let nics = machine.nics();
    if nics.is_empty() {
        let means = "virtual ports work: net_null, net_ring, net_pcap, net_tap, net_af_packet, net_af_xdp, net_memif";
        return vec![Finding::ok("devices", "PCI network cards", "none", means)];
    }
    let mut findings = vec![iommu(machine), vfio(machine)];
    findings.extend(nics.iter().map(card));
    findings
}

fn iommu(machine: &Machine) -> Finding {
    let groups = machine.list("sys/kernel/iommu_groups").len();
    if groups > 0 {
        return Finding::ok(
            "devices",
            "IOMMU",
            format!("{groups} groups"),
            "a card reaches only the memory that it is given",
        );
    }
    let means = "vfio-pci binds no card without it, unless its no-IOMMU mode is on, where a card can write anywhere";
    let mend =
        "switch it on in the firmware, and add to the kernel's command line: intel_iommu=on iommu=pt (AMD: iommu=pt)";
    Finding::new(State::Warn, "devices", "IOMMU", "no groups", means, mend)
}

fn vfio(machine: &Machine) -> Finding {
    let unsafe_mode = machine.read("sys/module/vfio/parameters/enable_unsafe_noiommu_mode") == "Y";
    if machine.path("sys/bus/pci/drivers/vfio-pci").exists() {
        let found = if unsafe_mode { "loaded, no-IOMMU mode on" } else { "loaded" };
        return Finding::ok("devices", "vfio-pci", found, "cards can be bound to it");
    }
    Finding::new(
        State::Warn,
        "devices",
        "vfio-pci",
        "not loaded",
        "no card can be bound to it",
        "sudo modprobe vfio-pci",
    )
}

fn card(nic: &Nic) -> Finding {
    let name = format!("card {}", nic.address);
    let driver = nic.driver.as_deref().unwrap_or("no driver");
    let interfaces = if nic.interfaces.is_empty() { String::new() } else { format!(", {}", nic.interfaces.join(" ")) };
    let numa = if nic.numa_node < 0 { String::new() } else { format!(", NUMA node {}", nic.numa_node) };
    let found = format!("{} with {driver}{interfaces}{numa}", nic.id);
    let bind = format!("sudo dpdk-devbind.py --bind=vfio-pci {}", nic.address);
    match nic.usable() {
        Use::Bound => Finding::ok("devices", &name, found, &format!("usable: device = \"{}\"", nic.address)),
        Use::Shared => {
            let means = format!("usable beside the kernel, which keeps it: device = \"{}\"", nic.address);
            Finding::ok("devices", &name, found, &means)
        }
        Use::Free => Finding::new(State::Warn, "devices", &name, found, "bound to no driver: not usable", bind),
        Use::Kernel if nic.is_up => {
            let means = "the kernel's, and up: whoever is connected over it is cut off when DPDK takes it";
            let down = nic.interfaces.iter().map(|name| format!("sudo ip link set {name} down && "));
            Finding::new(State::Warn, "devices", &name, found, means, down.collect::<String>() + &bind)
        }
        Use::Kernel => {
            Finding::new(State::Warn, "devices", &name, found, "the kernel's: not usable until it is bound anew", bind)
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn cards_are_told_by_driver() {
        let nic = |driver: Option<&str>| Nic {
            address: "0000:01:00.0".to_owned(),
            id: "8086:1528".to_owned(),
            driver: driver.map(str::to_owned),
            interfaces: vec!["eth0".to_owned()],
            is_up: false,
            iommu_group: None,
            numa_node: 0,
        };
        let kernel = card(&nic(Some("ixgbe")));
        assert_eq!(kernel.found, "8086:1528 with ixgbe, eth0, NUMA node 0");
        assert_eq!(kernel.mend, "sudo dpdk-devbind.py --bind=vfio-pci 0000:01:00.0");
        let up = card(&Nic { is_up: true, ..nic(Some("ixgbe")) });
        assert_eq!(up.mend, "sudo ip link set eth0 down && sudo dpdk-devbind.py --bind=vfio-pci 0000:01:00.0");
        assert_eq!(card(&nic(Some("vfio-pci"))).state, State::Ok);
        assert_eq!(card(&nic(Some("mlx5_core"))).state, State::Ok);
        assert_eq!(card(&nic(None)).found, "8086:1528 with no driver, eth0, NUMA node 0");
    }
}
