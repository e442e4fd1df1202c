//! The timer of an lcore's thread, and the handler of its signal.
//!
//! The signal is one of the real-time ones, which nobody sends by chance: SIGPROF asks a run to stop. A timer of the thread's processor
//! time would be finer in what it says, but the kernel looks at such timers only at its own ticks, 250 times a second or less; so it is
//! one of real time, and an lcore that sleeps is seen to sleep.

#![allow(unsafe_code, reason = "timers and handlers of signals are the kernel's, with pointers")]

use crate::lane::{Lane, Sample};
use crate::mark;
use crate::stack::{Registers, Stack};
use libc::{c_int, c_void, siginfo_t, ucontext_t};
use std::cell::Cell;
use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::AsRawFd;

/// `si_code` of a timer's signal, by asm-generic/siginfo.h.
const SI_TIMER: c_int = -2;
const NS_PER_SECOND: u32 = 1_000_000_000;

/// What a sampled thread has: its lane, and where its stack ends, whose frames lie below that.
#[derive(Clone, Copy)]
struct Mine {
    lane: &'static Lane,
    top: u64,
}

thread_local! {
    /// Without destructor and lazy start: the handler reads it.
    static MINE: Cell<Option<Mine>> = const { Cell::new(None) };
}

/// The signal: one that DPDK's drivers, which take the lower ones, do not come to.
fn signal() -> c_int {
    libc::SIGRTMAX() - 1
}

/// Installs the handler, for good.
pub(crate) fn install() -> Result<()> {
    // SAFETY:
    // - a sigaction is plain numbers, for which all zero is a value: no flags, an empty set.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = interrupted as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY:
    // - the place is valid, and the handler reads the thread's own memory and writes to atomic numbers.
    let code = unsafe { libc::sigaction(signal(), &raw const action, std::ptr::null_mut()) };
    if code == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Samples the calling thread from now on, so many times a second.
///
/// # Errors
/// The kernel gives no timer.
pub(crate) fn start(lane: &'static Lane, hz: u32) -> Result<()> {
    MINE.set(Some(Mine { lane, top: end_of_stack()? }));
    // SAFETY:
    // - a sigevent is numbers and pointers, for which all zero is a value.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = signal();
    // SAFETY:
    // - it returns a number.
    event.sigev_notify_thread_id = unsafe { libc::gettid() };
    let mut timer = std::ptr::null_mut();
    // SAFETY:
    // - both places are valid.
    let code = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
    if code != 0 {
        return Err(Error::last_os_error());
    }
    // The C library hands out the kernel's number as a pointer.
    let number = c_int::try_from(timer.addr()).unwrap_or(-1);
    lane.set_timer(number);
    let period = libc::timespec { tv_sec: 0, tv_nsec: i64::from(NS_PER_SECOND / hz.max(2)) };
    let times = libc::itimerspec { it_interval: period, it_value: period };
    // SAFETY:
    // - the timer was just made, and the place is valid.
    let code = unsafe { libc::timer_settime(timer, 0, &raw const times, std::ptr::null_mut()) };
    if code == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Where the calling thread's stack ends.
fn end_of_stack() -> Result<u64> {
    // SAFETY:
    // - its fields are numbers and pointers, for which all zero is a value.
    let mut facts: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY:
    // - it returns a number.
    let me = unsafe { libc::pthread_self() };
    // SAFETY:
    // - the place is valid, and the thread is the calling one.
    let code = unsafe { libc::pthread_getattr_np(me, &raw mut facts) };
    if code != 0 {
        return Err(Error::from_raw_os_error(code));
    }
    let (mut low, mut len) = (std::ptr::null_mut(), 0);
    // SAFETY:
    // - what is read was written by the call above, and both places are valid.
    unsafe { libc::pthread_attr_getstack(&raw const facts, &raw mut low, &raw mut len) };
    // SAFETY:
    // - it was written by the call above, and is used no more.
    unsafe { libc::pthread_attr_destroy(&raw mut facts) };
    Ok(low.expose_provenance() as u64 + len as u64)
}

/// Nanoseconds of CLOCK_MONOTONIC, by which `perf record -k mono` stamps.
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY:
    // - the place for the answer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * u64::from(NS_PER_SECOND) + time.tv_nsec.cast_unsigned()
}

/// Maps the beginning of a file as code, for good: by that `perf` finds it. Nobody reads or runs it.
pub(crate) fn show_to_perf(file: &File) -> Result<()> {
    const PAGE: usize = 4096;
    let (rights, number) = (libc::PROT_READ | libc::PROT_EXEC, file.as_raw_fd());
    // SAFETY:
    // - a new mapping, at a place that the kernel chooses, touches no memory that is in use.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, rights, libc::MAP_PRIVATE, number, 0) };
    if at == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Ends a thread's timer, from any thread.
pub(crate) fn end(lane: &Lane) {
    let Some(timer) = lane.take_timer().and_then(|timer| usize::try_from(timer).ok()) else { return };
    // SAFETY:
    // - the timer was made by `start`, and is taken out of its lane once.
    unsafe { libc::timer_delete(std::ptr::without_provenance_mut(timer)) };
}

/// The calling thread is sampled no more: its stack is about to go.
pub(crate) fn leave() {
    MINE.set(None);
}

/// Must not allocate, lock, panic, or make a system call.
extern "C" fn interrupted(_signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(Mine { lane, top }) = MINE.get() else { return };
    // SAFETY:
    // - the kernel hands both to a handler that was installed with SA_SIGINFO.
    let code = unsafe { (*info).si_code };
    if code != SI_TIMER {
        return;
    }
    // SAFETY:
    // - as above.
    let saved = unsafe { &(*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    let register = |number: c_int| saved.get(number as usize).map_or(0, |value| value.cast_unsigned());
    let registers = Registers { pc: register(libc::REG_RIP), sp: register(libc::REG_RSP), fp: register(libc::REG_RBP) };
    let mut sample = Sample::new(mark::current(), registers.pc);
    if sample.seat != mark::NOBODY && registers.sp < top {
        // SAFETY:
        // - the thread's stack ends at `top`, and its stack pointer says how far its frames reach.
        let stack = unsafe { Stack::new(registers.sp, top) };
        stack.walk(registers, &mut sample);
    }
    lane.push(&sample);
}
