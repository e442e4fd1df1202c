//! What the control side knows of a run and its seats, for whoever wants to read it.

use perigee_core::lock;
use std::sync::Mutex;

/// Broken invariants that are kept.
const MOST_BROKEN: usize = 16;

/// What is known of the run as a whole.
#[derive(Debug, Default)]
pub(crate) struct Board {
    invalid: Mutex<Option<String>>,
    /// What modules have said is broken: lines at level error that begin with `invariant:`.
    broken: Mutex<Vec<String>>,
}

impl Board {
    /// Why the run's figures are worth nothing.
    pub(crate) fn invalid(&self) -> Option<String> {
        lock(&self.invalid).clone()
    }

    /// What modules have said is broken, the first things.
    pub(crate) fn broken(&self) -> Vec<String> {
        lock(&self.broken).clone()
    }

    /// A module says that something is broken which it relies on.
    pub(super) fn breaks(&self, what: String) {
        let mut broken = lock(&self.broken);
        if broken.len() < MOST_BROKEN {
            broken.push(what);
        }
    }

    /// The run's figures are worth nothing; the first reason is kept.
    pub(super) fn invalidate(&self, why: String) {
        lock(&self.invalid).get_or_insert(why);
    }
}
