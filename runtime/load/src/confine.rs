//! What the compile server gives up before it looks at a module, and its workers besides. Where the kernel lacks one of the
//! walls, the others stand; the server says so once.
#![allow(unsafe_code, reason = "asks the kernel for limits and processes, which the standard library has no calls for")]

use super::keeper::{Note, Plan};
use landlock::{ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Limits of one worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// CPU time.
    pub(super) time: Duration,
    /// Memory beyond what the server has, bytes.
    pub(super) memory: u64,
    /// Bytes of address space that the server has: DPDK's libraries are among them, which nobody uses here.
    pub(super) base: u64,
}

impl Limits {
    /// The plan's, in a process that can still read what it has.
    pub(super) fn of(plan: &Plan) -> Self {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = text.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
        // Without /proc: more than any start of ours has had.
        let base = pages.map_or(1 << 30, |pages| pages.saturating_mul(4096));
        Self { time: plan.time, memory: plan.memory, base }
    }
}

/// Gives up capabilities, files beyond the plan's directories, and all system calls but those that serving needs.
///
/// Returns what could not be had.
pub(super) fn server(plan: &Plan) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |what: &str, result: Result<(), String>| {
        if let Err(why) = result {
            notes.push(Note::Warning(format!("the compile server runs without {what}: {why}")));
        }
    };
    note("a limit on core dumps", limit(libc::RLIMIT_CORE, 0));
    note("no_new_privs", control(libc::PR_SET_NO_NEW_PRIVS, 1));
    for set in [caps::CapSet::Ambient, caps::CapSet::Inheritable, caps::CapSet::Effective, caps::CapSet::Permitted] {
        note("dropping capabilities", caps::clear(None, set).map_err(|e| e.to_string()));
    }
    note("landlock", files(plan));
    note("seccomp", filter(SERVER, false));
    notes
}

/// Gives up all but computing, and limits that: called in a process of its own for one module.
///
/// # Errors
/// A limit could not be set: nothing may be compiled then.
pub(super) fn worker(limits: &Limits) -> Result<(), String> {
    limit(libc::RLIMIT_CORE, 0)?;
    limit(libc::RLIMIT_FSIZE, 0)?;
    // The system counts whole seconds.
    limit(libc::RLIMIT_CPU, limits.time.as_secs().max(1))?;
    limit(libc::RLIMIT_AS, limits.base.saturating_add(limits.memory))?;
    // The server's own filter has been in force since its beginning: without one, without the other.
    if let Err(why) = filter(WORKER, true) {
        tracing::debug!("the compiler runs without seccomp: {why}");
    }
    Ok(())
}

/// Closes whatever the program that started this one has left open, but for input, output and errors.
///
/// # Errors
/// The kernel lacks the call.
pub(super) fn close_inherited() -> std::io::Result<()> {
    // SAFETY:
    // - called before this process has opened anything of its own.
    let code = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Kills the calling process when its parent ends.
pub(super) fn end_with_parent() -> Result<(), String> {
    control(libc::PR_SET_PDEATHSIG, libc::SIGKILL.unsigned_abs().into())
}

fn control(option: libc::c_int, value: libc::c_ulong) -> Result<(), String> {
    let none: libc::c_ulong = 0;
    // SAFETY:
    // - the options that are asked for here take one number and no pointer.
    let code = unsafe { libc::prctl(option, value, none, none, none) };
    if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
}

fn limit(resource: libc::__rlimit_resource_t, most: u64) -> Result<(), String> {
    let limits = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY:
    // - the structure is valid for the call, which reads it.
    let code = unsafe { libc::setrlimit(resource, &raw const limits) };
    if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
}

fn files(plan: &Plan) -> Result<(), String> {
    let abi = ABI::V3;
    let say = |e: landlock::RulesetError| e.to_string();
    let mut rules = Ruleset::default().handle_access(AccessFs::from_all(abi)).map_err(say)?.create().map_err(say)?;
    let ours = AccessFs::from_read(abi) | AccessFs::from_write(abi);
    for path in plan.cache.iter().map(|(path, _)| path).chain(&plan.state) {
        // A cache that could not be made is not used.
        let Ok(folder) = PathFd::new(path) else { continue };
        rules = rules.add_rule(PathBeneath::new(folder, ours & !AccessFs::Execute)).map_err(say)?;
    }
    let status = rules.restrict_self().map_err(say)?;
    match status.ruleset {
        landlock::RulesetStatus::NotEnforced => Err("the kernel has none".to_owned()),
        _ => Ok(()),
    }
}

/// Whatever is not listed fails as if it were not permitted.
fn filter(allowed: &[libc::c_long], no_code: bool) -> Result<(), String> {
    let say = |e: seccompiler::BackendError| e.to_string();
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = allowed.iter().map(|call| (*call, Vec::new())).collect();
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
        let plain =
            SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0).map_err(say)?;
        let rule = SeccompRule::new(vec![plain]).map_err(say)?;
        rules.insert(call, if no_code { vec![rule] } else { Vec::new() });
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(say)?;
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch).map_err(say)?;
    let program: seccompiler::BpfProgram = filter.try_into().map_err(say)?;
    seccompiler::apply_filter(&program).map_err(|e| e.to_string())
}

/// Computing, and writing to a pipe that is open. What mmap and mprotect may do is said in [`filter`].
#[rustfmt::skip]
const WORKER: &[libc::c_long] = &[
    libc::SYS_write, libc::SYS_close, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk,
    libc::SYS_futex, libc::SYS_getrandom, libc::SYS_clock_gettime, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack, libc::SYS_getpid,
    libc::SYS_gettid, libc::SYS_tgkill, libc::SYS_exit, libc::SYS_exit_group,
];

/// Also what a worker does before it confines itself: the server's filter is its, too.
#[rustfmt::skip]
const SERVER: &[libc::c_long] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_writev, libc::SYS_recvfrom, libc::SYS_sendto, libc::SYS_recvmsg,
    libc::SYS_sendmsg, libc::SYS_close, libc::SYS_close_range, libc::SYS_pipe2, libc::SYS_dup2, libc::SYS_dup3,
    libc::SYS_poll, libc::SYS_ppoll, libc::SYS_fcntl,
    // The cache and the versions; landlock says where.
    libc::SYS_openat, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_lseek, libc::SYS_getdents64,
    libc::SYS_unlink, libc::SYS_unlinkat, libc::SYS_rename, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_link,
    libc::SYS_linkat, libc::SYS_fsync, libc::SYS_ftruncate, libc::SYS_fchmod, libc::SYS_utimensat, libc::SYS_flock,
    // Memory and time.
    libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk, libc::SYS_futex, libc::SYS_getrandom,
    libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    // Workers: one for each module.
    libc::SYS_clone, libc::SYS_fork, libc::SYS_wait4, libc::SYS_kill, libc::SYS_getpid, libc::SYS_getppid,
    libc::SYS_gettid, libc::SYS_tgkill, libc::SYS_setrlimit, libc::SYS_prlimit64, libc::SYS_prctl, libc::SYS_seccomp,
    libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_geteuid, libc::SYS_getuid,
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    libc::SYS_exit, libc::SYS_exit_group,
];
