//! The hash of a key, under a seed.

use crate::seed_mix;
use core::hash::{Hash, Hasher};

/// Mixes each word of a key with what came before. Two multiplications for each 64 bits, as WebAssembly has them: one of 64 by 64 bits
/// to 128, which other hashes are quick by, it has not, and four are needed for it.
#[derive(Default)]
pub(crate) struct Mixer(u64);

/// The hash of a key in a table: the same in all tables with the same seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowHash(pub(super) u32);

impl FlowHash {
    /// As a number, to be kept beside others.
    #[inline]
    #[must_use]
    pub const fn to_number(self) -> u32 {
        self.0
    }

    /// The hash that gave a number. With another number, a table finds nothing.
    #[inline]
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the lower half of a hash is a hash")]
    pub(crate) fn of<K: Hash>(key: &K, seed: u64) -> Self {
        let mut mixer = Mixer(seed);
        key.hash(&mut mixer);
        Self(mixer.0 as u32)
    }
}

impl Hasher for Mixer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            // How many there are is hashed by whoever has a number of bytes that is not fixed.
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last));
        }
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    #[inline(always)]
    fn write_u64(&mut self, number: u64) {
        self.0 = seed_mix(self.0 ^ number);
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "both halves")]
    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64);
        self.write_u64((number >> 64) as u64);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
