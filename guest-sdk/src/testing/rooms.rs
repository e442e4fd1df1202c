//! The test host's packet rooms.

use super::{Output, Run};
use crate::verdict::Verdict;
use perigee_abi::{PacketDesc, SLOT_UNIT, WINDOW_ALIGN, tx_flags, verdict};
use std::boxed::Box;
use std::cell::Cell;
use std::vec::Vec;

/// Address of the window: not 0, so that an offset taken for an address is found.
pub(super) const WINDOW: u32 = WINDOW_ALIGN;
/// Bytes before a fresh packet.
pub(super) const HEADROOM: u32 = 128;
/// Rooms for packets.
pub(super) const ROOM_COUNT: usize = 512;
/// The first spare room, behind those for packets.
pub(super) const SPARE_FIRST: usize = ROOM_COUNT;
/// What fresh rooms are full of, so that a module that reads what it should not is found.
const GARBAGE: u8 = 0xee;

/// Rooms one behind the other.
pub(super) struct Rooms {
    window: Box<[Cell<u8>]>,
    stride: u32,
    next: usize,
}

impl Rooms {
    pub(super) fn new(room_len: u32) -> Self {
        let stride = (HEADROOM + room_len).next_multiple_of(SLOT_UNIT);
        let len = stride as usize * (ROOM_COUNT + perigee_abi::MAX_SPARES);
        // The module's addresses begin at `WINDOW`, so there is unused memory before the rooms.
        let window = (0..WINDOW as usize + len).map(|_| Cell::new(GARBAGE)).collect();
        Self { window, stride, next: 0 }
    }

    pub(super) fn window(&self) -> &[Cell<u8>] {
        &self.window
    }

    pub(super) fn window_len(&self) -> u32 {
        u32::try_from(self.window.len()).unwrap_or(u32::MAX) - WINDOW
    }

    /// Rooms that nobody has, in turn, so that a packet seldom finds the room of the one before it.
    pub(super) fn take(&mut self, count: usize, held: &[(u32, u32)]) -> Vec<usize> {
        let mut rooms = Vec::new();
        while rooms.len() < count {
            let room = self.next % ROOM_COUNT;
            self.next += 1;
            if held.iter().all(|(slot, _)| *slot != self.place(room).slot) {
                rooms.push(room);
            }
        }
        rooms
    }

    /// Slot and address of a fresh packet in a room.
    pub(super) fn place(&self, room: usize) -> PacketDesc {
        let start = u32::try_from(room).unwrap_or(u32::MAX) * self.stride;
        PacketDesc { slot: start / SLOT_UNIT, addr: WINDOW + start + HEADROOM, ..PacketDesc::default() }
    }

    /// Writes a packet into a room.
    pub(super) fn fill(&self, room: usize, bytes: &[u8]) {
        let start = room * self.stride as usize + WINDOW as usize;
        let packet = start + HEADROOM as usize;
        assert!(bytes.len() <= (self.stride - HEADROOM) as usize, "the packet is longer than a room");
        for cell in &self.window[start..start + self.stride as usize] {
            cell.set(GARBAGE);
        }
        for (cell, byte) in self.window[packet..].iter().zip(bytes) {
            cell.set(*byte);
        }
    }

    /// Reads what a descriptor says, and checks it as the real host does.
    pub(super) fn read(&self, desc: &PacketDesc, run: &Run) -> Output {
        let start = WINDOW + desc.slot * SLOT_UNIT;
        let end = desc.addr + u32::from(desc.len);
        assert!(start <= desc.addr && end <= start + HEADROOM + run.room_len, "outside of its room: {desc:?}");
        assert!(desc.tx_flags & !tx_flags::ALL == 0, "unknown tx flags: {desc:?}");
        let argument = usize::from(verdict::argument(desc.verdict));
        match verdict::kind(desc.verdict) {
            verdict::TX => assert!(argument < run.ports.len(), "no such port: {desc:?}"),
            verdict::RING => assert!(argument < run.rings as usize, "no such ring: {desc:?}"),
            kind => assert!(kind <= verdict::LISTED && argument == 0, "no such verdict: {desc:?}"),
        }
        let cells = &self.window[desc.addr as usize..end as usize];
        let bytes = cells.iter().map(Cell::get).collect();
        Output { bytes, verdict: Verdict::from_bits(desc.verdict), desc: *desc }
    }
}
