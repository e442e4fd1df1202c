//! Ethernet, with up to two VLAN tags.

use super::{Error, Field, Mac, get, get_u16, set_u16};
use crate::raw;
use core::fmt;

mod field {
    use super::Field;
    pub(super) const DESTINATION: Field = 0..6;
    pub(super) const SOURCE: Field = 6..12;
    pub(super) const ETHER_TYPE: Field = 12..14;
    pub(super) const PAYLOAD: usize = 14;
}

/// Length of the header without tags.
pub const HEADER_LEN: usize = field::PAYLOAD;
/// Length of a VLAN tag.
pub const TAG_LEN: usize = 4;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// VLAN tag (IEEE 802.1Q).
    pub const VLAN: Self = Self(0x8100);
    /// Outer VLAN tag (IEEE 802.1ad).
    pub const QINQ: Self = Self(0x88a8);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);

    /// Whether a VLAN tag follows.
    #[inline]
    #[must_use]
    pub const fn is_tag(self) -> bool {
        matches!(self, Self::VLAN | Self::QINQ)
    }
}

/// An Ethernet frame.
#[derive(Clone, Copy, Debug)]
pub struct Ethernet<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Ethernet<T> {
    /// A view of a frame.
    ///
    /// # Errors
    ///
    /// It is shorter than a header.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        if buffer.as_ref().len() < HEADER_LEN { Err(Error) } else { Ok(Self { buffer }) }
    }

    /// To whom.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> Mac {
        Mac(get(self.buffer.as_ref(), field::DESTINATION))
    }

    /// From whom.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Mac {
        Mac(get(self.buffer.as_ref(), field::SOURCE))
    }

    /// What follows the header: a tag's EtherType in a tagged frame.
    #[inline]
    #[must_use]
    pub fn ether_type(&self) -> EtherType {
        EtherType(get_u16(self.buffer.as_ref(), field::ETHER_TYPE))
    }

    /// What the frame carries behind at most two tags, and where that begins. Nothing where a tag is cut off.
    #[inline]
    #[must_use]
    pub fn untagged(&self) -> Option<(EtherType, usize)> {
        let data = self.buffer.as_ref();
        let (mut ether_type, mut start) = (self.ether_type(), HEADER_LEN);
        for _ in 0..2 {
            if !ether_type.is_tag() {
                break;
            }
            ether_type = EtherType(get_u16(data.get(start..start + TAG_LEN)?, 2..4));
            start += TAG_LEN;
        }
        Some((ether_type, start))
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Ethernet<T> {
    /// Sets to whom.
    #[inline]
    pub fn set_destination(&mut self, mac: Mac) {
        self.buffer.as_mut()[field::DESTINATION].copy_from_slice(&mac.0);
    }

    /// Sets from whom.
    #[inline]
    pub fn set_source(&mut self, mac: Mac) {
        self.buffer.as_mut()[field::SOURCE].copy_from_slice(&mac.0);
    }

    /// Sets what follows.
    #[inline]
    pub fn set_ether_type(&mut self, ether_type: EtherType) {
        set_u16(self.buffer.as_mut(), field::ETHER_TYPE, ether_type.0);
    }

    /// Makes the receiver the sender and the sender the receiver.
    #[inline]
    pub fn swap_addresses(&mut self) {
        let data = self.buffer.as_mut();
        if let Some(head) = data.first_chunk_mut::<16>() {
            raw::swap_macs(head);
            return;
        }
        let (destination, source) = (self.destination(), self.source());
        self.set_destination(source);
        self.set_source(destination);
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Ethernet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ethernet {} > {} type {:#06x}", self.source(), self.destination(), self.ether_type().0)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    const FRAME: [u8; 22] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x06];

    #[test]
    fn fields_are_where_they_are() {
        let frame = Ethernet::new_checked(&FRAME[..]).unwrap();
        assert_eq!(frame.to_string(), "Ethernet 02:00:00:00:00:02 > 02:00:00:00:00:01 type 0x88a8");
        assert_eq!(frame.untagged(), Some((EtherType::ARP, 22)));
    }

    #[test]
    fn a_cut_tag_carries_nothing() {
        assert_eq!(Ethernet::new_checked(&FRAME[..20]).unwrap().untagged(), None);
        assert_eq!(Ethernet::new_checked(&FRAME[..13]).map(|_| ()), Err(Error));
    }

    #[test]
    fn addresses_swap() {
        let mut bytes = FRAME;
        Ethernet::new_checked(&mut bytes[..]).unwrap().swap_addresses();
        assert_eq!(bytes[..12], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
        assert_eq!(bytes[12..], FRAME[12..]);
    }
}
