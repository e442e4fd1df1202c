//! Packets that are under way, each with the time when it is due.

use alloc::collections::{BinaryHeap, VecDeque};
use core::cmp::{Ordering, Reverse};
use perigee_guest::Held;
use perigee_guest::state::NoMemory;

/// A packet that is under way.
pub(crate) struct Flying {
    /// When it arrives, in nanoseconds.
    pub(crate) due: u64,
    /// It arrives twice.
    pub(crate) twice: bool,
    pub(crate) held: Held,
}

/// All packets that are under way.
///
/// Those that keep their order are due one after the other, so a queue is enough. Those that are to be overtaken are few, and
/// have a heap.
pub(crate) struct Flight {
    in_order: VecDeque<Flying>,
    late: BinaryHeap<Reverse<Late>>,
    has_late: bool,
    /// Packets that may be under way.
    limit: usize,
    quota: u32,
    /// Packets that were overtaken so far.
    count: u64,
}

/// One that is overtaken. Of two that are due at the same time, the one that was sent first arrives first.
struct Late {
    flying: Flying,
    number: u64,
}

impl Flight {
    /// Nothing is under way. `has_late`: some packets will be overtaken.
    pub(crate) fn new(has_late: bool) -> Self {
        Self { in_order: VecDeque::new(), late: BinaryHeap::new(), has_late, limit: 0, quota: 0, count: 0 }
    }

    /// Takes memory for as many packets as may be held, the first time and when their number changes; for fewer where the
    /// heap has no more.
    pub(crate) fn set_quota(&mut self, quota: u32) {
        if quota == self.quota {
            return;
        }
        self.quota = quota;
        let mut limit = quota as usize;
        while limit > 0 && !self.reserve(limit) {
            limit /= 2;
        }
        self.limit = limit;
    }

    /// Takes memory for so many packets of another instance.
    pub(crate) fn make_room(&mut self, packets: usize) -> Result<(), NoMemory> {
        self.has_late = true;
        let bytes = packets.saturating_mul(2 * size_of::<Late>());
        if self.reserve(packets) { Ok(()) } else { Err(NoMemory { bytes }) }
    }

    fn reserve(&mut self, limit: usize) -> bool {
        let (ordered, late) = (self.in_order.len(), self.late.len());
        self.in_order.try_reserve_exact(limit.saturating_sub(ordered)).is_ok()
            && (!self.has_late || self.late.try_reserve_exact(limit.saturating_sub(late)).is_ok())
    }

    /// Packets that are under way.
    pub(crate) fn len(&self) -> usize {
        self.in_order.len() + self.late.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no more can be held.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// Whether something that is under way is due no later, and was sent before.
    pub(crate) fn has_earlier(&self, due: u64) -> bool {
        self.next_due().is_some_and(|next| next <= due)
    }

    /// Puts a packet in its place; `is_late`: it is not one of those that keep their order.
    pub(crate) fn add(&mut self, flying: Flying, is_late: bool) {
        if is_late {
            self.count += 1;
            self.late.push(Reverse(Late { flying, number: self.count }));
        } else {
            self.in_order.push_back(flying);
        }
    }

    /// The next packet that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Flying> {
        if self.next_due()? > now {
            return None;
        }
        let overtaken = self.late.peek().map(|Reverse(late)| late.flying.due);
        let ordered = self.in_order.front().map(|flying| flying.due);
        match (ordered, overtaken) {
            (Some(ordered), Some(overtaken)) if overtaken < ordered => self.late.pop().map(|Reverse(late)| late.flying),
            (Some(_), _) => self.in_order.pop_front(),
            (None, _) => self.late.pop().map(|Reverse(late)| late.flying),
        }
    }

    /// Takes back the packet that was popped last.
    pub(crate) fn put_back(&mut self, flying: Flying) {
        self.in_order.push_front(flying);
    }

    /// All packets: those that keep their order, then the others; true: one of the others.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Flying, bool)> {
        let late = self.late.iter().map(|Reverse(late)| (&late.flying, true));
        self.in_order.iter().map(|flying| (flying, false)).chain(late)
    }

    fn next_due(&self) -> Option<u64> {
        let overtaken = self.late.peek().map(|Reverse(late)| late.flying.due);
        let ordered = self.in_order.front().map(|flying| flying.due);
        overtaken.into_iter().chain(ordered).min()
    }
}

impl Late {
    fn key(&self) -> (u64, u64) {
        (self.flying.due, self.number)
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
