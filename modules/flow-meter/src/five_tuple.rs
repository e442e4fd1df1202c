//! Which flow a packet belongs to.

use perigee_guest::state::{FiveTuple, FiveTuple4, FiveTuple6};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, ether_type, protocol};

/// The flow of a frame; nothing where it is not IP. Ports are 0 where the protocol has none, in fragments, and behind
/// extension headers of IPv6.
#[inline]
pub(crate) fn five_tuple(bytes: &[u8]) -> Option<FiveTuple> {
    let (number, start) = Ethernet::untagged(bytes).ok()?;
    let packet = bytes.get(start..)?;
    match number {
        ether_type::IPV4 => {
            let ip = Ipv4::parse(packet).ok()?;
            let payload = if ip.is_fragment() { &[] } else { ip.payload };
            let (source_port, destination_port) = ports(ip.protocol(), payload);
            let (source, destination, protocol) = (ip.source(), ip.destination(), ip.protocol());
            Some(FiveTuple4 { source, destination, source_port, destination_port, protocol }.into())
        }
        ether_type::IPV6 => {
            let ip = Ipv6::parse(packet).ok()?;
            let (source_port, destination_port) = ports(ip.next_header(), ip.payload);
            let (source, destination, protocol) = (ip.source(), ip.destination(), ip.next_header());
            Some(FiveTuple6 { source, destination, source_port, destination_port, protocol }.into())
        }
        _ => None,
    }
}

/// Source and destination port.
#[inline]
fn ports(number: u8, payload: &[u8]) -> (u16, u16) {
    match (number, payload) {
        (protocol::TCP | protocol::UDP | protocol::SCTP, &[a, b, c, d, ..]) => {
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        _ => (0, 0),
    }
}
