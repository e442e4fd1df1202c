//! ICMPv6, and the questions and answers of neighbour discovery.

use super::IcmpEcho;
use crate::wire::{Cover, Fields as _, Format, Header, Mac, Next, TlvFormat, Tlvs, checksum, header, protocol};
use core::net::Ipv6Addr;

/// An ICMPv6 message. What follows depends on its type.
#[header(name = "ICMPv6", source = "RFC 4443", ip_protocol = 58)]
pub struct Icmpv6 {
    /// The type: [`Icmpv6::ECHO_REQUEST`] and others.
    kind: u8,
    /// More about the type.
    code: u8,
    /// Checksum over pseudo-header and message.
    #[hex]
    checksum: u16,
}

impl Header for Icmpv6 {
    fn next(&self, _payload: &[u8]) -> Next {
        match self.kind() {
            Self::ECHO_REPLY | Self::ECHO_REQUEST => Next::Header(&IcmpEcho::INFO),
            Self::NEIGHBOR_SOLICITATION => Next::Header(&NeighborSolicitation::INFO),
            Self::NEIGHBOR_ADVERTISEMENT => Next::Header(&NeighborAdvertisement::INFO),
            _ => Next::Payload,
        }
    }

    fn cover(&self) -> Cover {
        Cover::Pseudo(Self::CHECKSUM, protocol::ICMPV6)
    }

    fn set_next(&mut self, next: &Format) {
        let kinds = [
            (&IcmpEcho::FORMAT, Self::ECHO_REQUEST),
            (&NeighborSolicitation::FORMAT, Self::NEIGHBOR_SOLICITATION),
            (&NeighborAdvertisement::FORMAT, Self::NEIGHBOR_ADVERTISEMENT),
        ];
        if let Some((_, kind)) = kinds.iter().find(|(format, _)| *format == next) {
            self.set_kind(*kind);
        }
    }
}

impl Icmpv6 {
    /// Are you there?
    pub const ECHO_REQUEST: u8 = 128;
    /// I am.
    pub const ECHO_REPLY: u8 = 129;
    /// Who has this address?
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    /// I have it.
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;

    /// Sets the type, and changes the checksum by as much.
    #[inline]
    pub fn change_kind(&mut self, kind: u8) {
        let word = |kind| u16::from_be_bytes([kind, self.code()]);
        let value = checksum::update(self.checksum(), word(self.kind()), word(kind));
        self.set_checksum(value);
        self.set_kind(kind);
    }
}

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
