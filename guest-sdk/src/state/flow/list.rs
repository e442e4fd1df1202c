//! Lists through the slots of a table.

use super::{FlowTable, NONE, Slot};

/// Which of a flow's two lists.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// In the order of last use.
    Used,
    /// In the order in which they were made.
    Created,
}

/// A flow's neighbours in a list.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) previous: u32,
    pub(super) next: u32,
}

impl Link {
    pub(super) const EMPTY: Self = Self { previous: NONE, next: NONE };
}

/// The ends of a list.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };
}

impl<K, V> FlowTable<K, V> {
    #[inline]
    fn link(&mut self, which: Which, at: u32) -> Option<&mut Link> {
        self.slots.get_mut(at as usize).map(|slot: &mut Slot<K, V>| &mut slot.links[which as usize])
    }

    /// Puts a flow that is in no place of the list at its end.
    #[inline]
    pub(super) fn append(&mut self, which: Which, at: u32) {
        let previous = core::mem::replace(&mut self.lists[which as usize].tail, at);
        match self.link(which, previous) {
            Some(link) => link.next = at,
            None => self.lists[which as usize].head = at,
        }
        if let Some(link) = self.link(which, at) {
            *link = Link { previous, next: NONE };
        }
    }

    /// Takes a flow out of the list.
    #[inline]
    pub(super) fn unlink(&mut self, which: Which, at: u32) {
        let Some(&mut Link { previous, next }) = self.link(which, at) else { return };
        match self.link(which, previous) {
            Some(link) => link.next = next,
            None => self.lists[which as usize].head = next,
        }
        match self.link(which, next) {
            Some(link) => link.previous = previous,
            None => self.lists[which as usize].tail = previous,
        }
    }
}
