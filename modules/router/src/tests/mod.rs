//! The router in a test host, between two links.

mod accounts;
mod config;
mod errors;
mod feeds;
mod forward;
mod local;
mod messages;
mod neighbours;
mod share;
mod state;

use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::testing::{Host, Input, Output, Run};
use perigee_guest::wire::{Arp, Ethernet, Header as _, Icmp, Icmpv6, Ipv4, Ipv6, Mac, Stack as _, Udp, checksum};
use perigee_guest::{Verdict, state::SECOND};

/// Links on port 0 and port 1, the second one of which takes shorter packets; A and B are hosts on them.
const CONFIG: &str = r#"{
    "interfaces": [
        {"port": 0, "addresses": ["10.0.0.1/24", "2001:db8::1/64"]},
        {"port": 1, "addresses": ["10.0.1.1/24", "2001:db8:1::1/64"], "mtu": 1400}
    ],
    "neighbours": [
        "10.0.0.2 lladdr 02:00:00:00:00:a1 dev 0", "2001:db8::2 lladdr 02:00:00:00:00:a1 dev 0",
        "10.0.1.2 lladdr 02:00:00:00:00:b1 dev 1", "2001:db8:1::2 lladdr 02:00:00:00:00:b1 dev 1"
    ],
    "routes": [
        "192.168.0.0/16 via 10.0.1.2", "2001:db8:f000::/36 via 2001:db8:1::2",
        "172.16.0.0/12 blackhole", "172.31.0.0/16 unreachable", "default via 10.0.1.9"
    ]
}"#;

const A_MAC: Mac = Mac([2, 0, 0, 0, 0, 0xa1]);
const B_MAC: Mac = Mac([2, 0, 0, 0, 0, 0xb1]);
/// The router's, on both links.
const R0: Mac = Mac([2, 0, 0, 0, 0, 0x10]);
const R1: Mac = Mac([2, 0, 0, 0, 0, 0x11]);
const A4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const B4: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);
const ROUTER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const A6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const B6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

perigee_guest::stack! { struct Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
perigee_guest::stack! { struct Udp6 { eth: Ethernet, ip: Ipv6, udp: Udp } }
perigee_guest::stack! { struct Arps { eth: Ethernet, arp: Arp } }

fn start() -> Host<Router> {
    Host::start(CONFIG).unwrap()
}

/// A datagram of A to another, of so many bytes from the IP header on.
fn udp4(to: Ipv4Addr, len: usize) -> Vec<u8> {
    let mut bytes = vec![0x5a; 14 + len];
    Udp4::fill(&mut bytes, |p| {
        p.eth.set_destination(R0);
        p.eth.set_source(A_MAC);
        p.ip.set_source(A4);
        p.ip.set_destination(to);
        p.udp.set_source_port(1000);
        p.udp.set_destination_port(2000);
    })
    .unwrap();
    bytes
}

fn udp6(to: Ipv6Addr, len: usize) -> Vec<u8> {
    let mut bytes = vec![0x5a; 14 + len];
    Udp6::fill(&mut bytes, |p| {
        p.eth.set_destination(R0);
        p.eth.set_source(A_MAC);
        p.ip.set_source(A6);
        p.ip.set_destination(to);
    })
    .unwrap();
    bytes
}

/// The same frame with its IPv4 header changed, and the checksum made right again.
fn with_ip(mut frame: Vec<u8>, change: impl FnOnce(&mut Ipv4)) -> Vec<u8> {
    let (ip, _) = Ipv4::split_mut(&mut frame[14..]).unwrap();
    change(ip);
    let header = usize::from(frame[14] & 15) * 4;
    frame[24..26].fill(0);
    let sum = checksum::finish(checksum::sum(&frame[14..14 + header])).to_be_bytes();
    frame[24..26].copy_from_slice(&sum);
    frame
}

/// The same frame with options behind its IPv4 header.
fn with_options(mut frame: Vec<u8>, options: &[u8]) -> Vec<u8> {
    frame.splice(34..34, options.iter().copied());
    let len = u16::try_from(frame.len() - 14).unwrap();
    let words = u8::try_from(5 + options.len() / 4).unwrap();
    frame[14] = 0x40 | words;
    with_ip(frame, |ip| ip.set_total_length(len))
}

fn arp(operation: u16, (from, sender): (Mac, Ipv4Addr), (to, target): (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    Arps::fill(&mut bytes[..Arps::LEN], |p| {
        p.eth.set_destination(if operation == Arp::REQUEST { Mac::BROADCAST } else { to });
        p.eth.set_source(from);
        p.arp.set_operation(operation);
        p.arp.set_sender_mac(from);
        p.arp.set_sender(sender);
        p.arp.set_target_mac(to);
        p.arp.set_target(target);
    })
    .unwrap();
    bytes
}

/// What a packet from port 0 became.
fn one(host: &mut Host<Router>, frame: &[u8]) -> Output {
    host.process([Input::new(frame)]).remove(0)
}

/// The frames in the output list, and where they went.
fn listed(host: &Host<Router>) -> Vec<(Vec<u8>, Verdict)> {
    host.outputs().iter().map(|output| (output.bytes.clone(), output.verdict)).collect()
}

#[track_caller]
fn macs(frame: &[u8]) -> (Mac, Mac) {
    let frame = Ethernet::parse(frame).unwrap();
    (frame.destination(), frame.source())
}

/// The verdict of a packet that waits.
fn held() -> Verdict {
    let mut host = start();
    one(&mut host, &udp4([10, 0, 1, 200].into(), 60)).verdict
}
