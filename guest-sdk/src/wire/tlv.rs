//! Options as type, length and value: one walk for all protocols that have them.

use super::Error;

/// How a protocol writes its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlvFormat {
    /// Type of one byte without length: nothing.
    pub padding: Option<u8>,
    /// Type of one byte without length: the options end here.
    pub end: Option<u8>,
    /// Bytes of the type, 1 or 2.
    pub kind_len: usize,
    /// Bytes of the length, 1 or 2.
    pub length_len: usize,
    /// The length counts so many bytes.
    pub unit: usize,
    /// The length counts type and length as well.
    pub length_is_whole: bool,
    /// Options begin at multiples of so many bytes.
    pub align: usize,
}

impl TlvFormat {
    /// Options of IPv4 and TCP (RFC 791, RFC 9293).
    pub const IP: Self =
        Self { padding: Some(1), end: Some(0), kind_len: 1, length_len: 1, unit: 1, length_is_whole: true, align: 1 };
    /// Options of neighbour discovery (RFC 4861).
    pub const ND: Self = Self { padding: None, end: None, unit: 8, ..Self::IP };
    /// Options of IPv6's hop-by-hop and destination headers (RFC 8200).
    pub const IPV6: Self = Self { padding: Some(0), end: None, length_is_whole: false, ..Self::IP };
    /// Options of DHCP (RFC 2132).
    pub const DHCP: Self = Self { padding: Some(0), end: Some(255), length_is_whole: false, ..Self::IP };
    /// Two bytes each of type and length, which counts the value: PPPoE tags, DHCPv6, RADIUS-like ones.
    pub const WORDS: Self =
        Self { padding: None, end: None, kind_len: 2, length_len: 2, length_is_whole: false, ..Self::IP };
}

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Its type.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

/// The options in some bytes, one after the other. An option that leaves them is an error, and the last item.
///
/// ```
/// use perigee_guest::wire::{Tlvs, TlvFormat};
///
/// // Of a SYN: maximum segment size, nothing, window scale.
/// let mut options = Tlvs::new(&[2, 4, 0x05, 0xb4, 1, 3, 3, 7], TlvFormat::IP);
/// let size = options.next().unwrap()?;
/// assert_eq!((size.kind, size.value), (2, &[0x05, 0xb4][..]));
/// assert_eq!(options.next().unwrap()?.value, [7]);
/// assert!(options.next().is_none());
/// # Ok::<(), perigee_guest::wire::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tlvs<'a> {
    bytes: &'a [u8],
    format: TlvFormat,
}

impl<'a> Tlvs<'a> {
    /// Those in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], format: TlvFormat) -> Self {
        Self { bytes, format }
    }

    /// How many bytes were not walked over yet.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The first option of this type.
    ///
    /// # Errors
    ///
    /// An option before it leaves the bytes.
    pub fn find_kind(mut self, kind: u16) -> Result<Option<&'a [u8]>, Error> {
        self.find_map(|option| match option {
            Ok(option) => (option.kind == kind).then_some(Ok(option.value)),
            Err(error) => Some(Err(error)),
        })
        .transpose()
    }

    fn read(&mut self) -> Result<Tlv<'a>, Error> {
        let TlvFormat { kind_len, length_len, unit, length_is_whole, align, .. } = self.format;
        let head = kind_len + length_len;
        let kind = big_endian(self.bytes.get(..kind_len).ok_or(Error)?);
        let length = usize::from(big_endian(self.bytes.get(kind_len..head).ok_or(Error)?)) * unit;
        let whole = if length_is_whole { length } else { head + length };
        // A length that does not even count its own bytes would never end.
        let value = self.bytes.get(head..whole).filter(|_| whole >= head).ok_or(Error)?;
        let next = whole.next_multiple_of(align.max(1)).min(self.bytes.len());
        self.bytes = &self.bytes[next..];
        Ok(Tlv { kind, value })
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(&first) = self.bytes.first() {
            if self.format.kind_len == 1 && self.format.padding == Some(first) {
                self.bytes = &self.bytes[1..];
                continue;
            }
            if self.format.kind_len == 1 && self.format.end == Some(first) {
                break;
            }
            let option = self.read();
            if option.is_err() {
                self.bytes = &[];
            }
            return Some(option);
        }
        None
    }
}

fn big_endian(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
}

#[cfg(test)]
mod test {
    use super::*;
    use std::vec::Vec;

    fn all(bytes: &[u8], format: TlvFormat) -> Vec<Result<(u16, usize), Error>> {
        Tlvs::new(bytes, format).map(|option| option.map(|option| (option.kind, option.value.len()))).collect()
    }

    #[test]
    fn lengths_that_lead_nowhere_end_the_walk() {
        for bytes in [&[2, 0, 0, 0][..], &[2, 1], &[2], &[2, 9, 0]] {
            assert_eq!(all(bytes, TlvFormat::IP), [Err(Error)], "{bytes:?}");
        }
        assert_eq!(all(&[1, 0, 0, 0, 0, 0, 0, 0], TlvFormat::ND), [Err(Error)]);
    }

    #[test]
    fn each_format_has_its_own_end() {
        assert_eq!(all(&[1, 1, 0, 2, 2], TlvFormat::IP), []);
        assert_eq!(all(&[0, 53, 1, 1, 255, 9], TlvFormat::DHCP), [Ok((53, 1))]);
        assert_eq!(all(&[0, 1, 2, 0, 0], TlvFormat::IPV6), [Ok((1, 2))]);
        assert_eq!(all(&[1, 1, 0, 2, 8, 9, 0, 0, 0, 0], TlvFormat::WORDS), [Ok((0x101, 2)), Ok((0, 0))]);
        assert_eq!(all(&[1, 1, 2, 0, 0, 0, 0, 1], TlvFormat::ND), [Ok((1, 6))]);
    }
}
