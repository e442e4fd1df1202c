//! Checksums of whole packets: found by their headers, written or checked, or left to the port.

use super::{finish, fold, for_udp, pseudo_header, set_sctp, sum, verify, verify_sctp};
use crate::wire::{Cover, Error, Field, Layers, Place, Places, Role, protocol};
use perigee_abi::{offloads, tx_flags};

/// Writes all checksums of a packet that begins with Ethernet, the innermost first: IPv4's over options, those of UDP, TCP,
/// ICMP, ICMPv6, SCTP and others behind tags, options, extension headers and tunnels. Fragments and what is not understood
/// stay as they are.
///
/// # Errors
///
/// A header contradicts itself; the checksums of those before it are right nevertheless.
pub fn fill(packet: &mut [u8]) -> Result<(), Error> {
    let mut layers = Layers::new(packet);
    let found = layers.by_ref().collect::<Places>();
    let malformed = layers.is_malformed();
    places(packet, &found);
    if malformed { Err(Error) } else { Ok(()) }
}

/// Writes the checksums of these headers.
pub(crate) fn places(packet: &mut [u8], places: &Places) {
    for (index, place) in places.iter().enumerate().rev() {
        write(packet, places, index, place);
    }
}

/// Checks all checksums of a packet that begins with Ethernet. A UDP checksum of 0 over IPv4 is none, and is right.
///
/// # Errors
///
/// The outermost header whose checksum is wrong.
pub fn check(packet: &[u8]) -> Result<(), Place> {
    let places = Layers::new(packet).collect::<Places>();
    for (index, place) in places.iter().enumerate() {
        if !is_right(packet, &places, index, place) {
            return Err(*place);
        }
    }
    Ok(())
}

/// Whether the checksum of one header is right.
fn is_right(packet: &[u8], places: &Places, index: usize, place: &Place) -> bool {
    let whole = &packet[place.whole()];
    match place.measured.cover {
        Cover::Nothing => true,
        Cover::Header(_) => verify(sum(&packet[place.header()])),
        Cover::Message(_) => verify(sum(whole)),
        Cover::Pseudo(field, number) => {
            let v4 = enclosing(places, index).is_some_and(|network| network.info.role == Role::Ipv4);
            let none = number == protocol::UDP && v4 && field.get(whole) == Some(0);
            let before = before(packet, places, index, number);
            none || before.is_none_or(|before| verify(before + u32::from(fold(sum(whole)))))
        }
        Cover::Crc32c => verify_sctp(whole),
    }
}

/// Writes the checksum of one header.
fn write(packet: &mut [u8], places: &Places, index: usize, place: &Place) {
    let set = |packet: &mut [u8], field: Field, value: u16| {
        let _ = field.set(&mut packet[place.whole()], value.into());
    };
    match place.measured.cover {
        Cover::Nothing => {}
        Cover::Header(field) => {
            set(packet, field, 0);
            let value = finish(sum(&packet[place.header()]));
            set(packet, field, value);
        }
        Cover::Message(field) => {
            set(packet, field, 0);
            let value = finish(sum(&packet[place.whole()]));
            set(packet, field, value);
        }
        Cover::Pseudo(field, number) => {
            let Some(before) = before(packet, places, index, number) else { return };
            set(packet, field, 0);
            let value = finish(before + u32::from(fold(sum(&packet[place.whole()]))));
            set(packet, field, if number == protocol::UDP { for_udp(value) } else { value });
        }
        Cover::Crc32c => {
            let _ = set_sctp(&mut packet[place.whole()]);
        }
    }
}

/// The network layer around a header.
fn enclosing(places: &Places, index: usize) -> Option<&Place> {
    places[..index].iter().rfind(|place| is_network(place))
}

/// The sum of the pseudo-header; nothing where there is no network layer.
fn before(packet: &[u8], places: &Places, index: usize, number: u8) -> Option<u32> {
    let network = enclosing(places, index)?;
    let len = places[index].whole().len();
    let header = &packet[network.header()];
    if network.info.role == Role::Ipv4 {
        return Some(pseudo_header(&header[12..16], &header[16..20], number, len));
    }
    let routing = places[..index].iter().rfind(|place| place.info.role == Role::Routing && place.start > network.start);
    let last = routing.and_then(|place| last_segment(&packet[place.header()]));
    Some(pseudo_header(&header[8..24], last.unwrap_or(&header[24..40]), number, len))
}

/// Where a packet with this routing header goes in the end, if it is not there yet (RFC 8200, section 8.1): the first
/// address in a segment routing header (RFC 8754), the last in one of type 0, the only one in one of type 2 (RFC 6275).
fn last_segment(header: &[u8]) -> Option<&[u8]> {
    let (kind, left) = (*header.get(2)?, *header.get(3)?);
    let addresses = header.get(8..)?;
    match kind {
        _ if left == 0 => None,
        4 => addresses.get(..16),
        0 | 2 => addresses.chunks_exact(16).last(),
        _ => None,
    }
}

/// What is asked of the way out, and what lies before the part that it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Bits of [`perigee_abi::tx_flags`]; 0: nothing.
    pub(crate) flags: u32,
    /// Length of the Ethernet header with its tags.
    pub(crate) l2_len: u8,
    /// Length of the IP header with its options or extension headers.
    pub(crate) l3_len: u8,
}

/// Writes all checksums of a packet but those that a port with these [`perigee_abi::offloads`] computes: these are to be
/// asked of it. A port knows the outermost IP header and the UDP or TCP behind it.
pub(crate) fn all_but_offloads(packet: &mut [u8], offloads: u32) -> Result<Asked, Error> {
    let mut layers = Layers::new(packet);
    let found = layers.by_ref().collect::<Places>();
    if layers.is_malformed() {
        return Err(Error);
    }
    let network = found.iter().position(is_network);
    let (asked, left) = network.map_or_else(Default::default, |network| ask(&found, network, offloads));
    for (index, place) in found.iter().enumerate().rev() {
        if !left.contains(&Some(index)) {
            write(packet, &found, index, place);
        }
    }
    Ok(asked)
}

fn is_network(place: &Place) -> bool {
    matches!(place.info.role, Role::Ipv4 | Role::Ipv6)
}

/// What a port computes of the outermost IP header and what it carries, and which headers these are.
fn ask(places: &Places, network: usize, offloads: u32) -> (Asked, [Option<usize>; 2]) {
    let ip = &places[network];
    // Behind extension headers, but not within another IP packet.
    let behind =
        places[network + 1..].iter().position(|place| is_network(place) || matches!(place.name(), "UDP" | "TCP"));
    let transport = behind.map(|behind| network + 1 + behind).filter(|&index| !is_network(&places[index]));
    let v4 = ip.info.role == Role::Ipv4;
    // What stands between IPv4 and the transport (AH) would count as part of the IPv4 header.
    let transport = transport.filter(|&index| !v4 || places[index].start == ip.payload().start);
    let end = transport.map_or(ip.payload().start, |transport| places[transport].start);
    let (Ok(l2_len), Ok(l3_len)) = (u8::try_from(ip.start), u8::try_from(end - ip.start)) else {
        return Default::default();
    };
    let (can_transport, transport_flag) = match transport.map(|index| places[index].name()) {
        Some("UDP") => (offloads & offloads::TX_UDP_CHECKSUM != 0, tx_flags::UDP_CHECKSUM),
        Some("TCP") => (offloads & offloads::TX_TCP_CHECKSUM != 0, tx_flags::TCP_CHECKSUM),
        _ => (false, 0),
    };
    let can_ip = v4 && offloads & offloads::TX_IP_CHECKSUM != 0;
    let flags = if can_ip { tx_flags::IP_CHECKSUM } else { 0 } | if can_transport { transport_flag } else { 0 };
    let family = match flags {
        0 => 0,
        _ if v4 => tx_flags::IPV4,
        _ => tx_flags::IPV6,
    };
    let left = [can_ip.then_some(network), transport.filter(|_| can_transport)];
    (Asked { flags: flags | family, l2_len, l3_len }, left)
}
