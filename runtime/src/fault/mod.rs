//! What a module's failure leads to. An lcore that sees one frees and counts the packets, takes the instance out of use and
//! tells the control side by a [`Fault`]; everything else happens there.

mod backoff;
mod board;
mod class;
mod health;
mod keeper;
mod watchdog;

pub use board::ModuleState;
pub use class::FaultClass;
pub(crate) use class::{Overrun, Trapped};
pub(crate) use health::Health;
pub(crate) use keeper::Keeper;
pub(crate) use watchdog::{Pulse, Watchdog};

use crate::evidence::Case;
use crate::setup::Seat;
use crossbeam_queue::ArrayQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A failure of one instance.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Where the instance works.
    pub(crate) seat: Arc<Seat>,
    pub(crate) class: FaultClass,
    /// The cause, then where in the module.
    pub(crate) text: String,
    /// Nanoseconds of the run's clock at the beginning of the batch, or of the question.
    pub(crate) at_ns: u64,
    /// Sequence number of the instance's last batch.
    pub(crate) sequence: u64,
    /// What the failed batch was, where somebody wants to know.
    pub(crate) evidence: Option<Box<Case>>,
}

/// Faults on their way from the lcores to the control side. Bounded: what does not fit is counted, and is found all the
/// same by the instance's [`Health`].
#[derive(Debug)]
pub(crate) struct Faults {
    queue: ArrayQueue<Fault>,
    lost: AtomicU64,
}

/// Faults that wait at most. An instance that failed runs no more until it was replaced, so there are hardly more than seats.
const WAITING: usize = 1_024;

impl Default for Faults {
    fn default() -> Self {
        Self { queue: ArrayQueue::new(WAITING), lost: AtomicU64::new(0) }
    }
}

impl Faults {
    /// Tells of a failure.
    pub(crate) fn push(&self, fault: Fault) {
        if self.queue.push(fault).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The oldest failure that waits.
    pub(crate) fn pop(&self) -> Option<Fault> {
        self.queue.pop()
    }

    /// Failures whose text was lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
