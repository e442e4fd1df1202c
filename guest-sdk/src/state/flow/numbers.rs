//! Numbers of a table.

use super::{FlowTable, Slot};

impl<K, V> FlowTable<K, V> {
    /// Number of flows.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Most flows that there can be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.limits.capacity() as usize
    }

    /// Flows that had to go for another one.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Flows that were not made, because there was no room and none had to go for them.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many of the evicted and refused ones met a full chain in a table that was not full: keys that were chosen to
    /// collide.
    #[must_use]
    pub fn crowded(&self) -> u64 {
        self.crowded
    }

    /// Bytes of heap for a table of `capacity` flows.
    #[must_use]
    pub const fn bytes(capacity: usize) -> usize {
        capacity * size_of::<Slot<K, V>>() + capacity.next_power_of_two() * size_of::<u32>()
    }
}
