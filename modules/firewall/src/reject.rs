//! Tells the sender of a packet that it is not let through. The answer is written over the packet, as if its destination had
//! answered: between two ports there is no other address to answer from.

use crate::rule::{Answer, Reason};
use crate::seen::{Addresses, Seen};
use core::net::IpAddr;
use perigee_guest::Packet;
use perigee_guest::wire::checksum::{self, Sum};
use perigee_guest::wire::{
    Ethernet, Header as _, Icmp, IcmpUnreachable, Icmpv6, Icmpv6Error, Ipv4, Ipv6, Stack as _, Tcp, protocol,
};

perigee_guest::stack! {
    /// A reset over IPv4.
    struct ResetV4 { ip: Ipv4, tcp: Tcp }
}
perigee_guest::stack! {
    /// A reset over IPv6.
    struct ResetV6 { ip: Ipv6, tcp: Tcp }
}
perigee_guest::stack! {
    /// An error of IPv4, before what it quotes.
    struct ErrorV4 { ip: Ipv4, icmp: Icmp, unreachable: IcmpUnreachable }
}
perigee_guest::stack! {
    /// An error of IPv6, before what it quotes.
    struct ErrorV6 { ip: Ipv6, icmp: Icmpv6, error: Icmpv6Error }
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Reset,
    Unreachable,
}

/// An error and its header are no longer than this (RFC 1812, section 4.3.2.3; RFC 4443, section 2.4).
const ERROR_MAX_V4: usize = 576;
const ERROR_MAX_V6: usize = 1_280;

/// Whether the sender may be told (RFC 1122, section 3.2.2; RFC 1812, section 4.3.2.7; RFC 4443, section 2.4): not about an error or a
/// reset, a packet to many, one from nobody, or one that was damaged on its way.
pub(crate) fn is_answerable(bytes: &[u8], seen: &Seen) -> bool {
    let to_many = Ethernet::parse(bytes).map_or(true, |frame| frame.destination().is_multicast());
    let (from, to): (IpAddr, IpAddr) = match seen.addresses {
        Addresses::V4(source, destination) => (source.into(), destination.into()),
        Addresses::V6(source, destination) => (source.into(), destination.into()),
    };
    let is_error = match (seen.addresses, seen.icmp_type()) {
        (_, None) => false,
        (Addresses::V4(..), Some(kind)) => matches!(kind, 3 | 4 | 5 | 11 | 12),
        (Addresses::V6(..), Some(kind)) => kind < 128 || kind == Icmpv6::REDIRECT,
    };
    let is_reset = seen.protocol == protocol::TCP && seen.flags & crate::track::RST != 0;
    let is_later = seen.part.is_some_and(|part| part.offset != 0);
    !(to_many || is_error || is_reset || is_later) && is_host(from) && is_host(to) && is_undamaged(bytes, seen)
}

/// Whether this is the address of one station (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5).
fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !matches!(address.octets()[0], 0 | 127 | 224..=255),
        IpAddr::V6(address) => !(address.is_unspecified() || address.is_loopback() || address.is_multicast()),
    }
}

/// Whether the checksums of IP and of what it carries are right. A first part has only that of IP.
fn is_undamaged(bytes: &[u8], seen: &Seen) -> bool {
    let (network, transport, end) = (usize::from(seen.network), usize::from(seen.transport), usize::from(seen.end));
    let (Some(header), Some(carried)) = (bytes.get(network..transport), bytes.get(transport..end)) else {
        return false;
    };
    let pseudo = match seen.addresses {
        Addresses::V4(source, destination) => {
            if !checksum::verify(checksum::sum(header)) {
                return false;
            }
            checksum::pseudo_header(&source.octets(), &destination.octets(), seen.protocol, carried.len())
        }
        Addresses::V6(source, destination) => {
            checksum::pseudo_header(&source.octets(), &destination.octets(), seen.protocol, carried.len())
        }
    };
    if seen.part.is_some() {
        return true;
    }
    let sum = checksum::sum(carried);
    match seen.protocol {
        protocol::UDP if carried.get(6..8) == Some(&[0, 0]) => true,
        protocol::TCP | protocol::UDP | protocol::ICMPV6 => {
            Sum::from_words(pseudo).append(Sum::from_words(sum)).verify()
        }
        protocol::ICMP => checksum::verify(sum),
        _ => true,
    }
}

/// Writes the answer over the packet. Nothing where it does not fit the packet's room.
pub(crate) fn answer(packet: &mut Packet<'_>, seen: &Seen, answer: Answer) -> Option<Told> {
    let told = match answer {
        Answer::ByProtocol | Answer::Reset if seen.protocol == protocol::TCP && seen.part.is_none() => {
            reset(packet, seen)?;
            Told::Reset
        }
        Answer::ByProtocol | Answer::Reset => {
            unreachable(packet, seen, Reason::Port)?;
            Told::Unreachable
        }
        Answer::Unreachable(reason) => {
            unreachable(packet, seen, reason)?;
            Told::Unreachable
        }
    };
    Ethernet::swap_addresses_of(packet.bytes_mut()).ok()?;
    Some(told)
}

/// The fields of a reset (RFC 9293, section 3.10.7.1).
fn reset_of(segment: &[u8]) -> Option<Tcp> {
    let segment = Tcp::parse(segment).ok()?;
    let mut answer = Tcp::default();
    answer.set_source_port(segment.destination_port());
    answer.set_destination_port(segment.source_port());
    answer.set_rst(true);
    answer.set_window(0);
    if segment.ack() {
        answer.set_sequence(segment.acknowledgment());
    } else {
        let counted = segment.payload.len() + usize::from(segment.syn()) + usize::from(segment.fin());
        answer.set_acknowledgment(segment.sequence().wrapping_add(u32::try_from(counted).ok()?));
        answer.set_ack(true);
    }
    Some(answer)
}

/// Makes the packet a reset.
fn reset(packet: &mut Packet<'_>, seen: &Seen) -> Option<()> {
    let network = usize::from(seen.network);
    let answer = reset_of(packet.bytes().get(usize::from(seen.transport)..usize::from(seen.end))?)?;
    match seen.addresses {
        Addresses::V4(source, destination) => {
            let room = resize(packet, network + ResetV4::LEN)?.get_mut(network..)?;
            ResetV4::fill(room, |to| {
                to.ip.set_dont_fragment(true);
                to.ip.set_source(destination);
                to.ip.set_destination(source);
                to.tcp = answer;
            })
        }
        Addresses::V6(source, destination) => {
            let room = resize(packet, network + ResetV6::LEN)?.get_mut(network..)?;
            ResetV6::fill(room, |to| {
                to.ip.set_source(destination);
                to.ip.set_destination(source);
                to.tcp = answer;
            })
        }
    }
    .ok()
}

/// Makes the packet an error that quotes it.
fn unreachable(packet: &mut Packet<'_>, seen: &Seen, reason: Reason) -> Option<()> {
    let (network, end) = (usize::from(seen.network), usize::from(seen.end));
    let (head, longest) = match seen.addresses {
        Addresses::V4(..) => (ErrorV4::LEN, ERROR_MAX_V4),
        Addresses::V6(..) => (ErrorV6::LEN, ERROR_MAX_V6),
    };
    let quoted = (end - network).min(longest - head);
    // Long enough for what is quoted, where it is and where it goes.
    let bytes = resize(packet, end.max(network + head + quoted))?;
    bytes.copy_within(network..network + quoted, network + head);
    let room = resize(packet, network + head + quoted)?.get_mut(network..)?;
    match seen.addresses {
        Addresses::V4(source, destination) => ErrorV4::fill(room, |to| {
            to.ip.set_source(destination);
            to.ip.set_destination(source);
            to.icmp.set_code(reason.code_v4());
        }),
        Addresses::V6(source, destination) => ErrorV6::fill(room, |to| {
            to.ip.set_source(destination);
            to.ip.set_destination(source);
            to.icmp.set_kind(Icmpv6::UNREACHABLE);
            to.icmp.set_code(reason.code_v6());
        }),
    }
    .ok()
}

/// Makes the packet so long, and gives its bytes. Nothing where they do not fit its room.
fn resize<'p>(packet: &'p mut Packet<'_>, len: usize) -> Option<&'p mut [u8]> {
    packet.set_len(u16::try_from(len).ok()?).then(|| packet.bytes_mut())
}
