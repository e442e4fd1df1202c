//! Neighbour discovery, and echo over IPv6.

use crate::config::Addresses;
use crate::{Answer, Outcome};
use core::net::Ipv6Addr;
use perigee_guest::Packet;
use perigee_guest::wire::checksum::Sum;
use perigee_guest::wire::{
    Ethernet, Header as _, IcmpEcho, Icmpv6, Ipv6, Mac, NdMac, NeighborAdvertisement, NeighborSolicitation, Stack as _,
    TlvFormat, Tlvs, protocol,
};

/// Hop limit of neighbour discovery: a packet that has it was forwarded by no router.
const ON_LINK: u8 = 255;

perigee_guest::stack! {
    /// The answer to a solicitation, behind Ethernet and its tags.
    struct Advertisement {
        ip: Ipv6,
        icmp: Icmpv6,
        body: NeighborAdvertisement,
        mac: NdMac,
    }
}

/// What a neighbour solicitation asks.
struct Question {
    target: Ipv6Addr,
    /// The MAC address of who asks, where it says so.
    source_mac: Option<Mac>,
}

/// Turns a question over IPv6, which begins at `start` in the packet, into its answer.
pub(crate) fn answer(packet: &mut Packet<'_>, start: usize, addresses: &Addresses, mac: Mac) -> Answer {
    let frame = Ethernet::parse(packet.bytes()).map_err(|_| Outcome::Malformed)?;
    let (from, to_one) = (frame.source(), !frame.destination().is_multicast());
    let ip = Ipv6::parse_mut(&mut packet.bytes_mut()[start..]).map_err(|_| Outcome::Malformed)?;
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
    let len = ip.payload.len();
    let sum = Sum::from_pseudo_header(&source.octets(), &destination.octets(), protocol::ICMPV6, len);
    let good = sum.add(ip.payload).verify();
    let message = Icmpv6::parse_mut(ip.payload).map_err(|_| Outcome::Malformed)?;
    if !matches!(message.kind(), Icmpv6::ECHO_REQUEST | Icmpv6::NEIGHBOR_SOLICITATION) || source.is_multicast() {
        return Err(Outcome::Other);
    }
    if !good {
        return Err(Outcome::BadChecksum);
    }
    if message.kind() == Icmpv6::NEIGHBOR_SOLICITATION {
        let question = read_question(message.payload).filter(|_| message.code() == 0 && hop_limit == ON_LINK);
        let question = question.ok_or(Outcome::Malformed)?;
        return answer_solicitation(packet, start, addresses, (source, destination, from), question, mac);
    }
    if !ours || source.is_unspecified() || message.code() != 0 {
        return Err(Outcome::Other);
    }
    IcmpEcho::parse(message.payload).map_err(|_| Outcome::Malformed)?;
    message.header.change_kind(Icmpv6::ECHO_REPLY);
    ip.header.set_source(destination);
    ip.header.set_destination(source);
    ip.header.set_hop_limit(64);
    Ok((Outcome::Echo6, from))
}

/// The question in the body of a solicitation; nothing where it is cut off or an option has no length.
fn read_question(body: &[u8]) -> Option<Question> {
    let body = NeighborSolicitation::parse(body).ok()?;
    let options = Tlvs::new(body.payload, TlvFormat::ND);
    options
        .clone()
        .all(|option| option.is_ok())
        .then(|| Question { target: body.target(), source_mac: NdMac::find(body.payload, NdMac::SOURCE) })
}

/// Writes the advertisement that answers a solicitation over it (RFC 4861, section 7.2.4).
fn answer_solicitation(
    packet: &mut Packet<'_>,
    start: usize,
    addresses: &Addresses,
    (source, destination, from): (Ipv6Addr, Ipv6Addr, Mac),
    question: Question,
    mac: Mac,
) -> Answer {
    let target = question.target;
    // Without a source it is duplicate address detection, with rules of its own (section 7.1.1): it goes to the group of
    // the address and names no MAC address.
    let detection = source.is_unspecified();
    if detection && (question.source_mac.is_some() || destination != Ipv6::solicited_node(target)) {
        return Err(Outcome::Malformed);
    }
    if target.is_multicast() || question.source_mac.is_some_and(Mac::is_multicast) {
        return Err(Outcome::Malformed);
    }
    if !addresses.has_v6(target) {
        return Err(Outcome::Other);
    }
    // The one who detects has no address yet, so all nodes are told, and nobody has been answered.
    let (to_address, to) = if detection {
        (Ipv6::ALL_NODES, Mac::of_ipv6_multicast(Ipv6::ALL_NODES.octets()))
    } else {
        (source, question.source_mac.unwrap_or(from))
    };
    write_advertisement(packet, start, !detection, (target, to_address), mac).ok_or(Outcome::Malformed)?;
    Ok((Outcome::Ndp, to))
}

/// Makes the packet the advertisement that `target` has `mac`. Nothing where it does not fit the packet's room.
fn write_advertisement(
    packet: &mut Packet<'_>,
    start: usize,
    solicited: bool,
    (target, to): (Ipv6Addr, Ipv6Addr),
    mac: Mac,
) -> Option<()> {
    if !packet.set_len(u16::try_from(start + Advertisement::LEN).ok()?) {
        return None;
    }
    let filled = Advertisement::fill(&mut packet.bytes_mut()[start..], |answer| {
        answer.ip.set_source(target);
        answer.ip.set_destination(to);
        answer.ip.set_hop_limit(ON_LINK);
        answer.body.set_solicited(solicited);
        answer.body.set_override_known(true);
        answer.body.set_target(target);
        answer.mac.set_kind(NdMac::TARGET);
        answer.mac.set_mac(mac);
    });
    filled.ok()
}
