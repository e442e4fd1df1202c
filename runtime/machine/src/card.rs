//! Network cards as the kernel describes them: who has one, and what stands between it and memory.

use std::fs;
use std::path::{Path, PathBuf};

/// What DPDK can do with a card, by the kernel's driver that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The card is DPDK's alone.
    Bound,
    /// The kernel keeps it and shares it with DPDK.
    Shared,
    /// The kernel has it.
    Kernel,
    /// Nobody has it.
    Free,
}

impl Use {
    /// Of a card that this driver has.
    #[must_use]
    pub fn of(driver: Option<&str>) -> Self {
        match driver {
            Some(VFIO | UIO | "igb_uio") => Self::Bound,
            Some("mlx5_core" | "mlx4_core" | "mana") => Self::Shared,
            Some(_) => Self::Kernel,
            None => Self::Free,
        }
    }
}

/// Drivers that hand a card to DPDK: behind an IOMMU, and without.
pub const VFIO: &str = "vfio-pci";
/// As [`VFIO`]: without one, it reaches all memory.
pub const UIO: &str = "uio_pci_generic";

/// The command that hands a card to DPDK by that driver.
#[must_use]
pub fn bind(address: &str, driver: &str) -> String {
    format!("sudo modprobe {driver} && sudo dpdk-devbind.py --bind={driver} {address}")
}

/// A card on the PCI bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// As the kernel writes it: `0000:01:00.0`.
    pub address: String,
    /// The machine has a device of this address, or does not say.
    pub is_there: bool,
    /// The kernel's driver that has it.
    driver: Option<String>,
    /// An IOMMU translates its addresses.
    has_iommu: bool,
    /// The kernel's network interfaces on it.
    interfaces: Vec<String>,
}

impl Card {
    /// The card of that address, now.
    pub fn at(address: &str) -> Self {
        Self::read(Path::new("/"), address)
    }

    fn read(root: &Path, address: &str) -> Self {
        let bus = root.join("sys/bus/pci/devices");
        let device = bus.join(address);
        // A group of vfio's no-IOMMU mode has a name that says so; others have none on most machines.
        let group = fs::read_to_string(device.join("iommu_group/name")).unwrap_or_default();
        Self {
            address: address.to_owned(),
            is_there: device.exists() || !bus.is_dir(),
            driver: last_of_link(&device.join("driver")),
            has_iommu: device.join("iommu_group").exists() && !group.contains("noiommu"),
            interfaces: names(&device.join("net")),
        }
    }

    /// vfio-pci has it.
    pub fn is_by_vfio(&self) -> bool {
        self.driver.as_deref() == Some(VFIO)
    }

    /// It reads and writes at physical addresses, wherever they are: nothing translates them.
    pub fn is_unguarded(&self) -> bool {
        matches!(self.driver.as_deref(), Some(UIO | "igb_uio")) || (self.is_by_vfio() && !self.has_iommu)
    }

    /// The file by which one sees whether the card is still there.
    pub fn file(&self) -> PathBuf {
        Path::new("/sys/bus/pci/devices").join(&self.address).join("vendor")
    }

    /// Why DPDK cannot have it, and what to do; `None` where nothing speaks against it.
    pub fn obstacle(&self) -> Option<(String, String)> {
        let address = &self.address;
        if !self.is_there {
            let help = "`perigee doctor` shows its network cards";
            return Some((format!("this machine has no PCI device {address}"), help.to_owned()));
        }
        let down: String = self.interfaces.iter().map(|name| format!("sudo ip link set {name} down && ")).collect();
        let driver = self.driver.as_deref();
        match Use::of(driver) {
            Use::Bound | Use::Shared => None,
            Use::Free => Some((format!("no driver has the card {address}"), self.bind())),
            Use::Kernel => {
                let driver = driver.unwrap_or_default();
                Some((format!("the kernel's driver {driver} has the card {address}"), down + &self.bind()))
            }
        }
    }

    /// How to hand it to DPDK.
    fn bind(&self) -> String {
        let address = &self.address;
        if self.has_iommu {
            return bind(address, VFIO);
        }
        format!(
            "with an IOMMU (firmware; kernel command line: intel_iommu=on iommu=pt) by vfio-pci; without one it can reach all \
             memory: {}",
            bind(address, UIO)
        )
    }

    /// Why a card that is bound for DPDK may have made no port.
    pub fn no_port(&self) -> String {
        let driver = self.driver.as_deref().unwrap_or("no driver");
        let memory = if self.is_unguarded() {
            "free huge pages are there (it reaches physical addresses, and DPDK has none without)"
        } else {
            "no other process has it"
        };
        format!(
            "It is bound to {driver}. See whether DPDK's plug-in for it is installed (Debian: librte-net-*, all in dpdk), \
             and whether {memory}; DPDK's own lines say more"
        )
    }
}

fn last_of_link(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.file_name()?.to_string_lossy().into_owned())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A machine with one card, by that driver, in a group of that name.
    fn card(driver: Option<&str>, group: Option<&str>) -> Card {
        let root = tempfile::tempdir().unwrap();
        let device = root.path().join("sys/bus/pci/devices/0000:01:00.0");
        fs::create_dir_all(device.join("net/eth7")).unwrap();
        if let Some(driver) = driver {
            symlink(format!("../../drivers/{driver}"), device.join("driver")).unwrap();
        }
        if let Some(group) = group {
            fs::create_dir_all(device.join("iommu_group")).unwrap();
            fs::write(device.join("iommu_group/name"), group).unwrap();
        }
        Card::read(root.path(), "0000:01:00.0")
    }

    #[test]
    fn who_guards_memory_is_known_by_driver_and_group() {
        let unguarded = |driver, group| card(Some(driver), group).is_unguarded();
        assert!(unguarded("uio_pci_generic", None) && unguarded("uio_pci_generic", Some("")));
        assert!(unguarded("vfio-pci", Some("vfio-noiommu\n")) && unguarded("vfio-pci", None));
        assert!(!unguarded("vfio-pci", Some("")) && !unguarded("mlx5_core", None));
    }

    #[test]
    fn what_stands_in_the_way_is_told_with_what_to_do() {
        let obstacle = |driver, group| card(driver, group).obstacle();
        assert_eq!(obstacle(Some("vfio-pci"), Some("")), None);
        assert_eq!(obstacle(Some("uio_pci_generic"), None), None);
        assert_eq!(obstacle(Some("mlx5_core"), None), None);
        let kernel = obstacle(Some("e1000e"), Some("")).unwrap();
        assert_eq!(kernel.0, "the kernel's driver e1000e has the card 0000:01:00.0");
        assert!(kernel.1.starts_with("sudo ip link set eth7 down && sudo modprobe vfio-pci"), "{}", kernel.1);
        let (_, none) = obstacle(None, None).unwrap();
        assert!(none.contains("--bind=uio_pci_generic 0000:01:00.0"), "{none}");
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("sys/bus/pci/devices")).unwrap();
        let (absent, _) = Card::read(root.path(), "0000:02:00.0").obstacle().unwrap();
        assert!(absent.contains("no PCI device 0000:02:00.0"), "{absent}");
    }
}
