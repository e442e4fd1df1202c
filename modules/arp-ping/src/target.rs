//! What is known of an address that is asked for.

use core::net::Ipv4Addr;
use perigee_guest::wire::Mac;

/// An address that is asked for.
pub(crate) struct Target {
    pub(crate) address: Ipv4Addr,
    /// Requests sent.
    pub(crate) sent: u64,
    /// Requests answered in time.
    pub(crate) answers: u64,
    /// When the next request is due.
    next: u64,
    /// When the last request was sent, as long as it waits for its answer.
    waiting: Option<u64>,
    /// The last request was answered in time.
    is_answered: bool,
    /// Who answered last.
    mac: Option<Mac>,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The first one to a request, after so many nanoseconds.
    InTime(u64),
    /// To a request that counts as lost.
    Late,
    /// To a request that was answered.
    Again,
}

impl Target {
    pub(crate) fn new(address: Ipv4Addr) -> Self {
        Self { address, sent: 0, answers: 0, next: 0, waiting: None, is_answered: false, mac: None }
    }

    /// Whether it is to be asked for now; `count`: how often in all, 0: without end.
    pub(crate) fn is_due(&self, now: u64, count: u64) -> bool {
        self.waiting.is_none() && now >= self.next && (count == 0 || self.sent < count)
    }

    /// A request was sent. The next one keeps to the interval, but does not catch up where it could not.
    pub(crate) fn asked(&mut self, now: u64, interval: u64) {
        let next = self.next.saturating_add(interval);
        self.next = if self.sent == 0 || next <= now { now.saturating_add(interval) } else { next };
        self.sent += 1;
        self.waiting = Some(now);
        self.is_answered = false;
    }

    /// Gives a request up that has waited for too long, and says whether there was one.
    pub(crate) fn expire(&mut self, now: u64, timeout: u64) -> bool {
        let is_lost = self.waiting.is_some_and(|asked| now.saturating_sub(asked) >= timeout);
        if is_lost {
            self.waiting = None;
        }
        is_lost
    }

    /// Takes an answer, and says what it is and whether another station gave the last one.
    pub(crate) fn answered(&mut self, from: Mac, now: u64) -> (Answer, bool) {
        let moved = self.mac.replace(from).is_some_and(|before| before != from);
        let answer = match self.waiting.take() {
            Some(asked) => {
                self.answers += 1;
                self.is_answered = true;
                Answer::InTime(now.saturating_sub(asked))
            }
            None if self.is_answered => Answer::Again,
            None => Answer::Late,
        };
        (answer, moved)
    }
}

/// Least, most and sum of times.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) least: u64,
    pub(crate) most: u64,
    sum: u64,
    count: u64,
}

impl Times {
    pub(crate) fn add(&mut self, time: u64) {
        self.least = if self.count == 0 { time } else { self.least.min(time) };
        self.most = self.most.max(time);
        self.sum = self.sum.saturating_add(time);
        self.count += 1;
    }

    pub(crate) fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }
}
