//! Checks of what ports read from the machine: captures, which are read to their end, and interfaces, which are asked for.

use super::super::{Config, Port, Source, rooms};
use super::{Problem, Problems, chains, played};
use perigee_pcap::capture::{Contents, PcapDevice, look};
use perigee_pcap::file::Recording;
use std::path::Path;
use std::sync::Arc;

/// What was found in the captures that a run reads. They are looked at before anything is started, by the reader that
/// delivers them.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    /// Of each port, in the order of the configuration: packets in the file of each rx queue. Empty where it never ends.
    packets: Vec<Vec<u64>>,
    /// Of each port, the files that it plays, in memory.
    recordings: Vec<Option<Arc<Recording>>>,
    /// What is wrong with them, and with the interfaces that ports are made on.
    pub problems: Vec<Problem>,
}

impl Captures {
    pub(super) fn look(config: &Config, base: &Path) -> Self {
        let mut found = Problems::default();
        let recordings = (0..config.ports.len()).map(|port| played::read(config, base, port, &mut found)).collect();
        let packets = (0..config.ports.len()).map(|port| captures(config, port, &mut found)).collect();
        (0..config.ports.len()).for_each(|port| interfaces(config, port, &mut found));
        Self { packets, recordings, problems: found.0 }
    }

    /// The files that a port plays; `None` of other ports, and of those whose files cannot be played.
    pub fn recording(&self, port: usize) -> Option<&Arc<Recording>> {
        self.recordings.get(port)?.as_ref()
    }

    /// Packets that an rx queue will get; `None` where it never ends.
    pub fn packets(&self, port: usize, queue: usize) -> Option<u64> {
        self.packets.get(port)?.get(queue).copied()
    }
}

/// Reads what a port will read.
fn captures(config: &Config, index: usize, found: &mut Problems) -> Vec<u64> {
    let port = &config.ports[index];
    let Some(device) = PcapDevice::of(&port.device) else { return Vec::new() };
    let (path, who) = (format!("port[{index}].device"), format!("port {:?}", port.name));
    let mut all = Vec::new();
    for file in &device.rx_files {
        match look(Path::new(file)) {
            Ok(facts) => {
                remarks(config, &path, &format!("{who}: capture {file:?}"), facts, found);
                all.push(facts);
            }
            Err(refusal) => found.error(&path, format!("{who}: {}", refusal.what), refusal.help),
        }
    }
    if device.is_endless {
        if all.len() == device.rx_files.len() {
            endless(config, index, &all, found);
        }
        return Vec::new();
    }
    all.iter().map(|facts| facts.packets).collect()
}

/// What somebody may not expect of a capture that is read to its end.
fn remarks(config: &Config, path: &str, who: &str, facts: Contents, found: &mut Problems) {
    if facts.has_fcs {
        // -L: the packets' own lengths too, else they look cut. The old format: a pcapng would go on saying that it is there.
        let help = "modules see it as the packet's last bytes: `editcap -F nsecpcap -L -C -4 IN OUT` takes it off";
        found.warning(path, format!("{who} says that a frame check sequence ends each packet"), help);
    }
    if facts.cut > 0 {
        let what = format!("{who} has {} of {} packets cut short", facts.cut, facts.packets);
        found.warning(path, what, "they come in as long as the file has them: capture them whole (snap length 0)");
    }
    if facts.longest > longest(config) {
        let what = format!("{who} has packets of up to {} bytes, and a room takes {}", facts.longest, longest(config));
        found.warning(path, what, "longer ones are dropped as too_long_for_room: raise the port's `mtu`");
    }
}

/// The longest packet that fits a room.
fn longest(config: &Config) -> u32 {
    use crate::sizes::room_len;
    use perigee_core::HEADROOM;
    let mtu = config.ports.iter().map(|port| port.mtu).max().unwrap_or(1_500);
    // Rooms of a port of net_af_packet may be larger, by what its arguments say.
    let is_larger = config.ports.iter().any(|port| port.device.contains("framesz="));
    let bytes = if is_larger { usize::from(u16::MAX) } else { room_len(mtu) - usize::from(HEADROOM) };
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A capture that begins again lies in the port's pool for good.
fn endless(config: &Config, index: usize, files: &[Contents], found: &mut Problems) {
    let (path, who) = (format!("port[{index}].device"), format!("port {:?}", config.ports[index].name));
    if files.iter().any(|facts| facts.packets == 0) {
        found.error(
            path,
            format!("{who}: infinite_rx has a capture without a packet"),
            "there is nothing to begin again",
        );
        return;
    }
    if let Some(facts) = files.iter().find(|facts| facts.longest > longest(config)) {
        let what = format!(
            "{who}: infinite_rx has a capture with a packet of {} bytes, and a room takes {}",
            facts.longest,
            longest(config)
        );
        found.error(&path, what, "raise the port's `mtu`, or cut them: `editcap -s LENGTH IN OUT`");
    }
    let packets: u64 = files.iter().map(|facts| facts.packets).sum();
    let held: u64 = reading(config, &config.ports[index]).map(|chain| chains::held(config, chain)).sum();
    let needed = packets + held + 2 * u64::from(config.run.burst);
    let rooms = u64::from(config.port_pool(index));
    if rooms < needed {
        let what = format!(
            "{who}: infinite_rx keeps the {packets} packets of its captures in the port's pool of {rooms} rooms"
        );
        let enough = (needed + 1_024).next_power_of_two() - 1;
        let help = if enough < u64::from(rooms::MOST) {
            format!("`pool = {enough}` has room for them and for what is on its way")
        } else {
            "that is more than a pool has room for: take fewer packets".to_owned()
        };
        found.error(format!("port[{index}].pool"), what, help);
    }
}

/// Modules get Ethernet frames: an interface that has others is none for them.
fn interfaces(config: &Config, index: usize, found: &mut Problems) {
    let port = &config.ports[index];
    for interface in of_kernel(&port.device) {
        let Some(kind) = not_ethernet(interface) else { continue };
        let what = format!("port {:?}: interface {interface:?} carries {kind}, not Ethernet frames", port.name);
        let help = "modules get Ethernet frames: use a TAP (`ip tuntap add mode tap`), or an interface with Ethernet";
        found.error(format!("port[{index}].device"), what, help);
    }
}

/// The interfaces of the kernel's that a device is made on.
fn of_kernel(device: &str) -> Vec<&str> {
    if let Some(pcap) = PcapDevice::of(device) {
        return pcap.interfaces;
    }
    let is_on_one = device.starts_with("net_af_packet") || device.starts_with("net_af_xdp");
    device.split(',').filter_map(|argument| argument.strip_prefix("iface=")).filter(|_| is_on_one).collect()
}

/// What an interface carries, where that is not Ethernet. One that is not there is the driver's to tell.
fn not_ethernet(interface: &str) -> Option<String> {
    if interface == "any" {
        return Some("packets of all interfaces behind a header of libpcap's own".to_owned());
    }
    let Ok(kind) = perigee_machine::netlink::hardware(interface) else {
        let is_libpcaps = LIBPCAPS.iter().any(|name| interface.starts_with(name));
        return is_libpcaps.then(|| "what libpcap takes from elsewhere than an interface".to_owned());
    };
    let name = match kind {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => return None,
        libc::ARPHRD_NONE | libc::ARPHRD_RAWHDLC => "packets without a link header, as a TUN does",
        libc::ARPHRD_PPP => "PPP",
        libc::ARPHRD_TUNNEL | libc::ARPHRD_TUNNEL6 | libc::ARPHRD_SIT => "packets of an IP tunnel",
        libc::ARPHRD_IPGRE | ARPHRD_IP6GRE => "packets of a GRE tunnel",
        libc::ARPHRD_IEEE80211 | libc::ARPHRD_IEEE80211_PRISM | libc::ARPHRD_IEEE80211_RADIOTAP => "IEEE 802.11 frames",
        libc::ARPHRD_INFINIBAND => "InfiniBand packets",
        libc::ARPHRD_CAN => "CAN frames",
        ARPHRD_NETLINK => "netlink messages",
        _ => return Some(format!("frames of hardware type {kind} (linux/if_arp.h)")),
    };
    Some(format!("{name} (hardware type {kind})"))
}

/// Beginnings of names that libpcap has for what is no interface.
const LIBPCAPS: [&str; 5] = ["nflog", "nfqueue", "usbmon", "bluetooth", "dbus-"];
/// By linux/if_arp.h; libc does not have them.
const ARPHRD_IP6GRE: u16 = 823;
const ARPHRD_NETLINK: u16 = 824;

/// The chains that read a port.
pub(super) fn reading<'a>(config: &'a Config, port: &'a Port) -> impl Iterator<Item = &'a super::super::Chain> {
    config.chains.iter().filter(|chain| matches!(&chain.source, Source::Port { port: name, .. } if *name == port.name))
}

/// What a net_pcap device has that its driver would pass over, or nobody would read.
pub(super) fn arguments(config: &Config, found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate() {
        let (path, who) = (format!("port[{index}].device"), format!("port {:?}", port.name));
        if port.device.starts_with("net_tun") {
            let help = "modules get Ethernet frames: net_tap makes an interface with them";
            found.error(&path, format!("{who}: net_tun carries IP packets without an Ethernet header"), help);
        }
        let Some(device) = PcapDevice::of(&port.device) else { continue };
        if let Some(argument) = device.passed_over.first() {
            let what = format!("{who}: net_pcap passes over {argument:?} beside what else it is given");
            found.error(
                &path,
                what,
                "a port reads files or interfaces, and writes files or interfaces; `iface=` is for both",
            );
        }
        let read = |queue: usize| {
            reading(config, port).any(|chain| match chain.source {
                Source::Port { queue: first, .. } => {
                    (usize::from(first)..usize::from(first) + chain.width()).contains(&queue)
                }
                _ => false,
            })
        };
        let mut unread = device.rx_files.iter().enumerate().filter(|(queue, _)| !read(*queue));
        if let Some((queue, file)) = unread.next().filter(|_| reading(config, port).next().is_some()) {
            let what = format!("{who}: no chain reads {file:?}, which is rx queue {queue} of the port");
            let help = "each rx_pcap is a queue of its own: give the chain an lcore for each, or the port one file \
                        (`mergecap -a -w OUT A B`)";
            found.error(path, what, help);
        }
    }
}
