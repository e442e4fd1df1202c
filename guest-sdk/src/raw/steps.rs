//! The way from packet to packet.
#![allow(unsafe_code, reason = "an address becomes a descriptor")]

use super::{Fresh, Geometry, Room};
use core::marker::PhantomData;
use perigee_abi::PacketDesc;

/// Steps through descriptors by address.
///
/// Not `slice::IterMut`: in a loop LLVM takes its pointer for something to be strength-reduced, and then adds each
/// field's offset by an instruction of its own. An address that becomes a pointer anew in each step keeps the offsets
/// inside the loads and stores, where they cost nothing.
pub(super) struct Steps<'b> {
    at: usize,
    end: usize,
    descs: PhantomData<&'b mut [PacketDesc]>,
}

impl<'b> Steps<'b> {
    #[inline(always)]
    pub(super) fn new(descs: &'b mut [PacketDesc]) -> Self {
        let range = descs.as_mut_ptr_range();
        Self { at: range.start.expose_provenance(), end: range.end.expose_provenance(), descs: PhantomData }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        (self.end - self.at) / size_of::<PacketDesc>()
    }

    #[inline(always)]
    fn next(&mut self) -> Option<&'b mut PacketDesc> {
        if self.at == self.end {
            return None;
        }
        let desc = core::ptr::with_exposed_provenance_mut::<PacketDesc>(self.at);
        // SAFETY:
        // - `at` is before the slice's end, so this is at most the end itself.
        self.at = unsafe { self.at.unchecked_add(size_of::<PacketDesc>()) };
        // SAFETY:
        // - `at` was inside the slice that `new` borrowed for `'b`, a whole number of descriptors from its start.
        // - It has moved on, so nobody is given this descriptor again.
        Some(unsafe { &mut *desc })
    }
}

/// See [`Descs::iter`].
pub(crate) struct DescIter<'b> {
    steps: Steps<'b>,
    geometry: Geometry,
}

impl<'b> DescIter<'b> {
    #[inline(always)]
    pub(super) fn new(steps: Steps<'b>, geometry: Geometry) -> Self {
        Self { steps, geometry }
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Room<'b>> {
        let desc = self.steps.next()?;
        Some(Room::new(desc, self.geometry))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    #[inline]
    pub(crate) fn window(&self) -> u32 {
        self.geometry.window
    }
}

/// See [`FreshParts::sized`].
pub(crate) struct FreshIter<'b, const HEAD: usize> {
    steps: Steps<'b>,
}

impl<'b, const HEAD: usize> FreshIter<'b, HEAD> {
    #[inline(always)]
    pub(super) fn new(steps: Steps<'b>) -> Self {
        Self { steps }
    }

    /// Keeps at most `most` rooms.
    #[inline]
    pub(crate) fn limit(mut self, most: u64) -> Self {
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.len());
        self.steps.end = self.steps.at + count * size_of::<PacketDesc>();
        self
    }

    /// Address of the next descriptor; the others lie behind it in a row.
    #[cfg(feature = "config")]
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.steps.at
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Fresh<'b, HEAD>> {
        self.steps.next().map(Fresh::new)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }
}
