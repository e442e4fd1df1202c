//! Packets.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::testing::Input;
use perigee_guest::wire::checksum;

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// A packet to be sent.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) port: u16,
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    pub(super) fn input(&self) -> Input {
        Input::new(&self.bytes).port(self.port)
    }

    /// By the other port.
    pub(super) fn by_b(mut self) -> Self {
        self.port = 1;
        self
    }

    /// With a VLAN tag.
    pub(super) fn tagged(mut self, vlan: u16) -> Self {
        let [high, low] = vlan.to_be_bytes();
        self.bytes.splice(12..12, [0x81, 0, high, low]);
        self
    }

    /// With other bytes at a place, and right checksums.
    pub(super) fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        fill(&mut self.bytes);
        self
    }
}

/// An IP packet with this protocol and payload.
pub(super) fn ip(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Frame {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    match (source.parse().unwrap(), destination.parse().unwrap()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => bytes.extend(v4(source, destination, protocol, payload)),
        (IpAddr::V6(source), IpAddr::V6(destination)) => bytes.extend(v6(source, destination, protocol, payload)),
        _ => panic!("two families"),
    }
    fill(&mut bytes);
    Frame { port: 0, bytes }
}

/// Writes the checksums of all headers that are sound: some packets are to have others.
fn fill(bytes: &mut [u8]) {
    let _ = checksum::fill(bytes);
}

fn v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![8, 0, 0x45, 0, high, low, 0, 7, 0, 0, 64, protocol, 0, 0];
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(payload);
    bytes
}

fn v6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![0x86, 0xdd, 0x60, 0, 0, 0, high, low, protocol, 64];
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(payload);
    bytes
}

/// A TCP segment between these ports with these flags, numbers and no payload.
pub(super) fn segment(ports: (u16, u16), flags: u8, sequence: u32, acknowledgment: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(acknowledgment.to_be_bytes());
    bytes.extend([0x50, flags, 4, 0, 0, 0, 0, 0]);
    bytes
}

/// A TCP packet; `"10.0.0.1:5"` or `"[::1]:5"`.
pub(super) fn tcp(source: &str, destination: &str, flags: u8) -> Frame {
    tcp_numbered(source, destination, flags, (1_000, 5_000))
}

pub(super) fn tcp_numbered(source: &str, destination: &str, flags: u8, numbers: (u32, u32)) -> Frame {
    let (source, from) = split(source);
    let (destination, to) = split(destination);
    ip(source, destination, 6, &segment((from, to), flags, numbers.0, numbers.1))
}

/// A UDP packet with four bytes.
pub(super) fn udp(source: &str, destination: &str) -> Frame {
    let (source, from) = split(source);
    let (destination, to) = split(destination);
    let mut bytes = Vec::new();
    bytes.extend(from.to_be_bytes());
    bytes.extend(to.to_be_bytes());
    bytes.extend([0, 12, 0, 0, 1, 2, 3, 4]);
    ip(source, destination, 17, &bytes)
}

fn split(text: &str) -> (&str, u16) {
    let (address, port) = text.rsplit_once(':').unwrap();
    (address.trim_matches(['[', ']']), port.parse().unwrap())
}

/// An ICMP or ICMPv6 message.
pub(super) fn icmp(source: &str, destination: &str, kind: u8, code: u8, rest: &[u8]) -> Frame {
    let protocol = if source.contains(':') { 58 } else { 1 };
    ip(source, destination, protocol, &[&[kind, code, 0, 0], rest].concat())
}

/// An echo request or reply with this identifier.
pub(super) fn echo(source: &str, destination: &str, kind: u8, identifier: u16) -> Frame {
    let [high, low] = identifier.to_be_bytes();
    icmp(source, destination, kind, 0, &[high, low, 0, 1, 9, 9])
}

/// An error about a packet, to who sent it.
pub(super) fn error(from: &str, to: &str, kind: u8, code: u8, about: &Frame) -> Frame {
    let quoted = &about.bytes[14..about.bytes.len().min(14 + 48)];
    icmp(from, to, kind, code, &[&[0; 4], quoted].concat())
}
