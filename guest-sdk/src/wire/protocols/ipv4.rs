//! IPv4.

use crate::wire::checksum::Sum;
use crate::wire::{Cover, Format, Header, Next, Role, TlvFormat, Tlvs, header};
use core::net::Ipv4Addr;
use zerocopy::IntoBytes as _;

/// An IPv4 packet. Its variable part are the options.
#[header(name = "IPv4", source = "RFC 791", ether_type = 0x0800, ip_protocol = 4)]
pub struct Ipv4 {
    /// 4.
    #[bits(4)]
    #[initial = 4]
    version: u8,
    /// Length of the header with its options, in words of four bytes.
    #[bits(4)]
    #[initial = 5]
    header_words: u8,
    /// Differentiated services code point: how it is to be treated (RFC 2474).
    #[bits(6)]
    dscp: u8,
    /// Explicit congestion notification (RFC 3168).
    #[bits(2)]
    ecn: u8,
    /// Length of header and payload.
    total_length: u16,
    /// Which fragments belong together.
    identification: u16,
    /// Must be 0.
    reserved: bool,
    /// It may not be fragmented.
    dont_fragment: bool,
    /// It is a fragment, and not the last one.
    more_fragments: bool,
    /// Where this fragment's payload lies in the whole one, in units of eight bytes.
    #[bits(13)]
    fragment_offset: u16,
    /// How many routers it may pass.
    #[initial = 64]
    ttl: u8,
    /// What it carries ([`crate::wire::protocol`]).
    protocol: u8,
    /// Checksum of the header with its options.
    #[hex]
    checksum: u16,
    /// From whom.
    source: Ipv4Addr,
    /// To whom.
    destination: Ipv4Addr,
}

impl Header for Ipv4 {
    const ROLE: Role = Role::Ipv4;

    #[inline]
    fn is_valid(&self) -> bool {
        self.version() == 4
    }

    #[inline]
    fn header_len(&self) -> usize {
        usize::from(self.header_words()) * 4
    }

    #[inline]
    fn total_len(&self, _available: usize) -> usize {
        usize::from(self.total_length())
    }

    fn next(&self, _payload: &[u8]) -> Next {
        if self.is_fragment() { Next::Payload } else { Next::IpProtocol(self.protocol()) }
    }

    fn cover(&self) -> Cover {
        Cover::Header(Self::CHECKSUM)
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ip_protocols.first() {
            self.set_protocol(number);
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, variable: usize, payload: usize) {
        self.set_header_words(((Self::LEN + variable) / 4) as u8);
        self.set_total_length((Self::LEN + variable + payload) as u16);
    }
}

impl Ipv4 {
    /// Whether this is a part of a packet: the first one too.
    #[inline]
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != 0
    }

    /// Writes the header's checksum; `options` is its variable part.
    #[inline]
    pub fn fill_checksum(&mut self, options: &[u8]) {
        self.set_checksum(0);
        let sum = Sum::new().add(self.as_bytes()).add(options);
        self.set_checksum(sum.finish());
    }

    /// Whether the header's checksum is right; `options` is its variable part.
    #[inline]
    #[must_use]
    pub fn checksum_is_good(&self, options: &[u8]) -> bool {
        Sum::new().add(self.as_bytes()).add(options).verify()
    }

    /// The options in its variable part.
    #[must_use]
    pub const fn options(variable: &[u8]) -> Tlvs<'_> {
        Tlvs::new(variable, TlvFormat::IP)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::Error;
    use std::string::ToString as _;

    /// From a ping of the Linux kernel, with four bytes of payload and two of padding.
    const PACKET: [u8; 26] =
        [0x45, 0, 0, 24, 0x12, 0x34, 0x40, 0, 64, 1, 0x14, 0xaf, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 0, 0];

    #[test]
    fn fields_are_where_they_are() {
        let packet = Ipv4::parse(&PACKET).unwrap();
        assert!(packet.header.to_string().ends_with("protocol=1 checksum=0x14af source=10.0.0.1 destination=10.0.0.2"));
        assert_eq!(packet.payload, [1, 2, 3, 4]);
        assert!(!packet.is_fragment() && packet.dont_fragment());
    }

    #[test]
    fn lengths_must_agree() {
        assert_eq!(Ipv4::parse(&PACKET[..23]).map(|_| ()), Err(Error));
        for (at, value) in [(0, 0x44), (0, 0x65), (0, 0x47), (3, 19), (3, 27)] {
            let mut bytes = PACKET;
            bytes[at] = value;
            assert_eq!(Ipv4::parse(&bytes).map(|_| ()), Err(Error), "{at} {value}");
        }
    }
}
