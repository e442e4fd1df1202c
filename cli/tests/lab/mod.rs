//! The laboratory: network namespaces with the kernel's own stack in them as Perigee's peers.
//!
//! A [`Lab`] belongs to one test. It makes [`Namespace`]s, joins them by veth pairs, runs tools and `perigee` in them, and
//! takes everything away when it is dropped. Nothing outside of its own namespaces is touched. It works in two modes:
//! as root, and as an unprivileged user in a user namespace of its own ([`Mode`]).

mod command;
pub(crate) mod frames;
mod namespace;
pub(crate) mod peers;
mod perigee;
pub(crate) mod summary;
mod wire;

pub(crate) use command::{Finished, Job, tool, wait_until};
pub(crate) use namespace::{Counts, Namespace, ipv4, ipv6};
pub(crate) use perigee::{Perigee, forwarder, responder};
pub(crate) use summary::Summary;
pub(crate) use wire::{Kind, Wire};

use command::path_variable;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The user and group that stand for "somebody without rights" where the tests themselves run as root.
const NOBODY: u32 = 65_534;

/// With which rights a test's processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As root, in plain network namespaces.
    Root,
    /// As an unprivileged user, in a user namespace of its own that owns the network namespaces.
    User,
}

/// One test's laboratory.
pub(crate) struct Lab {
    mode: Mode,
    /// In [`Mode::User`]: the process that keeps the user namespace.
    keeper: Option<Job>,
    /// Whether the tests run as root, and so have to become somebody else for [`Mode::User`].
    is_root: bool,
    directory: TempDir,
    /// Held while the lab lives.
    _turn: File,
}

impl Lab {
    /// A laboratory in that mode, or nothing, with the reason said aloud, where the machine does not allow it. Waits
    /// while another test wants to be alone.
    pub(crate) fn new(mode: Mode) -> Option<Self> {
        let turn = turns();
        turn.lock_shared().expect("files can be locked here");
        Self::set_up(mode, turn)
    }

    /// As [`Self::new`], for a test that measures and needs the machine's few cores for itself: waits until no other test
    /// has a laboratory.
    pub(crate) fn alone(mode: Mode) -> Option<Self> {
        let turn = turns();
        turn.lock().expect("files can be locked here");
        Self::set_up(mode, turn)
    }

    fn set_up(mode: Mode, turn: File) -> Option<Self> {
        let directory = tempfile::Builder::new().prefix("perigee-lab-").tempdir().expect("a temporary directory");
        let is_root = fs::metadata(directory.path()).expect("its own directory").uid() == 0;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("its own directory");
        if mode == Mode::User && is_root {
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("root may give directories away");
        }
        let mut lab = Self { mode, keeper: None, is_root, directory, _turn: turn };
        if let Err(reason) = lab.try_namespaces() {
            say(&format!("not run: {reason}"));
            return None;
        }
        if mode == Mode::User {
            lab.keeper = Some(lab.start_sleeper(&["unshare", "--user", "--map-root-user", "--net"]));
        }
        Some(lab)
    }

    /// Its mode.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// A path in the lab's own directory, which its processes may write to.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the lab's directory for its processes to read.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// `file` where the lab's processes can read it: itself, or a copy where they cannot reach it (a checkout in root's
    /// home, read by somebody else).
    pub(crate) fn reachable(&self, file: &Path) -> PathBuf {
        assert!(file.exists(), "{} is missing; build it with: cargo xtask build-modules", file.display());
        let mut probe = self.command(&[], "sh");
        let readable =
            probe.args(["-c", "test -r \"$1\"", "sh"]).arg(file).status().is_ok_and(|status| status.success());
        if readable {
            return file.to_owned();
        }
        let copy = self.path(&file.file_name().expect("a file's path").to_string_lossy());
        if !copy.exists() {
            fs::copy(file, &copy).unwrap_or_else(|error| panic!("{}: {error}", copy.display()));
        }
        copy
    }

    /// A command with the lab's rights that goes through `entry` (an `nsenter` with its arguments, or nothing) and ends
    /// in `program`, a tool's name or a path. It dies with the test, however that ends.
    fn command(&self, entry: &[OsString], program: &str) -> Command {
        let mut words = Vec::new();
        if self.mode == Mode::User && self.is_root {
            let identity = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
            words.push(tool("setpriv").into_os_string());
            words.extend(identity.map(OsString::from));
        }
        words.extend_from_slice(entry);
        // Set last, because a change of identity or of user namespace clears it.
        words.extend([tool("setpriv").into_os_string(), "--pdeathsig".into(), "KILL".into()]);
        words.push(if program.contains('/') { program.into() } else { tool(program).into_os_string() });
        let mut command = Command::new(words.remove(0));
        command.args(words).env("PATH", path_variable()).env("LC_ALL", "C").current_dir(self.directory.path());
        if self.mode == Mode::User {
            // Its own home and no session directory: those of the caller belong to somebody else.
            command.env("HOME", self.directory.path()).env_remove("XDG_RUNTIME_DIR").env_remove("XDG_CACHE_HOME");
        }
        command
    }

    /// The words that enter the user namespace, where there is one.
    fn entry(&self) -> Vec<OsString> {
        let Some(keeper) = &self.keeper else { return Vec::new() };
        let pid = keeper.pid().to_string();
        let words = ["--target", &pid, "--user", "--preserve-credentials"].map(OsString::from);
        std::iter::once(tool("nsenter").into_os_string()).chain(words).collect()
    }

    /// Starts a process that does nothing but keep the namespaces which `unshare` makes for it.
    fn start_sleeper(&self, unshare: &[&str]) -> Job {
        let mut entry = self.entry();
        entry.push(tool(unshare[0]).into_os_string());
        entry.extend(unshare[1..].iter().map(OsString::from));
        let mut command = self.command(&entry, "sleep");
        command.arg("infinity");
        let sleeper = Job::start(command, self.directory.path());
        let pid = sleeper.pid();
        // It is `sleep` only after it has entered the namespaces.
        wait_until("a namespace was there", Duration::from_secs(10), || {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
        });
        sleeper
    }

    /// Tries whether namespaces of this mode can be had, by making one.
    fn try_namespaces(&self) -> Result<(), String> {
        if self.mode == Mode::Root && !self.is_root {
            return Err("this needs root".to_owned());
        }
        let flags: &[&str] = if self.mode == Mode::Root { &["--net"] } else { &["--user", "--map-root-user", "--net"] };
        let mut entry = vec![tool("unshare").into_os_string()];
        entry.extend(flags.iter().map(OsString::from));
        let mut command = self.command(&entry, "sh");
        command.args(["-c", "exit 0"]);
        let tried = Job::start(command, self.directory.path()).wait(Duration::from_secs(10));
        if tried.status.success() {
            return Ok(());
        }
        Err(format!("namespaces cannot be made here in mode {:?}: {}", self.mode, tried.err.trim()))
    }
}

/// Says something about the running test that shall be seen even where the test harness keeps output back.
pub(crate) fn say(text: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("test");
    // Written past the harness's capture, which only catches the print macros; nobody is there to hear of a failure.
    let _ = writeln!(std::io::stderr(), "  {name}: {text}");
}

/// The CPUs that the tests may use, by number.
pub(crate) fn cpus() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a list of CPUs");
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse().expect("a CPU")..=last.parse().expect("a CPU")
    };
    list.trim().split(',').flat_map(range).collect()
}

/// What the tests take turns by: a lock file, because the tests of several binaries take turns, too.
fn turns() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab.lock");
    let create = File::options().create(true).truncate(false).write(true).open(&path);
    // One that another user has made can be locked without the right to write it.
    let file = create.or_else(|_| File::open(&path));
    file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
