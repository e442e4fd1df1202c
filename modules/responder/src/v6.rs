//! Neighbour discovery, and echo over IPv6.

use crate::config::Addresses;
use crate::{Answer, Outcome, sender};
use core::net::Ipv6Addr;
use core::ops::Range;
use perigee_guest::Packet;
use perigee_guest::wire::checksum::Sum;
use perigee_guest::wire::{
    Ethernet, ExtensionHeader, ExtensionHeaders, Header as _, HopByHop, IcmpEcho, Icmpv6, Ipv6, Mac, NdMac,
    NeighborAdvertisement, NeighborSolicitation, Stack as _, TlvFormat, Tlvs, protocol,
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

/// A message of ICMPv6, and how it came.
struct Message {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    /// Its bytes in the packet, behind extension headers.
    at: Range<usize>,
    kind: u8,
    code: u8,
    /// There is a fragment header before it, though it is whole.
    in_fragment: bool,
}

/// Turns a question over IPv6, which begins at `start` in the packet, into its answer.
pub(crate) fn answer(packet: &mut Packet<'_>, start: usize, addresses: &Addresses, mac: Mac) -> Answer {
    let frame = Ethernet::parse(packet.bytes()).map_err(|_| Outcome::Malformed)?;
    let (from, to_one) = (frame.source(), !frame.destination().is_multicast());
    let message = read(packet.bytes(), start, addresses, to_one)?;
    match message.kind {
        Icmpv6::ECHO_REQUEST => {
            if !addresses.has_v6(message.destination) || message.code != 0 {
                return Err(Outcome::Other);
            }
            sender::check(message.source, addresses)?;
            answer_echo(packet, start, &message)?;
            Ok((Outcome::Echo6, from))
        }
        // Neighbours do not ask in fragments, not even whole ones (RFC 6980).
        Icmpv6::NEIGHBOR_SOLICITATION if !message.in_fragment => {
            answer_solicitation(packet, start, addresses, &message, from, mac)
        }
        Icmpv6::NEIGHBOR_ADVERTISEMENT if !message.in_fragment && from != mac => {
            Err(heard(packet.bytes(), &message, addresses))
        }
        _ => Err(Outcome::Other),
    }
}

/// Reads a message to one of the addresses or to a group, of a kind that is listened to.
fn read(bytes: &[u8], start: usize, addresses: &Addresses, to_one: bool) -> Result<Message, Outcome> {
    let ip = Ipv6::parse(bytes.get(start..).unwrap_or_default()).map_err(|_| Outcome::Malformed)?;
    let (source, destination) = (ip.source(), ip.destination());
    let ours = addresses.has_v6(destination);
    // To one of the addresses in a frame to one station, or to a group.
    if !(ours && to_one || destination.is_multicast()) {
        return Err(Outcome::Other);
    }
    let mut headers = ExtensionHeaders::new(ip.next_header(), ip.payload);
    let mut in_fragment = false;
    for header in headers.by_ref() {
        let header = header.map_err(|_| Outcome::Malformed)?;
        in_fragment |= header.number == protocol::IPV6_FRAGMENT;
        check_extension(header)?;
    }
    let carried = headers.carried();
    if carried.is_fragment {
        return Err(if ours { Outcome::Fragment } else { Outcome::Other });
    }
    if carried.protocol != protocol::ICMPV6 {
        return Err(Outcome::Other);
    }
    let icmp = Icmpv6::parse(carried.payload).map_err(|_| Outcome::Malformed)?;
    let (kind, code) = (icmp.kind(), icmp.code());
    let is_known =
        matches!(kind, Icmpv6::ECHO_REQUEST | Icmpv6::NEIGHBOR_SOLICITATION | Icmpv6::NEIGHBOR_ADVERTISEMENT);
    if !is_known || source.is_multicast() {
        return Err(Outcome::Other);
    }
    let len = carried.payload.len();
    let sum = Sum::from_pseudo_header(&source.octets(), &destination.octets(), protocol::ICMPV6, len);
    if !sum.add(carried.payload).verify() {
        return Err(Outcome::BadChecksum);
    }
    let end = start + Ipv6::LEN + ip.payload.len();
    Ok(Message { source, destination, hop_limit: ip.hop_limit(), at: end - len..end, kind, code, in_fragment })
}

/// Checks that an extension header asks for nothing: that there is no way left to go, and no option that whoever does not
/// know it shall not pass over (RFC 8200, section 4.2).
fn check_extension(header: ExtensionHeader<'_>) -> Result<(), Outcome> {
    match header.number {
        protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS => {
            for option in HopByHop::options(header.bytes) {
                if option.map_err(|_| Outcome::Malformed)?.kind & 0xc0 != 0 {
                    return Err(Outcome::Other);
                }
            }
            Ok(())
        }
        protocol::ROUTING => {
            // Of any kind (section 4.4).
            if header.bytes.get(3) == Some(&0) { Ok(()) } else { Err(Outcome::Other) }
        }
        protocol::IPV6_FRAGMENT => Ok(()),
        _ => Err(Outcome::Other),
    }
}

/// Turns an echo request into its reply. Extension headers were for us, and are left out.
fn answer_echo(packet: &mut Packet<'_>, start: usize, message: &Message) -> Result<(), Outcome> {
    IcmpEcho::parse(packet.bytes()[message.at.clone()].get(Icmpv6::LEN..).unwrap_or_default())
        .map_err(|_| Outcome::Malformed)?;
    let to = start + Ipv6::LEN;
    let extensions = message.at.start - to;
    let len = packet.bytes().len() - extensions;
    if extensions > 0 {
        packet.bytes_mut().copy_within(message.at.start.., to);
        if !u16::try_from(len).is_ok_and(|len| packet.set_len(len)) {
            return Err(Outcome::Malformed);
        }
    }
    let (ip, rest) = Ipv6::split_mut(&mut packet.bytes_mut()[start..]).map_err(|_| Outcome::Malformed)?;
    let (icmp, _) = Icmpv6::split_mut(rest).map_err(|_| Outcome::Malformed)?;
    icmp.change_kind(Icmpv6::ECHO_REPLY);
    ip.set_payload_length(u16::try_from(message.at.len()).unwrap_or(u16::MAX));
    ip.set_next_header(protocol::ICMPV6);
    ip.set_source(message.destination);
    ip.set_destination(message.source);
    ip.set_hop_limit(64);
    Ok(())
}

/// What an advertisement of somebody else says: that one of our addresses is his, or nothing to us.
fn heard(bytes: &[u8], message: &Message, addresses: &Addresses) -> Outcome {
    let body = bytes.get(message.at.start + Icmpv6::LEN..message.at.end).unwrap_or_default();
    match NeighborAdvertisement::parse(body) {
        Ok(body) if message.hop_limit == ON_LINK && message.code == 0 => {
            if addresses.has_v6(body.target()) {
                Outcome::Conflict
            } else {
                Outcome::Other
            }
        }
        _ => Outcome::Malformed,
    }
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
    message: &Message,
    from: Mac,
    mac: Mac,
) -> Answer {
    let body = packet.bytes().get(message.at.start + Icmpv6::LEN..message.at.end).unwrap_or_default();
    let question = read_question(body).filter(|_| message.code == 0 && message.hop_limit == ON_LINK);
    let Question { target, source_mac } = question.ok_or(Outcome::Malformed)?;
    // Without a source it is duplicate address detection, with rules of its own (section 7.1.1): it goes to the group of
    // the address and names no MAC address.
    let detection = message.source.is_unspecified();
    if detection && (source_mac.is_some() || message.destination != Ipv6::solicited_node(target)) {
        return Err(Outcome::Malformed);
    }
    if target.is_multicast() || !source_mac.is_none_or(sender::is_station) {
        return Err(Outcome::Malformed);
    }
    // Somebody else says that one of our addresses is his, or it is one of ours that came back.
    if addresses.has_v6(message.source) {
        return Err(if from == mac { Outcome::Other } else { Outcome::Conflict });
    }
    if !detection {
        sender::check(message.source, addresses)?;
    }
    if !addresses.has_v6(target) {
        return Err(Outcome::Other);
    }
    // The one who detects has no address yet, so all nodes are told, and nobody has been answered.
    let (to_address, to) = if detection {
        (Ipv6::ALL_NODES, Mac::of_ipv6_multicast(Ipv6::ALL_NODES.octets()))
    } else {
        (message.source, source_mac.unwrap_or(from))
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
