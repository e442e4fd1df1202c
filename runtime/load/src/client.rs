//! The run's end of the compile server.

use super::keeper::{Compiled, Plan};
use super::wire::{self, Answer, Request};
use super::worker::{MOST_NATIVE, REAL_TIME};
use perigee_report::Error;
use perigee_wasm::compile::Native;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time that the server may take for itself, above a worker's.
const SLACK: Duration = Duration::from_secs(10);
/// How often a call that waits looks at the time.
const LOOK: Duration = Duration::from_millis(200);

/// A compile server that was started.
#[derive(Debug)]
pub(super) struct Client {
    server: Child,
    stream: UnixStream,
    /// Digest of the engine that it compiles for.
    pub(super) engine: [u8; 32],
    /// Longest that an answer may take.
    patience: Duration,
    /// Why it is not asked any more.
    dead: Option<String>,
}

impl Client {
    /// Starts the server and tells it how to work.
    ///
    /// # Errors
    /// The program cannot be started, or is no compile server; or the server refuses the plan.
    pub(super) fn start(program: &Path, arguments: &[OsString], plan: &Plan) -> Result<Self, Error> {
        let cannot =
            |e: io::Error| Error::Request(format!("the compile server {} does not start: {e}", program.display()));
        let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
        // Set once, for a jail need not allow it later.
        ours.set_read_timeout(Some(LOOK)).map_err(cannot)?;
        ours.set_write_timeout(Some(LOOK)).map_err(cannot)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
        // Nothing of the environment but what finds shared libraries. A group of its own: Ctrl-C is for the run, which
        // stops cleanly, and ends the server when it has.
        let keep = std::env::var_os("LD_LIBRARY_PATH");
        command.env_clear().envs(keep.map(|value| ("LD_LIBRARY_PATH", value))).current_dir("/").process_group(0);
        let server = command.spawn().map_err(cannot)?;
        let mut client = Self { server, stream: ours, engine: [0; 32], patience: SLACK, dead: None };
        match client.ask(&Request::Begin(plan.clone()), &[]).map_err(Error::Request)? {
            (Answer::Ready { engine, notes }, _) => {
                notes.iter().for_each(super::keeper::Note::log);
                client.engine = engine;
                client.patience = plan.time * REAL_TIME + SLACK;
                Ok(client)
            }
            (Answer::Refused { why, .. }, _) => Err(Error::Request(why)),
            _ => Err(Error::Request(client.misunderstood())),
        }
    }

    pub(super) fn compile(&mut self, wasm: &[u8]) -> Result<Compiled, String> {
        let len = u64::try_from(wasm.len()).unwrap_or(u64::MAX);
        match self.ask(&Request::Compile { len }, wasm)? {
            (Answer::Native { wasm_len, cached, notes, .. }, code) => {
                notes.iter().for_each(super::keeper::Note::log);
                Ok(Compiled { native: Native { code, wasm_len }, cached })
            }
            (Answer::Refused { why, notes }, _) => {
                notes.iter().for_each(super::keeper::Note::log);
                Err(why)
            }
            _ => Err(self.misunderstood()),
        }
    }

    pub(super) fn highest(&mut self, module: &str) -> Result<Option<u64>, String> {
        match self.ask(&Request::Highest { module: module.to_owned() }, &[])? {
            (Answer::Highest(version), _) => Ok(version),
            (Answer::Refused { why, .. }, _) => Err(why),
            _ => Err(self.misunderstood()),
        }
    }

    pub(super) fn remember(&mut self, module: &str, version: u64, back: bool) -> Result<(), String> {
        match self.ask(&Request::Remember { module: module.to_owned(), version, back }, &[])? {
            (Answer::Remembered, _) => Ok(()),
            (Answer::Refused { why, .. }, _) => Err(why),
            _ => Err(self.misunderstood()),
        }
    }

    /// Process number of the server.
    pub(super) fn process(&self) -> u32 {
        self.server.id()
    }

    fn misunderstood(&mut self) -> String {
        self.give_up("it gave an answer to another question")
    }

    /// One request and its answer. After a failure nobody knows what the next bytes would mean: it was the last one.
    fn ask(&mut self, request: &Request, body: &[u8]) -> Result<(Answer, Vec<u8>), String> {
        if let Some(why) = &self.dead {
            return Err(why.clone());
        }
        let mut stream = Patient { stream: &self.stream, until: Instant::now() + self.patience };
        let asked = wire::send(&mut stream, request, body).and_then(|()| {
            let answer = wire::receive(&mut stream)?;
            let body = match &answer {
                Answer::Native { len, .. } => wire::receive_body(&mut stream, *len, MOST_NATIVE)?,
                _ => Vec::new(),
            };
            Ok((answer, body))
        });
        asked.map_err(|e| match e.kind() {
            ErrorKind::TimedOut => self.give_up(&format!("no answer for {} s", self.patience.as_secs())),
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                self.give_up("it has ended")
            }
            _ => self.give_up(&e.to_string()),
        })
    }

    fn give_up(&mut self, why: &str) -> String {
        // A jail may forbid it; the server ends when the socket is closed.
        let _ = self.server.kill();
        let why = format!("the compile server is lost ({why}): nothing can be loaded until this process starts anew");
        self.dead = Some(why.clone());
        why
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        // It ends by itself: reading gives it the end. Only one that hangs is killed.
        let start = Instant::now();
        while start.elapsed() < LOOK {
            match self.server.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        if self.server.kill().is_ok() {
            let _ = self.server.wait();
        }
    }
}

/// A socket with timeouts of [`LOOK`], used until a moment.
struct Patient<'a> {
    stream: &'a UnixStream,
    until: Instant,
}

impl Patient<'_> {
    fn patiently(&mut self, mut what: impl FnMut(&UnixStream) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match what(self.stream) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if Instant::now() >= self.until {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                other => return other,
            }
        }
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.patiently(|mut stream| stream.read(into))
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.patiently(|mut stream| stream.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
