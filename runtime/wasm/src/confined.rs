//! Work with a stranger's module, for a command that is no run.

use super::engine::{Engines, THREAD_STACK, WASM_STACK};
use perigee_config::JailMode;
use perigee_jail::{Kind, enter_thread, enter_without_ports};
use perigee_report::Error;

/// Does `work` with a stranger's module and without ports: in the jail, on a thread of its own, whose stack has room for a
/// guest's. Files must have been read before, and what is written must be open.
///
/// # Errors
/// The process cannot be confined, or there is no thread.
///
/// # Panics
/// Where the work does.
pub fn confined<T: Send>(mode: JailMode, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    take_signals()?;
    enter_without_ports(mode)?;
    let entered = || {
        enter_thread(Kind::Control);
        work()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("perigee-guest".to_owned()).stack_size(THREAD_STACK);
        let thread = thread.spawn_scoped(scope, entered).map_err(|e| Error::Jail(format!("no thread: {e}")))?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Takes the signals that running a guest takes, which the jail allows nobody later on.
///
/// # Errors
/// There is no engine, or no thread.
pub fn take_signals() -> Result<(), Error> {
    // With its first engine wasmtime takes those that traps are made of.
    Engines::default().of(WASM_STACK as u64)?;
    // With its first thread the C library takes one of its own.
    std::thread::scope(|scope| scope.spawn(|| ()).join()).map_err(|_| Error::Jail("no thread".to_owned()))
}
