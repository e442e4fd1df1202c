//! GRE, and NVGRE.

use super::Ethernet;
use crate::wire::{Cover, Field, Format, Header, Next, Show, ether_type, header};

/// GRE. The variable part has, as far as the flags say so, checksum and two reserved bytes, key, sequence number.
#[header(name = "GRE", source = "RFC 2784, RFC 2890", ip_protocol = 47)]
pub struct Gre {
    /// There is a checksum.
    checksum_present: bool,
    /// Must be 0: routing information (RFC 1701).
    routing_present: bool,
    /// There is a key.
    key_present: bool,
    /// There is a sequence number.
    sequence_present: bool,
    /// Must be 0.
    #[bits(9)]
    reserved: u16,
    /// 0.
    #[bits(3)]
    version: u8,
    /// EtherType of what it carries.
    #[hex]
    protocol: u16,
}

impl Header for Gre {
    fn is_valid(&self) -> bool {
        self.version() == 0 && !self.routing_present()
    }

    fn header_len(&self) -> usize {
        let optional = [self.checksum_present(), self.key_present(), self.sequence_present()];
        Self::LEN + 4 * optional.iter().filter(|present| **present).count()
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::EtherType(self.protocol())
    }

    fn cover(&self) -> Cover {
        if self.checksum_present() { Cover::Message(Self::CHECKSUM) } else { Cover::Nothing }
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ether_types.first() {
            self.set_protocol(number);
        }
    }

    /// Where the flags do not fit the length: four bytes are a key, eight a key and a sequence number.
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        if self.header_len() != Self::LEN + variable {
            self.set_key_present(variable >= 4);
            self.set_sequence_present(variable >= 8);
            self.set_checksum_present(variable >= 12);
        }
    }
}

impl Gre {
    /// Where the checksum lies, if there is one.
    pub const CHECKSUM: Field = Field::new("checksum", 32, 16, Show::Hex);

    /// The key in its variable part, if there is one.
    #[must_use]
    pub fn key(&self, variable: &[u8]) -> Option<u32> {
        let at = if self.checksum_present() { 4 } else { 0 };
        variable.get(at..)?.first_chunk().filter(|_| self.key_present()).map(|key| u32::from_be_bytes(*key))
    }

    /// The sequence number in its variable part, if there is one.
    #[must_use]
    pub fn sequence(&self, variable: &[u8]) -> Option<u32> {
        variable.last_chunk().filter(|_| self.sequence_present()).map(|number| u32::from_be_bytes(*number))
    }
}

/// NVGRE: an Ethernet frame in GRE with a key. When packets are dissected it is GRE, from which it cannot be told.
#[header(name = "NVGRE", source = "RFC 7637", ip_protocol = 47)]
pub struct Nvgre {
    /// Flags and version of GRE: there is a key.
    #[initial = 0x2000]
    #[hex]
    flags: u16,
    /// EtherType of what it carries.
    #[initial = ether_type::BRIDGED]
    #[hex]
    protocol: u16,
    /// Which virtual network.
    #[bits(24)]
    vsid: u32,
    /// Which packets belong to one flow.
    flow: u8,
}

impl Header for Nvgre {
    fn is_valid(&self) -> bool {
        self.flags() == 0x2000 && self.protocol() == ether_type::BRIDGED
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::Header(&Ethernet::INFO)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ipv4, Layers, Stack as _, With, checksum};
    use std::vec::Vec;

    crate::stack! { struct Keyed { ip: Ipv4, gre: With<Gre, 12>, inner: Ipv4 } }
    crate::stack! { struct Virtual { ip: Ipv4, gre: Nvgre, eth: Ethernet } }

    #[test]
    fn flags_say_what_the_variable_part_has() {
        let mut packet = [5; 60];
        Keyed::fill(&mut packet, |p| p.gre.options[4..].copy_from_slice(&[0, 0, 0, 9, 0, 0, 0, 8])).unwrap();
        let (headers, _) = Keyed::parse(&packet).unwrap();
        let (gre, options) = (headers.gre.header, headers.gre.options);
        assert_eq!((gre.key(&options), gre.sequence(&options), headers.ip.protocol()), (Some(9), Some(8), 47));
        assert!(checksum::verify(checksum::sum(&packet[20..])));
    }

    #[test]
    fn a_virtual_network_is_found_in_its_tunnel() {
        let mut packet = [0; 60];
        Virtual::fill(&mut packet, |p| p.gre.set_vsid(0x1234)).unwrap();
        let names: Vec<_> = Layers::starting_with(&Ipv4::INFO, &packet).map(|place| place.name()).collect();
        assert_eq!(names, ["IPv4", "GRE", "Ethernet"]);
        assert_eq!(Virtual::parse(&packet).unwrap().0.gre.vsid(), 0x1234);
    }
}
