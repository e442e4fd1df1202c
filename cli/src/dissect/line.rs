//! Text that grows in memory it has already.

use perigee_guest::wire::{Field, Show};
use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;

/// Pieces of text, one behind the other.
pub(super) struct Line(Vec<u8>);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

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
        for (at, byte) in address.into_iter().enumerate() {
            if at > 0 {
                self.text(".");
            }
            self.number(byte);
        }
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
            (Show::Ipv6, bytes) if bytes.len() == 16 => {
                let address: [u8; 16] = bytes.try_into().unwrap_or_default();
                // Memory takes all that is written.
                let _ = write!(self, "{}", Ipv6Addr::from(address));
            }
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
