//! Checks of devices' arguments against the ports' MTUs, and of ports against the interfaces that they are made on.

use super::super::device::{PacketRing, argument, kind, longest_of_mtu, observed_interface};
use super::super::{Config, Port};
use super::Problems;
use crate::device::interface_of;
use perigee_machine::netlink::{Netlink, Which};

/// What can be said without the machine.
pub(super) fn arguments(config: &Config, found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate() {
        if let Some((what, help)) = Config::wrong_arguments(port) {
            found.error(format!("port[{index}].device"), format!("port {:?}: {what}", port.name), help);
        }
    }
}

/// Who asks for a second observer has a port that the kernel sees.
pub(super) fn observed(config: &Config, found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate().filter(|(_, port)| port.observe) {
        let (path, who) = (format!("port[{index}].observe"), format!("port {:?}", port.name));
        if observed_interface(&port.device).is_none() {
            let help = match kind(&port.device) {
                "net_af_packet" | "net_tap" | "net_pcap" => "say which interface it is: iface=NAME",
                "net_af_xdp" => {
                    "AF_XDP sends past all who look on; net_af_packet on the same interface can be observed"
                }
                _ => {
                    "the kernel sees what leaves by net_af_packet, net_tap, and net_pcap on an interface; leave `observe` away"
                }
            };
            found.error(
                path,
                format!("{who}: nobody can observe what it sends: it is no interface of the kernel's"),
                help,
            );
        } else if argument(&port.device, "qdisc_bypass") == Some("1") {
            let what = format!("{who}: qdisc_bypass=1 sends past all who look on");
            found.error(path, what, "leave qdisc_bypass away: a port that is observed does without");
        }
    }
}

/// An interface whose packets the port's frames do not hold would lose them. One that is not there is the driver's to tell of.
pub(super) fn interfaces(config: &Config, found: &mut Problems) {
    let Ok(mut netlink) = Netlink::open() else { return };
    for (index, port) in config.ports.iter().enumerate() {
        let Some((name, longest)) = interface_of(&port.device).zip(longest_of(port)) else { continue };
        let Ok(link) = netlink.ask(Which::Name(name)) else { continue };
        if longest_of_mtu(link.mtu) > longest {
            let mtu = longest - longest_of_mtu(0);
            let what = format!(
                "port {:?}: interface {name} has an MTU of {}, and packets of more than {mtu} bytes do not come in",
                port.name, link.mtu
            );
            let help = format!("mtu = {} for the port, or `ip link set dev {name} mtu {mtu}`", link.mtu);
            found.error(format!("port[{index}].mtu"), what, help);
        }
        if u32::from(port.mtu) > link.mtu {
            let what = format!(
                "port {:?}: interface {name} has an MTU of {}, and the kernel loses longer packets that are sent there",
                port.name, link.mtu
            );
            found.warning(format!("port[{index}].mtu"), what, format!("mtu = {} for the port", link.mtu));
        }
    }
}

/// The longest frame that comes in whole, where the driver has a bound of its own.
fn longest_of(port: &Port) -> Option<u32> {
    (kind(&port.device) == "net_af_packet").then(|| PacketRing::of(port).ok()).flatten().map(|ring| ring.longest())
}
