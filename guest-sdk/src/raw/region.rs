//! State that is too large for the mailbox.
#![allow(unsafe_code, reason = "the host's address of the region becomes a slice")]

use super::host;
use core::slice;
#[cfg(feature = "state")]
use core::sync::atomic::AtomicU64;
use perigee_abi::names;
use place::Place;

/// The flat state region: memory that goes to the instance which takes this one's place, without a copy.
///
/// A module declares it in [`module!`](crate::module!) (`region = 64 * MIB`), gets it in `init` from
/// [`Setup::region`](crate::Setup::region), and keeps it. It is all zeros then. Where the module takes the place of another
/// instance, [`restore`](crate::Module::restore) is called once the other's content is there.
///
/// Content, not addresses: pointers into it mean nothing in another instance, nor does the layout of a Rust type, but for
/// arrays of numbers and what is `#[repr(C)]`. So it is bytes.
///
/// **Of another module.** Where the operator grants `state_of = "NAME"`, the region is that of the one instance of another module, to
/// read: what that instance writes is seen here, at once. [`RouteTable`](crate::state::RouteTable) and
/// [`SharedWords`](crate::state::SharedWords) are made for that.
pub struct Region {
    place: Place,
    is_anothers: bool,
}

impl Region {
    /// The region, where there is one and nobody has it yet.
    pub(crate) fn take(at: u32, len: u32) -> Option<Self> {
        let is_anothers = host::region(names::REGION_WHOSE) == names::REGION_OTHERS;
        Some(Self { place: Place::take(at, len)?, is_anothers })
    }

    /// It is another module's, which goes on writing it: here it is read.
    #[must_use]
    pub fn is_anothers(&self) -> bool {
        self.is_anothers
    }

    /// Two regions of one, the first of `len` bytes, rounded down to whole pages of 4,096: for two tables.
    #[must_use]
    pub fn split_at(self, len: usize) -> (Self, Self) {
        let (first, rest) = self.place.split_at(len / 4096 * 4096);
        (Self { place: first, ..self }, Self { place: rest, ..self })
    }

    /// Its bytes: none, where it is another's.
    #[must_use]
    pub fn bytes(&mut self) -> &mut [u8] {
        let (start, len) = if self.is_anothers { (core::ptr::dangling_mut(), 0) } else { self.place.bytes() };
        // SAFETY:
        // - The host maps `len` bytes there, inside a range that the module declared for nothing else.
        // - There is one `Region` in an instance (`take`), two of one do not overlap, and it is borrowed as long as the slice lives; the
        //   host changes the bytes between two calls only. Others who map them read them by words, of their own memory's.
        unsafe { slice::from_raw_parts_mut(start, len) }
    }

    /// Its words, which others may read or write meanwhile.
    #[cfg(feature = "state")]
    #[inline]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        let (start, len) = self.place.bytes();
        // SAFETY:
        // - As in `bytes`; it begins at a multiple of 4,096 bytes, or was split there, so it is words.
        // - Words may be changed by others while the slice lives, each as a whole.
        unsafe { slice::from_raw_parts(start.cast_const().cast(), len / size_of::<AtomicU64>()) }
    }
}

#[cfg(target_arch = "wasm32")]
mod place {
    use crate::area;

    /// Where it lies in the module's memory.
    #[derive(Clone, Copy)]
    pub(super) struct Place {
        at: u32,
        len: u32,
    }

    impl Place {
        pub(super) fn take(at: u32, len: u32) -> Option<Self> {
            (at != 0 && area::take_region()).then_some(Self { at, len })
        }

        pub(super) fn split_at(self, len: usize) -> (Self, Self) {
            let len = u32::try_from(len).unwrap_or(u32::MAX).min(self.len);
            (Self { at: self.at, len }, Self { at: self.at + len, len: self.len - len })
        }

        #[inline(always)]
        pub(super) fn bytes(&self) -> (*mut u8, usize) {
            (area::byte(self.at), self.len as usize)
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod place {
    use crate::testing::{Laid, region_here};

    /// Where it lies in memory that a test has made.
    pub(super) struct Place {
        laid: Laid,
        at: usize,
        len: usize,
    }

    impl Place {
        pub(super) fn take(_at: u32, _len: u32) -> Option<Self> {
            let laid = region_here()?;
            let len = laid.memory().words().len() * size_of::<u64>();
            Some(Self { laid, at: 0, len })
        }

        pub(super) fn split_at(self, len: usize) -> (Self, Self) {
            let len = len.min(self.len);
            let first = Self { laid: self.laid.clone(), at: self.at, len };
            (first, Self { at: self.at + len, len: self.len - len, ..self })
        }

        pub(super) fn bytes(&self) -> (*mut u8, usize) {
            // What is laid there once is kept as long as this is.
            let start = self.laid.memory().words().as_ptr().cast_mut().cast::<u8>();
            (start.wrapping_add(self.at), self.len)
        }
    }
}
