//! Ethernet and its tags.

use crate::raw;
use crate::wire::{Error, Format, Header, Mac, Next, ether_type, header};

/// An Ethernet frame.
#[header(name = "Ethernet", source = "IEEE 802.3", ether_type = 0x6558, ip_protocol = 143)]
pub struct Ethernet {
    /// To whom.
    destination: Mac,
    /// From whom.
    source: Mac,
    /// What follows the header: a tag's EtherType in a tagged frame; up to 1500 it is the length of what follows.
    #[hex]
    ether_type: u16,
}

impl Header for Ethernet {
    fn total_len(&self, available: usize) -> usize {
        total_len(self.ether_type(), Self::LEN, available)
    }

    fn next(&self, _payload: &[u8]) -> Next {
        if self.ether_type() < 0x600 { Next::Payload } else { Next::EtherType(self.ether_type()) }
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ether_types.first() {
            self.set_ether_type(number);
        }
    }

    #[inline]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_ether_type(length_or_type(self.ether_type(), payload));
    }
}

/// Longest payload whose length can stand in the place of a type.
pub(in crate::wire) const LENGTH_MAX: u16 = 1500;

/// Length of a header of `header` bytes with what it carries: a type says nothing of it, a length does.
fn total_len(type_or_length: u16, header: usize, available: usize) -> usize {
    match type_or_length {
        length @ 0..=LENGTH_MAX => available.min(header + usize::from(length)),
        _ => available,
    }
}

/// A type as it is; the payload's length where there is a length, as far as there can be one.
#[inline]
fn length_or_type(type_or_length: u16, payload: usize) -> u16 {
    match u16::try_from(payload) {
        Ok(length @ 0..=LENGTH_MAX) if type_or_length <= LENGTH_MAX => length,
        _ => type_or_length,
    }
}

impl Ethernet {
    /// Makes the receiver the sender and the sender the receiver.
    #[inline]
    pub fn swap_addresses(&mut self) {
        let (destination, source) = (self.destination(), self.source());
        self.set_destination(source);
        self.set_source(destination);
    }

    /// Makes the receiver of a packet its sender and the sender its receiver, by one load and one store where the packet
    /// has 16 bytes.
    ///
    /// # Errors
    ///
    /// The packet is shorter than a header.
    #[inline]
    pub fn swap_addresses_of(packet: &mut [u8]) -> Result<(), Error> {
        if let Some(head) = packet.first_chunk_mut::<16>() {
            raw::swap_macs(head);
            return Ok(());
        }
        let (header, _) = Self::split_mut(packet)?;
        header.swap_addresses();
        Ok(())
    }

    /// What a frame carries behind at most two tags, and where that begins.
    ///
    /// # Errors
    ///
    /// The frame, or a tag, is cut off.
    #[inline]
    pub fn untagged(packet: &[u8]) -> Result<(u16, usize), Error> {
        let (mut number, mut start) = (Self::parse(packet)?.ether_type(), Self::LEN);
        for _ in 0..2 {
            if !ether_type::is_tag(number) {
                break;
            }
            number = Vlan::parse(&packet[start..])?.ether_type();
            start += Vlan::LEN;
        }
        Ok((number, start))
    }
}

/// A VLAN tag; the outer of two has another EtherType before it (0x88a8), which must be set.
#[header(name = "VLAN", source = "IEEE 802.1Q", ether_type = [0x8100, 0x88a8])]
pub struct Vlan {
    /// Priority code point: 7 is the highest, 1 the lowest.
    #[bits(3)]
    pcp: u8,
    /// Drop eligible: goes first where there is not room for all.
    dei: bool,
    /// VLAN identifier; 0 means none, only the priority counts.
    #[bits(12)]
    vid: u16,
    /// What follows.
    #[hex]
    ether_type: u16,
}

impl Header for Vlan {
    fn total_len(&self, available: usize) -> usize {
        total_len(self.ether_type(), Self::LEN, available)
    }

    fn next(&self, _payload: &[u8]) -> Next {
        if self.ether_type() < 0x600 { Next::Payload } else { Next::EtherType(self.ether_type()) }
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ether_types.first() {
            self.set_ether_type(number);
        }
    }

    #[inline]
    fn set_lengths(&mut self, _variable: usize, payload: usize) {
        self.set_ether_type(length_or_type(self.ether_type(), payload));
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    const FRAME: [u8; 22] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x06];

    #[test]
    fn fields_are_where_they_are() {
        let frame = Ethernet::parse(&FRAME).unwrap();
        let text = "Ethernet destination=02:00:00:00:00:01 source=02:00:00:00:00:02 ether_type=0x88a8";
        assert_eq!(frame.header.to_string(), text);
        assert_eq!(Ethernet::untagged(&FRAME), Ok((ether_type::ARP, 22)));
        assert_eq!(Vlan::parse(&FRAME[14..]).unwrap().vid(), 5);
    }

    #[test]
    fn a_cut_tag_carries_nothing() {
        assert_eq!(Ethernet::untagged(&FRAME[..20]), Err(Error));
        assert!(Ethernet::parse(&FRAME[..13]).is_err());
    }

    #[test]
    fn a_length_in_place_of_a_type_ends_the_payload() {
        let mut bytes = [0; 60];
        bytes[13] = 3;
        assert_eq!(Ethernet::parse(&bytes).unwrap().payload.len(), 3);
        bytes[13] = 200;
        assert_eq!(Ethernet::parse(&bytes).unwrap().payload.len(), 46);
    }

    #[test]
    fn addresses_swap() {
        for len in [14, 16, 22] {
            let mut bytes = FRAME;
            Ethernet::swap_addresses_of(&mut bytes[..len]).unwrap();
            assert_eq!(bytes[..12], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
            assert_eq!(bytes[12..], FRAME[12..]);
        }
        assert_eq!(Ethernet::swap_addresses_of(&mut [0; 13]), Err(Error));
    }
}
