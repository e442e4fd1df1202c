//! The jail: what a process gives up once its ports are up, before the first module is compiled.
//!
//! Modules are kept in by WebAssembly. The jail is for the day when that fails: code that has broken out of its sandbox finds
//! a thread without capabilities, that can open no file, start no program and make no connection. It holds for the whole
//! process and for good, so a process has one jail, that of its first run.
//!
//! - `plan.rs` says what a run keeps, from its ports and its user; `calls.rs` is the table of system calls.
//! - `folder.rs` is where files are still written; `thread.rs` puts a thread in.

mod calls;
mod files;
mod filter;
mod folder;
mod kernel;
mod plan;
mod thread;
mod user;

#[cfg(test)]
mod tests;

use perigee_config::Config;
pub use perigee_config::JailMode as Mode;
use perigee_report::Error;
use plan::Plan;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use user::User;

pub use filter::seccomp_works;
pub use folder::Folder;
pub use kernel::{close_inherited, landlock_version};

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
    /// Reads files ahead that are played from the disk, which were opened before.
    Reader,
    /// Serves a page to browsers in a process of its own, and asks a run's control socket.
    Web,
    /// Hears of routes in a process of its own, by sockets that it has, and asks a run's control socket.
    Feed,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Foreign,
        Self::Control,
        Self::Lcore,
        Self::Ticker,
        Self::Watchdog,
        Self::Service,
        Self::Api,
        Self::Reader,
        Self::Web,
        Self::Feed,
    ];

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
            Self::Reader => "reader",
            Self::Web => "web",
            Self::Feed => "feed",
        }
    }
}

/// The process's jail, from the moment on at which it is entered.
static JAIL: OnceLock<thread::Jail> = OnceLock::new();
static ENTERING: Mutex<()> = Mutex::new(());

/// What a process keeps beside what its ports need: of the file system, and of the kernel's timers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// Directories below which files may still be made and written.
    pub writable: &'a [PathBuf],
    /// Files that the control thread removes at the end.
    pub removed: &'a [PathBuf],
    /// Its lcores are sampled: the control thread may make timers that do it.
    pub is_profiled: bool,
}

/// A folder that is written to in the jail, as what the process will be there. Called before the process enters it.
///
/// # Errors
/// It is a link, cannot be made, or belongs to somebody else.
pub fn folder(config: &Config, mode: Mode, asked: &Path) -> Result<Folder, Error> {
    let is_to_come = mode != Mode::Off && JAIL.get().is_none();
    let user = if is_to_come { User::of(config.run.user.as_deref(), Path::new("/")) } else { Ok(User::OnlyOne) };
    user.and_then(|user| Folder::claim(user, asked)).map_err(Error::Jail)
}

/// Confines the process: called by the control thread, with ports up and files read, before any module's bytes are looked
/// at. `folders` are those that it writes to from then on. Where the process has a jail already, nothing is changed.
///
/// # Errors
/// Something of it was asked for and cannot be had, or a thread cannot be confined.
pub fn enter_process(config: &Config, mode: Mode, files: Files<'_>, folders: &[&Folder]) -> Result<(), Error> {
    let plan = || {
        let mut plan = Plan::new(config, files, mode)?;
        plan.writable.iter().try_for_each(|path| folder::make(plan.user, path).map(drop))?;
        plan.writable.extend(folders.iter().map(|folder| folder.path()));
        Ok(plan)
    };
    enter(mode, plan).map_err(Error::Jail)
}

/// Confines a process that has no ports and writes no files: before it looks at a module, for a command that is no run.
///
/// # Errors
/// As for a run's jail.
pub fn enter_without_ports(mode: Mode) -> Result<(), Error> {
    enter(mode, || Plan::without_ports(mode)).map_err(Error::Jail)
}

/// Confines a process that serves a page and asks a run by its control socket: called by its only thread, with its own socket
/// bound. It stays the user that it is, for the run asks who it is, and loses all rights of that user beyond files' owners: it
/// opens no file, starts no program, and connects to Unix sockets alone. `removed` are files that it removes at its end.
///
/// # Errors
/// As for a run's jail.
pub fn enter_as_web(mode: Mode, removed: &[PathBuf]) -> Result<(), Error> {
    enter_as_client(mode, removed, Kind::Web)
}

/// Confines a process that hears of routes by sockets that are open, and asks a run by its control socket: as [`enter_as_web`].
///
/// # Errors
/// As for a run's jail.
pub fn enter_as_feed(mode: Mode, removed: &[PathBuf]) -> Result<(), Error> {
    enter_as_client(mode, removed, Kind::Feed)
}

fn enter_as_client(mode: Mode, removed: &[PathBuf], kind: Kind) -> Result<(), Error> {
    enter(mode, || Ok(Plan::of_client(mode, removed))).map_err(Error::Jail)?;
    enter_thread(kind);
    Ok(())
}

fn enter(mode: Mode, plan: impl FnOnce() -> Result<Plan, String>) -> Result<(), String> {
    let _one_at_a_time = ENTERING.lock().unwrap_or_else(PoisonError::into_inner);
    if mode == Mode::Off || JAIL.get().is_some() {
        return Ok(());
    }
    let plan = plan()?;
    let files = files::ruleset(&plan)?;
    let told = format!("{}, {}, {mode:?}", plan.user, files.told);
    thread::prepare_process(mode)?;
    let jail = thread::Jail::new(&plan, files.ruleset)?;
    thread::become_user(&plan)?;
    thread::confine_all(JAIL.get_or_init(|| jail))?;
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

/// Starts a thread that does `before` with the rights of whoever starts it, enters the jail, and then works. Returns when it has
/// entered: nobody shall hear that a run works while one of its threads has rights that it is to give up.
///
/// # Errors
/// The system gives no thread.
pub fn spawn<B, T: Send + 'static>(
    thread: std::thread::Builder,
    kind: Kind,
    before: impl FnOnce() -> B + Send + 'static,
    work: impl FnOnce(B) -> T + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<T>> {
    let (entered, has_entered) = std::sync::mpsc::sync_channel(1);
    let thread = thread.spawn(move || {
        let ready = before();
        enter_thread(kind);
        let _ = entered.send(());
        work(ready)
    })?;
    // A thread that could not enter has said so, and is found dead by whoever waits for it.
    let _ = has_entered.recv();
    Ok(thread)
}

/// Does `work` with the capabilities that the control thread keeps for the end, of ports and of
/// [`Files::removed`], and gives them back.
pub fn with_rights<T>(work: impl FnOnce() -> T) -> T {
    let Some(jail) = JAIL.get() else { return work() };
    jail.raise();
    let result = work();
    jail.lower();
    result
}
