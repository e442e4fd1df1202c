//! The batch area, taken for one call.
#![allow(unsafe_code, reason = "references to the parts of the batch area, and to held packets in the window")]

use super::steps::Steps;
use super::{DescIter, FreshIter, Geometry};
use crate::area;
use core::mem::offset_of;
use core::slice;
use perigee_abi::{Batch, Header, MAX_BATCH, MAX_OUTPUTS, MAX_PORTS, MAX_SPARES, PacketDesc, PortInfo};

/// The batch area in its parts, but for the counters, which are reached one by one ([`super::count`]).
pub(crate) struct Parts<'a> {
    pub(crate) header: &'a mut Header,
    pub(crate) ports: &'a [PortInfo],
    pub(crate) packets: Descs<'a>,
    pub(crate) spares: Descs<'a>,
    pub(crate) outputs: &'a mut [PacketDesc; MAX_OUTPUTS],
}

/// A reference to a part of the batch area.
///
/// # Safety
///
/// A `T` lies at `offset` in the area, and nobody else uses it while the result lives.
unsafe fn part<'a, T>(offset: usize) -> &'a mut T {
    // SAFETY:
    // - The caller promises that `offset` is inside the area, which is one allocation.
    let part = unsafe { area::batch().byte_add(offset) }.cast::<T>();
    // SAFETY:
    // - The caller promises that a `T` lies there and that nobody else uses it.
    // - Every part consists of integers only: any content is valid.
    unsafe { &mut *part }
}

impl Parts<'_> {
    /// Takes the area for one call, with `count` packets in it.
    ///
    /// # Safety
    ///
    /// There is no other `Parts`, and none is taken while this one lives.
    #[inline(always)]
    pub(crate) unsafe fn take(count: u32) -> Self {
        assert!(!area::batch().is_null(), "no host is calling");
        // SAFETY: offset and type are those of the field; the caller promises to be alone.
        let header: &mut Header = unsafe { part(offset_of!(Batch, header)) };
        // SAFETY: as above.
        let ports: &[PortInfo; MAX_PORTS] = unsafe { part(offset_of!(Batch, ports)) };
        // SAFETY: as above.
        let packets: &mut [PacketDesc; MAX_BATCH] = unsafe { part(offset_of!(Batch, packets)) };
        // SAFETY: as above.
        let spares: &mut [PacketDesc; MAX_SPARES] = unsafe { part(offset_of!(Batch, spares)) };
        // SAFETY: as above.
        let outputs = unsafe { part(offset_of!(Batch, outputs)) };
        let geometry = Geometry { window: header.window, headroom: header.headroom, room_len: header.room_len };
        Self {
            ports: &ports[..(header.port_count as usize).min(MAX_PORTS)],
            packets: Descs { descs: &mut packets[..(count as usize).min(MAX_BATCH)], geometry },
            spares: Descs { descs: &mut spares[..(header.spare_count as usize).min(MAX_SPARES)], geometry },
            outputs,
            header,
        }
    }
}

/// Descriptors that the host wrote.
pub(crate) struct Descs<'a> {
    descs: &'a mut [PacketDesc],
    geometry: Geometry,
}

impl Descs<'_> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.descs.len()
    }

    /// The packets, each once.
    #[inline]
    pub(crate) fn iter(&mut self) -> DescIter<'_> {
        DescIter::new(Steps::new(self.descs), self.geometry)
    }
}

/// The parts of a call whose packets are fresh rooms.
pub(crate) struct FreshParts<'a> {
    parts: Parts<'a>,
    /// No room was moved yet, so `room_len` bytes from `addr` on belong to each.
    untouched: bool,
}

impl<'a> FreshParts<'a> {
    /// # Safety
    ///
    /// The packets are fresh rooms: `room_len` bytes from `addr` on belong to each, and all have the same `len`.
    #[inline(always)]
    pub(crate) unsafe fn new(parts: Parts<'a>) -> Self {
        Self { parts, untouched: true }
    }

    #[inline]
    pub(crate) fn facts(&self) -> &Parts<'a> {
        &self.parts
    }

    /// Says that the generator has made its last packet.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.parts.header.finished = 1;
    }

    /// The parts, with which packets may be moved inside their rooms.
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> &mut Parts<'a> {
        self.untouched = false;
        &mut self.parts
    }

    /// Takes the rooms for packets of `len` bytes, of which the first `HEAD` are rewritten.
    #[inline]
    pub(crate) fn sized<const HEAD: usize>(&mut self, len: u16) -> Option<FreshIter<'_, HEAD>> {
        if !self.untouched || u32::from(len) > self.parts.header.room_len || usize::from(len) < HEAD {
            return None;
        }
        // As long as rooms are untouched, all have the same length. In `generate` it is what the host found after `prefill`, so
        // a module that makes packets of one size has it written by the host, and its loop need not do it.
        if self.parts.packets.descs.first().is_some_and(|desc| desc.len != len) {
            set_len(self.parts.packets.descs, len);
        }
        Some(FreshIter::new(Steps::new(self.parts.packets.descs)))
    }
}

#[cfg(feature = "config")]
impl FreshParts<'_> {
    /// Takes the rooms with the lengths that the host gave them, which fit.
    #[inline]
    pub(crate) fn any(&mut self) -> Option<FreshIter<'_, 0>> {
        self.untouched.then(|| FreshIter::new(Steps::new(self.parts.packets.descs)))
    }
}

/// Not a method: a `self` that is handed to a function must be in memory, and would be built there in each call.
#[cold]
fn set_len(descs: &mut [PacketDesc], len: u16) {
    descs.iter_mut().for_each(|desc| desc.len = len);
}

/// Bytes of the window that belong to a held packet. Nothing where they are not inside the window.
///
/// `alone` is the whole batch: while the result lives there is no packet of the batch, so even a held packet whose room
/// the host has meanwhile given to another one shares its bytes with nobody.
pub(crate) fn window_bytes<'b>(alone: &'b mut Parts<'_>, start: u32, len: u16) -> Option<&'b mut [u8]> {
    let end = start.checked_add(u32::from(len))?;
    if end > alone.header.window_len {
        return None;
    }
    let address = alone.header.window.checked_add(start)?;
    // SAFETY:
    // - `start..end` lies inside the mapped window, checked above; its bytes are initialised and any content is valid.
    // - Nobody else has a reference into the window, as said above.
    Some(unsafe { slice::from_raw_parts_mut(area::byte(address), usize::from(len)) })
}
