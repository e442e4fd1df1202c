//! IPv6.

use super::{Error, Field, get, get_u16, set_u16};
use core::fmt;
use core::net::Ipv6Addr;

mod field {
    use super::Field;
    pub(super) const VERSION: usize = 0;
    pub(super) const PAYLOAD_LEN: Field = 4..6;
    pub(super) const NEXT_HEADER: usize = 6;
    pub(super) const HOP_LIMIT: usize = 7;
    pub(super) const SOURCE: Field = 8..24;
    pub(super) const DESTINATION: Field = 24..40;
}

/// Length of the header without extension headers.
pub const HEADER_LEN: usize = 40;

/// The group of all nodes of a link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The group in which a node is asked for one of its addresses.
#[must_use]
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low)
}

/// An IPv6 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Ipv6<T> {
    /// A view of a packet; what follows its payload (Ethernet's padding) is not part of it.
    ///
    /// # Errors
    ///
    /// It is not IPv6, or shorter than its header or its payload length says.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        let data = buffer.as_ref();
        if data.len() < HEADER_LEN || data[field::VERSION] >> 4 != 6 {
            return Err(Error);
        }
        let end = HEADER_LEN + usize::from(get_u16(data, field::PAYLOAD_LEN));
        if end > data.len() { Err(Error) } else { Ok(Self { buffer }) }
    }

    /// Length of the payload, extension headers among it.
    #[inline]
    #[must_use]
    pub fn payload_len(&self) -> usize {
        usize::from(get_u16(self.buffer.as_ref(), field::PAYLOAD_LEN))
    }

    /// What the payload begins with ([`super::protocol`]).
    #[inline]
    #[must_use]
    pub fn next_header(&self) -> u8 {
        self.buffer.as_ref()[field::NEXT_HEADER]
    }

    /// How many routers it may pass.
    #[inline]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.buffer.as_ref()[field::HOP_LIMIT]
    }

    /// From whom.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Ipv6Addr {
        Ipv6Addr::from(get::<16>(self.buffer.as_ref(), field::SOURCE))
    }

    /// To whom.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> Ipv6Addr {
        Ipv6Addr::from(get::<16>(self.buffer.as_ref(), field::DESTINATION))
    }

    /// The payload.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer.as_ref()[HEADER_LEN..HEADER_LEN + self.payload_len()]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Ipv6<T> {
    /// Writes a header for `payload_len` bytes of `next_header`, all zero but version, lengths and hop limit. Addresses
    /// are the caller's.
    ///
    /// # Errors
    ///
    /// The buffer is too short, or the payload too long.
    pub fn emit(mut buffer: T, next_header: u8, payload_len: usize) -> Result<Self, Error> {
        let len = u16::try_from(payload_len).map_err(|_| Error)?;
        let data = buffer.as_mut();
        if data.len() < HEADER_LEN + payload_len {
            return Err(Error);
        }
        data[..HEADER_LEN].fill(0);
        data[field::VERSION] = 0x60;
        data[field::NEXT_HEADER] = next_header;
        data[field::HOP_LIMIT] = 64;
        set_u16(data, field::PAYLOAD_LEN, len);
        Ok(Self { buffer })
    }

    /// Sets how many routers it may pass.
    #[inline]
    pub fn set_hop_limit(&mut self, hop_limit: u8) {
        self.buffer.as_mut()[field::HOP_LIMIT] = hop_limit;
    }

    /// Sets from whom.
    #[inline]
    pub fn set_source(&mut self, address: Ipv6Addr) {
        self.buffer.as_mut()[field::SOURCE].copy_from_slice(&address.octets());
    }

    /// Sets to whom.
    #[inline]
    pub fn set_destination(&mut self, address: Ipv6Addr) {
        self.buffer.as_mut()[field::DESTINATION].copy_from_slice(&address.octets());
    }

    /// The payload, to be changed.
    #[inline]
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let end = HEADER_LEN + self.payload_len();
        &mut self.buffer.as_mut()[HEADER_LEN..end]
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Ipv6<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, destination) = (self.source(), self.destination());
        write!(f, "IPv6 {source} > {destination} next header {} length {}", self.next_header(), self.payload_len())
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;
    use std::vec::Vec;

    fn packet() -> Vec<u8> {
        let mut bytes = std::vec![0x60, 0, 0, 0, 0, 4, 58, 255];
        bytes.extend(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).octets());
        bytes.extend(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x12, 0x3456).octets());
        bytes.extend([1, 2, 3, 4, 0, 0]);
        bytes
    }

    #[test]
    fn fields_are_where_they_are() {
        let bytes = packet();
        let packet = Ipv6::new_checked(&bytes[..]).unwrap();
        assert_eq!(packet.to_string(), "IPv6 fe80::1 > fe80::12:3456 next header 58 length 4");
        assert_eq!((packet.payload(), packet.hop_limit()), (&[1, 2, 3, 4][..], 255));
        assert_eq!(solicited_node(packet.destination()).to_string(), "ff02::1:ff12:3456");
    }

    #[test]
    fn an_emitted_header_is_a_header() {
        let mut bytes = [0xff; 44];
        Ipv6::emit(&mut bytes[..], 58, 4).unwrap().payload_mut().fill(7);
        let packet = Ipv6::new_checked(&bytes[..]).unwrap();
        assert_eq!(packet.to_string(), "IPv6 :: > :: next header 58 length 4");
        assert_eq!((packet.payload(), packet.hop_limit()), (&[7; 4][..], 64));
    }

    #[test]
    fn lengths_must_agree() {
        let mut bytes = packet();
        assert_eq!(Ipv6::new_checked(&bytes[..43]).map(|_| ()), Err(Error));
        assert_eq!(Ipv6::emit(&mut bytes[..], 58, 7).map(|_| ()), Err(Error));
        bytes[0] = 0x45;
        assert_eq!(Ipv6::new_checked(&bytes[..]).map(|_| ()), Err(Error));
    }
}
