//! MPLS.

use super::{Ipv4, Ipv6};
use crate::wire::{Fields as _, Format, Header, Next, header};

/// A label. What the last one carries is not said; four bits of an IP packet tell.
#[header(name = "MPLS", source = "RFC 3032", ether_type = [0x8847, 0x8848], ip_protocol = 137, udp_port = 6635)]
pub struct Mpls {
    /// The label.
    #[bits(20)]
    label: u32,
    /// Traffic class (RFC 5462).
    #[bits(3)]
    tc: u8,
    /// It is the last label.
    #[initial = true]
    bottom: bool,
    /// How many routers it may pass.
    #[initial = 64]
    ttl: u8,
}

impl Header for Mpls {
    fn next(&self, payload: &[u8]) -> Next {
        if self.bottom() { ip_by_version(payload) } else { Next::Header(&Self::INFO) }
    }

    fn set_next(&mut self, next: &Format) {
        self.set_bottom(*next != Self::FORMAT);
    }
}

/// What four bits tell of a packet that nobody announced.
pub(super) fn ip_by_version(payload: &[u8]) -> Next {
    match payload.first().map(|first| first >> 4) {
        Some(4) => Next::Header(&Ipv4::INFO),
        Some(6) => Next::Header(&Ipv6::INFO),
        _ => Next::Payload,
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Layers, Stack as _, Udp};
    use std::vec::Vec;

    crate::stack! { struct Labelled { eth: Ethernet, outer: Mpls, inner: Mpls, ip: Ipv4, udp: Udp } }

    #[test]
    fn only_the_last_label_is_the_bottom() {
        let mut packet = [0; 100];
        Labelled::fill(&mut packet, |p| p.inner.set_label(0xabcde)).unwrap();
        assert_eq!(packet[12..22], [0x88, 0x47, 0, 0, 0, 64, 0xab, 0xcd, 0xe1, 64]);
        let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
        assert_eq!(names, ["Ethernet", "MPLS", "MPLS", "IPv4", "UDP"]);
    }
}
