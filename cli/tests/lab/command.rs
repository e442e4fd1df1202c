//! Running tools: each under a time limit, each with its output in files, and each missing one named with the Debian
//! package that brings it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where tools are looked for. Not the caller's PATH: an unprivileged user cannot reach what lies in root's home.
const TOOL_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The Debian packages of the tools that the lab runs.
const PACKAGES: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("dig", "bind9-dnsutils"),
    ("dnsmasq", "dnsmasq-base"),
    ("dumpcap", "tshark"),
    ("editcap", "tshark"),
    ("ethtool", "ethtool"),
    ("fping", "fping"),
    ("ip", "iproute2"),
    ("iperf3", "iperf3"),
    ("nsenter", "util-linux"),
    ("ping", "iputils-ping"),
    ("python3", "python3"),
    ("setpriv", "util-linux"),
    ("sh", "dash"),
    ("sleep", "coreutils"),
    ("tcpreplay", "tcpreplay"),
    ("tshark", "tshark"),
    ("unshare", "util-linux"),
];

/// Longest time that a program may take until it is ready for use.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Numbers the output files of a test process's jobs.
static NEXT_JOB: AtomicUsize = AtomicUsize::new(0);

/// The path of `tool`; the test fails where it is missing, because a test that quietly does nothing proves nothing.
pub(crate) fn tool(name: &str) -> PathBuf {
    let found = TOOL_DIRECTORIES.iter().map(|directory| Path::new(directory).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| {
        let package = PACKAGES.iter().find(|(tool, _)| *tool == name).map_or(name, |(_, package)| package);
        panic!("`{name}` is not installed; get it with: apt-get install {package}")
    })
}

/// The PATH that the lab's processes get.
pub(crate) fn path_variable() -> String {
    TOOL_DIRECTORIES.join(":")
}

/// A process that was started, with its output in files. Killed and reaped when dropped, so that no test leaves
/// anything behind.
pub(crate) struct Job {
    name: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// A process that has ended.
pub(crate) struct Finished {
    /// What was run, for messages.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it wrote to its standard output.
    pub(crate) out: String,
    /// What it wrote to its standard error.
    pub(crate) err: String,
}

impl Job {
    /// Starts `command` with its output in new files of `directory`.
    pub(crate) fn start(mut command: Command, directory: &Path) -> Self {
        let name = text_of(&command);
        let number = NEXT_JOB.fetch_add(1, Ordering::Relaxed);
        let out = directory.join(format!("job{number}.out"));
        let err = directory.join(format!("job{number}.err"));
        command.stdin(Stdio::null()).stdout(create(&out)).stderr(create(&err));
        let child = command.spawn().unwrap_or_else(|error| panic!("`{name}` could not be started: {error}"));
        Self { name, child, out, err }
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has written so far, standard output before standard error.
    pub(crate) fn output_so_far(&self) -> String {
        read(&self.out) + &read(&self.err)
    }

    /// Waits until it has written `text`; the test fails where it ends before or that takes too long.
    pub(crate) fn wait_for_output(&mut self, text: &str) {
        let deadline = Instant::now() + START_LIMIT;
        while !self.output_so_far().contains(text) {
            let (runs, in_time) = (self.is_running(), Instant::now() < deadline);
            let what = if runs { "runs" } else { "has ended" };
            assert!(
                runs && in_time,
                "`{}` {what} without having said {text:?}; it wrote:\n{}",
                self.name,
                self.output_so_far()
            );
            sleep(Duration::from_millis(5));
        }
    }

    /// Sends it the signal of that name ("INT", "TERM").
    pub(crate) fn signal(&self, signal: &str) {
        // The shell's own `kill`: the tool of that name lies in a package that small systems do without.
        let status = Command::new(tool("sh")).arg("-c").arg(format!("kill -{signal} {}", self.pid())).status();
        assert!(status.is_ok_and(|status| status.success()), "`{}` could not be sent SIG{signal}", self.name);
    }

    /// Waits until it ends by itself; the test fails where that takes longer than `limit`.
    pub(crate) fn wait(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                let (out, err) = (read(&self.out), read(&self.err));
                return Finished { name: self.name.clone(), status, out, err };
            }
            assert!(
                Instant::now() < deadline,
                "`{}` did not end within {limit:?}; it wrote:\n{}",
                self.name,
                self.output_so_far()
            );
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // Both fail only where the process has been reaped already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// The standard output of a process that ended well; the test fails on any other.
    pub(crate) fn expect_success(self) -> String {
        assert!(self.status.success(), "`{}` failed ({}); it wrote:\n{}{}", self.name, self.status, self.out, self.err);
        self.out
    }
}

/// Asks `probe` until it says yes; the test fails with `what` after `limit`.
pub(crate) fn wait_until(what: &str, limit: Duration, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !probe() {
        assert!(Instant::now() < deadline, "waited {limit:?} in vain until {what}");
        sleep(Duration::from_millis(10));
    }
}

/// The text of a file, what cannot be read being empty.
fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn create(path: &Path) -> File {
    File::create(path).unwrap_or_else(|error| panic!("{} could not be written: {error}", path.display()))
}

/// A command as one would type it.
fn text_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
