//! How seats and lcores fare, readable from any thread: they say so even when the lcore answers nobody.

use perigee_core::clock::nanos;
use perigee_core::lock;
use perigee_report::{FaultClass, ModuleState};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Failures of the instances that have worked on one seat. Written by the seat's lcore, and by the control side while a new
/// instance is made.
#[derive(Debug, Default)]
pub struct Health {
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
    pub fn failed(&self, class: FaultClass) {
        self.by_class[class as usize].fetch_add(1, Ordering::Relaxed);
        self.down.store(true, Ordering::Release);
    }

    /// A new instance has taken the seat.
    pub fn installed(&self) {
        self.down.store(false, Ordering::Release);
        self.installs.fetch_add(1, Ordering::Relaxed);
    }

    /// The seat's instance has failed, and no other has come yet.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// Asks for a new instance, where the seat has none.
    pub fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// True once after [`Self::want`].
    pub fn take_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    /// What the control side knows. No lcore asks for it.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        lock(&self.status)
    }

    /// Instances that came after the first one.
    pub fn installs(&self) -> u64 {
        self.installs.load(Ordering::Relaxed)
    }

    /// A call into the instance begins, or has come back.
    #[inline]
    pub fn set_called(&self, called: bool) {
        self.called.store(called, Ordering::Relaxed);
    }

    /// Its lcore is in a call into the instance.
    pub fn is_called(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }

    /// Failures so far, of the classes that occurred.
    pub fn failures(&self) -> impl Iterator<Item = (FaultClass, u64)> {
        let counts = self.by_class.iter().map(|n| n.load(Ordering::Relaxed));
        FaultClass::ALL.into_iter().zip(counts).filter(|(_, n)| *n != 0)
    }
}

/// What is known of one seat.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Whether it runs.
    pub state: ModuleState,
    /// When a new instance is made, on the keeper's clock.
    pub restart_at: Option<Duration>,
    /// The last failure: its cause, then where.
    pub last_fault: Option<String>,
}

/// An lcore's sign of life. Written by the lcore each millisecond, read by the watchdog.
#[derive(Debug)]
pub struct Pulse {
    /// The lcore's CPU.
    pub cpu: u32,
    /// Cycles at its last sign of life.
    pub beat: AtomicU64,
    /// It has come to its end.
    pub done: AtomicBool,
    stuck_ns: AtomicU64,
    worst_ns: AtomicU64,
    /// Number of its thread, once that is pinned.
    pub thread: AtomicU32,
}

impl Pulse {
    /// Of an lcore that has not started.
    pub fn new(cpu: u32) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            cpu,
            beat: zero(),
            done: AtomicBool::new(false),
            stuck_ns: zero(),
            worst_ns: zero(),
            thread: AtomicU32::new(0),
        }
    }

    /// The lcore's thread is pinned to its CPU.
    pub fn pinned(&self, thread: u32) {
        self.thread.store(thread, Ordering::Relaxed);
    }

    /// The lcore goes on; `cycles` differ from the last time.
    pub fn beat(&self, cycles: u64) {
        self.beat.store(cycles, Ordering::Relaxed);
    }

    /// The lcore has come to its end.
    pub fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// For how long it gives no sign of life, nanoseconds; 0 within the watchdog's time.
    pub fn stuck_ns(&self) -> u64 {
        self.stuck_ns.load(Ordering::Relaxed)
    }

    /// The longest such time so far.
    pub fn worst_ns(&self) -> u64 {
        self.worst_ns.load(Ordering::Relaxed)
    }

    /// It gives no sign of life for so long; zero: it goes on.
    pub fn set_stuck(&self, time: Duration) {
        let ns = nanos(time);
        self.stuck_ns.store(ns, Ordering::Relaxed);
        self.worst_ns.fetch_max(ns, Ordering::Relaxed);
    }
}
