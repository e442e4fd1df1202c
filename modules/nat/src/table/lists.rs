//! The sessions of a class in the order of their last use: the one that is due first stands at the head.

use super::Tables;
use super::entries::Class;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The ends of a list; 0: it is empty.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct List {
    pub(crate) head: u32,
    pub(crate) tail: u32,
    pub(crate) len: u32,
}

impl Tables<'_> {
    /// Puts a session at the end of its class's list.
    pub(crate) fn append(&mut self, place: u32, class: Class) {
        self.sessions.at_mut(place).class = class.number();
        let Some(list) = self.head.lists.get_mut(class as usize) else { return };
        let previous = core::mem::replace(&mut list.tail, place);
        list.len += 1;
        if previous == 0 {
            list.head = place;
        } else {
            self.sessions.at_mut(previous).next = place;
        }
        let session = self.sessions.at_mut(place);
        (session.previous, session.next) = (previous, 0);
    }

    /// Takes a session out of its class's list.
    pub(crate) fn unlink(&mut self, place: u32) {
        let &mut super::Session { previous, next, class, .. } = self.sessions.at_mut(place);
        let Some(list) = self.head.lists.get_mut(usize::from(class)) else { return };
        list.len = list.len.saturating_sub(1);
        if previous == 0 {
            list.head = next;
        }
        if next == 0 {
            list.tail = previous;
        }
        if previous != 0 {
            self.sessions.at_mut(previous).next = next;
        }
        if next != 0 {
            self.sessions.at_mut(next).previous = previous;
        }
    }
}
