//! What a run keeps: by its ports, its user and its directories.

use super::user::User;
use super::{Files, Mode};
use perigee_config::user::effective_user;
use perigee_config::{Config, Port, is_pci_address};
use std::path::{Path, PathBuf};

/// What a jail is made of.
pub(super) struct Plan {
    pub(super) mode: Mode,
    pub(super) drivers: Vec<Driver>,
    pub(super) user: User,
    /// Where files may still be made, written and removed.
    pub(super) writable: Vec<PathBuf>,
    /// Directories in which files may still be removed.
    pub(super) clearable: Vec<PathBuf>,
    /// Capabilities that the control thread keeps, permitted but not effective, as bits.
    pub(super) kept: u64,
}

/// Drivers of ports, as far as they differ in what they ask of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// Only memory: net_null, net_ring, simulated wires, files that are played from there.
    Memory,
    /// Files that are read while they are played.
    File,
    Pcap,
    Tap,
    AfPacket,
    AfXdp,
    Memif,
    /// None: the process serves a page or hears of routes, and asks a run.
    Client,
    /// No port: lcores are sampled for a profile.
    Profile,
    /// Any other: a PCI port, or a virtual one that nobody has looked at. It may do what all others may.
    Other,
}

/// Bits of capabilities, by linux/capability.h.
const CAP_DAC_OVERRIDE: u32 = 1;
pub(super) const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_IPC_LOCK: u32 = 14;

impl Plan {
    pub(super) fn new(config: &Config, files: Files<'_>, mode: Mode) -> Result<Self, String> {
        let is_read = |port: &Port| port.file().is_some_and(|file| !file.is_preloaded);
        let of = |port: &Port| if is_read(port) { Driver::File } else { Driver::of(&port.device) };
        let mut drivers: Vec<Driver> = config.ports.iter().map(of).collect();
        drivers.extend(files.is_profiled.then_some(Driver::Profile));
        let user = User::of(config.run.user.as_deref(), Path::new("/"))?;
        let sockets = config.ports.iter().filter_map(|port| memif_directory(&port.device));
        let writable = files.writable.to_vec();
        let clearable: Vec<PathBuf> =
            files.removed.iter().filter_map(|file| directory_of(file)).chain(sockets).collect();
        let is_foreign = matches!(user, User::Other { .. }) && !clearable.is_empty();
        // The new user may not remove what the old one has made.
        let of_files = is_foreign.then_some(&CAP_DAC_OVERRIDE);
        let kept = drivers.iter().flat_map(|driver| driver.kept()).chain(of_files);
        let kept = kept.fold(0, |bits, cap| bits | 1_u64 << cap);
        Ok(Self { mode, user, writable, clearable, kept, drivers })
    }
}

impl Plan {
    /// Of a process that only computes.
    pub(super) fn without_ports(mode: Mode) -> Result<Self, String> {
        let (user, drivers) = (User::of(None, Path::new("/"))?, vec![Driver::Memory]);
        Ok(Self { mode, drivers, user, writable: Vec::new(), clearable: Vec::new(), kept: 0 })
    }
}

impl Plan {
    /// Of a process that asks a run, and serves a page or hears of routes.
    pub(super) fn of_client(mode: Mode, removed: &[PathBuf]) -> Self {
        let clearable = removed.iter().filter_map(|file| directory_of(file)).collect();
        let user = User::Stays(effective_user());
        Self { mode, drivers: vec![Driver::Client], user, writable: Vec::new(), clearable, kept: 0 }
    }
}

impl Driver {
    fn of(device: &str) -> Self {
        if [perigee_config::wire::PREFIX, perigee_config::file::PREFIX].iter().any(|own| device.starts_with(own)) {
            return Self::Memory;
        }
        let name = device.split(',').next().unwrap_or_default();
        match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "net_null" | "net_ring" => Self::Memory,
            "net_pcap" => Self::Pcap,
            "net_tap" => Self::Tap,
            "net_af_packet" => Self::AfPacket,
            "net_af_xdp" => Self::AfXdp,
            "net_memif" => Self::Memif,
            _ => Self::Other,
        }
    }

    /// Capabilities without which its ports do not close cleanly.
    fn kept(self) -> &'static [u32] {
        match self {
            // The interface is promiscuous no longer; net_af_xdp's program is taken off it.
            Self::AfPacket | Self::AfXdp | Self::Tap => &[CAP_NET_ADMIN],
            // What the bifurcated driver mlx5 is documented to need (dev@dpdk.org, message 203325).
            Self::Other => &[CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK],
            Self::Memory | Self::File | Self::Pcap | Self::Memif | Self::Client | Self::Profile => &[],
        }
    }
}

/// Where a memif port has its socket, which it removes at its end.
fn memif_directory(device: &str) -> Option<PathBuf> {
    if is_pci_address(device) || device.contains("socket-abstract=yes") {
        return None;
    }
    let socket = device.split(',').find_map(|argument| argument.strip_prefix("socket="))?;
    directory_of(Path::new(socket))
}

fn directory_of(file: &Path) -> Option<PathBuf> {
    let directory = file.parent()?;
    Some(if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory.to_owned() })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn drivers_are_known_by_their_names() {
        let of = |device| (Driver::of(device), Driver::of(device).kept().len());
        assert_eq!(of("net_null0"), (Driver::Memory, 0));
        assert_eq!(of("wire:lab,end=a"), (Driver::Memory, 0));
        assert_eq!(of("net_af_packet12,iface=eth0"), (Driver::AfPacket, 1));
        assert_eq!(of("net_af_xdp0,iface=eth0"), (Driver::AfXdp, 1));
        assert_eq!(of("0000:01:00.0"), (Driver::Other, 3));
        assert_eq!(of("net_vhost0,iface=/tmp/sock"), (Driver::Other, 3));
    }

    #[test]
    fn a_memif_port_keeps_its_directory() {
        let of = |arguments: &str| memif_directory(&format!("net_memif0,role=server,{arguments}"));
        assert_eq!(of("socket=/tmp/a/b.sock,id=1"), Some("/tmp/a".into()));
        assert_eq!(of("socket=b.sock"), Some(".".into()));
        assert_eq!(of("socket=b,socket-abstract=yes"), None);
    }
}
