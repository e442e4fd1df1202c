//! Whose call an lcore is in. Each thread has a mark of its own, which the signal's handler reads.

use std::cell::Cell;

/// The thread is in no module's call.
pub const NOBODY: u64 = u64::MAX;

thread_local! {
    /// Without destructor and lazy start: a signal handler may read it.
    static SEAT: Cell<u64> = const { Cell::new(NOBODY) };
}

/// A call into the instance on the seat of that number begins.
#[inline]
pub fn enter(seat: u64) {
    SEAT.set(seat);
}

/// The call has come back.
#[inline]
pub fn leave() {
    SEAT.set(NOBODY);
}

/// The seat whose call the thread is in; [`NOBODY`].
#[inline]
pub(crate) fn current() -> u64 {
    SEAT.get()
}
