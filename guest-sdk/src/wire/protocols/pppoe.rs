//! PPPoE, and PPP in it.

use crate::wire::{Format, Header, Next, TlvFormat, Tlvs, ether_type, header};

/// PPPoE, in both stages: of a session, or of its discovery, where tags follow.
#[header(name = "PPPoE", source = "RFC 2516", ether_type = [0x8864, 0x8863])]
pub struct Pppoe {
    /// 1.
    #[bits(4)]
    #[initial = 1]
    version: u8,
    /// 1.
    #[bits(4)]
    #[initial = 1]
    kind: u8,
    /// 0 in a session; in discovery what it is: 9 PADI, 7 PADO, 0x19 PADR, 0x65 PADS, 0xa7 PADT.
    #[hex]
    code: u8,
    /// Which session.
    #[hex]
    session: u16,
    /// Length of what follows.
    length: u16,
}

impl Header for Pppoe {
    fn is_valid(&self) -> bool {
        self.version() == 1 && self.kind() == 1
    }

    fn total_len(&self, _available: usize) -> usize {
        Self::LEN + usize::from(self.length())
    }

    fn next(&self, _payload: &[u8]) -> Next {
        if self.code() == 0 { Next::Header(&Ppp::INFO) } else { Next::Payload }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
    fn set_lengths(&mut self, variable: usize, payload: usize) {
        self.set_length((variable + payload) as u16);
    }
}

impl Pppoe {
    /// The tags of a message of the discovery stage.
    #[must_use]
    pub const fn tags(payload: &[u8]) -> Tlvs<'_> {
        Tlvs::new(payload, TlvFormat::WORDS)
    }
}

/// PPP: which protocol follows.
#[header(name = "PPP", source = "RFC 1661")]
pub struct Ppp {
    /// The protocol: [`Ppp::IPV4`], [`Ppp::IPV6`] and others.
    #[hex]
    protocol: u16,
}

impl Ppp {
    /// IPv4.
    pub const IPV4: u16 = 0x0021;
    /// IPv6.
    pub const IPV6: u16 = 0x0057;
    /// Link control protocol.
    pub const LCP: u16 = 0xc021;
}

impl Header for Ppp {
    fn next(&self, _payload: &[u8]) -> Next {
        match self.protocol() {
            Self::IPV4 => Next::EtherType(ether_type::IPV4),
            Self::IPV6 => Next::EtherType(ether_type::IPV6),
            _ => Next::Payload,
        }
    }

    fn set_next(&mut self, next: &Format) {
        match next.ether_types.first() {
            Some(&ether_type::IPV4) => self.set_protocol(Self::IPV4),
            Some(&ether_type::IPV6) => self.set_protocol(Self::IPV6),
            _ => {}
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Fields as _, Ipv6, Layers, Stack as _, Udp};
    use std::vec::Vec;

    crate::stack! { struct Session { eth: Ethernet, pppoe: Pppoe, ppp: Ppp, ip: Ipv6, udp: Udp } }

    #[test]
    fn a_session_carries_ip() {
        let mut packet = [0; 80];
        Session::fill(&mut packet, |p| p.pppoe.set_session(0x11)).unwrap();
        assert_eq!(packet[12..22], [0x88, 0x64, 0x11, 0, 0, 0x11, 0, 60, 0, 0x57]);
        let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
        assert_eq!(names, ["Ethernet", "PPPoE", "PPP", "IPv6", "UDP"]);
    }

    #[test]
    fn discovery_has_tags() {
        let padi = [0x11, 9, 0, 0, 0, 12, 1, 1, 0, 0, 1, 3, 0, 4, 1, 2, 3, 4];
        let pppoe = Pppoe::parse(&padi).unwrap();
        assert_eq!(Pppoe::tags(pppoe.payload).find_kind(0x0103), Ok(Some(&[1, 2, 3, 4][..])));
        assert_eq!(Ppp::FORMAT.len, 2);
    }
}
