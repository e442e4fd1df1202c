//! IPv6 for the router itself and for groups of the link.

use super::{Call, Slow, Trouble, drop_as};
use crate::Tables;
use crate::counts::Count;
use crate::fast::{self, IP};
use crate::fib::{Place, Target};
use crate::interfaces::is_host6;
use core::net::Ipv6Addr;
use core::ops::Range;
use perigee_guest::Packet;
use perigee_guest::wire::checksum::Sum;
use perigee_guest::wire::{ExtensionHeader, ExtensionHeaders, Header as _, HopByHop, Icmpv6, Ipv6, protocol};

/// A message of ICMPv6, and how it came.
pub(super) struct Message {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) hop_limit: u8,
    /// Its bytes in the frame, behind extension headers.
    pub(super) at: Range<usize>,
    pub(super) kind: u8,
    pub(super) code: u8,
    /// There is a fragment header before it, though it is whole.
    pub(super) in_fragment: bool,
}

/// What a packet for the router is.
enum What {
    Icmp(Message),
    /// UDP, to whose port nobody listens.
    Udp,
}

impl Slow {
    pub(super) fn local6(&mut self, call: &mut Call<'_, '_>, packet: Packet<'_>) {
        match read(call.tables, &packet) {
            Ok(What::Icmp(message)) => match message.kind {
                Icmpv6::ECHO_REQUEST => self.echo6(call, packet, &message),
                // Neighbours do not ask in fragments, not even whole ones (RFC 6980).
                _ if message.in_fragment || message.hop_limit != super::ask::ON_LINK || message.code != 0 => {
                    drop_as(packet, Count::Malformed);
                }
                Icmpv6::NEIGHBOR_SOLICITATION => self.solicited(call, packet, &message),
                Icmpv6::NEIGHBOR_ADVERTISEMENT => self.advertised(call, packet, &message),
                _ => self.router_wanted(call, packet),
            },
            Ok(What::Udp) => self.refuse(call, packet, Trouble::Port, Count::LocalOther),
            Err(count) => drop_as(packet, count),
        }
    }

    /// Turns an echo request into its reply. Extension headers were for us, and are left out.
    fn echo6(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>, message: &Message) {
        let is_own = !message.destination.is_multicast() && message.code == 0;
        if !is_own || !is_host6(message.source) || message.at.len() < 8 {
            return drop_as(packet, Count::LocalOther);
        }
        let (port, to) = (packet.port(), IP + Ipv6::LEN);
        if message.at.start > to {
            packet.bytes_mut().copy_within(message.at.clone(), to);
        }
        let len = u16::try_from(to + message.at.len()).unwrap_or(u16::MAX);
        // Shorter than it was, so it fits.
        let _ = packet.set_len(len.max(60).min(packet.len()));
        let Ok((ip, rest)) = Ipv6::split_mut(&mut packet.bytes_mut()[IP..]) else {
            return drop_as(packet, Count::Malformed);
        };
        if let Ok((icmp, _)) = Icmpv6::split_mut(rest) {
            icmp.change_kind(Icmpv6::ECHO_REPLY);
        }
        ip.set_payload_length(u16::try_from(message.at.len()).unwrap_or(u16::MAX));
        ip.set_next_header(protocol::ICMPV6);
        ip.set_source(message.destination);
        ip.set_destination(message.source);
        ip.set_hop_limit(64);
        let way = call.tables.way_back6(port, message.source);
        match way {
            Ok(way) => self.send_answer(call, packet, way, Count::Echo6),
            Err(_) => drop_as(packet, Count::NoRoute),
        }
    }
}

/// Reads what is for one of the addresses or for a group, and is listened to.
fn read(tables: &Tables, packet: &Packet<'_>) -> Result<What, Count> {
    let interface = tables.interfaces.get(packet.port()).ok_or(Count::OtherProtocol)?;
    let ip = Ipv6::parse(packet.bytes().get(IP..).unwrap_or_default()).map_err(|_| Count::Malformed)?;
    let (source, destination) = (ip.source(), ip.destination());
    let is_ours = if destination.is_unicast_link_local() {
        interface.has_v6(destination)
    } else {
        tables.interfaces.iter().any(|(_, interface)| interface.has_v6(destination))
    };
    if !is_ours && !destination.is_multicast() {
        return Err(Count::LocalOther);
    }
    if source.is_multicast() {
        return Err(Count::Martian);
    }
    let mut headers = ExtensionHeaders::new(ip.next_header(), ip.payload);
    let mut in_fragment = false;
    for header in headers.by_ref() {
        let header = header.map_err(|_| Count::Malformed)?;
        in_fragment |= header.number == protocol::IPV6_FRAGMENT;
        check_extension(header)?;
    }
    let carried = headers.carried();
    // Parts are not put together.
    if carried.is_fragment {
        return Err(Count::LocalOther);
    }
    if carried.protocol == protocol::UDP && is_ours {
        return Ok(What::Udp);
    }
    if carried.protocol != protocol::ICMPV6 {
        return Err(if is_ours { Count::LocalOther } else { Count::Group });
    }
    let icmp = Icmpv6::parse(carried.payload).map_err(|_| Count::Malformed)?;
    let (kind, code) = (icmp.kind(), icmp.code());
    if !matches!(
        kind,
        Icmpv6::ECHO_REQUEST
            | Icmpv6::NEIGHBOR_SOLICITATION
            | Icmpv6::NEIGHBOR_ADVERTISEMENT
            | Icmpv6::ROUTER_SOLICITATION
    ) {
        return Err(if is_ours { Count::LocalOther } else { Count::Group });
    }
    let len = carried.payload.len();
    let sum = Sum::from_pseudo_header(&source.octets(), &destination.octets(), protocol::ICMPV6, len);
    if !sum.add(carried.payload).verify() {
        return Err(Count::BadChecksum);
    }
    let end = IP + Ipv6::LEN + ip.payload.len();
    let hop_limit = ip.hop_limit();
    Ok(What::Icmp(Message { source, destination, hop_limit, at: end - len..end, kind, code, in_fragment }))
}

/// Checks that an extension header asks for nothing: that there is no way left to go, and no option that whoever does not
/// know it shall not pass over (RFC 8200, section 4.2).
fn check_extension(header: ExtensionHeader<'_>) -> Result<(), Count> {
    match header.number {
        protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS => {
            for option in HopByHop::options(header.bytes) {
                if option.map_err(|_| Count::Malformed)?.kind & 0xc0 != 0 {
                    return Err(Count::LocalOther);
                }
            }
            Ok(())
        }
        protocol::ROUTING if header.bytes.get(3) == Some(&0) => Ok(()),
        protocol::IPV6_FRAGMENT => Ok(()),
        _ => Err(Count::LocalOther),
    }
}

impl Tables {
    /// The way back to who sent a packet over IPv6 that came from a port.
    pub(super) fn way_back6(&self, port: u16, source: Ipv6Addr) -> Result<fast::Way, fast::Reason> {
        if source.is_unicast_link_local() {
            return Ok(Self::way_on_link(Place::v6(port, source)));
        }
        let target = self.fib.v6.lookup(source).map(Target::from_number);
        self.way(target, source.into(), || 0)
    }
}
