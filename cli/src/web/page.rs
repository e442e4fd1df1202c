//! The two ends between a run and the process that serves its page: a socket that is the process's standard input. The process
//! says once that it listens, or why not; the socket's end is the run's.

use anyhow::{Context, Result, bail};
use perigee_runtime::config::Run;
use perigee_runtime::jail::{self, Mode};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How long the process may take to listen, and to end.
const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(2);
/// How the process's only line begins.
const READY: &str = "ready ";
const ERROR: &str = "error ";

/// The process, as the run has it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Page {
    child: Child,
    socket: Option<UnixStream>,
    /// Where the page is, with its token.
    url: String,
    /// The token's file.
    file: String,
}

impl Page {
    /// Starts the page that the configuration asks for, in front of a control socket. Called before the jail, which starts no
    /// programs.
    pub(crate) fn start(run: &Run, socket: Option<&Path>, mode: Mode, log: &str) -> Result<Option<Self>> {
        let Some(address) = run.web else { return Ok(None) };
        let Some(socket) = socket else {
            bail!(
                "web = \"{address}\": the run has no control socket, by which the page's process asks it; name one with --control"
            );
        };
        let socket = std::path::absolute(socket).context("the control socket")?;
        let (ours, theirs) = UnixStream::pair().context("a socket for the page's process")?;
        ours.set_read_timeout(Some(START)).context("a socket for the page's process")?;
        let jail = match mode {
            Mode::On => "on",
            Mode::Log => "log",
            Mode::Off => "off",
        };
        let mut command = Command::new("/proc/self/exe");
        command.arg0("perigee").args(["--log", log, "web", "--for-run", "--jail", jail, "--socket"]).arg(&socket);
        command.arg("--listen").arg(address.to_string());
        command.args(run.web_insecure.then_some("--insecure")).args(run.web_control.then_some("--control"));
        command.args(run.web_origin.iter().flat_map(|origin| ["--origin", origin]));
        // A group of its own: Ctrl-C is for the run, which ends this process when it has stopped.
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).process_group(0).current_dir("/");
        let keep = ["LD_LIBRARY_PATH", "NO_COLOR", "TERM"];
        command.env_clear().envs(keep.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        let child = command.spawn().context("the process of the page does not start")?;
        // The command holds the other end, whose close is to be seen.
        drop(command);
        let mut page = Self { child, socket: Some(ours), url: String::new(), file: String::new() };
        (page.url, page.file) = page.heard()?;
        Ok(Some(page))
    }

    /// Where it is, for whoever looks on. The token is for a person at a terminal: elsewhere what is told is kept, and read by others.
    pub(crate) fn told(&self) -> String {
        let (place, file) = (self.url.split('#').next().unwrap_or_default(), &self.file);
        if std::io::stderr().is_terminal() {
            format!("page: {}", self.url)
        } else {
            format!("page: {place} (its token is in {file})")
        }
    }

    /// Waits for the process's only line.
    fn heard(&self) -> Result<(String, String)> {
        let Some(socket) = &self.socket else { bail!("the process of the page has ended") };
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).context("the process of the page does not say that it listens")?;
        let line = line.trim_end();
        match (line.strip_prefix(READY), line.strip_prefix(ERROR)) {
            (Some(place), _) => {
                let (url, file) = place.split_once(' ').context("the process of the page does not say where it is")?;
                Ok((url.to_owned(), file.to_owned()))
            }
            (_, Some(error)) => bail!("{error}"),
            _ => bail!("the process of the page has ended at its start"),
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.socket.take());
        let start = Instant::now();
        while start.elapsed() < END {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}

/// The run, as the process has it.
#[derive(Debug)]
pub(super) struct Parent(UnixStream);

impl Parent {
    /// Takes over standard input, and closes whatever else the run has open.
    pub(super) fn take() -> Result<Self> {
        jail::close_inherited().context("what was open cannot be closed")?;
        let input = std::io::stdin().as_fd().try_clone_to_owned().context("standard input")?;
        Ok(Self(UnixStream::from(input)))
    }

    /// Says that the page is there. Where the run has gone meanwhile, the end of the socket says so.
    pub(super) fn tell_ready(&self, url: &str, file: &Path) {
        let _ = (&self.0).write_all(format!("{READY}{url} {}\n", file.display()).as_bytes());
    }

    /// Says why there is no page.
    pub(super) fn tell_error(&self, error: &anyhow::Error) -> ExitCode {
        let text = format!("{error:#}").replace('\n', " ");
        let _ = (&self.0).write_all(format!("{ERROR}{text}\n").as_bytes());
        ExitCode::from(1)
    }

    /// Waits for the end of the run.
    pub(super) fn end(&self) -> Result<impl Future<Output = ()> + use<>> {
        let socket = self.0.try_clone().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        let socket = socket.and_then(tokio::net::UnixStream::from_std).context("standard input")?;
        Ok(async move {
            let mut byte = [0];
            // The run says nothing: whatever is read is its end.
            let _ = tokio::io::AsyncReadExt::read(&mut { socket }, &mut byte).await;
        })
    }
}
