//! A number that both directions of a flow have.

use perigee_guest::seed_mix;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Ethernet, ExtensionHeaders, Icmp, Icmpv6, Ipv4, Ipv6, ether_type, protocol};

/// By what packets are spread.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum By {
    /// By both addresses: all that two hosts send each other stays together, fragments too.
    #[default]
    Addresses,
    /// By ports as well, where there are any.
    Ports,
}

/// A host, as a number, and its port; 0 where there is none, or where it does not count.
type End = ([u64; 2], u16);

/// UDP-Lite and DCCP: they begin with ports, as TCP, UDP and SCTP do.
const UDP_LITE: u8 = 136;
const DCCP: u8 = 33;

/// The hash of a frame's flow, under a key; nothing where it has none: no IP, or cut off. An ICMP error is of the flow that it is about.
#[inline]
pub(crate) fn flow_hash(frame: &[u8], by: By, key: u64) -> Option<u64> {
    let (number, start) = Ethernet::untagged(frame).ok()?;
    let packet = frame.get(start..)?;
    let ends = match number {
        ether_type::IPV4 => of_v4(packet, by, true)?,
        ether_type::IPV6 => of_v6(packet, by, true)?,
        _ => return None,
    };
    // A sum, which has no order.
    let [source, destination] = ends.map(|end| hash_of(end, key));
    Some(seed_mix(source.wrapping_add(destination)))
}

#[inline]
fn hash_of(([high, low], port): End, key: u64) -> u64 {
    seed_mix(seed_mix(key ^ high).wrapping_add(u64::from(port)) ^ low)
}

/// Source and destination of an IPv4 packet, whatever its lengths say; of one that an error is about, where it is one that came (`whole`) and no
/// packet that is quoted itself.
#[inline]
fn of_v4(packet: &[u8], by: By, whole: bool) -> Option<[End; 2]> {
    let head = packet.first_chunk::<{ Ipv4::LEN }>()?;
    let header_len = usize::from(head[0] & 15) * 4;
    if head[0] >> 4 != 4 || header_len < Ipv4::LEN {
        return None;
    }
    let [.., a, b, c, d, e, f, g, h] = *head;
    let addresses = [[a, b, c, d], [e, f, g, h]].map(|address| [0, u64::from(u32::from_be_bytes(address))]);
    let is_fragment = u16::from_be_bytes([head[6], head[7]]) & 0x3fff != 0;
    let number = head[9];
    let payload = packet.get(header_len..).unwrap_or_default();
    if number == protocol::ICMP && whole && !is_fragment {
        let quoted = match payload.first() {
            Some(&(Icmp::UNREACHABLE | Icmp::TIME_EXCEEDED | Icmp::PARAMETER_PROBLEM)) => payload.get(Icmp::LEN + 4..),
            _ => None,
        };
        if let Some(about) = quoted.and_then(|quoted| of_v4(quoted, by, false)) {
            return Some(about);
        }
    }
    Some(with_ports(addresses, number, payload, by, is_fragment))
}

/// As [`of_v4`], for IPv6, whose extension headers are walked over.
fn of_v6(packet: &[u8], by: By, whole: bool) -> Option<[End; 2]> {
    let (head, payload) = packet.split_first_chunk::<{ Ipv6::LEN }>()?;
    if head[0] >> 4 != 6 {
        return None;
    }
    let half = |at: usize| head.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let addresses = [[half(8)?, half(16)?], [half(24)?, half(32)?]];
    let mut headers = ExtensionHeaders::new(head[6], payload);
    // What is cut off, or no header, ends the walk: addresses are there all the same.
    let broken = headers.by_ref().any(|header| header.is_err());
    let carried = headers.carried();
    if broken {
        return Some(addresses.map(|address| (address, 0)));
    }
    if carried.protocol == protocol::ICMPV6 && whole && !carried.is_fragment {
        let quoted = match carried.payload.first() {
            Some(Icmpv6::UNREACHABLE..=Icmpv6::PARAMETER_PROBLEM) => carried.payload.get(Icmpv6::LEN + 4..),
            _ => None,
        };
        if let Some(about) = quoted.and_then(|quoted| of_v6(quoted, by, false)) {
            return Some(about);
        }
    }
    Some(with_ports(addresses, carried.protocol, carried.payload, by, carried.is_fragment))
}

/// Both ends with their ports: of fragments none, of which only the first has them.
#[inline]
fn with_ports(addresses: [[u64; 2]; 2], number: u8, payload: &[u8], by: By, is_fragment: bool) -> [End; 2] {
    let has_ports = matches!(number, protocol::TCP | protocol::UDP | protocol::SCTP | UDP_LITE | DCCP);
    let [source, destination] = addresses;
    match payload.first_chunk() {
        Some(&[a, b, c, d]) if by == By::Ports && has_ports && !is_fragment => {
            [(source, u16::from_be_bytes([a, b])), (destination, u16::from_be_bytes([c, d]))]
        }
        _ => [(source, 0), (destination, 0)],
    }
}
