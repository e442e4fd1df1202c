//! The system calls that threads may make once they are in the jail, each with its reason. Found by strace over all tests
//! (docs/architecture.md, "The jail"); what is not here ends the process.

use super::Kind;
use super::plan::Driver;

/// A row of the table.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) number: i64,
    /// What one of its arguments must be.
    pub(super) only: Only,
    /// Kinds of thread, as bits.
    who: u16,
    /// Ports that need it; empty: it does not depend on ports.
    when: &'static [Driver],
    pub(super) why: &'static str,
}

/// A condition on an argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Only {
    Any,
    /// The argument of this number has this value.
    Value(u8, u64),
    /// The argument of this number is the process's own number.
    OwnProcess(u8),
}

impl Call {
    /// Whether a thread of that kind may make it, in a run with such ports.
    pub(super) fn is_allowed(&self, kind: Kind, drivers: &[Driver]) -> bool {
        // A new thread is the control thread's until it has said its kind.
        let is_its = kind == Kind::Control || self.who & 1 << kind as u8 != 0;
        is_its && self.is_needed(drivers)
    }

    fn is_needed(&self, drivers: &[Driver]) -> bool {
        // What a profile takes, no port takes: without one it is not there.
        let is_of_ports = !self.when.contains(&Driver::Profile);
        let needs = |driver: &Driver| (*driver == Driver::Other && is_of_ports) || self.when.contains(driver);
        self.when.is_empty() || drivers.iter().any(needs)
    }
}

const F: u16 = 1 << Kind::Foreign as u8;
const C: u16 = 1 << Kind::Control as u8;
const L: u16 = 1 << Kind::Lcore as u8;
const S: u16 = 1 << Kind::Service as u8;
const A: u16 = 1 << Kind::Api as u8;
const R: u16 = 1 << Kind::Reader as u8;
/// A feed makes the calls that the page's process makes: it takes what comes, and asks the run.
const W: u16 = 1 << Kind::Web as u8 | 1 << Kind::Feed as u8;
const ALL: u16 = 0xffff;

const PR_SET_NAME: u64 = libc::PR_SET_NAME as u64;
const PR_SET_NO_NEW_PRIVS: u64 = libc::PR_SET_NO_NEW_PRIVS as u64;
const MONOTONIC: u64 = libc::CLOCK_MONOTONIC as u64;

const ANY: &[Driver] = &[];
const SOCKETS: &[Driver] = &[Driver::AfPacket, Driver::AfXdp];
const TAP: &[Driver] = &[Driver::Tap];
const XDP: &[Driver] = &[Driver::AfXdp];
const AF_PACKET: &[Driver] = &[Driver::AfPacket];
const PCAP: &[Driver] = &[Driver::Pcap];
const MEMIF: &[Driver] = &[Driver::Memif];
const FILES: &[Driver] = &[Driver::File];
const CLIENT: &[Driver] = &[Driver::Client];
const PROFILE: &[Driver] = &[Driver::Profile];

macro_rules! call {
    ($name:ident, $only:expr, $who:expr, $when:expr, $why:literal) => {
        Call { name: stringify!($name), number: libc::$name, only: $only, who: $who, when: $when, why: $why }
    };
    ($name:ident, $who:expr, $when:expr, $why:literal) => {
        call!($name, Only::Any, $who, $when, $why)
    };
}

/// What is allowed.
#[rustfmt::skip]
pub(super) const CALLS: &[Call] = &[
    // Every thread: it waits, takes memory, looks at the clock, handles signals, ends.
    call!(SYS_futex, ALL, ANY, "waiting for other threads, and waking them"),
    call!(SYS_clock_nanosleep, ALL, ANY, "sleeping: an lcore naps, the ticker ticks"),
    call!(SYS_nanosleep, ALL, ANY, "the same, by older libraries"),
    call!(SYS_restart_syscall, ALL, ANY, "a sleep goes on after a signal"),
    call!(SYS_sched_yield, ALL, ANY, "spinning on a lock that another thread holds"),
    call!(SYS_clock_gettime, ALL, ANY, "clocks that are not in the vDSO: a thread's processor time"),
    call!(SYS_gettimeofday, ALL, ANY, "where the vDSO has no clock"),
    call!(SYS_mmap, ALL, ANY, "memory: allocator, stacks"),
    call!(SYS_munmap, ALL, ANY, "the same, given back"),
    call!(SYS_mremap, ALL, ANY, "the same, larger"),
    call!(SYS_mprotect, ALL, ANY, "the allocator's arenas; a guest's memory grows"),
    call!(SYS_madvise, ALL, ANY, "pages given back: by the allocator, and with a thread's stack"),
    call!(SYS_brk, ALL, ANY, "the allocator"),
    call!(SYS_sched_getaffinity, ALL, ANY, "how many CPUs there are: the allocator asks, once many threads allocate"),
    call!(SYS_rt_sigreturn, ALL, ANY, "end of a signal handler: that is how a guest's trap arrives"),
    call!(SYS_rt_sigprocmask, ALL, ANY, "signals blocked, while a thread begins and ends"),
    call!(SYS_sigaltstack, ALL, ANY, "the stack on which traps are handled"),
    call!(SYS_getpid, ALL, ANY, "abort"),
    call!(SYS_gettid, ALL, ANY, "abort; a thread's registration with DPDK"),
    call!(SYS_tgkill, Only::OwnProcess(0), ALL, ANY, "abort, to this process only"),
    call!(SYS_getrandom, ALL, ANY, "keys of hash tables"),
    call!(SYS_write, Only::Value(0, 2), ALL, ANY, "messages on standard error: log, panic"),
    call!(SYS_writev, Only::Value(0, 2), ALL, ANY, "the same"),
    call!(SYS_exit, ALL, ANY, "a thread ends"),
    call!(SYS_exit_group, ALL, ANY, "the process ends"),
    // Rx and tx of ports that are the kernel's, on lcores.
    call!(SYS_sendto, L, SOCKETS, "tx: wakes the kernel for the frames in the ring"),
    call!(SYS_poll, L, SOCKETS, "tx: is the device up, is there room"),
    call!(SYS_recvfrom, L, XDP, "rx: wakes the kernel for the fill ring"),
    call!(SYS_ioctl, Only::Value(1, libc::SIOCGIFFLAGS), L | F, ANY, "is the interface up"),
    call!(SYS_readv, L, TAP, "rx of a packet"),
    call!(SYS_writev, L, TAP, "tx of a packet"),
    call!(SYS_write, L, PCAP, "tx into a file"),
    call!(SYS_read, L, PCAP, "rx from a file"),
    call!(SYS_lseek, L, PCAP, "infinite_rx: from the beginning again"),
    call!(SYS_poll, L, PCAP, "rx and tx on an interface"),
    call!(SYS_sendto, L, PCAP, "tx on an interface"),
    call!(SYS_getsockopt, L, PCAP, "what is wrong with an interface that went down"),
    call!(SYS_recvfrom, L, PCAP, "the same, where the kernel does not say it"),
    call!(SYS_getsockname, L, PCAP, "is an interface that went down still there"),
    call!(SYS_write, L, MEMIF, "wakes the peer"),
    call!(SYS_read, L, MEMIF, "takes the peer's wake-up back"),
    // Files that are played from the disk, whose descriptors it has.
    call!(SYS_pread64, R, FILES, "what is played next"),
    // DPDK's thread waits for interrupts and alarms.
    call!(SYS_epoll_wait, F | A | W, ANY, "waiting for what happens"),
    call!(SYS_epoll_pwait, F | A | W, ANY, "the same, by newer libraries"),
    call!(SYS_epoll_ctl, F | A | W, ANY, "what is waited for"),
    call!(SYS_epoll_create, F, ANY, "another port's interrupts are waited for as well"),
    call!(SYS_epoll_create1, F | A, ANY, "what is waited for changes"),
    call!(SYS_read, F | A | S | W, ANY, "what has happened; a request; a file"),
    call!(SYS_close, F | A | S | W, ANY, "a descriptor is done with"),
    call!(SYS_timerfd_settime, F, ANY, "the next alarm"),
    call!(SYS_recvmsg, F, ANY, "news of a tap's link; a memif peer"),
    call!(SYS_sendmsg, F, MEMIF, "answers a peer"),
    call!(SYS_accept, F, MEMIF, "a peer comes"),
    call!(SYS_socket, F, MEMIF, "a client looks for its server again"),
    call!(SYS_connect, F, MEMIF, "the same"),
    call!(SYS_fcntl, F, MEMIF, "descriptors that a peer gave"),
    call!(SYS_eventfd2, F, MEMIF, "rings of a new peer: its wake-up"),
    call!(SYS_memfd_create, F, MEMIF, "rings of a new peer: their memory"),
    call!(SYS_ftruncate, F, MEMIF, "the same: its size"),
    call!(SYS_write, F, MEMIF, "wakes a peer"),
    call!(SYS_fstat, F, MEMIF, "the size of a peer's memory"),
    call!(SYS_newfstatat, F, MEMIF, "the same"),
    // The page for browsers, and a feed of routes, in processes of their own: they ask the run by a Unix socket, as `perigee ctl` does.
    call!(SYS_socket, Only::Value(0, libc::AF_UNIX as u64), W, CLIENT, "asks the run"),
    call!(SYS_connect, W, CLIENT, "the same"),
    call!(SYS_unlink, W, CLIENT, "the token's file, or a feed's socket, goes at the end; landlock says where"),
    // The control socket, and the page.
    call!(SYS_accept4, A | W, ANY, "a client comes"),
    call!(SYS_readv, A | W, ANY, "a request"),
    call!(SYS_recvfrom, A | W, ANY, "a request"),
    call!(SYS_recvmsg, A | W, ANY, "a request"),
    call!(SYS_write, A | S | W, ANY, "an answer; a file"),
    call!(SYS_writev, A | S | W, ANY, "the same, in parts"),
    call!(SYS_sendto, A | W, ANY, "an answer"),
    call!(SYS_sendmsg, A | W, ANY, "an answer"),
    call!(SYS_shutdown, A | W, ANY, "the end of an answer"),
    call!(SYS_getsockopt, A | W, ANY, "who the client is"),
    call!(SYS_setsockopt, A | W, ANY, "TCP_NODELAY of a scraper's connection"),
    call!(SYS_getpeername, A | W, ANY, "a scraper's address"),
    call!(SYS_getsockname, A | W, ANY, "the same, ours"),
    call!(SYS_eventfd2, A | W, ANY, "wakes the event loop"),
    call!(SYS_socketpair, A | W, ANY, "the same"),
    call!(SYS_ioctl, Only::Value(1, libc::FIONBIO), A | W, ANY, "a client's connection that does not block"),
    call!(SYS_fcntl, A | S | W, ANY, "duplicates a descriptor"),
    call!(SYS_clone3, A | C, ANY, "starts a thread"),
    call!(SYS_clone, A | C, ANY, "the same, by older libraries"),
    call!(SYS_set_robust_list, A | C, ANY, "a new thread's locks"),
    call!(SYS_rseq, A | C, ANY, "a new thread's place for its CPU"),
    call!(SYS_prctl, Only::Value(0, PR_SET_NAME), A | C, ANY, "a new thread's name"),
    // Files: evidence and records. Landlock says where.
    call!(SYS_open, S | A | C, ANY, "files of a bundle; the process's own state"),
    call!(SYS_openat, S | A | C, ANY, "the same"),
    call!(SYS_stat, S | A | C, ANY, "is a file there"),
    call!(SYS_fstat, S | A | C, ANY, "a file's size"),
    call!(SYS_lstat, S | A | C, ANY, "what a directory holds"),
    call!(SYS_newfstatat, S | A | C, ANY, "the same"),
    call!(SYS_statx, S | A | C, ANY, "the same"),
    call!(SYS_access, S | A | C, ANY, "is a file there"),
    call!(SYS_readlink, S | A | C, ANY, "where the process's own files are, for a backtrace"),
    call!(SYS_readlinkat, S | A | C, ANY, "the same"),
    call!(SYS_getcwd, S | A | C, ANY, "the same"),
    call!(SYS_getdents64, S | C, ANY, "what a directory holds"),
    call!(SYS_lseek, S | A | C, ANY, "a place in a file"),
    call!(SYS_pread64, S | C, ANY, "the same"),
    call!(SYS_pwrite64, S | C | L, ANY, "the same; on an lcore the state region of a module that was replaced"),
    call!(SYS_ftruncate, S | C, ANY, "a file is written anew; memory that is shared"),
    call!(SYS_fallocate, S | C, ANY, "room on the disk"),
    call!(SYS_fsync, S | C, ANY, "what is written survives"),
    call!(SYS_fdatasync, S | C, ANY, "the same"),
    call!(SYS_mkdir, S | C, ANY, "a bundle's folder"),
    call!(SYS_mkdirat, S | C, ANY, "the same"),
    call!(SYS_rename, S | C, ANY, "a bundle is whole"),
    call!(SYS_renameat, S | C, ANY, "the same"),
    call!(SYS_renameat2, S | C, ANY, "the same"),
    call!(SYS_unlink, S | A | C, ANY, "an old bundle, or a socket, goes"),
    call!(SYS_unlinkat, S | A | C, ANY, "the same"),
    call!(SYS_rmdir, S | C, ANY, "the same"),
    call!(SYS_chmod, S | C, ANY, "a bundle is its owner's"),
    call!(SYS_fchmod, S | C, ANY, "the same"),
    call!(SYS_flock, S | C, ANY, "one writer"),
    call!(SYS_statfs, S | C, ANY, "room on the disk; where the kernel keeps programs, as libxdp asks at the end"),
    // The control thread alone.
    call!(SYS_prctl, Only::Value(0, PR_SET_NO_NEW_PRIVS), C, ANY, "a new thread gives up what its kind does not need"),
    call!(SYS_capset, C, ANY, "the same; and what ports need for their end"),
    call!(SYS_capget, C, ANY, "the same"),
    call!(SYS_seccomp, C, ANY, "the same"),
    call!(SYS_sched_setaffinity, C, ANY, "a new lcore is pinned"),
    call!(SYS_sched_setscheduler, C, ANY, "a new ticker's priority, in vain"),
    call!(SYS_prlimit64, C, ANY, "a new thread's stack"),
    call!(SYS_memfd_create, C, ANY, "memory that two instances share"),
    call!(SYS_write, C, ANY, "the summary; to the compiler"),
    call!(SYS_dup3, C, PCAP, "the file that a port writes comes in the place of one in memory"),
    call!(SYS_pipe2, C, ANY, "a way to another thread"),
    call!(SYS_timer_create, Only::Value(0, MONOTONIC), C, PROFILE, "a new lcore is sampled"),
    call!(SYS_timer_settime, C, PROFILE, "the same"),
    call!(SYS_timer_delete, C, PROFILE, "the same, no more"),
    call!(SYS_poll, C, ANY, "waiting for the compiler"),
    call!(SYS_wait4, C, ANY, "the compiler's end"),
    call!(SYS_waitid, C, ANY, "the same"),
    call!(SYS_kill, C, ANY, "the same, where it hangs; landlock keeps other processes from it where the kernel can"),
    call!(SYS_pidfd_send_signal, C, ANY, "the same"),
    call!(SYS_ioctl, Only::Value(1, libc::TCGETS), C, ANY, "is the summary for a terminal"),
    call!(SYS_ioctl, Only::Value(1, libc::TIOCGWINSZ), C, ANY, "how wide it is"),
    call!(SYS_getsockopt, C, ANY, "what the kernel has dropped"),
    call!(SYS_socket, C, SOCKETS, "asks the kernel for an interface's state"),
    call!(SYS_socket, C, TAP, "the same"),
    call!(SYS_ioctl, C, SOCKETS, "the same, and sets it at the end"),
    call!(SYS_ioctl, C, TAP, "the same"),
    call!(SYS_bind, C, AF_PACKET, "uses an interface that was made anew"),
    call!(SYS_setsockopt, C, AF_PACKET, "the same: all addresses"),
    call!(SYS_bind, C, XDP, "takes the program off the interface"),
    call!(SYS_getsockname, C, XDP, "the same"),
    call!(SYS_setsockopt, C, XDP, "the same"),
    call!(SYS_sendmsg, C, XDP, "the same"),
    call!(SYS_recvmsg, C, XDP, "the same"),
    call!(SYS_bpf, C, XDP, "the same"),
    call!(SYS_shutdown, C, MEMIF, "peers are told"),
    call!(SYS_socket, C, MEMIF, "a client looks for its server again"),
    call!(SYS_connect, C, MEMIF, "the same"),
    call!(SYS_sendmsg, C, MEMIF, "the same"),
];

/// What lcores, the ticker and the watchdog ask for in vain: refused with EACCES, as if the file were not readable, because a
/// panic that prints its backtrace goes on without.
#[rustfmt::skip]
pub(super) const REFUSED: &[i64] = &[
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_stat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_access,
];
