//! The jail: what a process gives up once its ports are up, before the first module is compiled.
//!
//! Modules are kept in by WebAssembly. The jail is for the day when that fails: code that has broken out of its sandbox finds
//! a thread without capabilities, that can open no file, start no program and make no connection. It holds for the whole
//! process and for good, so a process has one jail, that of its first run.
//!
//! - `plan.rs` says what a run keeps, from its ports and its user; `calls.rs` is the table of system calls.
//! - `thread.rs` puts a thread in: the only unsafe code here.

mod calls;
mod files;
mod filter;
mod kernel;
mod plan;
mod thread;
mod user;

#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::error::Error;
use crate::options::Options;
use plan::Plan;
use serde::Deserialize;
use std::sync::{Mutex, OnceLock, PoisonError};

pub use filter::seccomp_works;
pub use kernel::landlock_version;

/// How strict the jail is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A thread that makes a system call which is not in its list ends the process.
    On,
    /// As [`Self::On`], but such calls are made, and logged by the kernel: to find what a list lacks.
    Log,
    /// No jail: for debuggers and profilers, and for programs that embed the runtime and do more than that.
    #[default]
    Off,
}

/// What a thread does, which decides what it may still ask of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Started by somebody else: DPDK's thread for interrupts and alarms.
    Foreign,
    /// Starts, watches and stops a run. It makes instances and closes ports, and the other threads are its own: what they
    /// may, it may.
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
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Foreign, Self::Control, Self::Lcore, Self::Ticker, Self::Watchdog, Self::Service, Self::Api];

    /// As messages name it.
    const fn name(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Control => "control",
            Self::Lcore => "lcore",
            Self::Ticker => "ticker",
            Self::Watchdog => "watchdog",
            Self::Service => "service",
            Self::Api => "api",
        }
    }
}

/// The process's jail, from the moment on at which it is entered.
static JAIL: OnceLock<thread::Jail> = OnceLock::new();
static ENTERING: Mutex<()> = Mutex::new(());

/// Confines the process: called by the control thread, with ports up and files read, before any module's bytes are looked
/// at. Where the process has a jail already, nothing is changed.
///
/// # Errors
/// Something of it was asked for and cannot be had, or a thread cannot be confined.
pub(crate) fn enter_process(config: &Config, options: &Options) -> Result<(), Error> {
    let _one_at_a_time = ENTERING.lock().unwrap_or_else(PoisonError::into_inner);
    let mode = options.jail.or(config.run.jail).unwrap_or_default();
    if mode == Mode::Off || JAIL.get().is_some() {
        return Ok(());
    }
    let plan = Plan::new(config, options, mode).map_err(Error::Jail)?;
    plan.writable.iter().try_for_each(|path| plan.user.own(path)).map_err(Error::Jail)?;
    let files = files::ruleset(&plan).map_err(Error::Jail)?;
    let told = format!("{}, {}, {mode:?}", plan.user, files.told);
    thread::prepare_process(mode).map_err(Error::Jail)?;
    let jail = thread::Jail::new(&plan, files.ruleset).map_err(Error::Jail)?;
    thread::become_user(&plan).map_err(Error::Jail)?;
    thread::confine_all(JAIL.get_or_init(|| jail)).map_err(Error::Jail)?;
    tracing::info!("the process is in its jail: {told}");
    Ok(())
}

/// Confines the calling thread to what its kind needs, as its first deed. Does nothing in a process without a jail; a thread
/// that was started before the process entered its jail is confined at that moment.
///
/// # Panics
/// Where the kernel refuses: a thread that runs modules does not go on without its jail.
#[expect(clippy::panic, reason = "the promise cannot be kept, and the thread has not begun its work")]
pub fn enter_thread(kind: Kind) {
    thread::set_kind(kind);
    if let Some(jail) = JAIL.get()
        && let Err(what) = jail.enter(kind)
    {
        panic!("this {} thread cannot be confined: {what}", kind.name());
    }
}

/// Does `work` with the capabilities that the control thread keeps for the end, of ports and of
/// [`Options::removed`], and gives them back.
pub fn with_rights<T>(work: impl FnOnce() -> T) -> T {
    let Some(jail) = JAIL.get() else { return work() };
    jail.raise();
    let result = work();
    jail.lower();
    result
}

/// Whether `[run] user` names somebody.
pub(crate) fn is_user(text: &str) -> bool {
    user::known(text, &std::fs::read_to_string("/etc/passwd").unwrap_or_default()).is_some()
}
