//! Messages to instances of other modules.

use crate::raw;
use perigee_abi::names;

/// Why nobody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// Not now: the queue of one of the instances is full, or `init` is not over. Later it may do.
    Full,
    /// The message is longer than [`names::TELL_MAX`] bytes.
    TooLong,
    /// The operator has not granted so many targets.
    NotGranted,
}

/// Tells all instances of a module something: each gets it as a message ([`crate::Module::message`]) between two bursts, and what
/// it replies goes nowhere. `target` counts the modules that `grants.tell` names, from 0. Messages of one instance come in the order
/// in which it told them. For rare events: a hostcall, and each instance that is told has room for some 64 messages.
///
/// # Errors
///
/// Nobody was told: all of them are, or none.
pub fn tell(target: u32, message: &[u8]) -> Result<(), Untold> {
    match raw::tell(target, message) {
        names::TELL_FULL => Err(Untold::Full),
        names::TELL_TOO_LONG => Err(Untold::TooLong),
        0.. => Ok(()),
        _ => Err(Untold::NotGranted),
    }
}
