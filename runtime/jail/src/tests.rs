//! Threads in the jail, in processes of their own: what is tried here ends the process, or changes it for good.
//!
//! The tests start their own binary again, with the one test that does nothing unless it is told what to try.

#![allow(unsafe_code, reason = "system calls by their numbers, most of them with nonsense")]

use super::calls::{CALLS, Only, REFUSED};
use super::plan::{Driver, Plan};
use super::user::User;
use super::{Kind, Mode, files, thread};
use perigee_dpdk::eal::{Eal, EalOptions};
use perigee_dpdk_sys as sys;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicI64, Ordering};

const TOLD: &str = "PERIGEE_JAIL_TEST";
/// More numbers than the kernel has calls.
const NUMBERS: i64 = 512;
/// execve, which nobody may.
const START_A_PROGRAM: i64 = libc::SYS_execve;
/// DPDK's numbers for its level and type of a line, by rte_log.h.
const WARNING: u32 = 5;
const LOG_OF_EAL: u32 = 0;
/// Drivers that are tried together, each set with what it allows.
const DRIVERS: [&[Driver]; 12] = [
    &[Driver::Memory],
    &[Driver::File],
    &[Driver::Pcap],
    &[Driver::Tap],
    &[Driver::AfPacket],
    &[Driver::AfXdp],
    &[Driver::Memif],
    &[Driver::Other],
    &[Driver::Client],
    &[Driver::Tap, Driver::AfPacket],
    &[Driver::Memory, Driver::Profile],
    &[Driver::Other, Driver::Profile],
];

/// Runs the part of the child that is called `what`.
fn child(what: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::in_a_process_of_its_own", "--nocapture"]).env(TOLD, what);
    command.env("RUST_BACKTRACE", "1").output().unwrap()
}

fn plan(drivers: &[Driver], writable: Vec<PathBuf>) -> Plan {
    let user = User::of(None, Path::new("/")).unwrap();
    Plan { mode: Mode::On, drivers: drivers.to_vec(), user, writable, clearable: Vec::new(), kept: 0 }
}

#[test]
fn in_a_process_of_its_own() {
    let Ok(what) = std::env::var(TOLD) else { return };
    let (what, argument) = what.split_once(' ').unwrap_or((&what, ""));
    match what {
        "calls" => try_all_calls(argument.parse().unwrap()),
        "denied" => {
            in_thread(argument.parse().unwrap(), || call(START_A_PROGRAM, [0, 0]));
        }
        "panic" => {
            let kind = Kind::ALL[argument.parse::<usize>().unwrap()];
            let panicked = std::thread::spawn(move || {
                thread::prepare_process(Mode::On).unwrap();
                confine(kind, &[Driver::Memory]);
                panic!("a thread in the jail panics");
            });
            assert!(panicked.join().is_err());
            println!("survived");
        }
        "files" => try_files(Path::new(argument)),
        "log" => try_logging(),
        other => panic!("{other}"),
    }
}

fn confine(kind: Kind, drivers: &[Driver]) {
    thread::set_kind(kind);
    thread::Jail::new(&plan(drivers, Vec::new()), None).unwrap().enter(kind).unwrap();
}

fn in_thread(kind: usize, work: impl FnOnce() -> i64 + Send + 'static) -> i64 {
    let kind = Kind::ALL[kind];
    let thread = std::thread::spawn(move || {
        thread::prepare_process(Mode::On).unwrap();
        confine(kind, &[Driver::Memory]);
        work()
    });
    thread.join().unwrap()
}

fn call(number: i64, [first, second]: [u64; 2]) -> i64 {
    // SAFETY:
    // - the calls that are made are refused, or get addresses and descriptors that cannot be.
    unsafe { libc::syscall(number, first, second, u64::MAX, u64::MAX, u64::MAX, u64::MAX) }
}

/// The call that was denied last.
static DENIED: AtomicI64 = AtomicI64::new(-1);

extern "C" fn note(_signal: i32, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY:
    // - the kernel hands a context to a handler that was installed with SA_SIGINFO.
    let number = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RAX as usize] };
    DENIED.store(number, Ordering::SeqCst);
}

/// Makes every call in a thread of that kind, for each set of drivers, and compares with the table.
fn try_all_calls(kind: usize) {
    // SAFETY:
    // - the handler stores a number.
    unsafe { super::kernel::install(libc::SIGSYS, note as *const () as usize) }.unwrap();
    for drivers in DRIVERS {
        let kind = Kind::ALL[kind];
        let thread = std::thread::spawn(move || {
            confine(kind, drivers);
            let mut allowed = BTreeSet::new();
            for number in (0..NUMBERS).filter(|number| !ends_the_thread(*number)) {
                DENIED.store(-1, Ordering::SeqCst);
                call(number, arguments(number, kind, drivers));
                if DENIED.load(Ordering::SeqCst) != number {
                    allowed.insert(number);
                }
            }
            // With other arguments than the table has, they are denied.
            for (number, wrong) in [(libc::SYS_write, 1), (libc::SYS_tgkill, 1), (libc::SYS_prctl, 1)] {
                let any = CALLS
                    .iter()
                    .any(|row| row.number == number && row.is_allowed(kind, drivers) && matches!(row.only, Only::Any));
                DENIED.store(-1, Ordering::SeqCst);
                call(number, [wrong, u64::MAX]);
                assert_eq!(DENIED.load(Ordering::SeqCst) == number, !any, "{kind:?} {drivers:?} {number}");
            }
            allowed
        });
        let allowed = thread.join().unwrap();
        let mut expected: BTreeSet<i64> =
            CALLS.iter().filter(|row| row.is_allowed(kind, drivers)).map(|row| row.number).collect();
        if !matches!(kind, Kind::Control | Kind::Service | Kind::Api) {
            // These answer, with a refusal.
            expected.extend(REFUSED);
        }
        expected.retain(|number| !ends_the_thread(*number));
        assert_eq!(allowed, expected, "{kind:?} with {drivers:?}");
        println!("{kind:?} {drivers:?}: {} of {NUMBERS} calls", allowed.len());
    }
}

/// Calls that do not come back; and those of the kernel's own probes, which no filter sees, and which are illegal anywhere but
/// at a probe.
fn ends_the_thread(number: i64) -> bool {
    const URETPROBE: i64 = 335;
    const UPROBE: i64 = 336;
    [libc::SYS_exit, libc::SYS_exit_group, libc::SYS_rt_sigreturn, URETPROBE, UPROBE].contains(&number)
}

/// Arguments that the table allows.
fn arguments(number: i64, kind: Kind, drivers: &[Driver]) -> [u64; 2] {
    let mut arguments = [u64::MAX; 2];
    match CALLS.iter().find(|row| row.number == number && row.is_allowed(kind, drivers)).map(|row| row.only) {
        Some(Only::Value(at, value)) => arguments[usize::from(at)] = value,
        Some(Only::OwnProcess(at)) => arguments[usize::from(at)] = std::process::id().into(),
        _ => {}
    }
    arguments
}

#[test]
fn each_kind_may_what_the_table_says() {
    for kind in 0..Kind::ALL.len() {
        let output = child(&format!("calls {kind}"));
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
        print!("{told}");
    }
}

#[test]
fn each_kind_dies_of_a_denied_call() {
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        let output = child(&format!("denied {number}"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{kind:?}: {told}");
        let expected = format!("a thread of kind {} made system call {START_A_PROGRAM}, which", kind.name());
        assert!(told.contains(&expected), "{told}");
    }
}

#[test]
fn each_kind_survives_a_panic() {
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        let output = child(&format!("panic {number}"));
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{kind:?}: {told}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("survived"), "{kind:?}: {told}");
    }
}

/// The whole process goes in, as a run's does; then files and connections are tried.
fn try_files(directory: &Path) {
    let open = directory.join("open");
    let plan = plan(&[Driver::Pcap], vec![open.clone()]);
    super::folder::make(plan.user, &open).unwrap();
    fs::write(directory.join("foreign"), "x").unwrap();
    let files = files::ruleset(&plan).unwrap();
    let jail = Box::leak(Box::new(thread::Jail::new(&plan, files.ruleset).unwrap()));
    thread::prepare_process(Mode::On).unwrap();
    thread::become_user(&plan).unwrap();
    thread::confine_all(jail).unwrap();
    let refused = |result: std::io::Result<()>| result.err().map(|e| e.kind()) == Some(ErrorKind::PermissionDenied);
    fs::create_dir(open.join("bundle")).unwrap();
    fs::write(open.join("bundle/part"), "text").unwrap();
    fs::rename(open.join("bundle/part"), open.join("whole")).unwrap();
    assert_eq!(fs::read_to_string(open.join("whole")).unwrap(), "text");
    assert!(refused(fs::read("/etc/passwd").map(drop)), "/etc/passwd can be read");
    assert!(refused(fs::read(directory.join("foreign")).map(drop)), "a file beside can be read");
    assert!(refused(fs::write(directory.join("new"), "x")), "a file beside can be made");
    assert!(refused(fs::read_dir("/").map(drop)), "/ can be listed");
    // Another thread has the same rules, without having done anything.
    let other = std::thread::spawn(|| fs::read("/etc/passwd").map(drop)).join().unwrap();
    assert!(refused(other), "another thread reads /etc/passwd");
    println!("kept in");
    // There is no socket for such ports: this ends the process.
    let _ = TcpStream::connect("127.0.0.1:1");
    println!("connected");
}

#[test]
fn files_and_connections_are_out_of_reach() {
    if super::landlock_version().is_none() {
        eprintln!("not run: this kernel has no landlock");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Whoever the process becomes must find its way there.
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = child(&format!("files {}", directory.path().display()));
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("kept in") && !told.contains("connected"), "{told}");
    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{told}");
    assert!(told.contains(&format!("made system call {}, which", libc::SYS_socket)), "{told}");
}

/// Lets DPDK log in a thread of each kind, with the calls that each set of drivers allows.
fn try_logging() {
    let options = EalOptions { huge_pages: false, memory_mb: 16, pci: Vec::new(), has_iommu: true, extra: Vec::new() };
    Eal::start(&options).unwrap();
    // The more threads allocate, the more does the allocator ask of the kernel.
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ended = std::sync::Arc::new(std::sync::Mutex::new(ended));
    for _ in 0..24 {
        let ended = std::sync::Arc::clone(&ended);
        std::thread::spawn(move || {
            let some = std::hint::black_box(vec![1_u8; 1_000]);
            let _ = ended.lock().map(|ended| ended.recv());
            drop(some);
        });
    }
    let mut logged = 0;
    for drivers in DRIVERS {
        for kind in Kind::ALL {
            let thread = std::thread::spawn(move || {
                thread::prepare_process(Mode::On).unwrap();
                confine(kind, drivers);
                drop(std::hint::black_box(vec![1_u8; 1_000]));
                // SAFETY:
                // - the format is terminated and has no argument; level and type exist.
                unsafe { sys::rte_log(WARNING, LOG_OF_EAL, c"DPDK has something to say\n".as_ptr()) }
            });
            assert!(thread.join().unwrap() >= 0, "{kind:?} {drivers:?}");
            logged += 1;
        }
    }
    println!("{logged} lines were logged, {} wait", perigee_dpdk::log::waiting());
    drop(end);
}

/// DPDK calls syslog(3), where nobody has told it otherwise: once with a socket that takes it, once without.
#[test]
fn each_kind_survives_what_dpdk_logs() {
    // /dev is another one, with what a program needs and the log's socket; without rights, in a user namespace.
    const DEV: &str = "mkdir dev && mount -t tmpfs tmpfs dev && for f in null zero random urandom log; do : > dev/$f; done \
                       && for f in null zero random urandom; do mount --bind /dev/$f dev/$f; done \
                       && if [ \"$1\" = with ]; then mount --bind log dev/log; else rm dev/log; fi \
                       && mount --move dev /dev && exec \"$2\" --exact tests::in_a_process_of_its_own --nocapture";
    let count = DRIVERS.len() * Kind::ALL.len();
    for socket in ["with", "without"] {
        let home = tempfile::tempdir().unwrap();
        let log = UnixDatagram::bind(home.path().join("log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", DEV, "sh", socket]);
        command.arg(std::env::current_exe().unwrap()).env(TOLD, "log").current_dir(home.path());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0;
        if !is_root && told.contains("mount: ") {
            eprintln!("not run: whoever is not root gets no /dev of his own here: {told}");
            return;
        }
        assert!(output.status.success(), "{socket} /dev/log: {}\n{told}", output.status);
        assert!(told.contains(&format!("{count} lines were logged, {count} wait")), "{told}");
        assert!(!told.contains("has something to say"), "it is written by nobody but us: {told}");
        log.set_nonblocking(true).unwrap();
        assert_eq!(log.recv(&mut [0; 64]).map_err(|e| e.kind()), Err(ErrorKind::WouldBlock), "syslog has got it");
    }
}

#[test]
fn every_call_has_a_reason() {
    for row in CALLS {
        assert!(row.name.starts_with("SYS_") && row.why.len() > 4, "{}: {:?}", row.name, row.why);
    }
    let count = |kind| CALLS.iter().filter(|row| row.is_allowed(kind, &[Driver::Memory])).count();
    // What runs modules may least.
    assert!(count(Kind::Lcore) < 30 && count(Kind::Lcore) < count(Kind::Api), "{}", count(Kind::Lcore));
}

/// Timers are there for a profile and for nothing else, not even for ports that nobody has looked at; and lcores make none.
#[test]
fn what_a_profile_takes_is_there_with_a_profile_alone() {
    const TIMERS: [i64; 3] = [libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_delete];
    let allowed = |kind: Kind, drivers: &[Driver]| -> BTreeSet<i64> {
        CALLS.iter().filter(|row| row.is_allowed(kind, drivers)).map(|row| row.number).collect()
    };
    for drivers in DRIVERS.iter().filter(|drivers| !drivers.contains(&Driver::Profile)) {
        let with = [drivers, &[Driver::Profile][..]].concat();
        for kind in Kind::ALL {
            let (without, with) = (allowed(kind, drivers), allowed(kind, &with));
            let more: Vec<i64> = with.difference(&without).copied().collect();
            let expected: &[i64] = if kind == Kind::Control { &TIMERS } else { &[] };
            assert_eq!(more, expected, "{kind:?} {drivers:?}");
            assert!(
                without.is_subset(&with) && TIMERS.iter().all(|timer| !without.contains(timer)),
                "{kind:?} {drivers:?}"
            );
        }
    }
}
