//! What the control side knows of a run and its seats, for whoever wants to read it.

use perigee_core::lock;
use std::sync::Mutex;

/// What is known of the run as a whole.
#[derive(Debug, Default)]
pub(crate) struct Board {
    invalid: Mutex<Option<String>>,
}

impl Board {
    /// Why the run's figures are worth nothing.
    pub(crate) fn invalid(&self) -> Option<String> {
        lock(&self.invalid).clone()
    }

    /// The run's figures are worth nothing; the first reason is kept.
    pub(super) fn invalidate(&self, why: String) {
        lock(&self.invalid).get_or_insert(why);
    }
}
