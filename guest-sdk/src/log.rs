//! Log lines.

use crate::raw;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is not as it should be.
    Warn = 2,
    /// Something that the operator wants to know.
    Info = 3,
    /// Something that the module's author wants to know.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// An invariant does not hold: says so and traps.
#[doc(hidden)]
#[cold]
#[allow(clippy::panic, reason = "the way in which a native test fails")]
pub fn broken(line: &str) -> ! {
    Level::Error.log(line);
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    panic!("{line}");
}

impl Level {
    /// Logs a line of at most [`perigee_abi::names::LOG_MAX`] bytes. For setup and rare events: a hostcall, and the host
    /// takes only so many of them.
    pub fn log(self, line: &str) {
        raw::log(self as u32, line);
    }
}
