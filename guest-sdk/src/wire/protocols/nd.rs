//! Neighbour discovery: bodies of ICMPv6 messages, and their options.

use crate::wire::{Header, Mac, TlvFormat, Tlvs, header};
use core::net::Ipv6Addr;

/// Who has this address? Options follow ([`NdMac`]).
#[header(name = "neighbor solicitation", source = "RFC 4861")]
pub struct NeighborSolicitation {
    /// Must be 0.
    reserved: u32,
    /// The address that is asked for.
    target: Ipv6Addr,
}

impl Header for NeighborSolicitation {}

/// I have this address. Options follow ([`NdMac`]).
#[header(name = "neighbor advertisement", source = "RFC 4861")]
pub struct NeighborAdvertisement {
    /// The sender is a router.
    router: bool,
    /// It answers a question.
    solicited: bool,
    /// It replaces what the neighbour knew.
    override_known: bool,
    /// Must be 0.
    #[bits(29)]
    reserved: u32,
    /// The address that the sender has.
    target: Ipv6Addr,
}

impl Header for NeighborAdvertisement {}

/// Option of neighbour discovery: a MAC address.
#[header(name = "link-layer address", source = "RFC 4861")]
pub struct NdMac {
    /// Whose it is: [`NdMac::SOURCE`] or [`NdMac::TARGET`].
    #[initial = Self::SOURCE]
    kind: u8,
    /// Length in words of eight bytes.
    #[initial = 1]
    words: u8,
    /// The address.
    mac: Mac,
}

impl Header for NdMac {}

impl NdMac {
    /// That of who asks.
    pub const SOURCE: u8 = 1;
    /// That which was asked for.
    pub const TARGET: u8 = 2;

    /// The MAC address of this kind among options; nothing where there is none, or the options are malformed.
    #[must_use]
    pub fn find(options: &[u8], kind: u8) -> Option<Mac> {
        let value = Tlvs::new(options, TlvFormat::ND).find_kind(kind.into()).ok()??;
        value.first_chunk().map(|mac| Mac(*mac))
    }
}

/// Who is a router here? Options follow.
#[header(name = "router solicitation", source = "RFC 4861")]
pub struct RouterSolicitation {
    /// Must be 0.
    reserved: u32,
}

impl Header for RouterSolicitation {}

/// I am a router. Options follow ([`NdPrefix`], [`NdMtu`], [`NdMac`]).
#[header(name = "router advertisement", source = "RFC 4861")]
pub struct RouterAdvertisement {
    /// Which hop limit to use; 0: not said.
    #[initial = 64]
    hop_limit: u8,
    /// Addresses come by DHCPv6.
    managed: bool,
    /// Other configuration comes by DHCPv6.
    other: bool,
    /// It is a home agent (RFC 6275).
    home_agent: bool,
    /// Preference: 1 high, 0 medium, 3 low (RFC 4191).
    #[bits(2)]
    preference: u8,
    /// It is relayed (RFC 4389).
    proxy: bool,
    /// Must be 0.
    #[bits(2)]
    reserved: u8,
    /// For how many seconds it is a default router; 0: it is none.
    #[initial = 1800]
    lifetime: u16,
    /// For how many milliseconds a neighbour counts as reachable; 0: not said.
    reachable: u32,
    /// Milliseconds between two solicitations; 0: not said.
    retransmit: u32,
}

impl Header for RouterAdvertisement {}

/// There is a better way. Options follow.
#[header(name = "neighbor redirect", source = "RFC 4861")]
pub struct NdRedirect {
    /// Must be 0.
    reserved: u32,
    /// The better way.
    target: Ipv6Addr,
    /// To whom.
    destination: Ipv6Addr,
}

impl Header for NdRedirect {}

/// Option of neighbour discovery: a prefix of the link.
#[header(name = "prefix information", source = "RFC 4861")]
pub struct NdPrefix {
    /// 3.
    #[initial = 3]
    kind: u8,
    /// Length in words of eight bytes.
    #[initial = 4]
    words: u8,
    /// How many bits count.
    #[initial = 64]
    prefix_len: u8,
    /// Addresses of the prefix are neighbours.
    #[initial = true]
    on_link: bool,
    /// Hosts may make themselves an address of it (RFC 4862).
    #[initial = true]
    autonomous: bool,
    /// Must be 0.
    #[bits(6)]
    reserved: u8,
    /// For how many seconds the prefix is valid.
    #[initial = 2_592_000]
    valid: u32,
    /// For how many seconds addresses of it are preferred.
    #[initial = 604_800]
    preferred: u32,
    /// Must be 0.
    reserved2: u32,
    /// The prefix.
    prefix: Ipv6Addr,
}

impl Header for NdPrefix {}

/// Option of neighbour discovery: the longest packet of the link.
#[header(name = "link MTU", source = "RFC 4861")]
pub struct NdMtu {
    /// 5.
    #[initial = 5]
    kind: u8,
    /// Length in words of eight bytes.
    #[initial = 1]
    words: u8,
    /// Must be 0.
    reserved: u16,
    /// The longest packet.
    #[initial = 1500]
    mtu: u32,
}

impl Header for NdMtu {}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn options_are_read() {
        let mac = Mac([2, 0, 0, 0, 0, 7]);
        let mut options = [14, 1, 0, 0, 0, 0, 0, 0, NdMac::SOURCE, 1, 2, 0, 0, 0, 0, 7];
        assert_eq!(NdMac::find(&options, NdMac::SOURCE), Some(mac));
        assert_eq!(NdMac::find(&options, NdMac::TARGET), None);
        options[1] = 0;
        assert_eq!(NdMac::find(&options, NdMac::SOURCE), None);
    }
}
