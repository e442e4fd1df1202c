//! Where a field lies in its header, as data: for dumps, tables, tests and generators that are told by name what to vary.

use core::fmt;

/// A field of a header. Bits are counted as RFCs draw them: bit 0 is the most significant bit of the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name: that of its getter.
    pub name: &'static str,
    /// Its first bit.
    pub bit: usize,
    /// How many bits it has.
    pub bits: usize,
    /// How its value is shown.
    pub show: Show,
}

/// How a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// As a number.
    Decimal,
    /// As a number that may be negative.
    Signed,
    /// As a number with `0x`.
    Hex,
    /// As a MAC address.
    Mac,
    /// As an IPv4 address.
    Ipv4,
    /// As an IPv6 address.
    Ipv6,
    /// As bytes.
    Bytes,
}

impl Field {
    /// A field at `bit`, `bits` wide.
    #[must_use]
    pub const fn new(name: &'static str, bit: usize, bits: usize, show: Show) -> Self {
        Self { name, bit, bits, show }
    }

    /// The same field of a header that begins `bytes` further behind.
    #[must_use]
    pub const fn after(mut self, bytes: usize) -> Self {
        self.bit += bytes * 8;
        self
    }

    /// The bytes in which it lies.
    #[must_use]
    pub const fn bytes(&self) -> core::ops::Range<usize> {
        self.bit / 8..(self.bit + self.bits).div_ceil(8)
    }

    /// Its value in a packet; nothing where the packet ends before it, or it has more than 128 bits.
    #[must_use]
    pub fn get(&self, packet: &[u8]) -> Option<u128> {
        let bytes = packet.get(self.bytes())?;
        if self.bits > 128 || self.bit % 8 + self.bits > 128 {
            return None;
        }
        let word = bytes.iter().fold(0, |word: u128, byte| word << 8 | u128::from(*byte));
        Some(word >> self.below() & self.mask())
    }

    /// Writes its value into a packet, and says whether it lies in it. Bits of `value` beyond its width are left out.
    pub fn set(&self, packet: &mut [u8], value: u128) -> bool {
        let Some(old) = packet.get(self.bytes()) else { return false };
        if self.bits > 128 || self.bit % 8 + self.bits > 128 {
            return false;
        }
        let word = old.iter().fold(0, |word: u128, byte| word << 8 | u128::from(*byte));
        let word = word & !(self.mask() << self.below()) | (value & self.mask()) << self.below();
        let len = self.bytes().len();
        packet[self.bytes()].copy_from_slice(&word.to_be_bytes()[16 - len..]);
        true
    }

    /// Bits of its last byte behind it.
    const fn below(&self) -> usize {
        (8 - (self.bit + self.bits) % 8) % 8
    }

    const fn mask(&self) -> u128 {
        if self.bits == 0 { 0 } else { u128::MAX >> (128 - self.bits) }
    }

    /// Writes its value in a packet as text. Nothing is written where the packet ends before it.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn show(&self, packet: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
        let Some(bytes) = packet.get(self.bytes()) else { return Ok(()) };
        let value = self.get(packet).unwrap_or(0);
        match (self.show, bytes) {
            (Show::Decimal, _) => write!(f, "{value}"),
            (Show::Hex, _) => write!(f, "{value:#0width$x}", width = 2 + self.bits.div_ceil(4)),
            (Show::Signed, _) => {
                let unused = 128 - self.bits;
                write!(f, "{}", (value << unused).cast_signed() >> unused)
            }
            (Show::Mac, &[a, b, c, d, e, g]) => write!(f, "{}", super::Mac([a, b, c, d, e, g])),
            (Show::Ipv4, &[a, b, c, d]) => write!(f, "{a}.{b}.{c}.{d}"),
            (Show::Ipv6, _) => write!(f, "{}", core::net::Ipv6Addr::from_bits(value)),
            (Show::Mac | Show::Ipv4 | Show::Bytes, bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::String;

    const ODD: Field = Field::new("odd", 5, 14, Show::Hex);

    #[test]
    fn neighbours_stay_as_they_are() {
        for start in [[0; 4], [0xff; 4], [0xa5, 0x5a, 0xc3, 0x3c]] {
            let mut bytes = start;
            assert!(ODD.set(&mut bytes, 0x7_1234));
            assert_eq!(ODD.get(&bytes), Some(0x1234));
            let outside = |bytes: [u8; 4]| u32::from_be_bytes(bytes) & !(0x3fff << 13);
            assert_eq!(outside(bytes), outside(start));
        }
    }

    #[test]
    fn a_field_behind_the_end_is_not_there() {
        assert_eq!(ODD.get(&[0; 2]), None);
        assert!(!ODD.set(&mut [0; 2], 1));
        assert_eq!(ODD.after(1).get(&[0, 0, 0]), None);
        assert_eq!(ODD.after(1).get(&[0, 7, 0xff, 0xe0]), Some(0x3fff));
    }

    #[test]
    fn values_as_text() {
        let text = |show, bits, bytes: &[u8]| {
            let mut text = String::new();
            Field::new("x", 0, bits, show).show(bytes, &mut text).unwrap();
            text
        };
        assert_eq!(text(Show::Hex, 12, &[0x0a, 0xb0]), "0x0ab");
        assert_eq!(text(Show::Signed, 16, &[0xff, 0xfe]), "-2");
        assert_eq!(text(Show::Ipv4, 32, &[10, 0, 0, 1]), "10.0.0.1");
        assert_eq!(text(Show::Mac, 48, &[2, 0, 0, 0, 0, 1]), "02:00:00:00:00:01");
        assert_eq!(text(Show::Bytes, 24, &[1, 2, 255]), "0102ff");
        assert_eq!(text(Show::Decimal, 8, &[]), "");
    }
}
