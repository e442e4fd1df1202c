//! The threads that wait for what may come.

use super::{End, Sender};
use crate::client::{Client, Request};
use anyhow::{Context, Result};
use perigee_control::is_alive;
use perigee_runtime::{Snapshot, text};
use ratatui::crossterm::event::{self, Event};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How long an answer with figures may take before it is asked anew.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many looks for each look at what changes seldom: who the run is, and what its modules may do.
const SELDOM: u32 = 5;
/// Longest line of the run's log that is kept, in bytes.
const LONGEST: u64 = 4096;

/// What the view of `run --view` tells the run when somebody has pressed Ctrl-C.
pub(crate) const STOP: u8 = b's';

/// What has come.
pub(super) enum News {
    /// A key, a paste, another size.
    Key(Event),
    /// Who the run is.
    Status(Value),
    /// Its figures.
    Figures(Box<Snapshot>),
    /// Its modules, with what they may do.
    Modules(Value),
    /// Why no figures come.
    Problem(String),
    /// What became of a wish.
    Told(Told),
    /// A capture has ended.
    Captured(Told),
    /// A line that the run has written to its standard error.
    Line(String),
    /// The run has ended.
    Over,
    /// A signal asks for the end.
    Signal,
    /// The terminal gives no keys any more.
    Gone,
    /// The run's process has ended, or given up its standard error.
    Closed,
}

/// What became of a wish.
pub(super) struct Told {
    /// On one line.
    pub(super) in_short: String,
    /// All of it.
    pub(super) text: String,
    /// It was refused.
    pub(super) is_error: bool,
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let made = std::thread::Builder::new().name(format!("top-{name}")).spawn(body);
    made.map(drop).with_context(|| format!("a thread for {name}"))
}

/// Asks for figures, until the run has ended.
pub(super) fn figures(path: PathBuf, every: Duration, news: Sender<News>) -> Result<()> {
    let client = Client::at(path)?.with_patience(PATIENCE);
    thread("figures", move || {
        let mut looks = 0;
        loop {
            let next = Instant::now() + every;
            let told = match look(&client, looks) {
                Ok(told) => told,
                Err(_) if !is_alive(client.path()) => vec![News::Over],
                Err(error) => vec![News::Problem(format!("{error:#}"))],
            };
            looks += u32::from(matches!(told[..], [News::Figures(_), ..]));
            let is_over = matches!(told[..], [News::Over]);
            let is_heard = told.into_iter().all(|one| news.send(one).is_ok());
            if is_over || !is_heard {
                return;
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    })
}

/// One look, after so many that were answered.
fn look(client: &Client, looks: u32) -> Result<Vec<News>> {
    let mut told = vec![News::Figures(Box::new(client.snapshot()?))];
    if looks.is_multiple_of(SELDOM) {
        told.push(News::Status(client.get("/v1/status")?));
        told.push(News::Modules(client.get("/v1/modules")?));
    }
    Ok(told)
}

/// Sends wishes to the run, one after the other.
pub(super) fn requests(path: PathBuf, wishes: Receiver<Request>, news: Sender<News>) -> Result<()> {
    let client = Client::at(path)?;
    thread("requests", move || {
        for wish in wishes {
            let answer = wish.send(&client);
            let shown = answer.and_then(|answer| Ok((wish.in_short(&answer)?, wish.show(&answer)?)));
            let told = match shown {
                Ok((in_short, text)) => Told { in_short, text, is_error: false },
                Err(error) => {
                    let text = text::line(&format!("{error:#}"), text::WORDS);
                    Told { in_short: text.clone(), text, is_error: true }
                }
            };
            if news.send(News::Told(told)).is_err() {
                return;
            }
        }
    })
}

/// Captures packets into a file, by a process of the viewer's own: `perigee capture`.
pub(super) struct Capturing {
    pid: u32,
}

impl Capturing {
    /// Begins; what it says comes when it has ended.
    pub(super) fn begin(run: &std::path::Path, point: &str, file: &str, news: Sender<News>) -> Result<Self> {
        let mut capture = Command::new(std::env::current_exe().context("this program")?);
        capture.arg("capture").arg("--socket").arg(run).args(["--at", point, "--write", file]);
        // Ctrl-C is for the view, which ends it.
        capture.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = capture.env("NO_COLOR", "1").spawn().context("perigee capture")?;
        let pid = child.id();
        let (point, file) = (point.to_owned(), file.to_owned());
        thread("capture", move || {
            let told = match child.wait_with_output() {
                Ok(output) => {
                    let said = [output.stderr, output.stdout].concat();
                    let text = text::lines(&String::from_utf8_lossy(&said));
                    let first = text.lines().next().unwrap_or_default().to_owned();
                    let is_error = !output.status.success();
                    let in_short = if is_error { first } else { format!("captured {point} into {file}") };
                    Told { in_short, text, is_error }
                }
                Err(error) => Told { in_short: error.to_string(), text: String::new(), is_error: true },
            };
            let _ = news.send(News::Captured(told));
        })?;
        Ok(Self { pid })
    }

    /// Asks it to end.
    pub(super) fn end(&self) {
        // One that has ended by itself needs not be asked.
        let ask = format!("kill -INT {} 2> /dev/null", self.pid);
        let _ = Command::new("sh").args(["-c", &ask]).stdin(Stdio::null()).status();
    }
}

/// Reads keys.
pub(super) fn keys(news: Sender<News>) -> Result<()> {
    thread("keys", move || {
        loop {
            let one = event::read().map_or(News::Gone, News::Key);
            let is_gone = matches!(one, News::Gone);
            if news.send(one).is_err() || is_gone {
                return;
            }
        }
    })
}

/// Hears signals that ask for the end.
pub(super) fn signals(news: Sender<News>) -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).context("signal handlers")?;
    thread("signals", move || {
        for _ in signals.forever() {
            if news.send(News::Signal).is_err() {
                return;
            }
        }
    })
}

/// The run whose `--view` this is.
pub(super) struct OfRun {
    talk: UnixStream,
}

impl OfRun {
    /// Takes what the run has put in the place of standard input and output.
    pub(super) fn take(news: &Sender<News>) -> Result<Self> {
        let talk = std::io::stdout().as_fd().try_clone_to_owned().context("the way to the run")?;
        let talk = UnixStream::from(talk);
        let (mut heard, sender) = (talk.try_clone().context("the way to the run")?, news.clone());
        thread("run", move || {
            // It says nothing before it hangs up.
            let _ = heard.read(&mut [0]);
            let _ = sender.send(News::Over);
        })?;
        let sender = news.clone();
        thread("log", move || {
            let mut lines = BufReader::new(std::io::stdin());
            loop {
                let mut line = Vec::new();
                let read = Read::by_ref(&mut lines).take(LONGEST).read_until(b'\n', &mut line);
                if !matches!(read, Ok(1..)) {
                    let _ = sender.send(News::Closed);
                    return;
                }
                let line = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                if sender.send(News::Line(line)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { talk })
    }

    /// Tells the run that the terminal is free, and copies what it goes on to say, until it has ended.
    pub(super) fn leave(self, end: &End, lines: &VecDeque<String>, news: &Receiver<News>) {
        let mut terminal = std::io::stderr();
        let mut print = |line: &str| terminal.write_all(format!("{line}\n").as_bytes());
        let mut is_heard = lines.iter().all(|line| print(line).is_ok());
        // A run that has gone needs not be told.
        let mut talk = self.talk;
        if *end == End::Interrupted {
            let _ = talk.write_all(&[STOP]);
        }
        let _ = talk.shutdown(std::net::Shutdown::Both);
        if matches!(end, End::Closed | End::Gone) {
            return;
        }
        for one in news {
            match one {
                News::Line(line) if is_heard => is_heard = print(&line).is_ok(),
                News::Closed => return,
                _ => {}
            }
        }
    }
}
