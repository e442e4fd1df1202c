//! A number that one thread writes and others read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number with one writer. To write is a load and a store, without a locked instruction; who reads a number also sees all
/// that its writer wrote before it.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// A number that begins there.
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// The number, for its writer.
    #[inline]
    pub fn own(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The number, for everybody else.
    #[inline]
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Puts another value in place.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }

    /// Adds to it; wraps around.
    #[inline]
    pub fn add(&self, n: u64) {
        self.set(self.own().wrapping_add(n));
    }

    /// Keeps the larger value.
    #[inline]
    pub fn raise(&self, value: u64) {
        if value > self.own() {
            self.set(value);
        }
    }

    /// Keeps the smaller value.
    #[inline]
    pub fn lower(&self, value: u64) {
        if value < self.own() {
            self.set(value);
        }
    }
}
