//! The Internet checksum (RFC 1071) and its change by parts (RFC 1624).
//!
//! Sums are of 16-bit words in network order, kept unfolded in 32 bits: 65,536 words fit.

/// The sum of the words of `data`; a last odd byte counts as the upper half of a word.
#[must_use]
pub fn sum(data: &[u8]) -> u32 {
    let mut sum = 0_u64;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        // Four bytes at once: the carry of the lower into the upper word is one that folding would do anyway.
        sum += u64::from(u32::from_be_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]));
    }
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    sum += u64::from(u32::from_be_bytes(last));
    u32::from(fold64(sum))
}

/// The sum of what stands before UDP, TCP and ICMPv6 for their checksums: addresses, protocol, length.
#[must_use]
pub fn pseudo_header(source: &[u8], destination: &[u8], protocol: u8, len: usize) -> u32 {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    sum(source) + sum(destination) + u32::from(protocol) + (len >> 16) + (len & 0xffff)
}

/// Folds a sum to 16 bits.
#[inline]
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "after two folds there are 16 bits left")]
pub const fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

/// The checksum that stands in the header for a sum.
#[inline]
#[must_use]
pub const fn finish(sum: u32) -> u16 {
    !fold(sum)
}

/// The checksum after a word of what it covers changed from `before` to `after`.
#[inline]
#[must_use]
pub const fn update(checksum: u16, before: u16, after: u16) -> u16 {
    finish(!checksum as u32 + !before as u32 + after as u32)
}

#[allow(clippy::cast_possible_truncation, reason = "after the folds there are 16 bits left")]
const fn fold64(sum: u64) -> u16 {
    let half = (sum & 0xffff_ffff) + (sum >> 32);
    let quarter = (half & 0xffff) + ((half >> 16) & 0xffff) + (half >> 32);
    fold(quarter as u32)
}

#[cfg(test)]
mod test {
    use super::*;

    /// The example of RFC 1071, section 3.
    const WORDS: [u8; 8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(fold(sum(&WORDS)), 0xddf2);
        assert_eq!(finish(sum(&WORDS)), 0x220d);
    }

    #[test]
    fn odd_lengths_and_long_data() {
        assert_eq!(fold(sum(&[0xab])), 0xab00);
        assert_eq!(fold(sum(&[1, 2, 3])), 0x0402);
        assert_eq!(fold(sum(&[0xff; 65_535])), 0xff00);
        for len in 0..64 {
            let data: std::vec::Vec<u8> = (0..len).map(|i| i * 37 + 5).collect();
            let slow: u32 = data.chunks(2).map(|c| u32::from(c[0]) << 8 | u32::from(*c.get(1).unwrap_or(&0))).sum();
            assert_eq!(fold(sum(&data)), fold(slow), "{len}");
        }
    }

    #[test]
    fn an_update_equals_a_new_sum() {
        let mut words = WORDS;
        for after in [0_u16, 1, 0x8000, 0xfffe, 0xffff] {
            let old = finish(sum(&words));
            let before = u16::from_be_bytes([words[2], words[3]]);
            words[2..4].copy_from_slice(&after.to_be_bytes());
            assert_eq!(update(old, before, after), finish(sum(&words)), "{after:#x}");
        }
    }
}
