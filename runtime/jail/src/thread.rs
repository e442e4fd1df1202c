//! Puts threads into the jail: the calling one, and those that run already.
//!
//! Capabilities, landlock and seccomp are a thread's own, and the kernel has no call that sets them in another thread. So
//! a signal goes to every other thread of the process, and its handler does to the thread what it would do to itself: the
//! way in which the C library changes the user of a process with threads.

#![allow(unsafe_code, reason = "threads are confined by system calls that the standard library does not have")]

use super::filter::programs;
use super::kernel::{call, capabilities, install, ok, prctl, restore, set_capabilities, set_filter};
use super::plan::Plan;
use super::user::User;
use super::{Kind, Mode};
use libc::{c_int, c_long, c_void, siginfo_t};
use seccompiler::BpfProgram;
use std::cell::Cell;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The signal that confines a thread. By default it is ignored, and hardly anybody blocks it.
const CONFINE: c_int = libc::SIGURG;
/// How long a thread may take to be confined.
const PATIENCE: Duration = Duration::from_secs(2);
/// A system call that no table allows, because there is none of this number.
const NO_CALL: c_long = 0xffff;

thread_local! {
    /// What this thread has said it is. Without destructor and lazy start: a signal handler may read it.
    static KIND: Cell<Kind> = const { Cell::new(Kind::Foreign) };
}

/// Says what the calling thread is.
pub(super) fn set_kind(kind: Kind) {
    KIND.set(kind);
}

/// What is put on threads.
pub(super) struct Jail {
    /// By kind.
    programs: Vec<Vec<BpfProgram>>,
    rules: Option<OwnedFd>,
    /// Capabilities that the control thread keeps as permitted.
    kept: u64,
}

/// The process's jail for the signal handler, and what came of it.
static HANDLED: AtomicPtr<Jail> = AtomicPtr::new(std::ptr::null_mut());
static CONFINED: AtomicU32 = AtomicU32::new(0);
static REFUSED: AtomicU32 = AtomicU32::new(0);

impl Jail {
    pub(super) fn new(plan: &Plan, rules: Option<OwnedFd>) -> Result<Self, String> {
        let programs = Kind::ALL.iter().map(|kind| programs(*kind, plan)).collect::<Result<_, _>>()?;
        Ok(Self { programs, rules, kept: plan.kept & capabilities().1 })
    }

    /// Confines the calling thread, which the control thread has started: it has that one's rules and bounds already.
    pub(super) fn enter(&self, kind: Kind) -> Result<(), String> {
        check(Step::NoNewPrivileges, prctl(libc::PR_SET_NO_NEW_PRIVS, 1))
            .and_then(|()| self.narrow(kind, 0))
            .map_err(Step::tell)
    }

    /// What is done to each thread that runs when the process enters. Called in signal handlers: it must not allocate, lock
    /// or panic.
    fn confine(&self, kind: Kind) -> Result<(), Step> {
        check(Step::NoNewPrivileges, prctl(libc::PR_SET_NO_NEW_PRIVS, 1))?;
        if let Some(rules) = &self.rules {
            check(Step::Files, call(libc::SYS_landlock_restrict_self, [c_long::from(rules.as_raw_fd()), 0, 0]))?;
        }
        bound();
        self.narrow(kind, if kind == Kind::Control { self.kept } else { 0 })
    }

    fn narrow(&self, kind: Kind, kept: u64) -> Result<(), Step> {
        check(Step::Capabilities, set_capabilities(0, kept))?;
        for program in self.programs.get(kind as usize).into_iter().flatten() {
            check(Step::Calls, set_filter(program))?;
        }
        Ok(())
    }

    /// Makes what is kept effective in the calling thread.
    pub(super) fn raise(&self) {
        if self.kept != 0 && set_capabilities(self.kept, self.kept) != 0 {
            tracing::warn!("this thread has not the capabilities that its ports want for their end");
        }
    }

    /// The opposite of [`Self::raise`].
    pub(super) fn lower(&self) {
        if self.kept != 0 {
            // What is given up is never refused.
            set_capabilities(0, self.kept);
        }
    }
}

/// What can be refused.
#[derive(Clone, Copy)]
enum Step {
    NoNewPrivileges,
    Files,
    Capabilities,
    Calls,
}

impl Step {
    fn tell(self) -> String {
        let what = match self {
            Self::NoNewPrivileges => "no_new_privs",
            Self::Files => "landlock",
            Self::Capabilities => "capset",
            Self::Calls => "seccomp",
        };
        format!("the kernel refuses {what} ({})", std::io::Error::last_os_error())
    }
}

/// Lets no program that is started have capabilities. Without CAP_SETPCAP the set stays, and means nothing: with
/// no_new_privs a program gains none.
fn bound() {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL);
    for capability in 0..64 {
        prctl(libc::PR_CAPBSET_DROP, capability);
    }
}

fn check(step: Step, code: c_long) -> Result<(), Step> {
    if code == 0 { Ok(()) } else { Err(step) }
}

/// What concerns the process and not a thread.
pub(super) fn prepare_process(mode: Mode) -> Result<(), String> {
    if mode == Mode::On {
        // SAFETY:
        // - the handler only reads the saved registers and makes system calls.
        unsafe { install(libc::SIGSYS, denied as *const () as usize)? };
    }
    // What is written from here on is for its owner: evidence holds packets.
    // SAFETY:
    // - it sets a number of the process.
    unsafe { libc::umask(0o077) };
    // SAFETY:
    // - the calls reaches no memory; descriptors stay open, and a program that is started would not get them.
    unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
    Ok(())
}

/// Becomes the plan's user, in all threads. Only the calling one keeps capabilities meanwhile.
pub(super) fn become_user(plan: &Plan) -> Result<(), String> {
    if let User::Other { user, group } = plan.user {
        // Now, because the new user cannot.
        bound();
        prctl(libc::PR_SET_KEEPCAPS, 1);
        let told = |what| move || format!("{what}: {}", std::io::Error::last_os_error());
        // SAFETY:
        // - no groups are read, so there need not be a list.
        let code = unsafe { libc::setgroups(0, std::ptr::null()) };
        ok(code).ok_or_else(told("setgroups"))?;
        // SAFETY:
        // - it takes numbers; the C library reaches all threads.
        let code = unsafe { libc::setresgid(group, group, group) };
        ok(code).ok_or_else(told("setresgid"))?;
        // SAFETY:
        // - it takes numbers; the C library reaches all threads.
        let code = unsafe { libc::setresuid(user, user, user) };
        ok(code).ok_or_else(told("setresuid"))?;
    }
    // Nobody looks into the process: neither others of this user, nor whoever reads core dumps, which hold packets.
    prctl(libc::PR_SET_DUMPABLE, 0);
    Ok(())
}

/// Confines all threads of the process, the calling one as [`Kind::Control`] and last.
pub(super) fn confine_all(jail: &'static Jail) -> Result<(), String> {
    HANDLED.store(std::ptr::from_ref(jail).cast_mut(), Ordering::SeqCst);
    // SAFETY:
    // - the handler does what is allowed in a handler (Jail::confine).
    let before = unsafe { install(CONFINE, confine as *const () as usize)? };
    let result = confine_others();
    restore(CONFINE, &before);
    result?;
    set_kind(Kind::Control);
    jail.confine(Kind::Control).map_err(Step::tell)
}

/// Sends the signal to threads until the kernel says of each that it has a filter and no capabilities.
fn confine_others() -> Result<(), String> {
    let start = Instant::now();
    let mut asked = Vec::new();
    loop {
        let free = free_threads()?;
        if free.is_empty() {
            return Ok(());
        }
        for thread in free.iter().filter(|thread| !asked.contains(*thread)) {
            // SAFETY:
            // - it takes numbers; a thread that has ended meanwhile is refused.
            unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), *thread, CONFINE) };
        }
        asked.extend_from_slice(&free);
        if REFUSED.load(Ordering::SeqCst) != 0 {
            return Err("the kernel refuses to confine a thread".to_owned());
        }
        if start.elapsed() > PATIENCE {
            let names: Vec<_> = free.iter().map(|thread| text(*thread, "comm").trim().to_owned()).collect();
            return Err(format!(
                "threads cannot be confined, because they block SIGURG: {}; --jail off runs without the jail",
                names.join(", ")
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Threads of the process, without the calling one, that the kernel does not call confined.
fn free_threads() -> Result<Vec<c_int>, String> {
    // SAFETY:
    // - it returns a number.
    let me = unsafe { libc::gettid() };
    let threads = fs::read_dir("/proc/self/task").map_err(|e| format!("/proc/self/task: {e}"))?;
    let numbers = threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.filter(|thread| *thread != me && !is_confined(&text(*thread, "status"))).collect())
}

fn text(thread: c_int, file: &str) -> String {
    fs::read_to_string(format!("/proc/self/task/{thread}/{file}")).unwrap_or_default()
}

/// What `status` says of a thread; one that has ended says nothing, and is nobody any more.
fn is_confined(status: &str) -> bool {
    let line = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let zero = |name| line(name).is_some_and(|bits| bits.trim_start_matches('0').is_empty());
    status.is_empty() || (line("Seccomp:") == Some("2") && zero("CapEff:") && zero("CapPrm:"))
}

extern "C" fn confine(_signal: c_int, _info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY:
    // - the pointer is null or one to the process's jail, which is never dropped.
    let Some(jail) = (unsafe { HANDLED.load(Ordering::SeqCst).as_ref() }) else { return };
    // SAFETY:
    // - it is the thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY:
    // - the thread's own place for it is valid as long as the thread is.
    let saved = unsafe { errno.read() };
    let counter = if jail.confine(KIND.get()).is_ok() { &CONFINED } else { &REFUSED };
    counter.fetch_add(1, Ordering::SeqCst);
    // SAFETY:
    // - as above.
    unsafe { errno.write(saved) };
}

/// A system call that is not in the list: says so, and ends the process by SIGSYS.
extern "C" fn denied(_signal: c_int, _info: *mut siginfo_t, context: *mut c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY:
    // - the kernel hands a context to handlers that were installed with SA_SIGINFO; the number of the call is still in
    //   the register that it was given in.
    let number = unsafe { (*context).uc_mcontext.gregs[libc::REG_RAX as usize] };
    let mut digits = [0_u8; 20];
    for part in [
        b"perigee: a thread of kind ".as_slice(),
        KIND.get().name().as_bytes(),
        b" made system call ",
        decimal(number.unsigned_abs(), &mut digits),
        b", which its jail does not allow: the process ends. With --jail log such calls are made, and logged by the kernel\n",
    ] {
        // SAFETY:
        // - the part is that many bytes long; nobody is there to hear of a failure.
        unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
    }
    // The signal is blocked here: another call of this kind ends the process at once.
    call(NO_CALL, [0, 0, 0]);
    // SAFETY:
    // - it ends the process where there is no filter after all.
    unsafe { libc::_exit(128 + libc::SIGSYS) };
}

/// A number as text, without allocation.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn numbers_are_written() {
        let text = |number| String::from_utf8(decimal(number, &mut [0; 20]).to_vec()).unwrap();
        assert_eq!((text(0), text(59)), ("0".to_owned(), "59".to_owned()));
        assert_eq!(text(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn status_tells_who_is_confined() {
        let status = |seccomp, caps| format!("Name:\tx\nCapPrm:\t{caps}\nCapEff:\t{caps}\nSeccomp:\t{seccomp}\n");
        assert!(is_confined(&status("2", "0000000000000000")));
        assert!(!is_confined(&status("0", "0000000000000000")));
        assert!(!is_confined(&status("2", "0000000000002000")));
        assert!(is_confined(""));
    }
}
