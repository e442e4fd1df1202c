//! One group: whether it is listened to, and what is to be said of it.

use core::net::IpAddr;

/// What is said of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It is listened to: the answer to a query.
    Answer,
    /// It is listened to from now on.
    Join,
    /// It is listened to no more.
    Leave,
}

/// A group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) address: IpAddr,
    is_wanted: bool,
    /// How often its last change is still to be told, and when next.
    changes: u8,
    change_at: u64,
    /// When a query is to be answered.
    answer_at: Option<u64>,
    /// Somebody was told that it is listened to.
    is_told: bool,
}

impl Group {
    /// A group of which nothing was said.
    pub(crate) fn new(address: IpAddr) -> Self {
        Self { address, is_wanted: false, changes: 0, change_at: 0, answer_at: None, is_told: false }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Listens to it from a time on, and says so as often.
    pub(crate) fn join(&mut self, at: u64, times: u8) {
        if !self.is_wanted {
            (self.is_wanted, self.changes, self.change_at) = (true, times, at);
        }
    }

    /// Listens to it no more, and says so as often.
    pub(crate) fn leave(&mut self, at: u64, times: u8) {
        if self.is_wanted {
            // Where nobody knows of it, there is nothing to say.
            let times = if self.is_told { times } else { 0 };
            (self.is_wanted, self.changes, self.change_at, self.answer_at) = (false, times, at, None);
        }
    }

    /// Was asked for, and is to answer by a time; an earlier one stays.
    pub(crate) fn asked(&mut self, at: u64) {
        if self.is_wanted {
            self.answer_at = Some(self.answer_at.map_or(at, |before| before.min(at)));
        }
    }

    /// Does not answer, as another host has; true where it was to.
    pub(crate) fn spare_answer(&mut self) -> bool {
        self.answer_at.take().is_some()
    }

    /// What is to be said now.
    pub(crate) fn due(&self, now: u64) -> Option<What> {
        if self.changes > 0 && now >= self.change_at {
            return Some(if self.is_wanted { What::Join } else { What::Leave });
        }
        self.answer_at.is_some_and(|at| now >= at).then_some(What::Answer)
    }

    /// It was said; a change is told again at `next`, where that is wanted.
    pub(crate) fn said(&mut self, what: What, next: u64) {
        self.is_told = true;
        if what == What::Answer {
            self.answer_at = None;
        } else {
            self.changes = self.changes.saturating_sub(1);
            self.change_at = next;
        }
    }

    /// Whether nothing more is to be said of it.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_wanted && self.changes == 0
    }
}
