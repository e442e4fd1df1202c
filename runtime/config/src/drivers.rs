//! What is known of DPDK's software drivers before any of them is started: their arguments, their queues, and which rooms
//! they keep to themselves. DPDK's own messages about these things come late and say little.

use super::{Port, is_pci_address};

/// Most queues of a net_tap port, in each direction (`dpdk-sys/versions.h` has the same, and `dpdk/` compares).
pub const TAP_QUEUES: u16 = if cfg!(dpdk_24_11) { 64 } else { 16 };

/// A port's device as its text says it: a name, and arguments behind commas.
#[derive(Clone, Copy, Debug)]
pub struct DeviceText<'a> {
    text: &'a str,
    driver: Option<&'static Driver>,
}

/// A driver in software.
#[derive(Debug)]
pub struct Driver {
    /// What the names of its devices begin with.
    pub name: &'static str,
    /// Its arguments; `None` where nobody has looked at them.
    pub arguments: Option<&'static [(&'static str, Value)]>,
    /// Rooms of the port's pool that an rx queue takes when it is set up.
    rx_keeps: Keeps,
    /// Packets that a tx queue may keep after it has taken them: until it is polled again, or until somebody reads them.
    tx_keeps: Keeps,
    /// It has as many rx as tx queues.
    pub pairs_queues: bool,
}

/// How many packets a queue keeps.
#[derive(Clone, Copy, Debug)]
enum Keeps {
    /// None: the driver copies them, or makes room only for what has come.
    Nothing,
    /// As many as it has descriptors, but no more than this.
    Descriptors(u32),
    /// So many, whatever is configured.
    Always(u32),
}

/// What an argument's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Any,
    /// A number in this range.
    Number(u64, u64),
    /// One of these words. The first two are told; the others are old names for them.
    Word(&'static [&'static str]),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An interface that the kernel has.
    Interface,
    /// The name of an interface that the driver makes.
    NewInterface,
}

/// Rooms that net_af_xdp lends to the kernel for each queue, whatever `rx_descriptors` says, and that its tx ring has
/// (ETH_AF_XDP_DFLT_NUM_DESCS).
const XDP_RING: u32 = 2_048;
/// Buffers of one readv(2), one of which is the header's: net_tap takes no more rooms for an rx queue.
const TAP_ROOMS: u32 = 1_023;
/// Places in a ring of net_ring.
const RING_PLACES: u32 = 1_024;
const BIT: Value = Value::Number(0, 1);
const ANY: Value = Value::Number(0, u32::MAX as u64);
const COUNT: Value = Value::Number(1, i32::MAX as u64);
const YES: Value = Value::Word(&["yes", "no"]);
/// The old names, which DPDK still takes, are written in two halves: nobody shall find them here and use them.
const ROLE: Value = Value::Word(&["server", "client", concat!("mas", "ter"), concat!("sla", "ve")]);

/// The drivers whose arguments are known, by DPDK 22.11 and 24.11. A name that begins another one stands behind it.
#[rustfmt::skip]
const KNOWN: &[Driver] = &[
    Driver {
        name: "net_null",
        arguments: Some(&[("size", Value::Any), ("copy", BIT), ("no-rx", BIT)]),
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Nothing, pairs_queues: false,
    },
    Driver {
        name: "net_ring",
        arguments: Some(&[("nodeaction", Value::Any), ("internal", Value::Any)]),
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Always(RING_PLACES), pairs_queues: true,
    },
    Driver {
        name: "net_pcap",
        arguments: Some(&[
            ("rx_pcap", Value::Any), ("tx_pcap", Value::Any), ("rx_iface", Value::Interface), ("rx_iface_in", Value::Interface),
            ("tx_iface", Value::Interface), ("iface", Value::Interface), ("phy_mac", BIT), ("infinite_rx", BIT),
        ]),
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Nothing, pairs_queues: false,
    },
    Driver {
        name: "net_tap",
        arguments: Some(&[("iface", Value::NewInterface), ("remote", Value::Interface), ("mac", Value::Any)]),
        rx_keeps: Keeps::Descriptors(TAP_ROOMS), tx_keeps: Keeps::Nothing, pairs_queues: true,
    },
    Driver {
        name: "net_tun",
        arguments: Some(&[("iface", Value::NewInterface)]),
        rx_keeps: Keeps::Descriptors(TAP_ROOMS), tx_keeps: Keeps::Nothing, pairs_queues: true,
    },
    Driver {
        name: "net_af_packet",
        arguments: Some(&[
            ("iface", Value::Interface), ("qpairs", Value::Number(1, 256)), ("blocksz", Value::Any),
            ("framesz", Value::Any), ("framecnt", Value::Any), ("qdisc_bypass", BIT),
        ]),
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Nothing, pairs_queues: false,
    },
    Driver {
        name: "net_af_xdp",
        arguments: Some(&[
            ("iface", Value::Interface), ("start_queue", ANY), ("queue_count", COUNT), ("shared_umem", BIT),
            ("xdp_prog", Value::Any), ("busy_budget", ANY), ("force_copy", BIT),
        ]),
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Nothing, pairs_queues: true,
    },
    Driver {
        name: "net_memif",
        arguments: Some(&[
            ("id", ANY), ("role", ROLE), ("bsize", Value::Any),
            ("rsize", Value::Number(1, 14)), ("socket", Value::Any), ("socket-abstract", YES), ("mac", Value::Any),
            ("zero-copy", YES), ("secret", Value::Any), ("owner-uid", ANY), ("owner-gid", ANY),
        ]),
        // With zero-copy=yes a queue keeps what its ring holds, 16,384 at most; without, nothing.
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Nothing, pairs_queues: false,
    },
    Driver {
        name: "wire:",
        arguments: Some(&[
            ("end", Value::Any), ("rate", Value::Any), ("service", Value::Word(&["fixed", "exp"])), ("delay", Value::Any),
            ("jitter", Value::Any), ("loss", Value::Any), ("gemodel", Value::Any), ("duplicate", Value::Any), ("corrupt", Value::Any),
            ("reorder", Value::Any), ("reorder-by", Value::Any), ("queue", Value::Any), ("red", Value::Any),
            ("launch", YES), ("shaper", YES),
        ]),
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Nothing, pairs_queues: false,
    },
    Driver {
        name: "file:",
        arguments: Some(&[
            ("file", Value::Any), ("speed", Value::Any), ("rate", Value::Any), ("loop", Value::Any), ("gap", Value::Any),
            ("snapped", Value::OneOf(&["refuse", "send", "pad"])), ("link", Value::OneOf(&["ethernet"])), ("memory", Value::Any),
            ("preload", Value::OneOf(&["yes", "no"])),
        ]),
        rx_keeps: Keeps::Nothing, tx_keeps: Keeps::Nothing, pairs_queues: false,
    },
    other("net_virtio_user"), other("virtio_user"), other("net_bonding"), other("net_failsafe"), other("net_softnic"),
    other("net_vdev_netvsc"), other("net_vhost"),
];

/// A driver that DPDK has and that nobody here has looked into.
const fn other(name: &'static str) -> Driver {
    Driver {
        name,
        arguments: None,
        rx_keeps: Keeps::Descriptors(u32::MAX),
        tx_keeps: Keeps::Descriptors(u32::MAX),
        pairs_queues: false,
    }
}

impl<'a> DeviceText<'a> {
    /// Reads a port's `device`.
    pub fn new(text: &'a str) -> Self {
        let name = name_of(text);
        let driver = KNOWN.iter().find(|driver| name.starts_with(driver.name)).filter(|_| !is_pci_address(text));
        Self { text, driver }
    }

    /// The device without its arguments.
    pub fn name(&self) -> &'a str {
        name_of(self.text)
    }

    /// Its PCI address as the kernel writes it (`0000:01:00.0` for `01:00.0` and the like); `None` for virtual devices.
    pub fn pci_address(&self) -> Option<String> {
        if !is_pci_address(self.name()) {
            return None;
        }
        let number = |text: &str| u32::from_str_radix(text, 16).ok();
        let (front, slot) = self.name().rsplit_once(':')?;
        let (domain, bus) = front.rsplit_once(':').unwrap_or(("0", front));
        let (slot, function) = slot.split_once('.')?;
        let (domain, bus, slot, function) = (number(domain)?, number(bus)?, number(slot)?, number(function)?);
        Some(format!("{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"))
    }

    /// As DPDK takes it: a card's address is written out in full, for it finds no other.
    pub fn spelled_out(&self) -> String {
        let Some(address) = self.pci_address() else { return self.text.to_owned() };
        let arguments = self.text.split_once(',').map(|(_, arguments)| format!(",{arguments}"));
        address + &arguments.unwrap_or_default()
    }

    /// Both are one device, whatever the spelling.
    pub fn is_same_device(&self, other: &Self) -> bool {
        self.name() == other.name() || self.pci_address().is_some_and(|address| Some(address) == other.pci_address())
    }

    /// Its driver; `None` for PCI devices, and for a name that is none of DPDK's.
    pub fn driver(&self) -> Option<&'static Driver> {
        self.driver
    }

    /// Whether the driver is that one.
    pub fn is(&self, driver: &str) -> bool {
        self.driver.is_some_and(|known| known.name == driver)
    }

    /// Its arguments in their order, with their values.
    pub fn arguments(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let arguments = self.text.split(',').skip(1).filter(|argument| !argument.is_empty());
        arguments.map(|argument| match argument.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (argument, None),
        })
    }

    /// The values of one argument: net_pcap may have one several times.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.arguments().filter(move |(name, _)| *name == key).filter_map(|(_, value)| value)
    }

    /// An argument's number, where it is one.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.values(key).next()?.parse().ok()
    }

    /// The kernel's interfaces that it works on, which have to be there, each with its argument.
    pub fn interfaces(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.named(Value::Interface)
    }

    /// The interface that it makes.
    pub fn new_interface(&self) -> Option<&'a str> {
        self.named(Value::NewInterface).next().map(|(_, name)| name)
    }

    /// Most rx and tx queues that the device can have; `None` where only the device knows.
    pub fn most_queues(&self) -> Option<(u16, u16)> {
        let count = |keys: &[&str]| keys.iter().map(|key| self.values(key).count()).sum::<usize>();
        let number = |key| u16::try_from(self.number(key).unwrap_or(1)).unwrap_or(u16::MAX);
        match self.driver?.name {
            "net_null" => Some((1_024, 1_024)),
            "net_ring" => Some((16, 16)),
            "wire:" => Some((1, 1_024)),
            "file:" => Some((256, u16::MAX)),
            "net_tap" | "net_tun" => Some((TAP_QUEUES, TAP_QUEUES)),
            "net_af_packet" => Some((number("qpairs"), number("qpairs"))),
            "net_af_xdp" => Some((number("queue_count"), number("queue_count"))),
            "net_pcap" => {
                // What has no file gets as many queues as the other side has, which give or take nothing.
                let (rx, tx) = (count(&["rx_pcap", "rx_iface", "rx_iface_in"]), count(&["tx_pcap", "tx_iface"]));
                let both = count(&["iface"]);
                let most = |own: usize, other: usize| {
                    u16::try_from(if both > 0 {
                        1
                    } else if own > 0 {
                        own
                    } else {
                        other
                    })
                    .unwrap_or(u16::MAX)
                };
                Some((most(rx, tx), most(tx, rx)))
            }
            _ => None,
        }
    }

    fn named(&self, kind: Value) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let known = self.driver.and_then(|driver| driver.arguments).unwrap_or_default();
        self.arguments().filter_map(move |(key, value)| {
            known.iter().any(|(name, has)| *name == key && *has == kind).then_some((key, value?))
        })
    }
}

/// The device without its arguments.
fn name_of(device: &str) -> &str {
    device.split(',').next().unwrap_or("").trim()
}

impl Port {
    /// What its device's text says.
    pub fn device_text(&self) -> DeviceText<'_> {
        DeviceText::new(&self.device)
    }

    /// Rooms of its pool that each of its rx queues takes when it is set up.
    pub(super) fn kept_by_rx_queue(&self) -> u32 {
        let keeps = self.device_text().driver().map_or(Keeps::Descriptors(u32::MAX), |driver| driver.rx_keeps);
        keeps.packets(self.rx_descriptors, self)
    }

    /// Packets that each of its tx queues may keep; of a wire, `Config::under_way` says it.
    pub(super) fn kept_by_tx_queue(&self) -> u32 {
        let keeps = self.device_text().driver().map_or(Keeps::Descriptors(u32::MAX), |driver| driver.tx_keeps);
        keeps.packets(self.tx_descriptors, self)
    }

    /// Rooms that each queue needs in a pool of the driver's own, where it insists on one (net_af_xdp).
    pub(super) fn kept_by_own_queue(&self) -> Option<u32> {
        self.device_text().is("net_af_xdp").then_some(2 * XDP_RING)
    }
}

impl Keeps {
    fn packets(self, descriptors: u16, port: &Port) -> u32 {
        let device = port.device_text();
        if device.is("net_memif") && device.values("zero-copy").next() == Some("yes") {
            return 1 << device.number("rsize").unwrap_or(10).min(14);
        }
        match self {
            Self::Nothing => 0,
            Self::Descriptors(most) => u32::from(descriptors).min(most),
            Self::Always(number) => number,
        }
    }
}

/// The names of all drivers that are known, for messages.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|driver| driver.name).filter(|name| !name.ends_with(':'))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn devices_are_taken_apart() {
        let device = DeviceText::new("net_af_packet0,iface=eth0,qpairs=2,framesz=4096");
        assert_eq!(
            (device.name(), device.number("framesz"), device.most_queues()),
            ("net_af_packet0", Some(4_096), Some((2, 2)))
        );
        assert_eq!(device.interfaces().collect::<Vec<_>>(), [("iface", "eth0")]);
        assert_eq!(DeviceText::new("net_tap1,iface=t").new_interface(), Some("t"));
        assert!(DeviceText::new("net_tap1,iface=t").interfaces().next().is_none());
        assert!(DeviceText::new("0000:01:00.0").driver().is_none() && DeviceText::new("net_nul0").driver().is_none());
        assert!(DeviceText::new("net_virtio_user0,path=/x").is("net_virtio_user"));
    }

    #[test]
    fn a_card_is_one_device_in_any_spelling() {
        let address = |text: &str| DeviceText::new(text).pci_address();
        for text in ["0000:01:0a.0", "01:0a.0,arg=1", "0:1:A.0"] {
            assert_eq!(address(text).as_deref(), Some("0000:01:0a.0"), "{text}");
            assert!(DeviceText::new(text).is_same_device(&DeviceText::new("0000:01:0a.0")), "{text}");
            assert!(DeviceText::new(text).spelled_out().starts_with("0000:01:0a.0"), "{text}");
        }
        assert_eq!(DeviceText::new("1:a.0,arg=1,b").spelled_out(), "0000:01:0a.0,arg=1,b");
        assert_eq!(DeviceText::new("net_null0,size=60").spelled_out(), "net_null0,size=60");
        assert!(!DeviceText::new("01:00.0").is_same_device(&DeviceText::new("0001:01:00.0")));
        assert_eq!((address("net_null0"), address("fffffffff:01:00.0")), (None, None));
    }

    #[test]
    fn captures_have_as_many_queues_as_files() {
        let most = |arguments: &str| DeviceText::new(&format!("net_pcap0,{arguments}")).most_queues();
        assert_eq!(most("rx_pcap=a,tx_pcap=b,tx_pcap=c"), Some((1, 2)));
        assert_eq!(most("rx_pcap=a,rx_pcap=b"), Some((2, 2)));
        assert_eq!(most("iface=lo"), Some((1, 1)));
    }
}
