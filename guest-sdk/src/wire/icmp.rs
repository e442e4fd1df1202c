//! ICMP, as far as it is asked and answered.

use super::{Error, Field, checksum, get_u16, set_u16};
use core::fmt;

mod field {
    use super::Field;
    pub(super) const KIND: usize = 0;
    pub(super) const CODE: usize = 1;
    pub(super) const KIND_AND_CODE: Field = 0..2;
    pub(super) const CHECKSUM: Field = 2..4;
}

/// Length of the header of an echo.
pub const HEADER_LEN: usize = 8;

/// Are you there?
pub const ECHO_REQUEST: u8 = 8;
/// I am.
pub const ECHO_REPLY: u8 = 0;

/// An ICMP message.
#[derive(Clone, Copy, Debug)]
pub struct Icmp<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Icmp<T> {
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
    pub fn checksum_is_good(&self) -> bool {
        checksum::fold(checksum::sum(self.buffer.as_ref())) == 0xffff
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Icmp<T> {
    /// Sets the type, and changes the checksum by as much.
    pub fn set_kind(&mut self, kind: u8) {
        let data = self.buffer.as_mut();
        let before = get_u16(data, field::KIND_AND_CODE);
        data[field::KIND] = kind;
        let after = get_u16(data, field::KIND_AND_CODE);
        let value = checksum::update(get_u16(data, field::CHECKSUM), before, after);
        set_u16(data, field::CHECKSUM, value);
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Icmp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ICMP type {} code {}", self.kind(), self.code())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    /// An echo request with three bytes of data: an odd length.
    const REQUEST: [u8; 11] = [8, 0, 0, 0, 0x12, 0x34, 0, 1, b'a', b'b', b'c'];

    #[test]
    fn a_reply_keeps_a_good_checksum() {
        let mut bytes = REQUEST;
        let sum = checksum::finish(checksum::sum(&bytes));
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut icmp = Icmp::new_checked(&mut bytes[..]).unwrap();
        assert!(icmp.checksum_is_good());
        icmp.set_kind(ECHO_REPLY);
        assert!(icmp.checksum_is_good());
        assert_eq!(icmp.to_string(), "ICMP type 0 code 0");
        bytes[10] ^= 1;
        assert!(!Icmp::new_checked(&bytes[..]).unwrap().checksum_is_good());
    }

    #[test]
    fn short_messages_are_refused() {
        assert_eq!(Icmp::new_checked(&REQUEST[..7]).map(|_| ()), Err(Error));
    }
}
