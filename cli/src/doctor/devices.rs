//! IOMMU and network cards.

use super::{Finding, State};
use crate::pci::{Machine, Nic};
use perigee_machine::{UIO, Use, VFIO, bind as bind_command};

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let nics = machine.nics();
    if nics.is_empty() {
        let means = "virtual ports work: net_null, net_ring, net_pcap, net_tap, net_af_packet, net_af_xdp, net_memif";
        return vec![Finding::ok("devices", "PCI network cards", "none", means)];
    }
    let mut findings = vec![iommu(machine), vfio(machine)];
    let has_iommu = !machine.list("sys/kernel/iommu_groups").is_empty();
    findings.extend(nics.iter().map(|nic| card(nic, has_iommu)));
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
    let means = "vfio-pci binds no card without it; uio_pci_generic does, and a card can write anywhere then";
    let mend = "switch it on in the firmware, and add to the kernel's command line: intel_iommu=on iommu=pt (AMD: iommu=pt); \
                or uio_pci_generic with huge pages, as root, where no packet is a stranger's";
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

fn card(nic: &Nic, has_iommu: bool) -> Finding {
    let name = format!("card {}", nic.address);
    let driver = nic.driver.as_deref().unwrap_or("no driver");
    let interfaces = if nic.interfaces.is_empty() { String::new() } else { format!(", {}", nic.interfaces.join(" ")) };
    let numa = if nic.numa_node < 0 { String::new() } else { format!(", NUMA node {}", nic.numa_node) };
    let found = format!("{} with {driver}{interfaces}{numa}", nic.id);
    // Without an IOMMU vfio-pci takes no card, but for its no-IOMMU mode, which many kernels are built without.
    let driver_for = if has_iommu { VFIO } else { UIO };
    let bind = bind_command(&nic.address, driver_for);
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
        let with = |nic: &Nic| card(nic, true);
        let kernel = with(&nic(Some("ixgbe")));
        assert_eq!(kernel.found, "8086:1528 with ixgbe, eth0, NUMA node 0");
        assert_eq!(kernel.mend, "sudo modprobe vfio-pci && sudo dpdk-devbind.py --bind=vfio-pci 0000:01:00.0");
        let without = card(&nic(Some("ixgbe")), false);
        assert!(without.mend.ends_with("--bind=uio_pci_generic 0000:01:00.0"), "{}", without.mend);
        let up = with(&Nic { is_up: true, ..nic(Some("ixgbe")) });
        assert_eq!(
            up.mend,
            "sudo ip link set eth0 down && sudo modprobe vfio-pci && sudo dpdk-devbind.py --bind=vfio-pci 0000:01:00.0"
        );
        assert_eq!(with(&nic(Some("vfio-pci"))).state, State::Ok);
        assert_eq!(with(&nic(Some("mlx5_core"))).state, State::Ok);
        assert_eq!(with(&nic(None)).found, "8086:1528 with no driver, eth0, NUMA node 0");
    }
}
