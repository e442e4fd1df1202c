//! A packet's bytes, found by its descriptor.
#![allow(unsafe_code, reason = "descriptors become slices")]

use super::Geometry;
use crate::area;
use core::slice;
use perigee_abi::{PacketDesc, SLOT_UNIT};

/// A fresh room whose packet has at least `HEAD` bytes.
pub(crate) struct Fresh<'b, const HEAD: usize> {
    desc: &'b mut PacketDesc,
}

impl<'b, const HEAD: usize> Fresh<'b, HEAD> {
    #[inline(always)]
    pub(super) fn new(desc: &'b mut PacketDesc) -> Self {
        Self { desc }
    }

    /// The first bytes, without a check: it was made once for all rooms.
    #[inline]
    pub(crate) fn head_mut(&mut self) -> &mut [u8; HEAD] {
        // SAFETY:
        // - `FreshIter` gives out a descriptor once, and its room has `len` >= `HEAD` bytes (checked in `sized`).
        // - `[u8; HEAD]` has alignment 1, and any content is valid.
        unsafe { &mut *area::byte(self.desc.addr).cast() }
    }

    /// The whole packet.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY:
        // - `FreshIter` gives out a descriptor once, and its `len` fits its room (written or compared in `sized`).
        // - The result borrows `self` mutably, so there is no other reference to the same bytes.
        unsafe { slice::from_raw_parts_mut(area::byte(self.desc.addr), usize::from(self.desc.len)) }
    }

    /// See [`Room::facts`].
    #[inline]
    pub(crate) fn facts(&mut self) -> Facts<'_> {
        Facts(self.desc)
    }

    /// Volatile, because of a loop that writes nothing else LLVM makes one of vectors, which are taken apart again to be stored,
    /// lane by lane: that takes twice as long.
    #[inline]
    pub(crate) fn set_verdict(&mut self, verdict: u32) {
        // SAFETY:
        // - The place is a field of a descriptor that is borrowed mutably.
        unsafe { (&raw mut self.desc.verdict).write_volatile(verdict) };
    }
}

/// A packet's descriptor together with its bytes.
pub(crate) struct Room<'b> {
    desc: &'b mut PacketDesc,
    geometry: Geometry,
}

impl<'b> Room<'b> {
    #[inline(always)]
    pub(super) fn new(desc: &'b mut PacketDesc, geometry: Geometry) -> Self {
        Self { desc, geometry }
    }

    #[inline]
    pub(crate) fn desc(&self) -> &PacketDesc {
        self.desc
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY:
        // - `addr` and `len` lie inside the packet's room (see `super`), and the room is this packet's.
        // - The result borrows `self`, so there is no `&mut` to the same bytes.
        unsafe { slice::from_raw_parts(area::byte(self.desc.addr), usize::from(self.desc.len)) }
    }

    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY:
        // - `addr` and `len` lie inside the packet's room (see `super`), and the room is this packet's.
        // - The result borrows `self` mutably, so there is no other reference to the same bytes.
        unsafe { slice::from_raw_parts_mut(area::byte(self.desc.addr), usize::from(self.desc.len)) }
    }

    /// Bytes of the room before the packet.
    #[inline]
    pub(crate) fn headroom(&self) -> u32 {
        let start = self.desc.slot.wrapping_mul(SLOT_UNIT).wrapping_add(self.geometry.window);
        self.desc.addr.saturating_sub(start)
    }

    /// Bytes of the room from the packet's first byte on.
    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        (self.geometry.headroom + self.geometry.room_len).saturating_sub(self.headroom())
    }

    /// Makes the packet `len` bytes long, at its end.
    #[inline]
    pub(crate) fn set_len(&mut self, len: u16) -> bool {
        let fits = len <= self.desc.len || u32::from(len) <= self.capacity();
        if fits {
            self.desc.len = len;
        }
        fits
    }

    /// Makes the packet `count` bytes longer at its beginning.
    #[inline]
    pub(crate) fn grow_front(&mut self, count: u16) -> bool {
        let Some(len) = self.desc.len.checked_add(count) else { return false };
        if u32::from(count) > self.headroom() {
            return false;
        }
        self.desc.addr -= u32::from(count);
        self.desc.len = len;
        true
    }

    /// Makes the packet `count` bytes shorter at its beginning.
    #[inline]
    pub(crate) fn shrink_front(&mut self, count: u16) -> bool {
        let Some(len) = self.desc.len.checked_sub(count) else { return false };
        self.desc.addr += u32::from(count);
        self.desc.len = len;
        true
    }

    /// Everything of the descriptor that is not the bytes' place and may be changed freely.
    #[inline]
    pub(crate) fn facts(&mut self) -> Facts<'_> {
        Facts(self.desc)
    }

    #[inline]
    pub(crate) fn set_verdict(&mut self, verdict: u32) {
        self.desc.verdict = verdict;
    }

    /// Which descriptor of its array this is: its distance from `first`, the array's offset in the area.
    pub(crate) fn index(&self, first: usize) -> u32 {
        let base = area::batch().addr() + first;
        let index = (core::ptr::from_ref::<PacketDesc>(self.desc).addr() - base) / size_of::<PacketDesc>();
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Where the packet begins, counted from the window's start: true in other windows too.
    pub(crate) fn start(&self) -> u32 {
        self.desc.addr.wrapping_sub(self.geometry.window)
    }
}

/// The fields of a descriptor that a module may set to anything.
pub(crate) struct Facts<'b>(&'b mut PacketDesc);

impl Facts<'_> {
    #[inline]
    pub(crate) fn set_mark(&mut self, mark: u32) {
        self.0.mark = mark;
    }

    #[inline]
    pub(crate) fn set_tx_flags(&mut self, flags: u32) {
        self.0.tx_flags = flags;
    }

    #[inline]
    pub(crate) fn set_layers(&mut self, l2_len: u8, l3_len: u8) {
        self.0.l2_len = l2_len;
        self.0.l3_len = l3_len;
    }

    #[inline]
    pub(crate) fn set_vlan(&mut self, tci: u16) {
        self.0.vlan = tci;
    }

    #[inline]
    pub(crate) fn set_queue(&mut self, queue: u16) {
        self.0.queue = queue;
    }

    #[inline]
    pub(crate) fn set_time(&mut self, time: u64) {
        self.0.time = time;
    }

    #[inline]
    pub(crate) fn set_stamp(&mut self, offset: u16) {
        self.0.stamp = offset;
    }
}
