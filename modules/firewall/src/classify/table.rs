//! A hash table that is made once.

use super::NONE;
use alloc::vec;
use alloc::vec::Vec;

/// Numbers by keys, with open addressing. Its keys come from the configuration, never from packets: so its chains are as long as
/// they were when it was made, and the hash needs no seed.
pub(super) struct Table {
    slots: Vec<(u64, u32)>,
    shift: u32,
}

/// 2^64 by the golden ratio (Knuth, The Art of Computer Programming, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Table {
    /// Of keys that are all different, none of which has the number [`NONE`].
    pub(super) fn new(pairs: &[(u64, u32)]) -> Self {
        let places = (pairs.len() * 2).next_power_of_two().max(2);
        let shift = u64::BITS - places.trailing_zeros();
        let mut table = Self { slots: vec![(0, NONE); places], shift };
        for (key, number) in pairs {
            let mut at = table.place(*key);
            while table.slots.get(at).is_some_and(|slot| slot.1 != NONE) {
                at = (at + 1) % places;
            }
            if let Some(slot) = table.slots.get_mut(at) {
                *slot = (*key, *number);
            }
        }
        table
    }

    /// Bytes of heap.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.slots.as_slice())
    }

    /// The number of a key.
    #[inline]
    pub(super) fn get(&self, key: u64) -> Option<u32> {
        let mut at = self.place(key);
        loop {
            let (known, number) = *self.slots.get(at)?;
            if number == NONE {
                return None;
            }
            if known == key {
                return Some(number);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the upper bits, as many as there are places")]
    fn place(&self, key: u64) -> usize {
        ((key ^ key >> 32).wrapping_mul(GOLDEN) >> self.shift) as usize
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new(&[])
    }
}
