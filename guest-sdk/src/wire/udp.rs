//! UDP.

use super::{Error, Field, checksum, get_u16, protocol, set_u16};
use core::fmt;

mod field {
    use super::Field;
    pub(super) const SOURCE_PORT: Field = 0..2;
    pub(super) const DESTINATION_PORT: Field = 2..4;
    pub(super) const LENGTH: Field = 4..6;
    pub(super) const CHECKSUM: Field = 6..8;
}

/// Length of the header.
pub const HEADER_LEN: usize = 8;

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct Udp<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Udp<T> {
    /// A view of a datagram.
    ///
    /// # Errors
    ///
    /// It is shorter than its header or its length says.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let data = buffer.as_ref();
        if data.len() < HEADER_LEN {
            return Err(Error);
        }
        let len = usize::from(get_u16(data, field::LENGTH));
        if len < HEADER_LEN || len > data.len() { Err(Error) } else { Ok(Self { buffer }) }
    }

    /// From which port.
    #[inline]
    #[must_use]
    pub fn source_port(&self) -> u16 {
        get_u16(self.buffer.as_ref(), field::SOURCE_PORT)
    }

    /// To which port.
    #[inline]
    #[must_use]
    pub fn destination_port(&self) -> u16 {
        get_u16(self.buffer.as_ref(), field::DESTINATION_PORT)
    }

    /// Length of header and payload.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        usize::from(get_u16(self.buffer.as_ref(), field::LENGTH))
    }

    /// Whether the checksum is right. 0 means that there is none, which only IPv4 allows.
    #[must_use]
    pub fn checksum_is_good(&self, source: &[u8], destination: &[u8]) -> bool {
        let data = &self.buffer.as_ref()[..self.length()];
        let sum = checksum::pseudo_header(source, destination, protocol::UDP, data.len()) + checksum::sum(data);
        get_u16(data, field::CHECKSUM) == 0 || checksum::fold(sum) == 0xffff
    }

    /// The payload.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..self.length()]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Udp<T> {
    /// Writes a header for `payload_len` bytes, without checksum.
    ///
    /// # Errors
    ///
    /// The buffer is too short, or the datagram too long.
    pub fn emit(mut buffer: T, source_port: u16, destination_port: u16, payload_len: usize) -> Result<Self, Error> {
        let len = u16::try_from(HEADER_LEN + payload_len).map_err(|_| Error)?;
        let data = buffer.as_mut();
        if data.len() < usize::from(len) {
            return Err(Error);
        }
        set_u16(data, field::SOURCE_PORT, source_port);
        set_u16(data, field::DESTINATION_PORT, destination_port);
        set_u16(data, field::LENGTH, len);
        set_u16(data, field::CHECKSUM, 0);
        Ok(Self { buffer })
    }

    /// Writes the checksum; one that comes out as 0 is written as 0xffff, because 0 says that there is none.
    pub fn fill_checksum(&mut self, source: &[u8], destination: &[u8]) {
        let len = self.length();
        let data = &mut self.buffer.as_mut()[..len];
        set_u16(data, field::CHECKSUM, 0);
        let sum = checksum::pseudo_header(source, destination, protocol::UDP, len) + checksum::sum(data);
        let value = checksum::finish(sum);
        set_u16(data, field::CHECKSUM, if value == 0 { 0xffff } else { value });
    }

    /// The payload, to be changed.
    #[inline]
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let len = self.length();
        &mut self.buffer.as_mut()[HEADER_LEN..len]
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Udp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UDP {} > {} length {}", self.source_port(), self.destination_port(), self.length())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    const ADDRESSES: ([u8; 4], [u8; 4]) = ([10, 0, 0, 1], [10, 0, 0, 2]);

    #[test]
    fn emitted_datagrams_have_a_good_checksum() {
        let mut bytes = [0x55; 13];
        let mut datagram = Udp::emit(&mut bytes[..], 1234, 53, 5).unwrap();
        datagram.payload_mut().copy_from_slice(b"hello");
        datagram.fill_checksum(&ADDRESSES.0, &ADDRESSES.1);
        assert!(datagram.checksum_is_good(&ADDRESSES.0, &ADDRESSES.1));
        assert!(!datagram.checksum_is_good(&ADDRESSES.0, &[10, 0, 0, 3]));
        assert_eq!(datagram.to_string(), "UDP 1234 > 53 length 13");
        assert_eq!(datagram.payload(), b"hello");
    }

    #[test]
    fn lengths_must_agree() {
        let mut bytes = [0; 13];
        for len in [0, 7, 14] {
            bytes[5] = len;
            assert_eq!(Udp::new_checked(&bytes[..]).map(|_| ()), Err(Error), "{len}");
        }
        assert_eq!(Udp::emit(&mut bytes[..], 1, 2, 6).map(|_| ()), Err(Error));
    }
}
