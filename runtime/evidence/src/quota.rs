//! How many failures of a module are looked at closely: the first ones, then one in a minute. A module that fails without end
//! shall neither fill a disk nor keep an lcore busy.

use std::sync::atomic::{AtomicU64, Ordering};

/// The first so many.
const FIRST: u64 = 3;
/// Then one in so many nanoseconds.
const PAUSE_NS: u64 = 60_000_000_000;

/// Of one module, all of its instances together.
#[derive(Debug, Default)]
pub struct Quota {
    taken: AtomicU64,
    /// From when on the next one may be taken, nanoseconds of the run's clock.
    next_ns: AtomicU64,
    skipped: AtomicU64,
}

impl Quota {
    /// Takes one, where that is allowed; counts it, where it is not.
    pub fn take(&self, now_ns: u64) -> bool {
        let first =
            self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < FIRST).then_some(n + 1)).is_ok();
        let due = |next: u64| (now_ns >= next).then(|| now_ns.saturating_add(PAUSE_NS));
        // The pause begins with the last of the first ones.
        if first {
            self.next_ns.fetch_max(now_ns.saturating_add(PAUSE_NS), Ordering::Relaxed);
            return true;
        }
        if self.next_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok() {
            return true;
        }
        self.skipped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Failures that were not looked at.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn three_at_once_then_one_a_minute() {
        let quota = Quota::default();
        let taken = (0..10_000).filter(|i| quota.take(i * 1_000)).count();
        assert_eq!(taken, 3);
        assert_eq!(quota.skipped(), 9_997);
        assert!(!quota.take(59_000_000_000));
        let second = 61_000_000_000;
        assert!(quota.take(second));
        assert!(!quota.take(second + 1));
        assert!(quota.take(second + PAUSE_NS));
    }
}
