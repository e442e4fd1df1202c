//! The rooms of a trial's window.

use perigee_abi::SLOT_UNIT;
use perigee_core::HEADROOM;
use std::collections::VecDeque;

/// Which rooms are free. The one that was given back first is taken first, so that all of them are used.
#[derive(Debug)]
pub(super) struct Rooms {
    free: VecDeque<u32>,
    count: u32,
    stride: u32,
    room_len: u16,
}

impl Rooms {
    /// `count` rooms that take packets of `len` bytes behind their headroom.
    pub(super) fn new(count: u32, len: u16) -> Self {
        let room_len = len.saturating_add(HEADROOM);
        // As a pool's: an odd multiple of the unit.
        let units = u32::from(room_len).div_ceil(SLOT_UNIT) | 1;
        // Not one after the other: the rooms beside a packet's shall be nobody's. A step that has no factor in common with
        // the count leads to each room once.
        let step = (3..).step_by(2).find(|step| common_factor(*step, count) == 1).unwrap_or(1);
        let free = (0..count).map(|i| u32::try_from(u64::from(i) * u64::from(step) % u64::from(count)).unwrap_or(0));
        Self { free: free.collect(), count, stride: units * SLOT_UNIT, room_len }
    }

    /// Bytes that all rooms take, whole pages.
    pub(super) fn bytes(&self) -> usize {
        (self.count as usize * self.stride as usize).next_multiple_of(4_096)
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of one, headroom included.
    pub(super) fn room_len(&self) -> u16 {
        self.room_len
    }

    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    /// Where a room begins, from the window's beginning.
    pub(super) fn offset(&self, room: u32) -> u32 {
        room * self.stride
    }

    /// The room at a place of the window, and how far behind its beginning that is. Behind the last room it is one that does
    /// not exist.
    pub(super) fn at(&self, place: usize) -> (u32, usize) {
        (u32::try_from(place / self.stride as usize).unwrap_or(u32::MAX), place % self.stride as usize)
    }

    pub(super) fn take_one(&mut self) -> Option<u32> {
        self.free.pop_front()
    }

    /// Keeps the first `n` rooms by their place, the one beside the other, and forgets the others.
    pub(super) fn keep_first(&mut self, n: usize) {
        self.free.make_contiguous().sort_unstable();
        self.free.truncate(n);
    }

    pub(super) fn give_back(&mut self, room: u32) {
        self.free.push_back(room);
    }
}

/// The greatest (Euclid).
fn common_factor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_factor(b, a % b) }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn each_room_is_there_once_and_neighbours_are_apart() {
        for count in [1, 64, 1_023, 1_024, 3 * 5 * 7] {
            let mut rooms = Rooms::new(count, 1_000);
            let mut taken: Vec<u32> = std::iter::from_fn(|| rooms.take_one()).collect();
            assert!(taken.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1), "{count}");
            taken.sort_unstable();
            assert_eq!(taken, (0..count).collect::<Vec<_>>());
        }
    }
}
