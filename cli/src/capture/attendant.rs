//! A process that a run starts for itself before it gives anything up: it is told what to do, gives up all but what it needs for that, and then
//! reads the run's packets and writes files. It ends with the run.

use anyhow::{Context, Result, bail};
use perigee_runtime::Capture;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long it may take to begin, and to end once nothing more comes.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may leave unread what it is told, where that is too much to wait in between: it was stopped, then.
const LEAST: Duration = Duration::from_secs(1);

/// The process, as its run has it.
pub(crate) struct Attendant {
    child: Child,
    stream: UnixStream,
}

impl Attendant {
    /// Starts one by this program's hidden command of that name, and tells it its plan.
    pub(crate) fn start(command: &str, plan: &impl Serialize) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("a socket")?;
        let mut process = Command::new(std::env::current_exe().context("this program")?);
        // A group of its own: Ctrl-C is for the run, which stops cleanly and lets it end.
        process.arg(command).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).process_group(0);
        let child = process.spawn().context("its process")?;
        ours.set_read_timeout(Some(PATIENCE)).context("its process")?;
        ours.set_write_timeout(Some(LEAST)).context("its process")?;
        let mut this = Self { child, stream: ours };
        this.tell(plan)?;
        Ok(this)
    }

    /// Tells it something.
    pub(crate) fn tell(&mut self, what: &impl Serialize) -> Result<()> {
        self.stream.write_all(&line(what)?).context("its process")
    }

    /// Hands a capture over, or a history: its packets may be read from now on.
    pub(crate) fn hand(&mut self, capture: &Capture) -> Result<()> {
        let line = line(capture.info())?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [capture.descriptor()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let sent = sendmsg(&self.stream, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL);
        let sent = sent.context("its process")?;
        self.stream.write_all(&line[sent..]).context("its process")
    }

    /// What it says next.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.stream.read(&mut byte).context("its process does not answer")? == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        if line.is_empty() {
            bail!("its process has ended");
        }
        serde_json::from_slice(&line).context("its process is of another version")
    }

    /// Nothing more will come: what it says at its end. It ends by itself; one that does not is not waited for.
    pub(crate) fn end<T: DeserializeOwned>(mut self) -> Result<T> {
        self.stream.shutdown(std::net::Shutdown::Write).context("its process")?;
        let said = self.hear()?;
        let _ = self.child.wait();
        Ok(said)
    }
}

/// The run, as such a process has it: its standard input.
pub(crate) fn run() -> Result<File> {
    Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned().context("standard input")?))
}

/// Says something to the run.
pub(crate) fn say(run: &mut File, what: &impl Serialize) -> Result<()> {
    run.write_all(&line(what)?).context("the run has gone")
}

fn line(what: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(what).context("what is told")?;
    line.push(b'\n');
    Ok(line)
}
