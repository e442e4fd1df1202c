//! ICMPv6: echo, and the questions and answers of neighbour discovery (RFC 4861).

use super::{Error, Field, Mac, checksum, get, get_u16, protocol, set_u16};
use core::fmt;
use core::net::Ipv6Addr;

mod field {
    use super::Field;
    pub(super) const KIND: usize = 0;
    pub(super) const CODE: usize = 1;
    pub(super) const KIND_AND_CODE: Field = 0..2;
    pub(super) const CHECKSUM: Field = 2..4;
    pub(super) const FLAGS: usize = 4;
    pub(super) const TARGET: Field = 8..24;
    pub(super) const OPTIONS: usize = 24;
}

/// Length of the header of an echo.
pub const HEADER_LEN: usize = 8;
/// Length of a neighbour advertisement with the MAC address.
pub const ADVERTISEMENT_LEN: usize = 32;

/// Are you there?
pub const ECHO_REQUEST: u8 = 128;
/// I am.
pub const ECHO_REPLY: u8 = 129;
/// Who has this address?
pub const NEIGHBOR_SOLICITATION: u8 = 135;
/// I have it.
pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// Option: the MAC address of who asks.
pub const OPTION_SOURCE_MAC: u8 = 1;
/// Option: the MAC address that was asked for.
pub const OPTION_TARGET_MAC: u8 = 2;

/// Flag of an advertisement: it answers a question.
pub const FLAG_SOLICITED: u8 = 0x40;
/// Flag of an advertisement: it replaces what the neighbour knew.
pub const FLAG_OVERRIDE: u8 = 0x20;

/// An ICMPv6 message.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv6<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Icmpv6<T> {
    /// A view of a message.
    ///
    /// # Errors
    ///
    /// It is shorter than a header.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        if buffer.as_ref().len() < HEADER_LEN { Err(Error) } else { Ok(Self { buffer }) }
    }

    /// The type.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.buffer.as_ref()[field::KIND]
    }

    /// The code: more about the type.
    #[inline]
    #[must_use]
    pub fn code(&self) -> u8 {
        self.buffer.as_ref()[field::CODE]
    }

    /// Whether the checksum is right.
    #[must_use]
    pub fn checksum_is_good(&self, source: Ipv6Addr, destination: Ipv6Addr) -> bool {
        checksum::fold(self.sum(source, destination)) == 0xffff
    }

    /// The question of a neighbour solicitation. Nothing where it is cut, or an option has no length.
    #[must_use]
    pub fn solicitation(&self) -> Option<Solicitation> {
        let data = self.buffer.as_ref();
        let mut options = data.get(field::OPTIONS..)?;
        let target = Ipv6Addr::from(get::<16>(data, field::TARGET));
        let mut source_mac = None;
        while let [kind, words, ..] = *options {
            let (option, rest) = options.split_at_checked(usize::from(words) * 8).filter(|_| words > 0)?;
            if kind == OPTION_SOURCE_MAC {
                source_mac = Some(Mac(get(option, 2..8)));
            }
            options = rest;
        }
        options.is_empty().then_some(Solicitation { target, source_mac })
    }

    fn sum(&self, source: Ipv6Addr, destination: Ipv6Addr) -> u32 {
        let data = self.buffer.as_ref();
        let (source, destination) = (source.octets(), destination.octets());
        checksum::pseudo_header(&source, &destination, protocol::ICMPV6, data.len()) + checksum::sum(data)
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Icmpv6<T> {
    /// Writes a neighbour advertisement that `target` has `mac`, without checksum.
    ///
    /// # Errors
    ///
    /// The buffer is not [`ADVERTISEMENT_LEN`] bytes long.
    pub fn emit_advertisement(mut buffer: T, flags: u8, target: Ipv6Addr, mac: Mac) -> Result<Self, Error> {
        let data = buffer.as_mut();
        if data.len() != ADVERTISEMENT_LEN {
            return Err(Error);
        }
        data.fill(0);
        data[field::KIND] = NEIGHBOR_ADVERTISEMENT;
        data[field::FLAGS] = flags;
        data[field::TARGET].copy_from_slice(&target.octets());
        data[field::OPTIONS] = OPTION_TARGET_MAC;
        data[field::OPTIONS + 1] = 1;
        data[field::OPTIONS + 2..].copy_from_slice(&mac.0);
        Ok(Self { buffer })
    }

    /// Sets the type, and changes the checksum by as much.
    pub fn set_kind(&mut self, kind: u8) {
        let data = self.buffer.as_mut();
        let before = get_u16(data, field::KIND_AND_CODE);
        data[field::KIND] = kind;
        let after = get_u16(data, field::KIND_AND_CODE);
        let value = checksum::update(get_u16(data, field::CHECKSUM), before, after);
        set_u16(data, field::CHECKSUM, value);
    }

    /// Writes the checksum.
    pub fn fill_checksum(&mut self, source: Ipv6Addr, destination: Ipv6Addr) {
        set_u16(self.buffer.as_mut(), field::CHECKSUM, 0);
        let value = checksum::finish(self.sum(source, destination));
        set_u16(self.buffer.as_mut(), field::CHECKSUM, value);
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Icmpv6<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ICMPv6 type {} code {}", self.kind(), self.code())
    }
}

/// What a neighbour solicitation asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// The address that is asked for.
    pub target: Ipv6Addr,
    /// The MAC address of who asks, where it says so.
    pub source_mac: Option<Mac>,
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    const A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

    #[test]
    fn an_advertisement_has_a_good_checksum() {
        let mut bytes = [0xff; ADVERTISEMENT_LEN];
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let mut message = Icmpv6::emit_advertisement(&mut bytes[..], FLAG_SOLICITED, A, mac).unwrap();
        message.fill_checksum(A, B);
        assert!(message.checksum_is_good(A, B));
        assert!(message.checksum_is_good(B, A));
        assert!(!message.checksum_is_good(A, A));
        assert_eq!(message.to_string(), "ICMPv6 type 136 code 0");
        assert!(Icmpv6::emit_advertisement(&mut bytes[..31], 0, A, mac).is_err());
    }

    #[test]
    fn a_changed_type_keeps_a_good_checksum() {
        let mut bytes = [ECHO_REQUEST, 0, 0, 0, 1, 2, 3, 4, 5];
        let mut message = Icmpv6::new_checked(&mut bytes[..]).unwrap();
        message.fill_checksum(A, B);
        message.set_kind(ECHO_REPLY);
        assert!(message.checksum_is_good(B, A));
    }

    #[test]
    fn solicitations_are_read_with_their_options() {
        let mut bytes = [0; 40];
        bytes[field::TARGET].copy_from_slice(&A.octets());
        bytes[24..32].copy_from_slice(&[14, 1, 0, 0, 0, 0, 0, 0]);
        bytes[32..].copy_from_slice(&[OPTION_SOURCE_MAC, 1, 2, 0, 0, 0, 0, 7]);
        let read = |bytes: &[u8]| Icmpv6::new_checked(bytes).unwrap().solicitation();
        let mac = Mac([2, 0, 0, 0, 0, 7]);
        assert_eq!(read(&bytes), Some(Solicitation { target: A, source_mac: Some(mac) }));
        assert_eq!(read(&bytes[..24]), Some(Solicitation { target: A, source_mac: None }));
        for cut in [23, 25, 31, 39] {
            assert_eq!(read(&bytes[..cut]), None, "{cut}");
        }
        bytes[25] = 0;
        assert_eq!(read(&bytes), None);
    }
}
