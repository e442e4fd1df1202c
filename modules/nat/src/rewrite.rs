//! Addresses, ports and checksums are changed where they lie (RFC 1624), in whole packets and in those that an error quotes.

use perigee_guest::wire::checksum::Change;
use perigee_guest::wire::{Header as _, Ipv4, protocol};
use zerocopy::FromBytes as _;

/// An address and a port, or an identifier of ICMP.
pub(crate) type Endpoint = (u32, u16);

/// Which end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
}

/// What is known of an IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ip {
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) protocol: u8,
    pub(crate) header_len: usize,
    /// Length of the packet.
    pub(crate) len: usize,
    pub(crate) identification: u16,
    /// Where a fragment belongs, in units of eight bytes.
    pub(crate) offset: u16,
    /// More fragments follow.
    pub(crate) more: bool,
}

impl Ip {
    /// Reads a whole packet's header; nothing where its lengths cannot be.
    #[inline]
    pub(crate) fn read(packet: &[u8]) -> Option<Self> {
        let ip = Ipv4::parse(packet).ok()?;
        Some(Self::of(&ip, ip.header_len(), ip.total_length().into()))
    }

    /// Reads the header of a packet that an error quotes, of which much may be missing.
    pub(crate) fn read_quoted(quote: &[u8]) -> Option<Self> {
        let (ip, _) = Ipv4::ref_from_prefix(quote).ok()?;
        let header_len = usize::from(ip.header_words()) * 4;
        let is_right = ip.version() == 4 && (Ipv4::LEN..=quote.len()).contains(&header_len);
        is_right.then(|| Self::of(ip, header_len, quote.len()))
    }

    fn of(ip: &Ipv4, header_len: usize, len: usize) -> Self {
        Self {
            source: ip.source().to_bits(),
            destination: ip.destination().to_bits(),
            protocol: ip.protocol(),
            header_len,
            len,
            identification: ip.identification(),
            offset: ip.fragment_offset(),
            more: ip.more_fragments(),
        }
    }

    pub(crate) const fn is_fragment(&self) -> bool {
        self.more || self.offset != 0
    }
}

/// A number in network order. Nothing where the bytes are not there.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

/// Writes a number in network order, if there is room for it.
#[inline]
pub(crate) fn set_word(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = value.to_be_bytes();
    }
}

/// Source and destination port of TCP or UDP.
#[inline]
pub(crate) fn ports(transport: &[u8]) -> Option<(u16, u16)> {
    Some((word(transport, 0)?, word(transport, 2)?))
}

/// Where an echo, or another query of ICMP, has its identifier.
pub(crate) const ICMP_IDENTIFIER: usize = 4;
/// Where ICMP has its checksum.
pub(crate) const ICMP_CHECKSUM: usize = 2;
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;

/// Puts another endpoint in a packet's place, with all checksums that cover it. `packet` begins with the header of `ip`, and
/// may end anywhere behind it.
#[inline]
pub(crate) fn set_endpoint(packet: &mut [u8], ip: &Ip, side: Side, (address, port): Endpoint) {
    let change = set_address(packet, side, address);
    let Some(transport) = packet.get_mut(ip.header_len..) else { return };
    let (port_at, checksum_at) = match (ip.protocol, side) {
        (protocol::TCP, Side::Source) => (0, TCP_CHECKSUM),
        (protocol::TCP, Side::Destination) => (2, TCP_CHECKSUM),
        (protocol::UDP, Side::Source) => (0, UDP_CHECKSUM),
        (protocol::UDP, Side::Destination) => (2, UDP_CHECKSUM),
        _ => (ICMP_IDENTIFIER, ICMP_CHECKSUM),
    };
    let Some(before) = word(transport, port_at) else { return };
    set_word(transport, port_at, port);
    let Some(checksum) = word(transport, checksum_at) else { return };
    // ICMP's checksum does not cover the addresses.
    let change = if ip.protocol == protocol::ICMP { Change::new() } else { change };
    let change = change.u16(before, port);
    let is_udp = ip.protocol == protocol::UDP;
    set_word(transport, checksum_at, if is_udp { change.apply_udp(checksum) } else { change.apply(checksum) });
}

/// Puts another address in a packet's place, with the checksum of its header, and says what that changes elsewhere.
#[inline]
pub(crate) fn set_address(packet: &mut [u8], side: Side, address: u32) -> Change {
    let Ok((header, _)) = Ipv4::split_mut(packet) else { return Change::new() };
    let before = match side {
        Side::Source => header.source(),
        Side::Destination => header.destination(),
    };
    match side {
        Side::Source => header.set_source(address.into()),
        Side::Destination => header.set_destination(address.into()),
    }
    let change = Change::new().u32(before.to_bits(), address);
    header.set_checksum(change.apply(header.checksum()));
    change
}
