//! What the rules look at in a packet.

use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::Packet;
use perigee_guest::wire::{Ethernet, ExtensionHeaders, Fragment, Header as _, Ipv4, Ipv6, Vlan, ether_type, protocol};

/// The VLAN of a packet without a tag: behind all that a tag can name.
pub(crate) const UNTAGGED: u16 = 0x1000;
/// The port of a packet that has none: behind all that a header can name.
pub(crate) const NO_PORT: u32 = 0x1_0000;

/// Source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Addresses {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Addresses {
    /// Both with 128 bits; of IPv4 in IPv6's form (RFC 4291, section 2.5.5.2), so that no two families are mixed up.
    pub(crate) fn wide(self) -> (u128, u128) {
        match self {
            Self::V4(source, destination) => {
                (source.to_ipv6_mapped().to_bits(), destination.to_ipv6_mapped().to_bits())
            }
            Self::V6(source, destination) => (source.to_bits(), destination.to_bits()),
        }
    }
}

/// Which part of a packet this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) identification: u32,
    /// Where its bytes belong.
    pub(crate) offset: u16,
    /// How many there are.
    pub(crate) len: u16,
    /// Others follow.
    pub(crate) more: bool,
}

/// What the rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) addresses: Addresses,
    pub(crate) protocol: u8,
    /// [`NO_PORT`] where the packet has none. Of ICMP and ICMPv6 the destination port is type and code.
    pub(crate) source_port: u32,
    pub(crate) destination_port: u32,
    /// TCP's flags as they stand in byte 13 of its header.
    pub(crate) flags: u8,
    pub(crate) vlan: u16,
    pub(crate) in_port: u16,
    pub(crate) out_port: u16,
    /// A bit of [`crate::pattern::state`].
    pub(crate) state: u8,
    pub(crate) part: Option<Part>,
    /// Where IP begins, and what it carries, and where it ends.
    pub(crate) network: u16,
    pub(crate) transport: u16,
    pub(crate) end: u16,
}

/// A packet that is not judged by rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    Arp,
    /// Neither IP nor ARP.
    Other,
    /// Lengths or fields that contradict each other.
    Malformed,
}

/// What is behind Ethernet: its number, where it begins, and the outermost VLAN.
fn untagged(bytes: &[u8]) -> Option<(u16, usize, u16)> {
    let (number, start) = Ethernet::untagged(bytes).ok()?;
    let vlan = if start > Ethernet::LEN { Vlan::parse(bytes.get(Ethernet::LEN..)?).ok()?.vid() } else { UNTAGGED };
    Some((number, start, vlan))
}

impl Seen {
    /// Looks at a packet.
    #[inline]
    pub(crate) fn look(packet: &Packet<'_>) -> Result<Self, Unseen> {
        let stripped = packet.vlan().map(|tci| tci & 0xfff);
        Self::read(packet.bytes(), packet.port(), stripped)
    }

    /// Looks at a frame. `stripped` is the VLAN of a tag that the port took off.
    pub(crate) fn read(bytes: &[u8], in_port: u16, stripped: Option<u16>) -> Result<Self, Unseen> {
        let (number, start, vlan) = untagged(bytes).ok_or(Unseen::Malformed)?;
        let ip = bytes.get(start..).ok_or(Unseen::Malformed)?;
        let mut seen = match number {
            ether_type::IPV4 => Self::of_ipv4(ip),
            ether_type::IPV6 => Self::of_ipv6(ip),
            ether_type::ARP => return Err(Unseen::Arp),
            _ => return Err(Unseen::Other),
        }
        .ok_or(Unseen::Malformed)?;
        let start = u16::try_from(start).map_err(|_| Unseen::Malformed)?;
        (seen.network, seen.transport, seen.end) = (start, seen.transport + start, seen.end + start);
        (seen.in_port, seen.vlan) = (in_port, stripped.unwrap_or(vlan));
        let carried = bytes.get(usize::from(seen.transport)..usize::from(seen.end)).ok_or(Unseen::Malformed)?;
        seen.read_transport(carried).ok_or(Unseen::Malformed)?;
        Ok(seen)
    }

    fn new(addresses: Addresses, protocol: u8) -> Self {
        Self {
            addresses,
            protocol,
            source_port: NO_PORT,
            destination_port: NO_PORT,
            flags: 0,
            vlan: UNTAGGED,
            in_port: 0,
            out_port: u16::MAX,
            state: 0,
            part: None,
            network: 0,
            transport: 0,
            end: 0,
        }
    }

    fn of_ipv4(bytes: &[u8]) -> Option<Self> {
        let ip = Ipv4::parse(bytes).ok()?;
        let mut seen = Self::new(Addresses::V4(ip.source(), ip.destination()), ip.protocol());
        let header = ip.header.header_len();
        seen.transport = u16::try_from(header).ok()?;
        seen.end = u16::try_from(header + ip.payload.len()).ok()?;
        seen.part = ip.is_fragment().then(|| Part {
            identification: ip.identification().into(),
            offset: ip.fragment_offset().saturating_mul(8),
            len: seen.end - seen.transport,
            more: ip.more_fragments(),
        });
        Some(seen)
    }

    fn of_ipv6(bytes: &[u8]) -> Option<Self> {
        let ip = Ipv6::parse(bytes).ok()?;
        let mut headers = ExtensionHeaders::new(ip.next_header(), ip.payload);
        let mut fragment = None;
        for header in headers.by_ref() {
            let header = header.ok()?;
            if header.number == protocol::IPV6_FRAGMENT {
                fragment = Some(header.bytes);
            }
        }
        let carried = headers.carried();
        let mut seen = Self::new(Addresses::V6(ip.source(), ip.destination()), carried.protocol);
        let end = Ipv6::LEN + ip.payload.len();
        seen.end = u16::try_from(end).ok()?;
        seen.transport = u16::try_from(end - carried.payload.len()).ok()?;
        if carried.is_fragment {
            let fragment = Fragment::parse(fragment?).ok()?;
            seen.part = Some(Part {
                identification: fragment.identification(),
                offset: fragment.offset().saturating_mul(8),
                len: seen.end - seen.transport,
                more: fragment.more(),
            });
        }
        Some(seen)
    }

    /// Ports, flags, type and code. Nothing where they are cut off: a first part has them all (RFC 1858, RFC 7112), a later
    /// part has none.
    fn read_transport(&mut self, bytes: &[u8]) -> Option<()> {
        if self.part.is_some_and(|part| part.offset != 0) {
            return Some(());
        }
        let is_v4 = matches!(self.addresses, Addresses::V4(..));
        match (self.protocol, bytes) {
            (protocol::TCP, &[a, b, c, d, _, _, _, _, _, _, _, _, words, flags, _, _, _, _, _, _, ..]) => {
                if usize::from(words >> 4) * 4 > bytes.len() || words >> 4 < 5 {
                    return None;
                }
                self.source_port = u16::from_be_bytes([a, b]).into();
                self.destination_port = u16::from_be_bytes([c, d]).into();
                self.flags = flags;
            }
            (protocol::UDP | protocol::SCTP, &[a, b, c, d, _, _, _, _, ..]) => {
                self.source_port = u16::from_be_bytes([a, b]).into();
                self.destination_port = u16::from_be_bytes([c, d]).into();
            }
            (protocol::ICMP, &[kind, code, _, _, ..]) if is_v4 => {
                self.destination_port = u16::from_be_bytes([kind, code]).into();
            }
            (protocol::ICMPV6, &[kind, code, _, _, ..]) if !is_v4 => {
                self.destination_port = u16::from_be_bytes([kind, code]).into();
            }
            (protocol::TCP | protocol::UDP | protocol::SCTP, _) => return None,
            (protocol::ICMP, _) if is_v4 => return None,
            (protocol::ICMPV6, _) if !is_v4 => return None,
            _ => {}
        }
        Some(())
    }

    /// Whether this is ICMP of its address family.
    pub(crate) fn is_icmp(&self) -> bool {
        match self.addresses {
            Addresses::V4(..) => self.protocol == protocol::ICMP,
            Addresses::V6(..) => self.protocol == protocol::ICMPV6,
        }
    }

    /// Type of an ICMP or ICMPv6 message.
    pub(crate) fn icmp_type(&self) -> Option<u8> {
        let [_, _, kind, _] = self.destination_port.to_be_bytes();
        (self.is_icmp() && self.destination_port < NO_PORT).then_some(kind)
    }
}
