//! What packets' side and modules' side agree on: time, counters, and what counts of what a module says. Nothing here knows
//! DPDK or wasmtime.

pub mod batch_times;
pub mod bracket;
pub mod clock;
pub mod counters;
pub mod drift;
pub mod frame;
pub mod held;
pub mod hex;
pub mod judge;
pub mod lanes;
pub mod named;
pub mod tsc;
pub mod unix;

/// Bytes in front of a fresh packet, for headers that modules add.
pub const HEADROOM: u16 = 128;

/// Takes a lock, whoever panicked with it: what it guards is whole between two statements.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
