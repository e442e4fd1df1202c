//! Checksums of whole packets: found by their headers, written or checked, or left to the port.

use super::{finish, fold, for_udp, pseudo_header, sum, verify};
use crate::wire::{Cover, Error, Field, Layers, Place, Places, Role, protocol};
use core::ops::Range;
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
    fill_places(packet, &found);
    if malformed { Err(Error) } else { Ok(()) }
}

/// Writes the checksums of these headers, the innermost first, as [`fill`] does; for packets whose headers are known, such
/// as those made of one template.
///
/// A header that the packet has no room for stays as it is.
pub fn fill_places(packet: &mut [u8], places: &Places) {
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
        Cover::Own(own) => (own.is_right)(whole),
    }
}

/// Writes the checksum of one header.
fn write(packet: &mut [u8], places: &Places, index: usize, place: &Place) {
    if packet.len() < place.whole().end {
        return;
    }
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
        Cover::Own(own) => {
            let _ = (own.fill)(&mut packet[place.whole()]);
        }
    }
}

/// The network layer around a header.
fn enclosing(places: &Places, index: usize) -> Option<&Place> {
    places[..index].iter().rfind(|place| place.is_network())
}

/// The sum of the pseudo-header; nothing where there is no network layer.
fn before(packet: &[u8], places: &Places, index: usize, number: u8) -> Option<u32> {
    let [source, destination] = addresses(packet, places, index)?;
    let len = places[index].whole().len();
    Some(pseudo_header(packet.get(source)?, packet.get(destination)?, number, len))
}

/// Where the addresses of the pseudo-header are.
pub(super) fn addresses(packet: &[u8], places: &Places, index: usize) -> Option<[Range<usize>; 2]> {
    let network = enclosing(places, index)?;
    let at = |first: usize, last: usize| network.start + first..network.start + last;
    if network.info.role == Role::Ipv4 {
        return Some([at(12, 16), at(16, 20)]);
    }
    let routing = places[..index].iter().rfind(|place| place.info.role == Role::Routing && place.start > network.start);
    let segment = |place: &Place| {
        let within = last_segment(packet.get(place.header())?)?;
        Some(place.start + within.start..place.start + within.end)
    };
    Some([at(8, 24), routing.and_then(segment).unwrap_or(at(24, 40))])
}

/// Where a packet with this routing header goes in the end, if it is not there yet (RFC 8200, section 8.1): the first
/// address in a segment routing header (RFC 8754), the last in one of type 0, the only one in one of type 2 (RFC 6275).
fn last_segment(header: &[u8]) -> Option<Range<usize>> {
    let (kind, left) = (*header.get(2)?, *header.get(3)?);
    let addresses = header.len().checked_sub(8)? / 16;
    let number = match kind {
        _ if left == 0 => None,
        4 => Some(0),
        0 | 2 => addresses.checked_sub(1),
        _ => None,
    }?;
    (number < addresses).then(|| 8 + number * 16..24 + number * 16)
}

/// What is asked of the way out, and what lies before the part that it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Bits of [`perigee_abi::tx_flags`]; 0: nothing.
    pub flags: u32,
    /// Length of the Ethernet header with its tags.
    pub l2_len: u8,
    /// Length of the IP header with its options or extension headers.
    pub l3_len: u8,
}

/// Writes all checksums of a packet but those that a port with these [`perigee_abi::offloads`] computes: these are to be
/// asked of it. A port knows the outermost IP header and the UDP or TCP behind it.
pub(crate) fn all_but_offloads(packet: &mut [u8], offloads: u32) -> Result<Asked, Error> {
    let mut layers = Layers::new(packet);
    let mut found = layers.by_ref().collect::<Places>();
    if layers.is_malformed() {
        return Err(Error);
    }
    let asked = leave_to_port(&mut found, offloads);
    fill_places(packet, &found);
    Ok(asked)
}

/// Takes those checksums from the headers that a port with these [`perigee_abi::offloads`] computes, and says what is to be
/// asked of it for each such packet ([`crate::Packet::ask_checksums`]): for templates, as
/// [`crate::Packet::complete_checksums`] does for one packet. [`fill_places`] and [`super::Prepared`] then write the others.
///
/// ```
/// use perigee_guest::abi::{offloads, tx_flags};
/// use perigee_guest::wire::{Ethernet, Ipv4, Layers, Places, Stack, Udp, checksum};
///
/// perigee_guest::stack! { struct Plain { eth: Ethernet, ip: Ipv4, udp: Udp } }
/// let mut packet = [0; 60];
/// Plain::fill(&mut packet, |_| ())?;
/// let mut places: Places = Layers::new(&packet).collect();
/// let asked = checksum::leave_to_port(&mut places, offloads::TX_IP_CHECKSUM);
/// assert_eq!((asked.flags, asked.l2_len, asked.l3_len), (tx_flags::IPV4 | tx_flags::IP_CHECKSUM, 14, 20));
/// # Ok::<(), perigee_guest::wire::Error>(())
/// ```
pub fn leave_to_port(places: &mut Places, offloads: u32) -> Asked {
    let Some(network) = places.iter().position(Place::is_network) else { return Asked::default() };
    let (asked, left) = ask(places, network, offloads);
    for index in left.into_iter().flatten() {
        places.leave_checksum(index);
    }
    asked
}

/// What a port computes of the outermost IP header and what it carries, and which headers these are.
fn ask(places: &Places, network: usize, offloads: u32) -> (Asked, [Option<usize>; 2]) {
    let ip = &places[network];
    // Behind extension headers, but not within another IP packet.
    let behind =
        places[network + 1..].iter().position(|place| place.is_network() || matches!(place.name(), "UDP" | "TCP"));
    let transport = behind.map(|behind| network + 1 + behind).filter(|&index| !places[index].is_network());
    let v4 = ip.info.role == Role::Ipv4;
    // What stands between IPv4 and the transport (AH) would count as part of the IPv4 header.
    let transport = transport.filter(|&index| !v4 || places[index].start == ip.payload().start);
    let end = transport.map_or(ip.payload().start, |transport| places[transport].start);
    let (Ok(l2_len), Ok(l3_len)) = (u8::try_from(ip.start), u8::try_from(end - ip.start)) else {
        return Default::default();
    };
    let covered = transport.filter(|&index| places[index].measured.cover != Cover::Nothing);
    let (can_transport, transport_flag) = match covered.map(|index| places[index].name()) {
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
