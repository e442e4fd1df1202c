//! The jobs: which cards a guest has, how they are joined, and which script tries what on them.

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// A card of a guest's.
pub(super) struct Card {
    /// What scripts call it. One that begins with `k` is the guest kernel's, and joined to the others as their peer.
    id: &'static str,
    /// QEMU's device, with its properties.
    model: &'static str,
    /// DPDK's driver for it; empty where it has none, or the card is the kernel's.
    driver: &'static str,
    /// The slot on the root bus. igb's virtual functions take 16 each, so it has room behind it.
    slot: u8,
    /// What it is plugged into: cards on one hub see each other's packets.
    hub: u8,
    /// Behind a port of its own, from which a PCI Express card can be pulled out.
    at_port: bool,
}

/// A guest and what is tried in it.
pub(super) struct Job {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    /// The script in `xtask/vm`.
    pub(super) script: &'static str,
    /// QEMU's machine.
    pub(super) machine: &'static str,
    /// Address bits of an emulated Intel IOMMU; 0: none.
    iommu: u8,
    /// Of memory, in MiB.
    pub(super) memory: u32,
    /// Pages of 2 MiB that are set apart.
    pub(super) huge_pages: u32,
    /// Added to the kernel's command line.
    pub(super) append: &'static str,
    cards: &'static [Card],
    settings: &'static [(&'static str, &'static str)],
    /// Seconds after which the guest is ended: far more than it needs, for machines that do other work as well.
    pub(super) limit: u64,
    /// A column of the table of drivers.
    pub(super) in_table: bool,
    /// What the kernel's card sends and sees is recorded, and read by Wireshark afterwards.
    pub(super) is_recorded: bool,
    /// The script in `xtask/vm` that QEMU is started by.
    pub(super) wrapper: Option<&'static str>,
}

const fn card(id: &'static str, model: &'static str, driver: &'static str, slot: u8, hub: u8) -> Card {
    Card { id, model, driver, slot, hub, at_port: false }
}

const fn at_port(id: &'static str, model: &'static str, driver: &'static str, slot: u8, hub: u8) -> Card {
    Card { id, model, driver, slot, hub, at_port: true }
}

/// The kernel's end.
const KERNEL: Card = card("k", "e1000e", "", 0x10, 1);

const PLAIN: Job = Job {
    name: "",
    script: "driver.py",
    machine: "q35",
    iommu: 0,
    memory: 1536,
    huge_pages: 200,
    append: "",
    cards: &[],
    settings: &[],
    limit: 900,
    in_table: false,
    is_recorded: false,
    wrapper: None,
};

/// Two cards on a hub of their own, and one with the kernel's on another.
macro_rules! driver {
    ($name:literal, $model:literal, $driver:literal) => {
        Job {
            name: $name,
            cards: &[
                card("a", $model, $driver, 4, 0),
                card("b", $model, $driver, 8, 0),
                card("c", $model, $driver, 12, 1),
                KERNEL,
            ],
            in_table: true,
            is_recorded: true,
            ..PLAIN
        }
    };
}

/// One card of each kind on one hub with the kernel's.
const EACH: [Card; 5] = [
    card("igb", "igb", "net_e1000_igb", 4, 1),
    card("e1000e", "e1000e", "net_e1000_em", 8, 1),
    card("vmxnet3", "vmxnet3", "net_vmxnet3", 12, 1),
    card("virtio", "virtio-net-pci,disable-legacy=on,iommu_platform=on", "net_virtio", 14, 1),
    KERNEL,
];
const EACH_ON_UIO: [Card; 5] = [
    card("igb", "igb", "net_e1000_igb", 4, 1),
    card("e1000", "e1000", "net_e1000_em", 8, 1),
    card("vmxnet3", "vmxnet3", "net_vmxnet3", 12, 1),
    card("virtio", "virtio-net-pci", "net_virtio", 14, 1),
    KERNEL,
];

const JOBS: [Job; 20] = [
    driver!("virtio", "virtio-net-pci,disable-legacy=on", "net_virtio"),
    driver!("virtio-legacy", "virtio-net-pci,disable-modern=on", "net_virtio"),
    driver!("e1000", "e1000", "net_e1000_em"),
    driver!("e1000e", "e1000e", "net_e1000_em"),
    driver!("igb", "igb", "net_e1000_igb"),
    driver!("vmxnet3", "vmxnet3", "net_vmxnet3"),
    Job { name: "fresh", script: "pings.py", cards: &EACH_ON_UIO, settings: &[("bind", "uio_pci_generic")], ..PLAIN },
    Job {
        name: "shuffled",
        script: "pings.py",
        cards: &EACH_ON_UIO,
        settings: &[("bind", "uio_pci_generic"), ("shuffle", "yes")],
        ..PLAIN
    },
    Job {
        name: "iommu-48",
        script: "pings.py",
        iommu: 48,
        append: "intel_iommu=on",
        cards: &EACH,
        settings: &[("bind", "vfio-pci"), ("shuffle", "yes"), ("mode", "va")],
        ..PLAIN
    },
    Job {
        name: "iommu-48-pa",
        script: "pings.py",
        iommu: 48,
        append: "intel_iommu=on",
        cards: &EACH,
        settings: &[("bind", "vfio-pci"), ("shuffle", "yes"), ("mode", "pa")],
        ..PLAIN
    },
    Job {
        name: "iommu-39",
        script: "pings.py",
        iommu: 39,
        append: "intel_iommu=on",
        cards: &EACH,
        settings: &[("bind", "vfio-pci"), ("shuffle", "yes")],
        ..PLAIN
    },
    Job {
        name: "rings",
        script: "rings.py",
        cards: &[card("a", "e1000", "net_e1000_em", 4, 0), card("b", "e1000", "net_e1000_em", 8, 0)],
        ..PLAIN
    },
    Job {
        name: "pulled",
        script: "pulled.py",
        machine: "pc",
        cards: &[
            card("e1000", "e1000", "net_e1000_em", 4, 1),
            card("vmxnet3", "vmxnet3", "net_vmxnet3", 12, 1),
            card("virtio", "virtio-net-pci", "net_virtio", 14, 1),
            KERNEL,
        ],
        ..PLAIN
    },
    Job {
        name: "pulled-express",
        script: "pulled.py",
        cards: &[
            at_port("igb", "igb", "net_e1000_igb", 4, 1),
            at_port("e1000e", "e1000e", "net_e1000_em", 8, 1),
            KERNEL,
        ],
        ..PLAIN
    },
    Job {
        name: "pulled-vfio",
        script: "pulled.py",
        iommu: 48,
        append: "intel_iommu=on",
        cards: &[
            at_port("igb", "igb", "net_e1000_igb", 4, 1),
            at_port("e1000e", "e1000e", "net_e1000_em", 8, 1),
            KERNEL,
        ],
        settings: &[("bind", "vfio-pci")],
        ..PLAIN
    },
    Job {
        name: "queues",
        script: "queues.py",
        cards: &[
            card("c", "virtio-net-pci,mq=on,vectors=10", "net_virtio", 4, TAP),
            card("k", "virtio-net-pci,mq=on,vectors=10", "", 8, TAP),
        ],
        wrapper: Some("taps.sh"),
        ..PLAIN
    },
    Job {
        name: "flow",
        script: "flow.py",
        cards: &[card("igb", "igb", "net_e1000_igb", 4, 1), card("vmxnet3", "vmxnet3", "net_vmxnet3", 12, 1), KERNEL],
        ..PLAIN
    },
    Job {
        name: "clocks",
        script: "clocks.py",
        cards: &[
            card("igb", "igb", "net_e1000_igb", 4, 1),
            card("igb-too", "igb", "net_e1000_igb", 8, 1),
            card("e1000e", "e1000e", "net_e1000_em", 12, 1),
            card("vmxnet3", "vmxnet3", "net_vmxnet3", 14, 1),
            card("virtio", "virtio-net-pci,disable-legacy=on", "net_virtio", 0x10, 1),
        ],
        ..PLAIN
    },
    Job {
        name: "big-pages",
        script: "big_pages.py",
        memory: 2560,
        huge_pages: 0,
        append: "hugepagesz=1G hugepages=1",
        cards: &[card("a", "e1000", "net_e1000_em", 4, 1), KERNEL],
        ..PLAIN
    },
    Job {
        name: "messages",
        script: "messages.py",
        huge_pages: 0,
        cards: &[card("a", "e1000", "net_e1000_em", 4, 1), card("odd", "rtl8139", "", 8, 1), KERNEL],
        ..PLAIN
    },
];

/// What is run before all others, for each perigee once.
pub(super) const COMPILE: Job = Job { name: "compile", script: "compile.py", huge_pages: 0, ..PLAIN };

/// No hub, but a TAP interface with several queues.
const TAP: u8 = u8::MAX;

/// The jobs of these names, or all.
pub(super) fn chosen(only: &[String]) -> Result<Vec<&'static Job>> {
    static ALL: [Job; 20] = JOBS;
    if only.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &String| match ALL.iter().find(|job| job.name == name) {
        Some(job) => Ok(job),
        None => {
            let names: Vec<&str> = ALL.iter().map(|job| job.name).collect();
            bail!("no job of the name {name:?}; there are {}", names.join(", "))
        }
    };
    only.iter().map(find).collect()
}

impl Card {
    /// A locally administered address that says which slot it is; the kernel's differ from ours in the fifth byte.
    fn mac(&self) -> String {
        format!("52:54:00:00:0{}:{:02x}", u8::from(self.is_kernel()), self.slot)
    }

    fn is_kernel(&self) -> bool {
        self.id.starts_with('k')
    }

    fn devices(&self, bus: &str) -> Vec<String> {
        let Self { id, model, slot, hub, .. } = self;
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if *hub == TAP {
            add("-netdev", format!("tap,id=n{id},ifname=t{id},script=no,downscript=no,queues=4,vhost=off"));
        } else {
            add("-netdev", format!("hubport,id=n{id},hubid={hub}"));
        }
        let mut place = format!("bus={bus},addr=0x{slot:x}");
        if self.at_port {
            add("-device", format!("pcie-root-port,id=port-{id},chassis={slot},{place}"));
            place = format!("bus=port-{id}");
        }
        add("-device", format!("{model},id={id},netdev=n{id},mac={},romfile=,{place}", self.mac()));
        arguments
    }
}

impl Job {
    /// QEMU's arguments for the IOMMU, the cards and the recording.
    pub(super) fn devices(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.iommu > 0 {
            let iommu = format!("intel-iommu,intremap=on,caching-mode=on,aw-bits={}", self.iommu);
            arguments.extend(["-device".to_owned(), iommu]);
        }
        let bus = if self.machine.starts_with("pc") { "pci.0" } else { "pcie.0" };
        arguments.extend(self.cards.iter().flat_map(|card| card.devices(bus)));
        if self.is_recorded {
            arguments.extend(["-object".to_owned(), "filter-dump,id=dump,netdev=nk,file=wire.pcap".to_owned()]);
        }
        arguments
    }

    /// What the guest is told of its cards.
    pub(super) fn cards(&self) -> Value {
        let told = |card: &Card| {
            json!({
                "id": card.id, "model": card.model, "driver": card.driver, "slot": card.slot, "at_port": card.at_port,
                "mac": card.mac(), "kernel": card.is_kernel(),
            })
        };
        self.cards.iter().map(told).collect()
    }

    /// What the script is told besides.
    pub(super) fn settings(&self) -> Value {
        self.settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn each_job_has_a_name_and_a_script() {
        let jobs = chosen(&[]).unwrap();
        for job in &jobs {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm").join(job.script);
            assert!(script.exists(), "{}: no {}", job.name, job.script);
            assert_eq!(jobs.iter().filter(|other| other.name == job.name).count(), 1, "{}", job.name);
            let mut slots: Vec<u8> = job.cards.iter().map(|card| card.slot).collect();
            slots.sort_unstable();
            slots.dedup();
            assert_eq!(slots.len(), job.cards.len(), "{}: two cards in one slot", job.name);
        }
        assert!(chosen(&["nothing".to_owned()]).is_err());
    }
}
