//! Arrays whose places are taken and given back.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What stands in a slab: it has links by which it is in chains.
pub(crate) trait Entry: Copy + FromBytes {
    fn link(&self, which: usize) -> u32;
    fn set_link(&mut self, which: usize, to: u32);
}

/// Which places are free.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Slots {
    /// The first place that was given back; they are chained by their first link.
    free: u32,
    /// Places that were ever taken: those behind were never touched.
    touched: u32,
    /// Places that are taken now.
    pub(crate) len: u32,
}

/// Entries at places from 1; what stands at place 0 is nobody's.
pub(crate) struct Slab<'a, T> {
    entries: &'a mut [T],
}

impl<'a, T: Entry> Slab<'a, T> {
    /// `entries` has one place more than there can be entries.
    pub(crate) fn new(entries: &'a mut [T]) -> Self {
        Self { entries }
    }

    /// The entry at a place. What is not there reads as the nobody at place 0.
    #[inline]
    pub(crate) fn at(&self, place: u32) -> &T {
        self.entries.get(place as usize).unwrap_or(&self.entries[0])
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, place: u32) -> &mut T {
        let place = place as usize;
        let place = if place < self.entries.len() { place } else { 0 };
        &mut self.entries[place]
    }

    /// Most entries.
    pub(crate) fn capacity(&self) -> u32 {
        u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes a place, all zeros. Nothing where all are taken.
    pub(crate) fn take(&mut self, slots: &mut Slots) -> Option<u32> {
        let place = if slots.free != 0 {
            let place = slots.free;
            slots.free = self.at(place).link(0);
            place
        } else if slots.touched < self.capacity() {
            slots.touched += 1;
            slots.touched
        } else {
            return None;
        };
        slots.len += 1;
        *self.at_mut(place) = T::new_zeroed();
        Some(place)
    }

    /// Gives a place back.
    pub(crate) fn give(&mut self, slots: &mut Slots, place: u32) {
        self.at_mut(place).set_link(0, slots.free);
        slots.free = place;
        slots.len = slots.len.saturating_sub(1);
    }
}
