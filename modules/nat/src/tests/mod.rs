//! The translator in a test host.

mod arbitrary;
mod blocks;
mod filtering;
mod fragments;
mod handover;
mod icmp;
mod limits;
mod link;
mod log;
mod mistakes;
mod ports;
mod slices;
mod tcp;
mod udp;

use crate::Nat;
use perigee_guest::testing::{Host, Input, Output};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Mac, Udp, checksum, protocol};
use std::net::Ipv4Addr;

/// Seconds in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// A configuration with two addresses outside, and more of it.
fn config(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!(r#"{{"inside": ["10.0.0.0/8"], "pools": ["198.51.100.0/31"]{comma}{more}}}"#)
}

fn start(more: &str) -> Host<Nat> {
    Host::start(&config(more)).unwrap()
}

fn refused(config: &str) -> String {
    Host::<Nat>::start(config).map(|_| ()).unwrap_err()
}

/// "10.0.0.1:53" as address and port.
fn endpoint(text: &str) -> (Ipv4Addr, u16) {
    let (address, port) = text.split_once(':').unwrap();
    (address.parse().unwrap(), port.parse().unwrap())
}

/// An IPv4 packet in a frame, with right checksums.
fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, number: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 34 + payload.len()];
    let (ethernet, rest) = Ethernet::split_mut(&mut frame).unwrap();
    ethernet.set_destination(Mac([2, 0, 0, 0, 0, 0x10]));
    ethernet.set_source(Mac([2, 0, 0, 0, 0, 1]));
    ethernet.set_ether_type(0x0800);
    let (ip, _) = Ipv4::split_mut(rest).unwrap();
    *ip = Ipv4::default();
    ip.set_lengths(0, payload.len());
    ip.set_protocol(number);
    ip.set_source(source);
    ip.set_destination(destination);
    frame[34..].copy_from_slice(payload);
    checksum::fill(&mut frame).unwrap();
    frame
}

/// A UDP packet: `udp("10.0.0.1:5000", "192.0.2.1:53")`.
fn udp(from: &str, to: &str) -> Vec<u8> {
    udp_with(from, to, b"some data of it")
}

fn udp_with(from: &str, to: &str, data: &[u8]) -> Vec<u8> {
    let ((source, from), (destination, to)) = (endpoint(from), endpoint(to));
    let mut payload = vec![0; Udp::LEN];
    payload.extend(data);
    let (header, _) = Udp::split_mut(&mut payload).unwrap();
    header.set_source_port(from);
    header.set_destination_port(to);
    header.set_lengths(0, data.len());
    ipv4(source, destination, protocol::UDP, &payload)
}

/// A segment of TCP with flags as "SA".
fn tcp(from: &str, to: &str, flags: &str) -> Vec<u8> {
    let ((source, from), (destination, to)) = (endpoint(from), endpoint(to));
    let bit = |flag: char| match flag {
        'F' => 1,
        'S' => 2,
        'R' => 4,
        _ => 16,
    };
    let mut payload = [0; 20];
    payload[..2].copy_from_slice(&from.to_be_bytes());
    payload[2..4].copy_from_slice(&to.to_be_bytes());
    payload[12] = 0x50;
    payload[13] = flags.chars().map(bit).sum();
    ipv4(source, destination, protocol::TCP, &payload)
}

/// A message of ICMP: kind, code, and what follows the checksum.
fn icmp(from: &str, to: &str, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let message = [&[kind, code, 0, 0], rest].concat();
    ipv4(from.parse().unwrap(), to.parse().unwrap(), protocol::ICMP, &message)
}

fn echo(from: &str, to: &str, kind: u8, identifier: u16) -> Vec<u8> {
    icmp(from, to, kind, 0, &[&identifier.to_be_bytes()[..], &[0, 1], b"echo"].concat())
}

/// An error about a frame, which quotes this much of its packet.
fn error(from: &str, to: &str, kind: u8, about: &[u8], quoted: usize) -> Vec<u8> {
    icmp(from, to, kind, 1, &[&[0; 4], &about[14..][..quoted]].concat())
}

/// Both ends of a packet of IPv4, from its first byte.
fn ends(packet: &[u8]) -> String {
    let ip = Ipv4::parse(packet).map(|ip| *ip.header).unwrap_or_else(|_| {
        let mut start = [0; 20];
        start.copy_from_slice(&packet[..20]);
        *Ipv4::split_mut(&mut start).unwrap().0
    });
    let transport = &packet[20..];
    let word = |at: usize| u16::from_be_bytes([transport[at], transport[at + 1]]);
    match ip.protocol() {
        protocol::ICMP => format!("{} > {} id {}", ip.source(), ip.destination(), word(4)),
        _ => format!("{}:{} > {}:{}", ip.source(), word(0), ip.destination(), word(2)),
    }
}

/// What came out: both ends, or "drop". Checksums must be right.
fn told(output: &Output) -> String {
    if output.verdict.is_drop() {
        return "drop".to_owned();
    }
    assert_eq!(checksum::check(&output.bytes), Ok(()), "{:02x?}", output.bytes);
    ends(&output.bytes[14..])
}

/// Gives the translator one packet.
fn send(host: &mut Host<Nat>, frame: &[u8]) -> String {
    let out = host.process([Input::new(frame)]);
    told(&out[0])
}

/// The endpoint outside that a packet from inside gets.
fn outside(host: &mut Host<Nat>, frame: &[u8]) -> String {
    let told = send(host, frame);
    told.split(" > ").next().unwrap().to_owned()
}
