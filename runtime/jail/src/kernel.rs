//! Calls into the kernel that the standard library does not have: filters, capabilities, handlers of signals.

#![allow(unsafe_code, reason = "they take pointers and numbers")]

use libc::{c_int, c_long};
use seccompiler::sock_filter;

/// Version of the kernel's structures for capabilities with 64 bits, by linux/capability.h.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const SECCOMP_SET_MODE_FILTER: c_long = 1;

/// Version of landlock's rules in this kernel; `None`: it has none, or they are switched off.
#[must_use]
pub fn landlock_version() -> Option<u32> {
    const ASK_VERSION: c_long = 1;
    u32::try_from(call(libc::SYS_landlock_create_ruleset, [0, 0, ASK_VERSION])).ok().filter(|version| *version > 0)
}

/// Closes whatever the program that started this one has left open, but for input, output and errors. For a program that has
/// opened nothing of its own yet.
///
/// # Errors
/// The kernel lacks the call.
pub fn close_inherited() -> std::io::Result<()> {
    // SAFETY:
    // - it takes numbers; the caller has opened nothing.
    let code = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    ok(code).ok_or_else(std::io::Error::last_os_error)
}

/// Installs a handler, and returns what was there.
///
/// # Safety
/// `handler` is a function of three arguments, as for SA_SIGINFO, that does only what a signal handler may.
pub(super) unsafe fn install(signal: c_int, handler: usize) -> Result<libc::sigaction, String> {
    // SAFETY:
    // - a sigaction is plain numbers, for which all zero is a value: no flags, an empty set.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    let mut before = action;
    // SAFETY:
    // - both are valid places, and the caller answers for the handler.
    let code = unsafe { libc::sigaction(signal, &raw const action, &raw mut before) };
    ok(code).map(|()| before).ok_or_else(|| format!("sigaction: {}", std::io::Error::last_os_error()))
}

pub(super) fn restore(signal: c_int, before: &libc::sigaction) {
    // SAFETY:
    // - it is what the kernel gave.
    unsafe { libc::sigaction(signal, before, std::ptr::null_mut()) };
}

pub(super) fn ok(code: c_int) -> Option<()> {
    (code == 0).then_some(())
}

pub(super) fn prctl(option: c_int, value: c_int) -> c_long {
    call(libc::SYS_prctl, [option.into(), value.into(), 0])
}

/// A system call that takes numbers only.
pub(super) fn call(number: c_long, [a, b, c]: [c_long; 3]) -> c_long {
    // SAFETY:
    // - none of the calls that come here takes a pointer: prctl with switches and numbers, landlock_restrict_self.
    unsafe { libc::syscall(number, a, b, c, 0, 0) }
}

pub(super) fn set_filter(program: &[sock_filter]) -> c_long {
    let program =
        libc::sock_fprog { len: u16::try_from(program.len()).unwrap_or(0), filter: program.as_ptr().cast_mut().cast() };
    // SAFETY:
    // - the kernel copies as many instructions as there are; seccompiler's have the layout that the kernel defines.
    unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const program) }
}

/// The kernel's header and data of capabilities, by linux/capability.h.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    thread: c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

pub(super) fn set_capabilities(effective: u64, permitted: u64) -> c_long {
    let low = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
    let half = |shift: u32| CapabilityData {
        effective: low(effective >> shift),
        permitted: low(permitted >> shift),
        inheritable: 0,
    };
    let data = [half(0), half(32)];
    let of_this_thread = CapabilityHeader { version: CAPABILITY_VERSION_3, thread: 0 };
    // SAFETY:
    // - header and data have the layouts of version 3, which takes two of the latter.
    unsafe { libc::syscall(libc::SYS_capset, &raw const of_this_thread, data.as_ptr()) }
}

/// Effective and permitted capabilities of the calling thread.
pub(super) fn capabilities() -> (u64, u64) {
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION_3, thread: 0 };
    let mut data = [CapabilityData::default(); 2];
    // SAFETY:
    // - as for capset; the kernel writes two of the latter.
    unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    let [low, high] = data;
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    (join(low.effective, high.effective), join(low.permitted, high.permitted))
}
