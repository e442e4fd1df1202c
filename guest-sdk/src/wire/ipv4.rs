//! IPv4.

use super::{Error, Field, checksum, get, get_u16, set_u16};
use core::fmt;
use core::net::Ipv4Addr;

mod field {
    use super::Field;
    pub(super) const VERSION_LEN: usize = 0;
    pub(super) const TOTAL_LEN: Field = 2..4;
    pub(super) const ID: Field = 4..6;
    pub(super) const FRAGMENT: Field = 6..8;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const CHECKSUM: Field = 10..12;
    pub(super) const SOURCE: Field = 12..16;
    pub(super) const DESTINATION: Field = 16..20;
}

/// Length of the header without options.
pub const HEADER_LEN: usize = 20;

/// Option of one byte: the options end here.
pub const OPTION_END: u8 = 0;
/// Option of one byte: nothing.
pub const OPTION_NOTHING: u8 = 1;

/// An IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Ipv4<T> {
    /// A view of a packet; what follows its total length (Ethernet's padding) is not part of it.
    ///
    /// # Errors
    ///
    /// It is not IPv4, or is shorter than its header or its total length says, or these contradict each other.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let data = buffer.as_ref();
        if data.len() < HEADER_LEN || data[field::VERSION_LEN] >> 4 != 4 {
            return Err(Error);
        }
        let packet = Self { buffer };
        let (header, total) = (packet.header_len(), packet.total_len());
        if header < HEADER_LEN || header > total || total > packet.buffer.as_ref().len() {
            return Err(Error);
        }
        Ok(packet)
    }

    /// Length of the header with its options.
    #[inline]
    #[must_use]
    pub fn header_len(&self) -> usize {
        usize::from(self.buffer.as_ref()[field::VERSION_LEN] & 0xf) * 4
    }

    /// Length of header and payload.
    #[inline]
    #[must_use]
    pub fn total_len(&self) -> usize {
        usize::from(get_u16(self.buffer.as_ref(), field::TOTAL_LEN))
    }

    /// Whether this is a part of a packet: the first one too.
    #[inline]
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        // Offset and "more fragments"; not "don't fragment".
        get_u16(self.buffer.as_ref(), field::FRAGMENT) & 0x3fff != 0
    }

    /// How many routers it may pass.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.buffer.as_ref()[field::TTL]
    }

    /// What it carries ([`super::protocol`]).
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.buffer.as_ref()[field::PROTOCOL]
    }

    /// From whom.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Ipv4Addr {
        Ipv4Addr::from(get::<4>(self.buffer.as_ref(), field::SOURCE))
    }

    /// To whom.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from(get::<4>(self.buffer.as_ref(), field::DESTINATION))
    }

    /// Whether the header's checksum is right.
    #[must_use]
    pub fn checksum_is_good(&self) -> bool {
        checksum::fold(checksum::sum(&self.buffer.as_ref()[..self.header_len()])) == 0xffff
    }

    /// The options: what the header has behind its fixed part.
    #[inline]
    #[must_use]
    pub fn options(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..self.header_len()]
    }

    /// The payload.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[self.header_len()..self.total_len()]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Ipv4<T> {
    /// Writes a header without options for `payload_len` bytes of `protocol`, all zero but version, lengths and
    /// time to live. Addresses and checksum are the caller's.
    ///
    /// # Errors
    ///
    /// The buffer is too short, or the packet too long.
    pub fn emit(mut buffer: T, protocol: u8, payload_len: usize) -> Result<Self, Error> {
        let total = u16::try_from(HEADER_LEN + payload_len).map_err(|_| Error)?;
        let data = buffer.as_mut();
        if data.len() < usize::from(total) {
            return Err(Error);
        }
        data[..HEADER_LEN].fill(0);
        data[field::VERSION_LEN] = 0x45;
        data[field::TTL] = 64;
        data[field::PROTOCOL] = protocol;
        set_u16(data, field::TOTAL_LEN, total);
        Ok(Self { buffer })
    }

    /// Sets the identification.
    #[inline]
    pub fn set_id(&mut self, id: u16) {
        set_u16(self.buffer.as_mut(), field::ID, id);
    }

    /// Sets how many routers it may pass.
    #[inline]
    pub fn set_ttl(&mut self, ttl: u8) {
        self.buffer.as_mut()[field::TTL] = ttl;
    }

    /// Sets from whom.
    #[inline]
    pub fn set_source(&mut self, address: Ipv4Addr) {
        self.buffer.as_mut()[field::SOURCE].copy_from_slice(&address.octets());
    }

    /// Sets to whom.
    #[inline]
    pub fn set_destination(&mut self, address: Ipv4Addr) {
        self.buffer.as_mut()[field::DESTINATION].copy_from_slice(&address.octets());
    }

    /// Writes the header's checksum.
    pub fn fill_checksum(&mut self) {
        let header_len = self.header_len();
        let data = self.buffer.as_mut();
        set_u16(data, field::CHECKSUM, 0);
        let sum = checksum::sum(&data[..header_len]);
        set_u16(data, field::CHECKSUM, checksum::finish(sum));
    }

    /// The payload, to be changed.
    #[inline]
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let range = self.header_len()..self.total_len();
        &mut self.buffer.as_mut()[range]
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Ipv4<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, destination) = (self.source(), self.destination());
        write!(f, "IPv4 {source} > {destination} protocol {} length {}", self.protocol(), self.total_len())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    /// From a ping of the Linux kernel, with four bytes of payload and two of padding.
    const PACKET: [u8; 26] =
        [0x45, 0, 0, 24, 0x12, 0x34, 0x40, 0, 64, 1, 0x14, 0xaf, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 0, 0];

    #[test]
    fn fields_are_where_they_are() {
        let packet = Ipv4::new_checked(&PACKET[..]).unwrap();
        assert_eq!(packet.to_string(), "IPv4 10.0.0.1 > 10.0.0.2 protocol 1 length 24");
        assert_eq!(packet.payload(), [1, 2, 3, 4]);
        assert!(!packet.is_fragment());
        assert!(packet.checksum_is_good());
    }

    #[test]
    fn lengths_must_agree() {
        assert_eq!(Ipv4::new_checked(&PACKET[..23]).map(|_| ()), Err(Error));
        for (at, value) in [(0, 0x44), (0, 0x65), (0, 0x47), (3, 19), (3, 27)] {
            let mut bytes = PACKET;
            bytes[at] = value;
            assert_eq!(Ipv4::new_checked(&bytes[..]).map(|_| ()), Err(Error), "{at} {value}");
        }
    }

    #[test]
    fn emitted_packets_have_a_good_checksum() {
        let mut bytes = PACKET;
        let mut packet = Ipv4::emit(&mut bytes[..], 1, 4).unwrap();
        packet.set_source(Ipv4Addr::new(10, 0, 0, 1));
        packet.set_destination(Ipv4Addr::new(10, 0, 0, 2));
        packet.set_id(0x1234);
        packet.fill_checksum();
        assert!(packet.checksum_is_good());
        packet.set_ttl(63);
        assert!(!packet.checksum_is_good());
        assert_eq!(Ipv4::emit(&mut bytes[..], 1, 7).map(|_| ()), Err(Error));
    }
}
