//! What a packet is to a balancer: of which flow, and what it says about it.

use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::state::{FiveTuple, FiveTuple4, FiveTuple6};
use perigee_guest::wire::{
    Ethernet, ExtensionHeaders, Fragment, Header as _, Icmp, Icmpv6, Ipv4, Ipv6, ether_type, protocol,
};
use perigee_guest::{Refusal, seed_mix};

/// A packet that may be for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// From the client to the service, also where the packet is an error about one from the service to the client. Of a later
    /// fragment, the ports are its identification.
    pub(crate) flow: FiveTuple,
    pub(crate) kind: Kind,
    /// Of a fragment: the number that it shares with the others of its packet.
    pub(crate) fragment: Option<u32>,
    pub(crate) ip: Ip,
}

/// What a packet says about its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TCP: it begins.
    Syn,
    /// TCP: it goes on.
    Segment,
    /// TCP: it ends, by FIN or RST.
    End,
    /// UDP.
    Datagram,
    /// An error of ICMP about a packet of the other direction.
    Error,
    /// A fragment without ports.
    Later,
}

/// The IP packet within a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ip {
    /// Bytes before it: Ethernet and its tags.
    pub(crate) start: usize,
    /// Its bytes, without padding behind it.
    pub(crate) len: u16,
    pub(crate) is_v6: bool,
    /// DSCP and ECN.
    pub(crate) class: u8,
    /// It may not be fragmented on its way: IPv6, and IPv4 that says so.
    pub(crate) is_whole: bool,
}

/// Why a packet is not for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// It is something else than TCP, UDP or an error about them.
    Other,
    /// Lengths or fields that cannot be.
    Malformed,
}

type Ends<A> = (A, A);

impl Seen {
    /// The flow of the later fragments of this packet: its own with their number in place of its ports.
    pub(crate) fn later(&self, identification: u32) -> FiveTuple {
        match self.flow {
            FiveTuple::V4(flow) => flow4((flow.source, flow.destination), identification, flow.protocol),
            FiveTuple::V6(flow) => flow6((flow.source, flow.destination), identification, flow.protocol),
        }
    }

    /// Reads a frame. IPv6's extension headers are walked over.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Unseen> {
        let (number, start) = Ethernet::untagged(bytes).map_err(|_| Unseen::Malformed)?;
        match number {
            ether_type::IPV4 => Self::of_v4(bytes, start),
            ether_type::IPV6 => Self::of_v6(bytes, start),
            _ => Err(Unseen::Other),
        }
    }

    #[inline]
    fn of_v4(bytes: &[u8], start: usize) -> Result<Self, Unseen> {
        let packet = Ipv4::parse(&bytes[start..]).map_err(|_| Unseen::Malformed)?;
        let ip = Ip {
            start,
            len: packet.total_length(),
            is_v6: false,
            class: packet.dscp() << 2 | packet.ecn(),
            is_whole: packet.dont_fragment(),
        };
        let (number, ends) = (packet.protocol(), (packet.source(), packet.destination()));
        let fragment = packet.is_fragment().then(|| packet.identification().into());
        let make = |ports: u32| flow4(ends, ports, number);
        if number == protocol::ICMP && fragment.is_none() {
            return Ok(Self { flow: about_v4(packet.payload, ends.1)?, kind: Kind::Error, fragment, ip });
        }
        of_transport(number, packet.payload, fragment, packet.fragment_offset() != 0, ip, make)
    }

    fn of_v6(bytes: &[u8], start: usize) -> Result<Self, Unseen> {
        let packet = Ipv6::parse(&bytes[start..]).map_err(|_| Unseen::Malformed)?;
        #[allow(clippy::cast_possible_truncation, reason = "one more than 65,535 bytes of payload do not fit a room")]
        let len = (Ipv6::LEN + packet.payload.len()) as u16;
        let class = packet.dscp() << 2 | packet.ecn();
        let ip = Ip { start, len, is_v6: true, class, is_whole: true };
        let ends = (packet.source(), packet.destination());
        let mut headers = ExtensionHeaders::new(packet.next_header(), packet.payload);
        let mut part = None;
        for header in headers.by_ref() {
            let header = header.map_err(|_| Unseen::Malformed)?;
            if header.number == protocol::IPV6_FRAGMENT {
                part = Fragment::parse(header.bytes).ok().map(|found| (found.identification(), found.offset()));
            }
        }
        let carried = headers.carried();
        let number = carried.protocol;
        let part = part.filter(|_| carried.is_fragment);
        let fragment = part.map(|(identification, _)| identification);
        let make = |ports: u32| flow6(ends, ports, number);
        if number == protocol::ICMPV6 && fragment.is_none() {
            return Ok(Self { flow: about_v6(carried.payload, ends.1)?, kind: Kind::Error, fragment, ip });
        }
        of_transport(number, carried.payload, fragment, part.is_some_and(|(_, offset)| offset != 0), ip, make)
    }
}

/// What is behind IP. `make` gives the flow with these ports.
#[inline]
fn of_transport(
    number: u8,
    payload: &[u8],
    fragment: Option<u32>,
    is_later: bool,
    ip: Ip,
    make: impl Fn(u32) -> FiveTuple,
) -> Result<Seen, Unseen> {
    if !matches!(number, protocol::TCP | protocol::UDP) {
        return Err(Unseen::Other);
    }
    if let Some(identification) = fragment.filter(|_| is_later) {
        return Ok(Seen { flow: make(identification), kind: Kind::Later, fragment, ip });
    }
    // A first fragment that ends before the flags is nobody's honest one (RFC 1858).
    let kind = match (number, payload.get(13)) {
        (protocol::UDP, _) => Kind::Datagram,
        (_, Some(flags)) => of_flags(*flags),
        _ => return Err(Unseen::Malformed),
    };
    let ports = payload.first_chunk().ok_or(Unseen::Malformed)?;
    Ok(Seen { flow: make(u32::from_be_bytes(*ports)), kind, fragment, ip })
}

/// What TCP's flags say (RFC 9293, section 3.1).
#[inline]
pub(crate) fn of_flags(flags: u8) -> Kind {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    match flags {
        _ if flags & (FIN | RST) != 0 => Kind::End,
        _ if flags & SYN != 0 => Kind::Syn,
        _ => Kind::Segment,
    }
}

/// The flow that an ICMP error to `to` is about (RFC 792): that of the packet at whose sender it comes back. Of that packet only the
/// beginning is there, so its lengths are not looked at.
fn about_v4(message: &[u8], to: Ipv4Addr) -> Result<FiveTuple, Unseen> {
    let icmp = Icmp::parse(message).map_err(|_| Unseen::Malformed)?;
    if !matches!(icmp.kind(), Icmp::UNREACHABLE | Icmp::TIME_EXCEEDED | Icmp::PARAMETER_PROBLEM) {
        return Err(Unseen::Other);
    }
    let quoted = icmp.payload.get(4..).ok_or(Unseen::Malformed)?;
    let mut head = *quoted.first_chunk::<{ Ipv4::LEN }>().ok_or(Unseen::Malformed)?;
    let (ip, _) = Ipv4::split_mut(&mut head).map_err(|_| Unseen::Malformed)?;
    let number = ip.protocol();
    if !ip.is_valid() || ip.source() != to || ip.fragment_offset() != 0 {
        return Err(Unseen::Other);
    }
    let payload = quoted.get(ip.header_len()..).unwrap_or_default();
    Ok(flow4((ip.destination(), to), turned_ports(number, payload)?, number))
}

/// As [`about_v4`], for ICMPv6 (RFC 4443).
fn about_v6(message: &[u8], to: Ipv6Addr) -> Result<FiveTuple, Unseen> {
    let icmp = Icmpv6::parse(message).map_err(|_| Unseen::Malformed)?;
    if !matches!(icmp.kind(), Icmpv6::UNREACHABLE..=Icmpv6::PARAMETER_PROBLEM) {
        return Err(Unseen::Other);
    }
    let quoted = icmp.payload.get(4..).ok_or(Unseen::Malformed)?;
    let (mut head, payload) = match quoted.split_first_chunk::<{ Ipv6::LEN }>() {
        Some((head, payload)) => (*head, payload),
        None => return Err(Unseen::Malformed),
    };
    let (ip, _) = Ipv6::split_mut(&mut head).map_err(|_| Unseen::Malformed)?;
    let carried = ip.carried(payload).map_err(|_| Unseen::Malformed)?;
    if !ip.is_valid() || ip.source() != to || carried.is_fragment {
        return Err(Unseen::Other);
    }
    Ok(flow6((ip.destination(), to), turned_ports(carried.protocol, carried.payload)?, carried.protocol))
}

/// The ports of the other direction: the receiver's first.
fn turned_ports(number: u8, payload: &[u8]) -> Result<u32, Unseen> {
    if !matches!(number, protocol::TCP | protocol::UDP) {
        return Err(Unseen::Other);
    }
    Ok(u32::from_be_bytes(*payload.first_chunk().ok_or(Unseen::Malformed)?).rotate_left(16))
}

/// A flow with both ports in one number, the source's above.
#[allow(clippy::cast_possible_truncation, reason = "both halves")]
fn flow4((source, destination): Ends<Ipv4Addr>, ports: u32, number: u8) -> FiveTuple {
    let (source_port, destination_port) = ((ports >> 16) as u16, ports as u16);
    FiveTuple4 { source, destination, source_port, destination_port, protocol: number }.into()
}

#[allow(clippy::cast_possible_truncation, reason = "both halves")]
fn flow6((source, destination): Ends<Ipv6Addr>, ports: u32, number: u8) -> FiveTuple {
    let (source_port, destination_port) = ((ports >> 16) as u16, ports as u16);
    FiveTuple6 { source, destination, source_port, destination_port, protocol: number }.into()
}

/// The key under which flows are hashed: 16 hexadecimal digits at most, without which it is 0.
pub(crate) fn hash_key(text: &str) -> Result<u64, Refusal> {
    match text {
        "" => Ok(0),
        _ => u64::from_str_radix(text, 16)
            .map_err(|_| Refusal::new("hash_key: 1 to 16 hexadecimal digits, as \"5b1d0c7a94e6f382\"")),
    }
}

/// A flow's hash under a key: the same in each instance and on each machine that has the key.
#[inline]
pub(crate) fn hash(flow: &FiveTuple, key: u64) -> u64 {
    let tail = |source: u16, destination: u16, number: u8| {
        u64::from(source) << 32 | u64::from(destination) << 16 | u64::from(number)
    };
    match flow {
        FiveTuple::V4(flow) => {
            let ends = u64::from(flow.source.to_bits()) << 32 | u64::from(flow.destination.to_bits());
            let tail = tail(flow.source_port, flow.destination_port, flow.protocol);
            seed_mix(seed_mix(key ^ ends) ^ tail)
        }
        FiveTuple::V6(flow) => {
            #[allow(clippy::cast_possible_truncation, reason = "both halves")]
            let halves = |bits: u128| [(bits >> 64) as u64, bits as u64];
            let words = [halves(flow.source.to_bits()), halves(flow.destination.to_bits())];
            let ends = words.as_flattened().iter().fold(key, |hash, word| seed_mix(hash ^ word));
            seed_mix(ends ^ tail(flow.source_port, flow.destination_port, flow.protocol))
        }
    }
}
