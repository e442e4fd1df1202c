//! How one seat fares, readable from any thread: it says so even when its lcore answers nobody.

use super::FaultClass;
use super::board::Status;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failures of the instances that have worked on one seat. Written by the seat's lcore, and by the control side while a new
/// instance is made.
#[derive(Debug, Default)]
pub(crate) struct Health {
    down: AtomicBool,
    called: AtomicBool,
    by_class: [AtomicU64; FaultClass::ALL.len()],
    installs: AtomicU64,
    /// Somebody wants a new instance now, whatever the seat's rule says.
    wanted: AtomicBool,
    status: Mutex<Status>,
}

impl Health {
    /// The instance has failed, and runs no more.
    pub(crate) fn failed(&self, class: FaultClass) {
        self.by_class[class as usize].fetch_add(1, Ordering::Relaxed);
        self.down.store(true, Ordering::Release);
    }

    /// A new instance has taken the seat.
    pub(crate) fn installed(&self) {
        self.down.store(false, Ordering::Release);
        self.installs.fetch_add(1, Ordering::Relaxed);
    }

    /// The seat's instance has failed, and no other has come yet.
    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// Asks for a new instance, where the seat has none.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// True once after [`Self::want`].
    pub(crate) fn take_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    /// What the control side knows. No lcore asks for it.
    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Instances that came after the first one.
    pub(crate) fn installs(&self) -> u64 {
        self.installs.load(Ordering::Relaxed)
    }

    /// A call into the instance begins, or has come back.
    #[inline]
    pub(crate) fn set_called(&self, called: bool) {
        self.called.store(called, Ordering::Relaxed);
    }

    /// Its lcore is in a call into the instance.
    pub(crate) fn is_called(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }

    /// Failures so far, of the classes that occurred.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (FaultClass, u64)> {
        let counts = self.by_class.iter().map(|n| n.load(Ordering::Relaxed));
        FaultClass::ALL.into_iter().zip(counts).filter(|(_, n)| *n != 0)
    }
}
