//! The jail: what a process gives up once its ports are up, before the first module is compiled.

use crate::config::Config;
use crate::error::Error;
use crate::options::Options;

/// What a thread does, which decides what it may still ask of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The thread that starts, watches and stops a run. It makes instances and closes ports.
    Control,
    /// Polls chains, and runs modules.
    Lcore,
    /// Advances the epoch.
    Ticker,
    /// Looks whether lcores go on.
    Watchdog,
    /// Writes what others hand to it: crash bundles, records.
    Service,
    /// Answers the control socket.
    Api,
    /// Started by somebody else: DPDK's thread for interrupts and alarms.
    Foreign,
}

/// Confines the process: called once by the control thread, with ports up and files read, before any module's bytes are
/// looked at.
///
/// # Errors
/// Something of it was asked for and cannot be had.
#[expect(clippy::unnecessary_wraps, reason = "what follows can fail")]
pub(crate) fn enter_process(_config: &Config, _options: &Options) -> Result<(), Error> {
    Ok(())
}

/// Confines the calling thread, as its first deed. Does nothing in a process without a jail; a thread that was started
/// before [`enter_process`] is confined by that.
pub fn enter_thread(_kind: Kind) {}
