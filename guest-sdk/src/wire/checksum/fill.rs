//! Checksums of whole packets: found by their headers, written or checked, or left to the port.

use super::pseudo::{addresses, enclosing};
use super::{finish, fold, for_udp, sum, verify};
use crate::wire::{Cover, Error, Field, Layers, Place, Places, Role, protocol};
use perigee_abi::{offloads, tx_flags};

/// The longest way to the IP header that a port can be told.
const L2_LEN_MAX: u8 = 127;

/// Writes all checksums of a packet that begins with Ethernet, the innermost first: IPv4's over options, those of UDP, TCP,
/// ICMP, ICMPv6, SCTP and others behind tags, options, extension headers and tunnels. Fragments and what is not understood
/// stay as they are, and so do the checksums of UDP, TCP and ICMPv6 where the packet has a route whose end is not known.
///
/// # Errors
///
/// A header contradicts itself, or there are more than [`crate::wire::MAX_LAYERS`]; the checksums of those before it are
/// right nevertheless.
pub fn fill(packet: &mut [u8]) -> Result<(), Error> {
    let mut layers = Layers::new(packet);
    let found = layers.by_ref().collect::<Places>();
    let stopped = layers.is_malformed() || layers.is_too_deep();
    fill_places(packet, &found);
    if stopped { Err(Error) } else { Ok(()) }
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

/// Checks all checksums of a packet that begins with Ethernet. A UDP checksum of 0 over IPv4 is none, and is right; what
/// [`fill`] would leave as it is counts as right, too.
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

/// The sum of the pseudo-header; nothing where there is no network layer, or none that says the last destination.
fn before(packet: &[u8], places: &Places, index: usize, number: u8) -> Option<u32> {
    addresses(packet, places, index)?.pseudo_header(packet, number, places[index].whole().len())
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
/// asked of it.
pub(crate) fn all_but_offloads(packet: &mut [u8], offloads: u32) -> Result<Asked, Error> {
    let mut layers = Layers::new(packet);
    let mut found = layers.by_ref().collect::<Places>();
    if layers.is_malformed() || layers.is_too_deep() {
        return Err(Error);
    }
    let asked = leave_to_port(packet, &mut found, offloads);
    fill_places(packet, &found);
    Ok(asked)
}

/// Takes those checksums from the headers that a port with these [`perigee_abi::offloads`] computes, and says what is to be
/// asked of it for each such packet ([`crate::Packet::ask_checksums`]): for templates, as
/// [`crate::Packet::complete_checksums`] does for one packet. [`fill_places`] and [`super::Prepared`] then write the others.
///
/// A port knows the outermost IP header, and UDP or TCP directly behind it. It takes the addresses from the IP header, and
/// sums up all bytes to the end of the frame: where a route or extension headers say otherwise, or something lies behind the
/// message, the checksum is not left to it.
///
/// ```
/// use perigee_guest::abi::{offloads, tx_flags};
/// use perigee_guest::wire::{Ethernet, Ipv4, Layers, Places, Stack, Udp, checksum};
///
/// perigee_guest::stack! { struct Plain { eth: Ethernet, ip: Ipv4, udp: Udp } }
/// let mut packet = [0; 60];
/// Plain::fill(&mut packet, |_| ())?;
/// let mut places: Places = Layers::new(&packet).collect();
/// let asked = checksum::leave_to_port(&packet, &mut places, offloads::TX_IP_CHECKSUM);
/// assert_eq!((asked.flags, asked.l2_len, asked.l3_len), (tx_flags::IPV4 | tx_flags::IP_CHECKSUM, 14, 20));
/// # Ok::<(), perigee_guest::wire::Error>(())
/// ```
pub fn leave_to_port(packet: &[u8], places: &mut Places, offloads: u32) -> Asked {
    let Some(index) = places.iter().position(Place::is_network) else { return Asked::default() };
    let ip = places[index];
    let (Ok(l2_len), Ok(l3_len)) = (u8::try_from(ip.start), u8::try_from(ip.measured.header_len)) else {
        return Asked::default();
    };
    if l2_len > L2_LEN_MAX {
        return Asked::default();
    }
    let v4 = ip.info.role == Role::Ipv4;
    let mut flags = 0;
    if v4 && offloads & offloads::TX_IP_CHECKSUM != 0 {
        flags |= tx_flags::IP_CHECKSUM;
        places.leave_checksum(index);
    }
    if let Some((offload, flag)) = transport(packet, places, index)
        && offloads & offload != 0
    {
        flags |= flag;
        places.leave_checksum(index + 1);
    }
    if flags != 0 {
        flags |= if v4 { tx_flags::IPV4 } else { tx_flags::IPV6 };
    }
    Asked { flags, l2_len, l3_len }
}

/// The offload that computes the checksum behind the outermost IP header, and the flag that asks for it, if a port comes to
/// the right result.
fn transport(packet: &[u8], places: &Places, network: usize) -> Option<(u32, u32)> {
    let (ip, index) = (&places[network], network + 1);
    let transport = places.get(index)?;
    let is_alone = transport.whole() == ip.payload() && ip.payload().end == packet.len();
    let is_plain = || addresses(packet, places, index).is_some_and(|addresses| addresses.are_those_of(ip));
    if !is_alone || transport.measured.cover == Cover::Nothing || !is_plain() {
        return None;
    }
    match transport.name() {
        "UDP" => Some((offloads::TX_UDP_CHECKSUM, tx_flags::UDP_CHECKSUM)),
        "TCP" => Some((offloads::TX_TCP_CHECKSUM, tx_flags::TCP_CHECKSUM)),
        _ => None,
    }
}
