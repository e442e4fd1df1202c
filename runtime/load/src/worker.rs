//! One module, compiled in a process of its own: forked from the compile server, which has one thread, under limits of time
//! and memory, with a pipe to answer into and nothing else.
#![allow(unsafe_code, reason = "forks, and waits for the child: the standard library starts other programs only")]

use super::confine::{self, Limits};
use super::wire;
use perigee_wasm::compile::{self, Native};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Most bytes of native code: some twenty times the largest module.
pub(super) const MOST_NATIVE: u64 = 512 << 20;
/// Real time that a worker has, in times of its CPU time: where lcores poll, others wait.
pub(super) const REAL_TIME: u32 = 3;

/// Compiles in a child process.
///
/// # Errors
/// What the compiler says of the module, or which limit it has reached.
pub(super) fn compile(engine: &wasmtime::Engine, limits: &Limits, wasm: &[u8]) -> Result<Native, String> {
    let (reader, writer) = std::io::pipe().map_err(|e| format!("the compile server has no pipe: {e}"))?;
    // SAFETY:
    // - this process has one thread, so that the child finds no lock taken by a thread that it does not have.
    let child = unsafe { libc::fork() };
    match child {
        -1 => Err(format!("the compile server cannot start a worker: {}", std::io::Error::last_os_error())),
        0 => {
            drop(reader);
            work(engine, limits, wasm, writer)
        }
        child => {
            drop(writer);
            let answer = wait(reader, limits.time * REAL_TIME);
            end(child, limits, answer)
        }
    }
}

/// The child's part: never returns.
fn work(engine: &wasmtime::Engine, limits: &Limits, wasm: &[u8], pipe: PipeWriter) -> ! {
    let result = confined(limits, pipe).and_then(|mut pipe| {
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compile::translate(engine, wasm)));
        let made = made.unwrap_or_else(|_| Err("the compiler has panicked over it".to_owned()));
        let (head, code) = match made {
            Ok(native) => (Ok((native.wasm_len, native.code.len() as u64)), native.code),
            Err(why) => (Err::<(u64, u64), String>(why), Vec::new()),
        };
        wire::send(&mut pipe, &head, &code).map_err(|e| e.to_string())
    });
    // SAFETY:
    // - ends the process at once; what the parent would do at its exit is not the child's to do.
    unsafe { libc::_exit(i32::from(result.is_err())) }
}

/// Leaves the child the pipe alone, and confines it.
fn confined(limits: &Limits, pipe: PipeWriter) -> Result<File, String> {
    confine::end_with_parent()?;
    // SAFETY:
    // - both are numbers; 0 was the server's socket, through which a worker could speak in its name.
    let moved = unsafe { libc::dup2(pipe.as_raw_fd(), 0) };
    if moved != 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    // The descriptor is closed below, with all others.
    std::mem::forget(pipe);
    // SAFETY:
    // - closes what nobody in this process uses from here on.
    let closed = unsafe { libc::close_range(1, libc::c_uint::MAX, 0) };
    if closed != 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    confine::worker(limits)?;
    // SAFETY:
    // - 0 is open since the call above, and nobody else has it.
    let pipe = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(0) };
    Ok(File::from(pipe))
}

/// What came through the pipe until it was closed.
enum Heard {
    Native(Native),
    Refused(String),
    /// The worker ended before it had said all.
    Cut,
    TooLate,
    TooMuch(u64),
}

fn wait(pipe: PipeReader, patience: Duration) -> Heard {
    let mut pipe = Timed { pipe, until: Instant::now() + patience };
    let answer = wire::receive::<Result<(u64, u64), String>>(&mut pipe);
    let answer = answer.and_then(|answer| match answer {
        Err(why) => Ok(Heard::Refused(why)),
        Ok((_, len)) if len > MOST_NATIVE => Ok(Heard::TooMuch(len)),
        Ok((wasm_len, len)) => {
            Ok(Heard::Native(Native { code: wire::receive_body(&mut pipe, len, MOST_NATIVE)?, wasm_len }))
        }
    });
    answer.unwrap_or_else(|e| if e.kind() == std::io::ErrorKind::TimedOut { Heard::TooLate } else { Heard::Cut })
}

/// A pipe that is read until a moment, and no longer.
struct Timed {
    pipe: PipeReader,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let rest = self.until.saturating_duration_since(Instant::now());
        let ms = i32::try_from(rest.as_millis()).unwrap_or(i32::MAX);
        let mut wanted = libc::pollfd { fd: self.pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY:
        // - one structure, valid for the call.
        let ready = unsafe { libc::poll(&raw mut wanted, 1, ms) };
        match ready {
            0 => Err(std::io::ErrorKind::TimedOut.into()),
            -1 => Err(std::io::Error::last_os_error()),
            _ => self.pipe.read(into),
        }
    }
}

/// Ends the worker, whether it has ended by itself or not, and says what came of it.
fn end(child: libc::pid_t, limits: &Limits, heard: Heard) -> Result<Native, String> {
    // One that has ended already keeps the status that it ended with.
    // SAFETY:
    // - the child has not been waited for, so the number is still its own.
    unsafe { libc::kill(child, libc::SIGKILL) };
    let mut status = 0;
    // SAFETY:
    // - the status is valid for the call.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    let signal = (ended == child && libc::WIFSIGNALED(status)).then(|| libc::WTERMSIG(status));
    let (seconds, memory) = (limits.time.as_secs(), limits.memory >> 20);
    match heard {
        Heard::Native(native) => Ok(native),
        Heard::Refused(why) => Err(why),
        Heard::TooMuch(len) => {
            Err(format!("compiles to {} MiB, at most {} are taken: make it smaller", len >> 20, MOST_NATIVE >> 20))
        }
        Heard::TooLate => Err(format!(
            "does not compile within {} s of real time: make it smaller, or raise [load] time ({seconds} s)",
            limits.time.as_secs() * u64::from(REAL_TIME)
        )),
        Heard::Cut => Err(match signal {
            Some(libc::SIGXCPU | libc::SIGKILL) => format!(
                "does not compile within {seconds} s of CPU time: make its functions smaller, or raise [load] time"
            ),
            Some(libc::SIGABRT) => format!(
                "does not compile within {memory} MiB of memory: make its functions smaller, or raise [load] memory"
            ),
            Some(signal) => format!("the compiler was ended by signal {signal} over it"),
            None => "the compiler ended without an answer".to_owned(),
        }),
    }
}
