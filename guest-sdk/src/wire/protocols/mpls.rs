//! MPLS.

use crate::wire::{Fields as _, Format, Header, Next, Role, header};

/// A label. What the last one carries is not said: IP is recognized by itself (`Next::IpByVersion`), and anything else, such
/// as the Ethernet frame of a pseudowire, is data.
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
    const ROLE: Role = Role::Tunnel;

    fn next(&self, _payload: &[u8]) -> Next {
        if self.bottom() { Next::IpByVersion } else { Next::Header(&Self::INFO) }
    }

    fn set_next(&mut self, next: &Format) {
        self.set_bottom(*next != Self::FORMAT);
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Ipv4, Layers, Stack as _, Udp};
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
