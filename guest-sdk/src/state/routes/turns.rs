//! When what is left behind may be used again.

use crate::raw;
use perigee_abi::names;

/// Whether others look up in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    /// Nobody does: it lies in the heap.
    Alone,
    /// Others may, whose host knows how far they are: it lies in the state region.
    Shared,
}

impl Turns {
    pub(super) fn are_shared(self) -> bool {
        self == Self::Shared
    }

    /// A new turn begins: who looks from now on finds what was written before.
    pub(super) fn next(self) -> u64 {
        if self.are_shared() { raw::region(names::REGION_TURN) } else { 0 }
    }

    /// The turn that all who look have reached.
    pub(super) fn reached(self) -> u64 {
        if self.are_shared() { raw::region(names::REGION_REACHED) } else { 0 }
    }
}
