//! Checks of what ports want of the kernel: interfaces that are there and up, rights, one port for each interface.

use super::super::{Config, Port};
use super::{Problems, device_texts};
use perigee_machine::{Interface, Rights};
use std::path::Path;

pub(super) fn interfaces(config: &Config, found: &mut Problems) {
    let rights = Rights::now();
    for (index, port) in config.ports.iter().enumerate() {
        let path = format!("port[{index}].device");
        allowed(port, &path, rights, found);
        taken(port, &path, found);
        socket_directory(port, &path, found);
        card(port, &path, found);
        for (_, name) in port.device_text().interfaces() {
            let is_made = |other: &Port| other.device_text().new_interface() == Some(name);
            // libpcap calls all interfaces together so.
            let is_any = name == "any" && port.device_text().is("net_pcap");
            if !name.is_empty() && !is_any && !config.ports[..index].iter().any(is_made) {
                exists(port, &path, name, found);
            }
        }
        one_port_each(config, index, port, found);
    }
}

/// The interface is there, is up, and can be used so.
fn exists(port: &Port, path: &str, name: &str, found: &mut Problems) {
    let who = format!("port {:?}", port.name);
    let device = port.device_text();
    let interface = match Interface::named(name) {
        Ok(Some(interface)) => interface,
        Ok(None) => {
            let help = "`ip link` shows those of this network namespace";
            found.error(path, format!("{who}: there is no interface {name:?}"), help);
            return;
        }
        Err(error) => {
            tracing::debug!(name, "the kernel does not tell of the interface: {error}");
            return;
        }
    };
    if name.len() > device_texts::LONGEST_NAME && !device.is("net_pcap") {
        let what = format!("{who}: the interface's name {name:?} is too long for its driver");
        found.error(path, what, format!("iface={} is the same interface", interface.name));
    }
    if !interface.is_up {
        let up = format!("ip link set {} up", interface.name);
        // libpcap opens no other; DPDK calls that "Operation not permitted".
        if device.is("net_pcap") {
            found.error(path, format!("{who}: interface {name:?} is down, and net_pcap opens none that is"), up);
        } else {
            found.warning(path, format!("{who}: interface {name:?} is down"), format!("no packets come or go: {up}"));
        }
    }
    if device.is("net_af_xdp") {
        xdp(&who, path, &interface, port, found);
    }
}

/// What the kernel asks of an interface that gets an XDP program.
fn xdp(who: &str, path: &str, interface: &Interface, port: &Port, found: &mut Problems) {
    let name = &interface.name;
    // What has no XDP of its own gets the kernel's, which takes any MTU.
    let is_native = !interface.is_loopback && ["", "veth", "tun"].contains(&interface.kind.as_str());
    // A veth's other end counts as well, where it can be seen from here.
    let peer = interface.peer().filter(|_| interface.kind == "veth");
    for interface in [interface].into_iter().chain(&peer).filter(|_| is_native) {
        if interface.mtu > device_texts::XDP_MTU.into() {
            let (name, mtu) = (&interface.name, interface.mtu);
            let what = format!(
                "{who}: interface {name:?} has an MTU of {mtu}, and XDP takes {} at most",
                device_texts::XDP_MTU
            );
            let help = format!("ip link set {name} mtu {}, or net_af_packet", device_texts::XDP_MTU.min(port.mtu));
            found.error(path, what, help);
        }
    }
    let device = port.device_text();
    let first = device.number("start_queue").unwrap_or(0);
    let end = first.saturating_add(device.number("queue_count").unwrap_or(1));
    if end > interface.rx_queues.into() {
        let what = format!("{who}: it wants rx queue {} of interface {name:?}", end.saturating_sub(1));
        let help = format!("it has {} at most (`ethtool -l {name}`); they count from 0", interface.rx_queues);
        found.error(path, what, help);
    }
}

/// This process may do what the driver does.
fn allowed(port: &Port, path: &str, rights: Rights, found: &mut Problems) {
    let (who, device) = (format!("port {:?}", port.name), port.device_text());
    let on_interface = device.interfaces().any(|(key, _)| key != "remote");
    let (is_allowed, needs, help) = if device.new_interface().is_some() || device.is("net_tap") || device.is("net_tun")
    {
        let tun = Path::new("/dev/net/tun");
        if !tun.exists() {
            let help = "modprobe tun; in a container the device has to be let in";
            found.error(path, format!("{who}: there is no /dev/net/tun, of which TAPs are made"), help);
            return;
        }
        (rights.net_admin(), "CAP_NET_ADMIN to make a TAP", "root has it, and a user in a network namespace of its own")
    } else if device.is("net_af_xdp") {
        (rights.xdp(), "root's rights, and not in a user namespace, for AF_XDP", "net_af_packet does with CAP_NET_RAW")
    } else if on_interface {
        (
            rights.net_raw(),
            "CAP_NET_RAW to open an interface",
            "root has it, and a user in a network namespace of its own",
        )
    } else {
        return;
    };
    if !is_allowed {
        found.error(path, format!("{who}: this process lacks {needs}"), help);
    }
}

/// The interface that a TAP wants to make is not there already as something that it cannot use.
fn taken(port: &Port, path: &str, found: &mut Problems) {
    let Some(name) = port.device_text().new_interface() else { return };
    let Ok(Some(interface)) = Interface::named(name) else { return };
    let already = format!("port {:?}: there is an interface {name:?} already", port.name);
    match interface.tap {
        Some(tap) if tap.is_tap && tap.many_queues => {
            if tap.queues > 0 {
                let help = "the kernel would spread flows over both processes; a run that goes on has its own TAPs";
                found.warning(path, format!("{already}, and another process works on it"), help);
            }
        }
        Some(tap) if tap.is_tap => {
            let help = format!("DPDK wants several: ip tuntap add {name} mode tap multi_queue, or let net_tap make it");
            found.error(path, format!("{already}, a TAP of one queue"), help);
        }
        _ => {
            let help = "net_tap makes its interface: give another name, or use net_af_packet on this one";
            found.error(path, format!("{already}, and it is no TAP"), help);
        }
    }
}

/// A memif's socket has a directory to lie in.
fn socket_directory(port: &Port, path: &str, found: &mut Problems) {
    let device = port.device_text();
    let is_file = device.is("net_memif") && device.values("socket-abstract").next() == Some("no");
    let Some(socket) = device.values("socket").next().filter(|_| is_file) else { return };
    let directory = Path::new(socket).parent().filter(|_| socket.starts_with('/'));
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        let what = format!("port {:?}: there is no directory {} for its socket", port.name, directory.display());
        found.error(path, what, "make it, or give another path as socket=");
    }
}

/// A card is there.
fn card(port: &Port, path: &str, found: &mut Problems) {
    let Some(card) = port.card() else { return };
    if let Some((what, help)) = card.obstacle() {
        found.error(path, format!("port {:?}: {what}", port.name), help);
    }
}

/// Two names that differ may be those of one interface.
fn one_port_each(config: &Config, index: usize, port: &Port, found: &mut Problems) {
    let number = |name: &str| Interface::named(name).ok().flatten().map(|interface| interface.number);
    let same = |a: &str, b: &str| a != b && number(a).is_some() && number(a) == number(b);
    let others = &config.ports[..index];
    if let Some((other, interface)) =
        others.iter().find_map(|other| Some((other, device_texts::meeting(port, other, same)?)))
    {
        device_texts::shares(index, port, other, interface, found);
    }
}
