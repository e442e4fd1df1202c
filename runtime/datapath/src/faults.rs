//! Failures of modules, on their way from the lcores to the control side.

use super::seat::Seat;
use crossbeam_queue::ArrayQueue;
use perigee_evidence::Case;
use perigee_wasm::trap::Trapped;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A failure of one instance.
#[derive(Debug)]
pub struct Fault {
    /// Where the instance works.
    pub seat: Arc<Seat>,
    /// How the call has ended.
    pub trapped: Arc<Trapped>,
    /// Nanoseconds of the run's clock at the beginning of the batch, or of the question.
    pub at_ns: u64,
    /// Sequence number of the instance's last batch.
    pub sequence: u64,
    /// What the failed batch was, where somebody wants to know.
    pub evidence: Option<Box<Case>>,
}

/// Faults on their way from the lcores to the control side. Bounded: what does not fit is counted, and is found all the
/// same by the instance's [`Health`](crate::health::Health).
#[derive(Debug)]
pub struct Faults {
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
    pub fn push(&self, fault: Fault) {
        if self.queue.push(fault).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The oldest failure that waits.
    pub fn pop(&self) -> Option<Fault> {
        self.queue.pop()
    }

    /// Failures whose text was lost so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
