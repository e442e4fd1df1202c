//! Neighbour discovery, and echo over IPv6.

use crate::config::Addresses;
use crate::{Answer, Outcome};
use core::net::Ipv6Addr;
use perigee_guest::Packet;
use perigee_guest::wire::icmpv6::{self, Icmpv6, Solicitation};
use perigee_guest::wire::ipv6::{self, Ipv6};
use perigee_guest::wire::{Ethernet, Mac, protocol};

/// Hop limit of neighbour discovery: a packet that has it was forwarded by no router.
const ON_LINK: u8 = 255;

/// Turns a question over IPv6, which begins at `start` in the packet, into its answer.
pub(crate) fn answer(packet: &mut Packet<'_>, start: usize, addresses: &Addresses, mac: Mac) -> Answer {
    let frame = Ethernet::new_checked(packet.bytes()).map_err(|_| Outcome::Malformed)?;
    let (from, to_one) = (frame.source(), !frame.destination().is_multicast());
    let mut ip = Ipv6::new_checked(&mut packet.bytes_mut()[start..]).map_err(|_| Outcome::Malformed)?;
    let (source, destination, hop_limit) = (ip.source(), ip.destination(), ip.hop_limit());
    let ours = addresses.has_v6(destination);
    // To one of the addresses in a frame to one station, or to a group.
    if !(ours && to_one || destination.is_multicast()) {
        return Err(Outcome::Other);
    }
    match ip.next_header() {
        protocol::ICMPV6 => {}
        protocol::IPV6_FRAGMENT if ours => return Err(Outcome::Fragment),
        _ => return Err(Outcome::Other),
    }
    let mut message = Icmpv6::new_checked(ip.payload_mut()).map_err(|_| Outcome::Malformed)?;
    if !matches!(message.kind(), icmpv6::ECHO_REQUEST | icmpv6::NEIGHBOR_SOLICITATION) || source.is_multicast() {
        return Err(Outcome::Other);
    }
    if !message.checksum_is_good(source, destination) {
        return Err(Outcome::BadChecksum);
    }
    if message.kind() == icmpv6::NEIGHBOR_SOLICITATION {
        let question = message.solicitation().filter(|_| message.code() == 0 && hop_limit == ON_LINK);
        let question = question.ok_or(Outcome::Malformed)?;
        return answer_solicitation(packet, start, addresses, (source, destination, from), question, mac);
    }
    if !ours || source.is_unspecified() || message.code() != 0 {
        return Err(Outcome::Other);
    }
    message.set_kind(icmpv6::ECHO_REPLY);
    ip.set_source(destination);
    ip.set_destination(source);
    ip.set_hop_limit(64);
    Ok((Outcome::Echo6, from))
}

/// Writes the advertisement that answers a solicitation over it (RFC 4861, section 7.2.4).
fn answer_solicitation(
    packet: &mut Packet<'_>,
    start: usize,
    addresses: &Addresses,
    (source, destination, from): (Ipv6Addr, Ipv6Addr, Mac),
    question: Solicitation,
    mac: Mac,
) -> Answer {
    let target = question.target;
    // Without a source it is duplicate address detection, with rules of its own (section 7.1.1): it goes to the group of
    // the address and names no MAC address.
    let detection = source.is_unspecified();
    if detection && (question.source_mac.is_some() || destination != ipv6::solicited_node(target)) {
        return Err(Outcome::Malformed);
    }
    if target.is_multicast() || question.source_mac.is_some_and(Mac::is_multicast) {
        return Err(Outcome::Malformed);
    }
    if !addresses.has_v6(target) {
        return Err(Outcome::Other);
    }
    // The one who detects has no address yet, so all nodes are told, and nobody has been answered.
    let (flags, to_address, to) = if detection {
        (icmpv6::FLAG_OVERRIDE, ipv6::ALL_NODES, Mac::of_ipv6_multicast(ipv6::ALL_NODES.octets()))
    } else {
        (icmpv6::FLAG_SOLICITED | icmpv6::FLAG_OVERRIDE, source, question.source_mac.unwrap_or(from))
    };
    write_advertisement(packet, start, flags, (target, to_address), mac).ok_or(Outcome::Malformed)?;
    Ok((Outcome::Ndp, to))
}

/// Makes the packet the advertisement that `target` has `mac`. Nothing where it does not fit the packet's room.
fn write_advertisement(
    packet: &mut Packet<'_>,
    start: usize,
    flags: u8,
    (target, to): (Ipv6Addr, Ipv6Addr),
    mac: Mac,
) -> Option<()> {
    let len = start + ipv6::HEADER_LEN + icmpv6::ADVERTISEMENT_LEN;
    if !packet.set_len(u16::try_from(len).ok()?) {
        return None;
    }
    let mut ip = Ipv6::emit(&mut packet.bytes_mut()[start..], protocol::ICMPV6, icmpv6::ADVERTISEMENT_LEN).ok()?;
    ip.set_source(target);
    ip.set_destination(to);
    ip.set_hop_limit(ON_LINK);
    let mut message = Icmpv6::emit_advertisement(ip.payload_mut(), flags, target, mac).ok()?;
    message.fill_checksum(target, to);
    Some(())
}
