//! What several tests share: stacks of all headers, random packets of them, and other programs' opinions.
#![allow(dead_code, reason = "no test needs all of it")]
#![allow(unreachable_pub, reason = "a module of a test, where nothing is reached from outside")]

mod app_stacks;
mod more_stacks;
pub mod scapy;
pub mod stacks;

use perigee_guest::wire::Field;

/// Random numbers that are the same each time: xorshift64*.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub fn value(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next().to_be_bytes()[0];
        }
    }
}

/// A field's value as text in hex, without leading zeros, whatever its width.
pub fn hex_value(field: &Field, header: &[u8]) -> String {
    let text = match field.get(header) {
        Some(value) => format!("{value:x}"),
        None => hex(&header[field.bytes()]).trim_start_matches('0').to_owned(),
    };
    if text.is_empty() { "0".to_owned() } else { text }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}
