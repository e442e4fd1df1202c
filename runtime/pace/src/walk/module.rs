//! What a module says: a time or a gap of each packet.

use super::Change;
use crate::exact::Exact;
use crate::tempo::Tempo;

/// Packets of which a module says when they leave.
#[derive(Clone, Debug)]
pub(crate) struct ByModule {
    /// For packets of which it says nothing; without a rate they leave at once.
    even: Option<Exact>,
    /// When the next packet leaves, if it says nothing.
    next: u64,
    /// When the last one left.
    last: u64,
    of: u64,
}

impl ByModule {
    pub(crate) fn new(even: Option<Exact>, start: u64, of: u64) -> Self {
        let next = even.as_ref().map_or(start, Exact::next);
        Self { even, next, last: start, of }
    }

    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// It has no rate: the module alone says when.
    pub(crate) fn is_free(&self) -> bool {
        self.even.is_none()
    }

    pub(crate) fn advance(&mut self, len: u16) {
        self.last = self.next;
        if let Some(even) = &mut self.even {
            even.advance(even.tempo().measure.units(len));
            self.next = even.next();
        }
    }

    /// The next packet leaves at that time, but not before the last one.
    pub(crate) fn place(&mut self, at: u64) {
        self.next = at.max(self.last);
        if let Some(even) = &mut self.even {
            even.set(self.next);
        }
    }

    /// The next packet leaves so long after the last one.
    pub(crate) fn follow(&mut self, gap: u64) {
        self.place(self.last.saturating_add(gap));
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.next = self.next.saturating_add(by);
        self.last = self.last.saturating_add(by);
        if let Some(even) = &mut self.even {
            even.shift(by);
        }
    }

    pub(crate) fn set_tempo(&mut self, tempo: Tempo, change: Change) {
        let next = match &self.even {
            Some(even) => change.of(even.next(), even.tempo(), tempo),
            None => self.next,
        };
        self.even = Some(Exact::new(tempo, next, self.of));
        self.next = next;
    }
}
