//! IPv6.

use crate::wire::{Format, Header, Next, Role, header, protocol};
use core::net::Ipv6Addr;

/// An IPv6 packet.
#[header(name = "IPv6", source = "RFC 8200", ether_type = 0x86dd, ip_protocol = 41)]
pub struct Ipv6 {
    /// 6.
    #[bits(4)]
    #[initial = 6]
    version: u8,
    /// Differentiated services code point: how it is to be treated (RFC 2474).
    #[bits(6)]
    dscp: u8,
    /// Explicit congestion notification (RFC 3168).
    #[bits(2)]
    ecn: u8,
    /// Which packets belong to one flow (RFC 6437).
    #[bits(20)]
    #[hex]
    flow_label: u32,
    /// Length of what follows, extension headers included. 0 is right only before [`protocol::NO_NEXT`]: jumbograms (RFC
    /// 2675), and packets that a kernel has not cut to segments yet, are malformed, as with IPv4.
    payload_length: u16,
    /// What follows ([`crate::wire::protocol`]).
    next_header: u8,
    /// How many routers it may pass.
    #[initial = 64]
    hop_limit: u8,
    /// From whom.
    source: Ipv6Addr,
    /// To whom.
    destination: Ipv6Addr,
}

impl Header for Ipv6 {
    const ROLE: Role = Role::Ipv6;

    #[inline]
    fn is_valid(&self) -> bool {
        self.version() == 6
    }

    #[inline]
    fn total_len(&self, _available: usize) -> usize {
        match self.payload_length() {
            // Less than the header, as IPv4's total length of 0 is.
            0 if self.next_header() != protocol::NO_NEXT => 0,
            length => Self::LEN + usize::from(length),
        }
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::IpProtocol(self.next_header())
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ip_protocols.first() {
            self.set_next_header(number);
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_payload_length(payload as u16);
    }
}

impl Ipv6 {
    /// All nodes of a link (RFC 4291).
    pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

    /// The group under which the neighbours of an address are asked for it (RFC 4291, section 2.7.1).
    #[must_use]
    pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
        let [.., a, b, c] = address.octets();
        Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use zerocopy::IntoBytes as _;

    #[test]
    fn fields_share_the_first_word() {
        let mut ip = Ipv6::default();
        ip.set_dscp(0x2e);
        ip.set_ecn(1);
        ip.set_flow_label(0xabcde);
        assert_eq!(ip.as_bytes()[..4], [0x6b, 0x9a, 0xbc, 0xde]);
        assert_eq!((ip.version(), ip.dscp(), ip.ecn(), ip.flow_label()), (6, 0x2e, 1, 0xabcde));
    }

    #[test]
    fn the_payload_ends_where_it_says() {
        let mut bytes = [0; 50];
        bytes[0] = 0x60;
        bytes[5] = 8;
        assert_eq!(Ipv6::parse(&bytes).unwrap().payload.len(), 8);
        bytes[5] = 11;
        assert!(Ipv6::parse(&bytes).is_err());
    }

    #[test]
    fn a_length_of_0_is_that_of_no_payload() {
        for len in [40, 50, 1400] {
            for number in 0..=255 {
                let mut bytes = std::vec![0; len];
                (bytes[0], bytes[6]) = (0x60, number);
                assert_eq!(
                    Ipv6::parse(&bytes).is_ok(),
                    number == protocol::NO_NEXT,
                    "{len} bytes, next header {number}"
                );
            }
        }
    }

    #[test]
    fn the_group_of_an_address() {
        let address = "fe80::12:3456".parse().unwrap();
        assert_eq!(Ipv6::solicited_node(address), "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
    }
}
