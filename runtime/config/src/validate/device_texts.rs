//! Checks of ports' devices by their texts alone: drivers, arguments, what two ports would share. DPDK says of most of it that
//! it "could not probe"; of some it says nothing.

use super::super::drivers::{self, DeviceText, Driver, Value};
use super::super::{Config, Port, is_pci_address};
use super::{Problems, closest, played, wires};

/// Longest name of an interface (IFNAMSIZ, without its end).
pub(super) const LONGEST_NAME: usize = 15;
/// Longest path of a socket (`sun_path`, without its end).
const LONGEST_SOCKET: usize = 107;
/// Largest layer-3 packet that net_tap takes: a frame of 1,522 bytes.
const TAP_MTU: u16 = 1_504;
/// Largest MTU of interfaces with XDP: a page holds the frame, 256 bytes of headroom and the kernel's 320 behind it.
pub(super) const XDP_MTU: u16 = 4_096 - 256 - 320 - 14;
/// Longest names of devices: these drivers put them into names of rings and of pools, and DPDK does not say why it refuses one
/// (`findings/vdev-names.sh`).
const LONGEST_DEVICES: [(&str, usize); 2] = [("net_ring", 17), ("net_tap", 22)];
/// The same of all others (`RTE_DEV_NAME_MAX_LEN`, without its end).
const LONGEST_DEVICE: usize = 63;
/// Arguments that may be there several times: those of net_pcap, and of a file.
const SEVERAL: [&str; 6] = ["file", "rx_pcap", "tx_pcap", "rx_iface", "rx_iface_in", "tx_iface"];

/// One port's device, told where and of whom.
struct Checked<'a, 'f> {
    device: DeviceText<'a>,
    path: String,
    who: String,
    found: &'f mut Problems,
}

pub(super) fn device(config: &Config, index: usize, port: &Port, found: &mut Problems) {
    let device = port.device_text();
    let (path, who, name) = (format!("port[{index}].device"), format!("port {:?}", port.name), device.name());
    if name.is_empty() {
        let help = "give a virtual device like \"net_null0\" or a PCI address like \"0000:01:00.0\"";
        found.error(path, format!("{who}: device is empty"), help);
        return;
    }
    if port.is_wire() {
        wires::end(config, index, port, found);
    } else if port.is_file() {
        played::file(index, port, found);
    } else if !is_pci_address(name) && !name.starts_with("net_") && !name.starts_with("virtio_user") {
        let help = "virtual devices are called like \"net_null0\", PCI addresses look like \"0000:01:00.0\"";
        found.error(path, format!("{who}: device {name:?} is neither a virtual device nor a PCI address"), help);
        return;
    } else if let Some(first) = config.ports[..index].iter().find(|other| other.device_text().is_same_device(&device)) {
        let help = if is_pci_address(name) {
            "a card is one port, which several chains may read and send to"
        } else {
            "two virtual devices of one driver differ in the number at the end of their names"
        };
        found.error(&*path, format!("{who}: device {name:?} is port {:?} already", first.name), help);
    }
    let mut checked = Checked { device, path, who, found };
    match device.driver() {
        Some(driver) => checked.driver(driver, index, port),
        None if is_pci_address(name) || brings_drivers(config) => {}
        None => checked.unknown_driver(),
    }
}

/// Two ports on one interface: what one sends the other one gets.
pub(super) fn shared(config: &Config, found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate() {
        let other = config.ports[..index].iter().find_map(|other| Some((other, meeting(other, port, same_text)?)));
        if let Some((other, interface)) = other {
            shares(index, port, other, interface, found);
        }
    }
}

/// Tells that port number `index` works on an interface that another port has.
pub(super) fn shares(index: usize, port: &Port, other: &Port, interface: &str, found: &mut Problems) {
    let help = if port.device_text().is("net_af_xdp") && other.device_text().is("net_af_xdp") {
        "a queue of an interface belongs to one port: give them other queues by start_queue= and queue_count="
    } else if port.device_text().new_interface().is_some() {
        "the kernel would spread flows over both, as over the queues of one TAP: give each an interface of its own"
    } else {
        "both would get all of its frames, and what goes from one to the other goes back where it came from: one port is \
         enough, which several chains may send to"
    };
    let what = format!("port {:?}: interface {interface:?} is that of port {:?} already", port.name, other.name);
    found.error(format!("port[{index}].device"), what, help);
}

/// The interface on which two ports get in each other's way, by whatever makes two names the same one.
pub(super) fn meeting<'a>(one: &Port, other: &'a Port, same: impl Fn(&str, &str) -> bool) -> Option<&'a str> {
    let (one, other) = (one.device_text(), other.device_text());
    if let (Some(a), Some(b)) = (one.new_interface(), other.new_interface()) {
        return same(a, b).then_some(b);
    }
    let of_other = other.interfaces().filter(|(key, _)| *key != "remote");
    let mut pairs = of_other.flat_map(|b| one.interfaces().filter(|(key, _)| *key != "remote").map(move |a| (a, b)));
    let found = pairs.find(|((a_key, a), (b_key, b))| same(a, b) && !is_apart(&one, a_key, &other, b_key));
    found.map(|(_, (_, name))| name)
}

fn same_text(a: &str, b: &str) -> bool {
    a == b
}

/// Two ports on one interface do not meet: they have different queues of it, or one only receives and the other only sends.
fn is_apart(one: &DeviceText<'_>, one_key: &str, other: &DeviceText<'_>, other_key: &str) -> bool {
    if one.is("net_af_xdp") && other.is("net_af_xdp") {
        let queues = |device: &DeviceText<'_>| {
            let first = device.number("start_queue").unwrap_or(0);
            first..first.saturating_add(device.number("queue_count").unwrap_or(1))
        };
        let (a, b) = (queues(one), queues(other));
        return a.end <= b.start || b.end <= a.start;
    }
    let only_sends = [one_key, other_key].iter().filter(|key| **key == "tx_iface").count();
    let only_receives = [one_key, other_key].iter().filter(|key| key.starts_with("rx_iface")).count();
    only_sends == 1 && only_receives == 1
}

/// EAL was asked to load drivers that nobody knows here.
fn brings_drivers(config: &Config) -> bool {
    config.run.eal_args.iter().any(|argument| argument == "-d" || argument.starts_with("-d"))
}

impl Checked<'_, '_> {
    fn error(&mut self, what: impl std::fmt::Display, help: impl Into<String>) {
        self.found.error(&*self.path, format!("{}: {what}", self.who), help);
    }

    fn unknown_driver(&mut self) {
        let name = self.device.name();
        let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &name[kind.len()..];
        let meant = closest(kind, drivers::known());
        let meant = meant.map(|meant| format!("did you mean \"{meant}{number}\"? ")).unwrap_or_default();
        let known: Vec<&str> = drivers::known().collect();
        let help = format!("{meant}known virtual devices: {}, each with a number behind it", known.join(", "));
        self.error(format_args!("no driver makes device {name:?}"), help);
    }

    fn driver(&mut self, driver: &Driver, index: usize, port: &Port) {
        let longest = LONGEST_DEVICES.iter().find(|(name, _)| *name == driver.name);
        let longest = longest.map_or(LONGEST_DEVICE, |(_, longest)| *longest);
        let name = self.device.name();
        if name.len() > longest {
            let help =
                format!("{} takes names of {longest} characters at most, as in \"{}0\"", driver.name, driver.name);
            self.error(format_args!("the device's name {name:?} has {} characters", name.len()), help);
        }
        let Some(known) = driver.arguments else { return };
        let device = self.device;
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in device.arguments() {
            self.argument(driver.name, known, key, value);
            if seen.contains(&key) && !SEVERAL.contains(&key) {
                self.error(format_args!("argument {key:?} is there twice"), "once is enough");
            }
            seen.push(key);
        }
        let has = |key: &str| seen.contains(&key);
        match driver.name {
            "net_af_packet" | "net_af_xdp" if !has("iface") => {
                self.error(format_args!("{} works on an interface", driver.name), "give it as iface=NAME");
            }
            "net_pcap" if !has("iface") && !SEVERAL.iter().any(|key| has(key)) => {
                self.error("net_pcap has no file", "give rx_pcap=FILE, tx_pcap=FILE, or iface=NAME");
            }
            "net_tap" if port.mtu > TAP_MTU => {
                let what = format!("{}: mtu is {}, and net_tap takes {TAP_MTU} at most", self.who, port.mtu);
                let help = "its frames have 1,522 bytes at most; net_af_packet and net_af_xdp take larger ones";
                self.found.error(format!("port[{index}].mtu"), what, help);
            }
            "net_af_xdp" => self.xdp(index, port),
            "net_memif" => self.socket(),
            _ => {}
        }
    }

    fn argument(&mut self, driver: &str, known: &[(&str, Value)], key: &str, value: Option<&str>) {
        let Some((_, wanted)) = known.iter().find(|(name, _)| *name == key) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let meant = closest(key, names.iter().copied());
            let meant = meant.map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default();
            let help = format!("{meant}known arguments: {}", names.join(", "));
            self.error(format_args!("{driver} has no argument {key:?}"), help);
            return;
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            self.error(format_args!("argument {key:?} has no value"), format!("write {key}=VALUE"));
            return;
        };
        match *wanted {
            Value::Any | Value::Interface => {}
            Value::Number(least, most) => {
                if !value.parse::<u64>().is_ok_and(|number| (least..=most).contains(&number)) {
                    self.error(
                        format_args!("{key} is {value:?}"),
                        format!("it must be a number from {least} to {most}"),
                    );
                }
            }
            Value::Word(words) => {
                if !words.contains(&value) {
                    self.error(format_args!("{key} is {value:?}"), format!("it must be {}", words[..2].join(" or ")));
                }
            }
            Value::OneOf(words) => {
                if !words.contains(&value) {
                    self.error(format_args!("{key} is {value:?}"), format!("it must be {}", words.join(" or ")));
                }
            }
            Value::NewInterface => {
                if value.len() > LONGEST_NAME || value.contains(['/', ':', ' ']) || value == "." || value == ".." {
                    let help = format!("it has at most {LONGEST_NAME} characters, and no \"/\", \":\" and blanks");
                    self.error(format_args!("{value:?} is no name for an interface"), help);
                }
            }
        }
    }

    /// A memif's socket in the file system has an absolute path; DPDK says "Invalid argument" of any other.
    fn socket(&mut self) {
        let is_file = self.device.values("socket-abstract").next() == Some("no");
        let Some(path) = self.device.values("socket").next().filter(|_| is_file) else { return };
        if !path.starts_with('/') || path.len() > LONGEST_SOCKET {
            let help = format!("DPDK takes an absolute path of at most {LONGEST_SOCKET} characters");
            self.error(format_args!("socket {path:?} cannot be made"), help);
        }
    }

    /// Rings of AF_XDP have a power of two of places, and each frame of its memory lies in a page.
    fn xdp(&mut self, index: usize, port: &Port) {
        if port.mtu > XDP_MTU {
            let what = format!("{}: mtu is {}, and net_af_xdp takes {XDP_MTU} at most", self.who, port.mtu);
            self.found.error(format!("port[{index}].mtu"), what, "net_af_packet takes larger ones");
        }
        for (key, number) in [("rx_descriptors", port.rx_descriptors), ("tx_descriptors", port.tx_descriptors)] {
            if number != 0 && !number.is_power_of_two() {
                let near = u32::from(number).next_power_of_two().min(1 << 15);
                let what = format!("{}: {key} is {number}, and net_af_xdp takes powers of two", self.who);
                self.found.error(format!("port[{index}].{key}"), what, format!("{near} is near"));
            }
        }
    }
}
