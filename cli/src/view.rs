//! `perigee run --view`: the view is a process of its own, `perigee top`, that is started before the jail closes: it reads the
//! files of new modules, which the run cannot, and nothing of the terminal has to be allowed to the run.
//!
//! While it is there, standard error is its standard input: lines of the log, of libraries and of a panic reach it from all
//! threads in the one way that the jail leaves them, and none tears the screen. When its screen is left, it copies on. Over its
//! standard output the two tell each other that they are done.

use crate::live::Live;
use crate::top::{STOP, check_terminal};
use anyhow::{Context, Result, bail};
use perigee_runtime::Run;
use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long its process may take to give the terminal back, or to end.
const LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The process, and the way on which it gets what is written to standard error.
static PROCESS: Mutex<Option<(Child, UnixStream)>> = Mutex::new(None);

/// What is shown while a run goes on.
pub(crate) enum Shown {
    /// Nothing.
    Nothing,
    /// Lines of numbers.
    Lines(Box<Live>),
    /// The view; when it is left, lines of numbers.
    View(View, Option<Duration>),
}

impl Shown {
    /// Shows what is due; whether somebody who looks has asked for the end.
    pub(crate) fn look(&mut self, run: &Run) -> bool {
        match self {
            Self::Nothing => {}
            Self::Lines(live) => live.look(run),
            Self::View(view, duration) => match view.said() {
                Said::Nothing => {}
                Said::Stop => return true,
                Said::Left => *self = Self::Lines(Box::new(Live::start(*duration))),
            },
        }
        false
    }
}

/// What the view's process has said.
enum Said {
    Nothing,
    Stop,
    Left,
}

/// The view of this run, until dropped.
pub(crate) struct View {
    talk: UnixStream,
}

impl View {
    /// Starts it; it waits until the run answers at that socket.
    pub(crate) fn start(socket: Option<&Path>) -> Result<Self> {
        check_terminal("--view", "a run without it")?;
        let Some(socket) = socket else {
            bail!("--view looks through the control socket, and this run has none: leave --control off away");
        };
        let (talk, its_talk) = UnixStream::pair().context("a way to the view")?;
        let (lines, its_lines) = UnixStream::pair().context("a way to the view")?;
        let program = std::env::current_exe().context("this program's file")?;
        let mut command = Command::new(program);
        command.args(["top", "--of-run", "--socket"]).arg(socket);
        command.stdin(Stdio::from(OwnedFd::from(its_lines))).stdout(Stdio::from(OwnedFd::from(its_talk)));
        let child = command.spawn().context("the view's process")?;
        drop(command);
        // A view that does not read costs lines, and never an lcore's time.
        lines.set_nonblocking(true).and_then(|()| talk.set_nonblocking(true)).context("a way to the view")?;
        talk.set_read_timeout(Some(LIMIT)).context("a way to the view")?;
        rustix::stdio::dup2_stderr(&lines).context("standard error")?;
        *PROCESS.lock().unwrap_or_else(PoisonError::into_inner) = Some((child, lines));
        Ok(Self { talk })
    }

    fn said(&mut self) -> Said {
        let mut said = [0];
        match self.talk.read(&mut said) {
            Ok(1) if said[0] == STOP => Said::Stop,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Said::Nothing,
            _ => Said::Left,
        }
    }
}

impl Drop for View {
    /// The terminal is as it was before whoever comes next writes to it.
    fn drop(&mut self) {
        let told = self.talk.shutdown(Shutdown::Write).and_then(|()| self.talk.set_nonblocking(false));
        if told.is_ok() {
            while matches!(self.talk.read(&mut [0]), Ok(1..)) {}
        }
    }
}

/// Waits until all that was written to standard error has reached the terminal: the last thing that this process does.
pub(crate) fn finish() {
    let Some((mut child, lines)) = PROCESS.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    // There is nobody to tell of a failure.
    let _ = lines.shutdown(Shutdown::Both);
    let asked = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && asked.elapsed() < LIMIT {
        std::thread::sleep(LOOK);
    }
}
