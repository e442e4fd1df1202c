//! Counters that the host reads and shows.

use crate::raw;

/// One of the module's counters, by its place in the batch area. Counting costs an addition in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    index: u8,
}

impl Counter {
    /// The counter at place `index`, below [`perigee_abi::MAX_COUNTERS`]. It is shown once it has a name
    /// ([`crate::Setup::counter`]).
    ///
    /// # Panics
    ///
    /// Where there is no such place; for a constant, when compiling.
    #[inline(always)]
    #[must_use]
    pub const fn at(index: usize) -> Self {
        assert!(index < perigee_abi::MAX_COUNTERS, "a module has 64 counters");
        #[allow(clippy::cast_possible_truncation, reason = "checked to be below 64")]
        Self { index: index as u8 }
    }

    /// Counts `amount` more.
    #[inline]
    pub fn add(self, amount: u64) {
        raw::count(self.index, amount);
    }

    /// The place.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}
