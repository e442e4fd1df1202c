//! Replacing modules, and changing chains, while packets flow.

mod apply;
mod canary;
mod cost;
mod options;
mod rebuild;
mod replace;

pub use options::SwapOptions;

use crate::parts::Parts;
use perigee_config::Config;
use perigee_core::lock;
use perigee_report::Swaps;
use replace::Ledger;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a run keeps of its changes.
#[derive(Default)]
pub(crate) struct Changes {
    ledger: Mutex<Ledger>,
    /// Held by whoever applies a configuration.
    applying: Mutex<()>,
}

impl Changes {
    /// The swaps so far, without waiting for one that is under way: `None` then.
    pub(crate) fn try_swaps(&self) -> Option<Swaps> {
        self.ledger.try_lock().ok().map(|ledger| ledger.swaps.clone())
    }

    /// The swaps so far.
    pub(crate) fn swaps(&self) -> Swaps {
        lock(&self.ledger).swaps.clone()
    }

    /// Changes of a run with these parts.
    pub(crate) fn of<'a>(&'a self, parts: &'a Parts) -> Swapping<'a> {
        Swapping { parts, changes: self }
    }
}

/// A run that is changed: its parts, and what is kept of its changes.
#[derive(Clone, Copy)]
pub(crate) struct Swapping<'a> {
    parts: &'a Parts,
    changes: &'a Changes,
}

impl<'a> Swapping<'a> {
    fn config(&self) -> Arc<Config> {
        self.parts.maker.config()
    }

    fn ledger(&self) -> MutexGuard<'a, Ledger> {
        lock(&self.changes.ledger)
    }
}
