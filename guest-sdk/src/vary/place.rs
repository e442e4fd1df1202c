//! Where in a packet a value is written.

/// A range of bits, counted from the first bit of the packet's first byte, as headers are drawn in RFCs. Numbers stand in
/// it in network order.
///
/// ```
/// use perigee_guest::vary::Place;
///
/// // The VLAN identifier: the lower 12 bits of the word in the bytes 14 and 15.
/// let vlan = Place::bits(14 * 8 + 4, 12).unwrap();
/// let mut bytes = [0xff; 18];
/// assert!(vlan.write(&mut bytes, 0x123));
/// assert_eq!((bytes[14], bytes[15], vlan.read(&bytes)), (0xf1, 0x23, Some(0x123)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In bits.
    offset: u32,
    /// In bits.
    width: u32,
}

impl Place {
    /// `width` bits, 1 to 128, from bit `offset` on. Nothing where the width is another, or the end is beyond 65,536
    /// bytes.
    #[must_use]
    pub const fn bits(offset: u32, width: u32) -> Option<Self> {
        if width == 0 || width > 128 || offset > (1 << 19) - width { None } else { Some(Self { offset, width }) }
    }

    /// `len` bytes, 1 to 16, from byte `offset` on.
    #[must_use]
    pub const fn bytes(offset: u16, len: u8) -> Option<Self> {
        Self::bits(offset as u32 * 8, len as u32 * 8)
    }

    /// Number of bits.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.width
    }

    /// Number of the byte behind the place's last one: the shortest packet that has the place.
    #[must_use]
    pub const fn end(self) -> u32 {
        (self.offset + self.width).div_ceil(8)
    }

    /// The place's last 64 bits, which is all of it in most cases.
    #[must_use]
    pub const fn low(self) -> Self {
        let width = if self.width > 64 { 64 } else { self.width };
        Self { offset: self.offset + self.width - width, width }
    }

    /// What is before the last 64 bits.
    #[must_use]
    pub const fn high(self) -> Option<Self> {
        if self.width > 64 { Some(Self { offset: self.offset, width: self.width - 64 }) } else { None }
    }

    /// Largest number that fits the place, or its last 64 bits.
    #[must_use]
    pub const fn max(self) -> u64 {
        u64::MAX >> (64 - self.low().width)
    }

    /// Writes the lower bits of a number into the place, or into its last 64 bits; the bits around it stay. Says whether
    /// `bytes` has the place.
    pub fn write(self, bytes: &mut [u8], value: u64) -> bool {
        Write::new(self, self.max()).write(bytes, value)
    }

    /// The number in the place, or in its last 64 bits. Nothing where `bytes` does not have it.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "masked to the place's bits, at most 64")]
    pub fn read(self, bytes: &[u8]) -> Option<u64> {
        let place = self.low();
        let part = bytes.get(place.offset as usize / 8..place.end() as usize)?;
        let number = part.iter().fold(0_u128, |number, &byte| number << 8 | u128::from(byte));
        Some((number >> place.trailing()) as u64 & place.max())
    }

    /// Bits between the place and the next byte.
    const fn trailing(self) -> u32 {
        self.end() * 8 - (self.offset + self.width)
    }
}

/// A place as it is written fastest: one word is read, changed and written back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    place: Place,
    /// Bits of the value that are written.
    mask: u64,
    /// First byte of the word.
    first: u32,
    word: Word,
    /// Bits of the word below the place.
    below: u32,
}

#[derive(Clone, Copy, Debug)]
enum Word {
    One,
    Two,
    Four,
    Eight,
    /// Nine bytes have a part of it.
    None,
}

impl Write {
    /// Writes those bits of a value into the place that `mask` has.
    pub(super) fn new(place: Place, mask: u64) -> Self {
        let place = place.low();
        let (word, len) = match place.end() - place.offset / 8 {
            1 => (Word::One, 1),
            2 => (Word::Two, 2),
            3 | 4 => (Word::Four, 4),
            5..=8 => (Word::Eight, 8),
            _ => (Word::None, 9),
        };
        // The word ends with the place, so that it does not leave a packet that ends there.
        let first = place.end().saturating_sub(len);
        let below = (first + len) * 8 - (place.offset + place.width);
        Self { place, mask: mask & place.max(), first, word, below }
    }

    /// In the host's words.
    #[cfg(feature = "config")]
    pub(super) fn plan(&self, plan: &mut perigee_abi::fields::Item) {
        plan.width = match self.word {
            Word::One => 1,
            Word::Two => 2,
            Word::Four => 4,
            Word::Eight => 8,
            Word::None => 9,
        };
        (plan.first, plan.below, plan.mask) = (self.first.into(), self.below.into(), self.mask);
    }

    /// See [`Place::end`].
    #[cfg(feature = "config")]
    pub(super) const fn end(&self) -> u32 {
        self.place.end()
    }

    /// Whether a byte has a part of the place.
    #[cfg(feature = "config")]
    pub(super) const fn has(&self, byte: usize) -> bool {
        byte >= self.place.offset as usize / 8 && byte < self.place.end() as usize
    }

    /// See [`Place::write`].
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "value and mask are shifted within the word")]
    pub(super) fn write(&self, bytes: &mut [u8], value: u64) -> bool {
        let mask = self.mask << (self.below & 63);
        let number = value;
        let value = (value & self.mask) << (self.below & 63);
        let first = self.first as usize;
        match self.word {
            Word::One => {
                if let Some(byte) = bytes.get_mut(first) {
                    *byte = *byte & !(mask as u8) | value as u8;
                    return true;
                }
            }
            Word::Two => {
                if let Some(word) = word_at(bytes, first) {
                    *word = (u16::from_be_bytes(*word) & !(mask as u16) | value as u16).to_be_bytes();
                    return true;
                }
            }
            Word::Four => {
                if let Some(word) = word_at(bytes, first) {
                    *word = (u32::from_be_bytes(*word) & !(mask as u32) | value as u32).to_be_bytes();
                    return true;
                }
            }
            Word::Eight => {
                if let Some(word) = word_at(bytes, first) {
                    *word = (u64::from_be_bytes(*word) & !mask | value).to_be_bytes();
                    return true;
                }
            }
            Word::None => {}
        }
        self.write_bytes(bytes, number)
    }

    /// Byte by byte, from the last one: where there is no word, or it is larger than the whole packet.
    #[inline(never)]
    #[allow(clippy::cast_possible_truncation, reason = "the lowest byte is wanted")]
    fn write_bytes(&self, bytes: &mut [u8], value: u64) -> bool {
        let range = self.place.offset as usize / 8..self.place.end() as usize;
        let Some(part) = bytes.get_mut(range) else { return false };
        let mut mask = u128::from(self.mask) << self.place.trailing();
        let mut value = u128::from(value & self.mask) << self.place.trailing();
        for byte in part.iter_mut().rev() {
            *byte = *byte & !(mask as u8) | value as u8;
            mask >>= 8;
            value >>= 8;
        }
        true
    }
}

#[inline]
fn word_at<const N: usize>(bytes: &mut [u8], first: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(first..)?.first_chunk_mut()
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::Lcg64;

    /// Bit by bit, as slowly and plainly as can be.
    fn write_plainly(bytes: &mut [u8], offset: u32, width: u32, value: u64) {
        for bit in 0..width.min(64) {
            let at = offset + width - 1 - bit;
            let (byte, place) = (at as usize / 8, 7 - at % 8);
            bytes[byte] = bytes[byte] & !(1 << place) | u8::from(value >> bit & 1 == 1) << place;
        }
    }

    #[test]
    fn every_place_is_written_and_read_and_its_neighbours_stay() {
        let mut random = Lcg64::new(1);
        for len in [1_usize, 2, 3, 7, 8, 9, 12, 20] {
            for width in 1..=128 {
                for offset in 0..u32::try_from(len).unwrap() * 8 {
                    let place = Place::bits(offset, width).unwrap();
                    let mut bytes = [0; 20];
                    bytes.fill_with(|| random.below(256).to_le_bytes()[0]);
                    let (mut plainly, before) = (bytes, bytes);
                    let value = random.next_u64();
                    let fits = offset + width <= u32::try_from(len).unwrap() * 8;
                    assert_eq!(place.write(&mut bytes[..len], value), fits, "{offset} {width} {len}");
                    if fits {
                        write_plainly(&mut plainly, offset, width, value);
                        assert_eq!(place.read(&bytes[..len]), Some(value & place.max()));
                    } else {
                        assert_eq!(place.read(&before[..len]), None);
                    }
                    assert_eq!(bytes, plainly, "{offset} {width} {len}");
                }
            }
        }
    }

    #[test]
    fn a_mask_keeps_the_bits_that_it_lacks() {
        let mut bytes = [0xff; 4];
        assert!(Write::new(Place::bytes(1, 2).unwrap(), 0x0ff0).write(&mut bytes, 0x1234));
        assert_eq!(bytes, [0xff, 0xf2, 0x3f, 0xff]);
    }

    #[test]
    fn places_that_cannot_be() {
        assert_eq!((Place::bits(0, 0), Place::bits(0, 129), Place::bits((1 << 19) - 7, 8)), (None, None, None));
        assert!(Place::bits((1 << 19) - 8, 8).is_some_and(|place| place.end() == 65_536));
        assert_eq!(Place::bits(u32::MAX, 8), None);
        let address = Place::bytes(22, 16).unwrap();
        assert_eq!((address.high(), address.low()), (Place::bytes(22, 8), Place::bytes(30, 8).unwrap()));
    }
}
