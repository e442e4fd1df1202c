//! The machine's files under /proc and /sys, and the PCI network cards that they tell of.

use perigee_machine::Use;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// A file tree with /proc, /sys and /dev in it. Tests give one of their own.
pub(crate) struct Machine {
    root: PathBuf,
}

impl Machine {
    /// This machine.
    pub(crate) fn this() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// The machine that a directory pictures.
    #[cfg(test)]
    pub(crate) fn pictured(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a file is; `path` has no leading slash.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// A file's text without the white space around it; empty where it cannot be read.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default().trim().to_owned()
    }

    /// A file's number.
    pub(crate) fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.read(path).parse().ok()
    }

    /// The value of a line `key: value` in a file.
    pub(crate) fn line(&self, path: &str, key: &str) -> Option<String> {
        let text = self.read(path);
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    }

    /// The names in a directory, in order.
    pub(crate) fn list(&self, path: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The last part of what a link points to.
    fn link(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// All PCI network cards.
    pub(crate) fn nics(&self) -> Vec<Nic> {
        let devices = Path::new("sys/bus/pci/devices");
        // Class 02 is "network controller".
        let is_nic = |address: &String| self.read(devices.join(address).join("class")).starts_with("0x02");
        self.list(devices)
            .into_iter()
            .filter(is_nic)
            .map(|address| self.nic(&devices.join(&address), address))
            .collect()
    }

    fn nic(&self, device: &Path, address: String) -> Nic {
        let id = |file| self.read(device.join(file)).trim_start_matches("0x").to_owned();
        let mut interfaces = self.list(device.join("net"));
        // A virtio card's interface belongs to the virtio device that the card carries.
        for child in self.list(device).into_iter().filter(|name| name.starts_with("virtio")) {
            interfaces.extend(self.list(device.join(child).join("net")));
        }
        Nic {
            id: format!("{}:{}", id("vendor"), id("device")),
            driver: self.link(device.join("driver")),
            iommu_group: self.link(device.join("iommu_group")),
            numa_node: self.read(device.join("numa_node")).parse().unwrap_or(-1),
            address,
            is_up: interfaces
                .iter()
                .any(|name| self.read(Path::new("sys/class/net").join(name).join("operstate")) == "up"),
            interfaces,
        }
    }
}

/// A PCI network card.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Nic {
    /// PCI address.
    pub(crate) address: String,
    /// Vendor and device.
    pub(crate) id: String,
    /// The driver that has it.
    pub(crate) driver: Option<String>,
    /// The kernel's network interfaces on it.
    pub(crate) interfaces: Vec<String>,
    /// Whether one of them is up.
    pub(crate) is_up: bool,
    /// Its IOMMU group.
    pub(crate) iommu_group: Option<String>,
    /// Its NUMA node; -1 where the machine does not say.
    pub(crate) numa_node: i32,
}

impl Nic {
    /// What DPDK can do with it.
    pub(crate) fn usable(&self) -> Use {
        Use::of(self.driver.as_deref())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A machine with a card of the kernel's, one of DPDK's, and a disk.
    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (address, class, driver) in [
            ("0000:01:00.0", "0x020000", "ixgbe"),
            ("0000:02:00.0", "0x020000", "vfio-pci"),
            ("0000:03:00.0", "0x010000", "nvme"),
        ] {
            let device = root.path().join("sys/bus/pci/devices").join(address);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("class"), format!("{class}\n")).unwrap();
            fs::write(device.join("vendor"), "0x8086\n").unwrap();
            fs::write(device.join("device"), "0x1528\n").unwrap();
            fs::write(device.join("numa_node"), "0\n").unwrap();
            symlink(format!("../../drivers/{driver}"), device.join("driver")).unwrap();
        }
        fs::create_dir_all(root.path().join("sys/bus/pci/devices/0000:01:00.0/virtio3/net/eth0")).unwrap();
        fs::create_dir_all(root.path().join("sys/class/net/eth0")).unwrap();
        fs::write(root.path().join("sys/class/net/eth0/operstate"), "up\n").unwrap();
        root
    }

    #[test]
    fn cards_are_found() {
        let root = machine();
        let nics = Machine::pictured(root.path()).nics();
        assert_eq!(nics.len(), 2);
        assert_eq!((nics[0].id.as_str(), nics[0].usable()), ("8086:1528", Use::Kernel));
        assert_eq!((nics[0].interfaces.as_slice(), nics[0].is_up), (["eth0".to_owned()].as_slice(), true));
        assert_eq!((nics[1].numa_node, nics[1].usable()), (0, Use::Bound));
    }
}
