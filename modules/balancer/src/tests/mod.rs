//! The balancer in a test host.

mod any;
mod connections;
mod forwarding;
mod maglev;
mod refusals;
mod too_big;

use super::*;
use perigee_guest::testing::{Host, Output, Run};
use perigee_guest::wire::{Ethernet, Ipv4, Ipv6, Stack as _, Tcp, Udp};

/// The client's MAC address; port 0 of the test host has [`OWN`].
const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 0x99]);
const OWN: Mac = Mac([2, 0, 0, 0, 0, 0x10]);

perigee_guest::stack! { struct Tcp4 { eth: Ethernet, ip: Ipv4, tcp: Tcp } }
perigee_guest::stack! { struct Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
perigee_guest::stack! { struct Tcp6 { eth: Ethernet, ip: Ipv6, tcp: Tcp } }
perigee_guest::stack! { struct Udp6 { eth: Ethernet, ip: Ipv6, udp: Udp } }

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const RST: u8 = 4;

/// Three backends, a service of each family and protocol, by MAC address. `more` goes into the configuration.
fn config(more: &str) -> String {
    let backend = |n: u8| format!(r#"{{"name": "s{n}", "mac": "02:00:00:00:01:0{n}", "address": "10.9.0.{n}"}}"#);
    let service = |address, protocol| format!(r#"{{"address": "{address}", "protocol": "{protocol}", "port": 80}}"#);
    format!(
        r#"{{"backends": [{}, {}, {}], "services": [{}, {}, {}, {}] {more}}}"#,
        backend(1),
        backend(2),
        backend(3),
        service("192.0.2.1", "tcp"),
        service("192.0.2.1", "udp"),
        service("2001:db8::1", "tcp"),
        service("2001:db8::1", "udp"),
    )
}

fn host(more: &str) -> Host<Balancer> {
    Host::start_in(Run { hold_quota: 0, ..Run::default() }, &config(more)).unwrap()
}

/// A segment of the client with this number, to the service.
fn tcp(client: u32, flags: u8) -> Vec<u8> {
    tcp_of(client, flags, 10)
}

fn tcp_of(client: u32, flags: u8, payload: usize) -> Vec<u8> {
    let mut frame = vec![0; Tcp4::LEN + payload];
    Tcp4::fill(&mut frame, |p| {
        p.eth.set_source(CLIENT);
        p.eth.set_destination(OWN);
        p.ip.set_source((0x0a00_0000 + client / 60_000).into());
        p.ip.set_destination([192, 0, 2, 1].into());
        p.ip.set_dont_fragment(true);
        p.tcp.set_source_port(u16::try_from(1_024 + client % 60_000).unwrap());
        p.tcp.set_destination_port(80);
        p.tcp.set_syn(flags & SYN != 0);
        p.tcp.set_ack(flags & ACK != 0);
        p.tcp.set_fin(flags & FIN != 0);
        p.tcp.set_rst(flags & RST != 0);
    })
    .unwrap();
    frame
}

fn udp(client: u16, payload: usize) -> Vec<u8> {
    let mut frame = vec![0; Udp4::LEN + payload];
    Udp4::fill(&mut frame, |p| {
        p.eth.set_source(CLIENT);
        p.eth.set_destination(OWN);
        p.ip.set_source([10, 0, 0, 9].into());
        p.ip.set_destination([192, 0, 2, 1].into());
        p.udp.set_source_port(client);
        p.udp.set_destination_port(80);
    })
    .unwrap();
    frame
}

fn tcp6(client: u16, flags: u8, payload: usize) -> Vec<u8> {
    let mut frame = vec![0; Tcp6::LEN + payload];
    Tcp6::fill(&mut frame, |p| {
        p.eth.set_source(CLIENT);
        p.eth.set_destination(OWN);
        p.ip.set_source("2001:db8:9::9".parse().unwrap());
        p.ip.set_destination("2001:db8::1".parse().unwrap());
        p.tcp.set_source_port(client);
        p.tcp.set_destination_port(80);
        p.tcp.set_syn(flags & SYN != 0);
        p.tcp.set_ack(flags & ACK != 0);
    })
    .unwrap();
    frame
}

/// The number of the backend that a frame went to, by its MAC address; nothing where it was not sent.
fn backend(output: &Output) -> Option<u8> {
    let is_sent = output.verdict == Verdict::tx(output.desc.port) && output.bytes[..5] == [2, 0, 0, 0, 1];
    is_sent.then(|| output.bytes[5])
}

/// Sends one packet.
fn send(host: &mut Host<Balancer>, frame: Vec<u8>) -> Option<u8> {
    backend(&host.process([frame])[0])
}

fn message(host: &mut Host<Balancer>, text: &str) -> String {
    String::from_utf8(host.message(text.as_bytes()).unwrap()).unwrap()
}
