//! Checks of ports' flow rules, and of how they spread flows.

use super::super::{Config, FlowAction, FlowMatch, FlowRule, Port};
use super::Problems;
use crate::flow::Rule;
use ipnet::IpNet;

/// Rules are looked through one after the other, for each packet.
const MOST: usize = 256;
/// VLAN identifiers; 0 is a tag with a priority alone, 4095 is reserved (IEEE 802.1Q).
const LAST_VLAN: u16 = 4_094;
/// EtherTypes of IP.
const IP_TYPES: [u16; 2] = [0x0800, 0x86dd];

pub(super) fn rules(config: &Config, found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate().filter(|(_, port)| !port.flows.is_empty()) {
        let (path, who) = (format!("port[{index}].flow"), format!("port {:?}", port.name));
        if port.flows.len() > MOST {
            let what = format!("{who}: it has {} flow rules", port.flows.len());
            found.error(format!("{path}[{MOST}]"), what, format!("a port has at most {MOST}"));
        }
        let is_read = (0..config.rx_queues(index)).any(|queue| config.reads_queue(index, queue));
        if !is_read {
            found.error(format!("{path}[0]"), format!("{who}: it has flow rules, and no chain reads it"), "");
            continue;
        }
        let mut before: Vec<Rule> = Vec::new();
        for (number, rule) in port.flows.iter().enumerate().take(MOST) {
            let (path, who) = (format!("{path}[{number}]"), format!("{who}: flow rule {number} ({})", rule.matches));
            if !makes_sense(&rule.matches, &path, &who, found) {
                continue;
            }
            action(config, index, rule, &path, &who, found);
            let compiled = Rule::new(&rule.matches);
            if let Some(first) = before.iter().position(|earlier| earlier.covers(&compiled)) {
                let help = "the first rule that a packet meets decides: put the narrower one first";
                found.error(path, format!("{who}: no packet comes to it, for rule {first} takes them all"), help);
            }
            before.push(compiled);
        }
    }
}

/// What a rule asks for contradicts nothing.
fn makes_sense(matches: &FlowMatch, path: &str, who: &str, found: &mut Problems) -> bool {
    let before = found.0.len();
    let path = format!("{path}.match");
    if let Some(vlan) = matches.vlan.filter(|vlan| *vlan > LAST_VLAN) {
        found.error(format!("{path}.vlan"), format!("{who}: vlan is {vlan}"), "it must be 0 to 4094");
    }
    for (key, net) in [("src", matches.src), ("dst", matches.dst)] {
        if let Some(net) = net.filter(|net| net.addr() != net.network()) {
            let help =
                format!("the network is {}; one address is {}/{}", net.trunc(), net.addr(), net.max_prefix_len());
            found.error(format!("{path}.{key}"), format!("{who}: {key} {net} has bits behind its prefix"), help);
        }
    }
    let is_four = |net: IpNet| net.addr().is_ipv4();
    if let (Some(src), Some(dst)) = (matches.src, matches.dst)
        && is_four(src) != is_four(dst)
    {
        let help = "no packet has both: make a rule for each";
        found.error(format!("{path}.dst"), format!("{who}: src and dst are of different kinds of IP"), help);
    }
    let ip = matches.src.or(matches.dst).map(|net| if is_four(net) { IP_TYPES[0] } else { IP_TYPES[1] });
    if let Some(ether_type) = matches.ether_type {
        let about_ip = ip.is_some() || matches.protocol.is_some();
        if ip.is_some_and(|ip| ip != ether_type) || (about_ip && !IP_TYPES.contains(&ether_type)) {
            let help = "leave ether_type away where addresses or a protocol say it; 0x0800 is IPv4, 0x86dd IPv6";
            let what = format!("{who}: ether_type {ether_type:#06x} is not that of what else it asks for");
            found.error(format!("{path}.ether_type"), what, help);
        }
    }
    for (key, range) in [("src_port", &matches.src_port), ("dst_port", &matches.dst_port)] {
        if range.is_some() && !matches.protocol.is_some_and(|protocol| protocol.has_ports()) {
            let help = "say whose ports: protocol = \"tcp\", \"udp\" or \"sctp\"";
            found.error(format!("{path}.{key}"), format!("{who}: {key} without a protocol that has ports"), help);
        }
    }
    found.0.len() == before
}

fn action(config: &Config, port: usize, rule: &FlowRule, path: &str, who: &str, found: &mut Problems) {
    let FlowAction::Queue(queue) = rule.action else { return };
    if !config.reads_queue(port, queue) {
        let help = format!(
            "its packets would be lost; a chain with source = {{ port = {:?}, queue = {queue} }} reads it",
            config.ports[port].name
        );
        found.error(format!("{path}.action"), format!("{who}: no chain reads rx queue {queue}"), help);
    }
}

/// Drivers in software that are known spread nothing by RSS, whatever they say of themselves.
pub(super) fn rss(config: &Config, found: &mut Problems) {
    let spread = config.ports.iter().enumerate().filter(|(_, port)| port.rss.is_some());
    for (index, port) in spread {
        let (path, who) = (format!("port[{index}].rss"), format!("port {:?}", port.name));
        if let Some(driver) = port.device_text().driver() {
            let what = format!("{who}: {} spreads nothing by RSS", driver.name);
            found.error(
                &path,
                what,
                format!("{}; flow rules ([[port.flow]]) lead flows to queues on any port", instead(port)),
            );
        } else if config.rx_queues(index) < 2 {
            found.warning(
                &path,
                format!("{who}: rss with one rx queue spreads nothing"),
                "let chains read several queues",
            );
        }
    }
}

/// What spreads the packets of such a port.
fn instead(port: &Port) -> &'static str {
    match port.device_text().driver().map(|driver| driver.name) {
        Some("net_tap" | "net_tun" | "net_af_packet" | "net_af_xdp") => {
            "the kernel spreads its flows by a hash of its own"
        }
        Some("net_ring") => "what is sent to a tx queue comes in at the rx queue of the same number",
        Some("net_pcap") => "each rx queue reads its own capture",
        Some("net_memif") => "the peer decides to which queue it sends",
        _ => "it is made in software",
    }
}
