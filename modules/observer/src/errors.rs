//! How many errors may come.

use crate::config::Errors;
use perigee_guest::invariant;

/// Thousandths of a millionth of an error: a rate in a second times nanoseconds.
const ONE: u64 = 1_000_000_000;

/// A bucket of tokens, one for each error.
pub(crate) struct Bucket {
    limit: Errors,
    tokens: u64,
    at: u64,
    came: u64,
}

impl Bucket {
    pub(crate) fn new(limit: Errors) -> Self {
        Self { limit, tokens: limit.burst * ONE, at: 0, came: 0 }
    }

    /// One has come.
    pub(crate) fn take(&mut self, now: u64) {
        let more = now.saturating_sub(self.at).saturating_mul(self.limit.rate);
        self.tokens = self.tokens.saturating_add(more).min(self.limit.burst * ONE);
        self.at = now;
        self.came += 1;
        let Errors { rate, burst, .. } = self.limit;
        invariant!(self.tokens >= ONE, "more errors than {rate} a second and {burst} at once");
        self.tokens -= ONE;
    }

    /// It is over.
    pub(crate) fn end(&self) {
        invariant!(self.came >= self.limit.least, "{} errors came, and {} must", self.came, self.limit.least);
    }
}
