//! State that is too large for the mailbox.
#![allow(unsafe_code, reason = "the host's address of the region becomes a slice")]

use crate::area;
use core::slice;

/// The flat state region: memory that goes to the instance which takes this one's place, without a copy.
///
/// A module declares it in [`module!`](crate::module!) (`region = 64 * MIB`), gets it in `init` from
/// [`Setup::region`](crate::Setup::region), and keeps it. It is all zeros then. Where the module takes the place of another
/// instance, [`restore`](crate::Module::restore) is called once the other's content is there.
///
/// Content, not addresses: pointers into it mean nothing in another instance, nor does the layout of a Rust type, but for
/// arrays of numbers and what is `#[repr(C)]`. So it is bytes.
pub struct Region {
    at: u32,
    len: u32,
}

impl Region {
    /// The region, where there is one and nobody has it yet.
    pub(crate) fn take(at: u32, len: u32) -> Option<Self> {
        (at != 0 && area::take_region()).then_some(Self { at, len })
    }

    /// Two regions of one, the first of `len` bytes, rounded down to whole pages of 4,096: for two tables.
    #[must_use]
    pub fn split_at(self, len: usize) -> (Self, Self) {
        let len = u32::try_from(len).unwrap_or(u32::MAX).min(self.len) / 4096 * 4096;
        (Self { at: self.at, len }, Self { at: self.at + len, len: self.len - len })
    }

    /// Its bytes, to be read.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let start = area::byte(self.at);
        // SAFETY:
        // - As in `bytes`. Two regions of one do not overlap, and nobody can change the bytes while this one is borrowed.
        unsafe { slice::from_raw_parts(start, self.len as usize) }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&mut self) -> &mut [u8] {
        let start = area::byte(self.at);
        // SAFETY:
        // - The host maps `len` bytes there, inside a range that the module declared for nothing else.
        // - There is one `Region` in an instance (`take`), and it is borrowed as long as the slice lives; the host changes the
        //   bytes between two calls only.
        unsafe { slice::from_raw_parts_mut(start, self.len as usize) }
    }
}
