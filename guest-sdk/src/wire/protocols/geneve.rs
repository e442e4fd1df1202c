//! GENEVE.

use crate::wire::{Error, Format, Header, Next, Role, ether_type, header};

/// GENEVE: anything with an EtherType in UDP. The variable part are the options.
#[header(name = "GENEVE", source = "RFC 8926", udp_port = 6081)]
pub struct Geneve {
    /// 0.
    #[bits(2)]
    version: u8,
    /// Length of the options in words of four bytes.
    #[bits(6)]
    option_words: u8,
    /// A control message.
    control: bool,
    /// There is an option that must be understood.
    critical: bool,
    /// Must be 0.
    #[bits(6)]
    reserved: u8,
    /// EtherType of what it carries.
    #[initial = ether_type::BRIDGED]
    #[hex]
    protocol: u16,
    /// Which virtual network.
    #[bits(24)]
    vni: u32,
    /// Must be 0.
    reserved2: u8,
}

impl Header for Geneve {
    const ROLE: Role = Role::Tunnel;

    fn is_valid(&self) -> bool {
        self.version() == 0
    }

    fn header_len(&self) -> usize {
        Self::LEN + usize::from(self.option_words()) * 4
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::EtherType(self.protocol())
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ether_types.first() {
            self.set_protocol(number);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "six bits are kept")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_option_words((variable / 4) as u8);
    }
}

impl Geneve {
    /// The options in its variable part, one after the other, with their values.
    pub fn options(mut variable: &[u8]) -> impl Iterator<Item = Result<(&GeneveOption, &[u8]), Error>> {
        core::iter::from_fn(move || {
            if variable.is_empty() {
                return None;
            }
            let option = GeneveOption::parse(variable);
            variable = option.as_ref().map_or(&[][..], |option| option.payload);
            Some(option.map(|option| (option.header, option.variable)))
        })
    }
}

/// An option of GENEVE. The variable part is its value.
#[header(name = "GENEVE option", source = "RFC 8926")]
pub struct GeneveOption {
    /// Who defined it.
    #[hex]
    class: u16,
    /// It must be understood.
    critical: bool,
    /// Which one of its class.
    #[bits(7)]
    kind: u8,
    /// Must be 0.
    #[bits(3)]
    reserved: u8,
    /// Length of the value in words of four bytes.
    #[bits(5)]
    words: u8,
}

impl Header for GeneveOption {
    fn header_len(&self) -> usize {
        Self::LEN + usize::from(self.words()) * 4
    }

    #[allow(clippy::cast_possible_truncation, reason = "five bits are kept")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_words((variable / 4) as u8);
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Ipv6, Stack as _, Udp, With};
    use std::vec::Vec;

    crate::stack! { struct Tunnel { eth: Ethernet, ip: Ipv6, udp: Udp, geneve: With<Geneve, 12>, inner: Ethernet } }

    #[test]
    fn options_are_found() {
        let mut packet = [0; 120];
        let options = [0x01, 0x02, 0x83, 1, 1, 2, 3, 4, 0, 1, 2, 0];
        Tunnel::fill(&mut packet, |p| p.geneve.options = options).unwrap();
        let (headers, _) = Tunnel::parse(&packet).unwrap();
        let found: Vec<_> = Geneve::options(&headers.geneve.options).map(Result::unwrap).collect();
        assert_eq!((found[0].0.class(), found[0].0.kind(), found[0].1), (0x102, 3, &[1, 2, 3, 4][..]));
        assert_eq!((found.len(), found[1].1.len(), headers.udp.destination_port()), (2, 0, 6081));
        assert!(Geneve::options(&[0, 0, 0, 2, 1]).all(|option| option.is_err()));
    }
}
