//! What the control side knows of a run and its seats, for whoever wants to read it.

use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Whether a seat's instance runs, and what is done about it if not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModuleState {
    /// It runs.
    #[default]
    Running,
    /// It has failed; a new instance comes after a while.
    Waiting,
    /// It has failed, and stays down until the module is replaced or restarted.
    Down,
    /// It has failed too often: the breaker has opened, and it stays down until the module is replaced or restarted.
    BreakerOpen,
}

impl ModuleState {
    /// As it is written in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Down => "down",
            Self::BreakerOpen => "breaker_open",
        }
    }

    /// No new instance comes by itself.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Down | Self::BreakerOpen)
    }
}

/// What is known of one seat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) state: ModuleState,
    /// When a new instance is made, on the keeper's clock.
    pub(crate) restart_at: Option<Duration>,
    /// The last failure: its cause, then where.
    pub(crate) last_fault: Option<String>,
}

/// What is known of the run as a whole.
#[derive(Debug, Default)]
pub(crate) struct Board {
    invalid: Mutex<Option<String>>,
}

impl Board {
    /// Why the run's figures are worth nothing.
    pub(crate) fn invalid(&self) -> Option<String> {
        self.invalid.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The run's figures are worth nothing; the first reason is kept.
    pub(super) fn invalidate(&self, why: String) {
        self.invalid.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}
