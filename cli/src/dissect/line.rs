//! Text that grows in memory it has already.

use perigee_guest::wire::{Field, Show};
use std::fmt;
use std::net::Ipv6Addr;
use std::ops::Range;

/// Pieces of text, one behind the other.
pub(super) struct Line(Vec<u8>);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The digits of each byte in decimal, and how many there are.
const DECIMAL: [([u8; 3], usize); 256] = {
    let mut all = [([0; 3], 0); 256];
    let mut byte = 0_u8;
    loop {
        let digits = [b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10];
        all[byte as usize] = match byte {
            0..10 => ([digits[2], 0, 0], 1),
            10..100 => ([digits[1], digits[2], 0], 2),
            _ => (digits, 3),
        };
        if byte == u8::MAX {
            break all;
        }
        byte += 1;
    }
};

/// The longest run of groups that are zero, of at least two; the first of those that are as long (RFC 5952, 4.2). Else empty.
fn longest_zeros(groups: [u16; 8]) -> Range<usize> {
    let (mut longest, mut begin) = (0..0, 0);
    for (at, group) in groups.into_iter().enumerate() {
        if group != 0 {
            begin = at + 1;
        } else if at + 1 - begin > longest.len().max(1) {
            longest = begin..at + 1;
        }
    }
    longest
}

impl Line {
    /// Empty, with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// What was written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Forgets it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// A text as it is: one of ours.
    #[inline]
    pub(super) fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A number.
    #[inline]
    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Nanoseconds since 1970 in seconds with nine digits behind the point.
    pub(super) fn seconds(&mut self, ns: i128) {
        const SECOND: u64 = 1_000_000_000;
        if ns < 0 {
            self.text("-");
        }
        // Times of packets have 64 bits, which are divided much faster.
        let ns = ns.unsigned_abs();
        let (seconds, mut rest) = match u64::try_from(ns) {
            Ok(ns) => (u128::from(ns / SECOND), ns % SECOND),
            Err(_) => (ns / u128::from(SECOND), u64::try_from(ns % u128::from(SECOND)).unwrap_or(0)),
        };
        match u64::try_from(seconds) {
            Ok(seconds) => self.number(seconds),
            Err(_) => self.number(seconds),
        }
        let mut digits = *b".000000000";
        for digit in digits[1..].iter_mut().rev() {
            *digit += (rest % 10).to_le_bytes()[0];
            rest /= 10;
        }
        self.0.extend_from_slice(&digits);
    }

    /// Bytes in hexadecimal, with `between` between them.
    pub(super) fn hex(&mut self, bytes: &[u8], between: &str) {
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 {
                self.text(between);
            }
            self.0.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        }
    }

    /// An IPv4 address.
    fn ipv4(&mut self, address: [u8; 4]) {
        let mut text = [b'.'; 16];
        let mut len = 0;
        for byte in address {
            let (digits, count) = DECIMAL[usize::from(byte)];
            text[len..len + 3].copy_from_slice(&digits);
            len += count + 1;
            text[len - 1] = b'.';
        }
        self.0.extend_from_slice(&text[..len - 1]);
    }

    /// An IPv6 address as RFC 5952 writes it. The library's way through its formatter takes four times as long.
    fn ipv6(&mut self, address: [u8; 16]) {
        let address = Ipv6Addr::from(address);
        if let Some(mapped) = address.to_ipv4_mapped() {
            self.text("::ffff:");
            return self.ipv4(mapped.octets());
        }
        let groups = address.segments();
        let zeros = longest_zeros(groups);
        let (mut text, mut len) = ([b':'; 40], 0);
        let mut at = 0;
        while at < groups.len() {
            if at == zeros.start && !zeros.is_empty() {
                // One colon ends the group before; at the beginning there is none.
                len += if at == 0 { 2 } else { 1 };
                at = zeros.end;
                continue;
            }
            let group = groups[at];
            let digits = 4 - usize::from(u8::try_from((group | 1).leading_zeros() / 4).unwrap_or(3));
            for place in (0..digits).rev() {
                text[len] = HEX[usize::from(group >> (4 * place) & 0xf)];
                len += 1;
            }
            at += 1;
            // Colons are there already.
            len += usize::from(at < groups.len());
        }
        self.0.extend_from_slice(&text[..len]);
    }

    /// A field's value in its header, which is as [`Field::show`] writes it; faster for those that most packets have.
    #[inline]
    pub(super) fn value(&mut self, field: &Field, header: &[u8]) {
        let is_whole = field.bit.is_multiple_of(8) && field.bits.is_multiple_of(8);
        let bytes = if is_whole { header.get(field.bytes()).unwrap_or_default() } else { &[] };
        match (field.show, bytes) {
            (Show::Decimal, &[a]) => self.number(a),
            (Show::Decimal, &[a, b]) => self.number(u16::from_be_bytes([a, b])),
            (Show::Decimal, &[a, b, c, d]) => self.number(u32::from_be_bytes([a, b, c, d])),
            (Show::Mac, bytes @ [_, _, _, _, _, _]) => self.mac(bytes),
            (Show::Ipv4, &[a, b, c, d]) => self.ipv4([a, b, c, d]),
            (Show::Ipv6, bytes) if bytes.len() == 16 => self.ipv6(bytes.try_into().unwrap_or_default()),
            _ => drop(field.show(header, self)),
        }
    }

    fn mac(&mut self, address: &[u8]) {
        let mut text = [b':'; 17];
        for (byte, to) in address.iter().zip(text.chunks_mut(3)) {
            (to[0], to[1]) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]);
        }
        self.0.extend_from_slice(&text);
    }
}
