//! `perigee top`: watches a run on the terminal through its control socket, and tells it what keys ask for.
//!
//! Threads wait for what may come (keys, figures, answers, signals, lines of the run's log) and send it as [`News`]; one loop
//! takes it, and draws. So a run that does not answer holds up nothing but its figures.

mod draw;
mod feed;
mod grid;
mod look;
mod model;
mod pages;
mod prompt;
mod screen;
mod ui;

#[cfg(test)]
mod picture;
#[cfg(test)]
mod tests;

use crate::client::{Client, Request};
use crate::output;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use feed::{Capturing, News, Told};
use look::{Look, Tone};
use model::Model;
use perigee_runtime::config::parse_duration;
use perigee_runtime::text;
use screen::Screen;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use ui::{Ui, Wish};

pub(crate) use feed::STOP;

/// How long the run may take to say who it is, before the view is shown without that.
const FIRST: Duration = Duration::from_secs(2);
/// How long nothing may happen until the screen is drawn again: for the age of figures, and to learn that the terminal is gone.
const REST: Duration = Duration::from_secs(1);
/// How long a capture may take to write its last packets when the view is left.
const LAST: Duration = Duration::from_secs(10);
/// Longest and shortest time between two looks.
const PERIODS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3_600)];

/// What is watched, and how often.
#[derive(Args, Debug)]
#[command(after_long_help = "Keys: ? shows them all.

Examples:
  perigee top
  perigee top --socket forward --every 500ms")]
pub(crate) struct TopArgs {
    /// The run's socket, or its name where that has no slash. Default: the only run of this user.
    #[arg(long, value_name = "PATH|NAME", value_hint = ValueHint::FilePath)]
    socket: Option<PathBuf>,
    /// How often to ask for figures.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    every: Duration,
    /// It was started by `run --view`: its standard input is the run's standard error, its standard output the way back.
    #[arg(long, hide = true)]
    of_run: bool,
}

/// How the view came to its end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Somebody has left it.
    Left,
    /// Somebody has pressed Ctrl-C.
    Interrupted,
    /// The run has ended.
    Over,
    /// The terminal is gone.
    Gone,
    /// The run whose view it is has ended, and cannot say so any more.
    Closed,
}

/// `perigee top`.
pub(crate) fn top(args: &TopArgs) -> Result<ExitCode> {
    if !(PERIODS[0]..=PERIODS[1]).contains(&args.every) {
        bail!("--every: from 100ms to 1h, and not {}", humantime::format_duration(args.every));
    }
    check_terminal("perigee top", "`perigee ctl stats --watch`")?;
    let client = Client::find(args.socket.as_deref())?;
    let path = client.path().to_owned();
    let mut model = Model::new(args.every);
    if !args.of_run {
        // What is wrong from the start is told as `ctl` tells it: no such run, another version. A run that is only busy is shown.
        match client.with_patience(FIRST).get("/v1/status") {
            Ok(status) => model.status(&status),
            Err(error) if error.is::<crate::client::Late>() => model.problem(&format!("{error:#}")),
            Err(error) => return Err(error),
        }
    }
    let (sender, news) = mpsc::channel();
    let (wishes, asked) = mpsc::channel();
    let run = args.of_run.then(|| feed::OfRun::take(&sender)).transpose()?;
    feed::figures(path.clone(), args.every, sender.clone())?;
    feed::requests(path.clone(), asked, sender.clone())?;
    feed::signals(sender.clone())?;
    let mut ui = Ui::new(Look::of_environment());
    let mut ways = Ways { path, sender, wishes, capture: None };
    let shown = show(&mut model, &mut ui, &news, &mut ways);
    ways.end_capture(&news, &mut ui);
    let end = match shown {
        // The run's standard error still goes through this process.
        Err(error) if run.is_some() => {
            output::error(&format!("{error:#}"));
            End::Left
        }
        shown => shown?,
    };
    match run {
        Some(run) => run.leave(&end, &ui.lines, &news),
        None if end == End::Over => output::line(&model.farewell()),
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses to draw where nobody would see it; `instead` says what prints lines.
pub(crate) fn check_terminal(what: &str, instead: &str) -> Result<()> {
    if !std::io::stderr().is_terminal() {
        bail!("{what} draws on a terminal, and standard error is none; {instead} prints lines");
    }
    let kind = std::env::var("TERM").unwrap_or_default();
    if matches!(kind.as_str(), "" | "dumb") {
        let mend = "set TERM to what the terminal is, as xterm";
        bail!(
            "{what} needs a terminal that can place the cursor, and this one (TERM={kind:?}) cannot: {mend}; {instead} prints lines"
        );
    }
    Ok(())
}

/// How wishes are fulfilled.
struct Ways {
    /// The run's socket.
    path: PathBuf,
    sender: Sender<News>,
    wishes: Sender<Request>,
    /// The capture that is under way.
    capture: Option<Capturing>,
}

impl Ways {
    fn begin_capture(&mut self, point: &str, file: &str, ui: &mut Ui) {
        match Capturing::begin(&self.path, point, file, self.sender.clone()) {
            Ok(capturing) => {
                let (point, file) = (text::line(point, text::NAME), text::line(file, text::WORDS));
                ui.status = (format!("captures {point} into {file}; c ends it"), Tone::Plain);
                ui.captures = true;
                self.capture = Some(capturing);
            }
            Err(error) => ui.told(&format!("{error:#}"), "", true),
        }
    }

    /// The view is left: a capture ends with it.
    fn end_capture(&mut self, news: &Receiver<News>, ui: &mut Ui) {
        let Some(capture) = self.capture.take() else { return };
        capture.end();
        let until = Instant::now() + LAST;
        while let Ok(one) = news.recv_timeout(until.saturating_duration_since(Instant::now())) {
            match one {
                News::Captured(told) => {
                    output::line(&text::line(&told.in_short, text::WORDS));
                    return;
                }
                News::Line(line) => ui.line(&line),
                _ => {}
            }
        }
    }
}

/// Shows the run until one has had enough. The terminal is as it was when this returns.
fn show(model: &mut Model, ui: &mut Ui, news: &Receiver<News>, ways: &mut Ways) -> Result<End> {
    let mut screen = Screen::open().context("the terminal")?;
    feed::keys(ways.sender.clone())?;
    loop {
        if screen.draw(|frame| draw::draw(frame, model, ui, Instant::now())).is_err() {
            return Ok(End::Gone);
        }
        let mut next = match news.recv_timeout(REST) {
            Ok(news) => Some(news),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(End::Gone),
        };
        // All that has come is taken before the next picture: a held key or a long log costs one.
        while let Some(one) = next {
            if let Some(end) = take(one, model, ui, &mut screen, ways) {
                return Ok(end);
            }
            next = news.try_recv().ok();
        }
    }
}

/// Takes one piece of news; what it ends the view by.
fn take(news: News, model: &mut Model, ui: &mut Ui, screen: &mut Screen, ways: &mut Ways) -> Option<End> {
    match news {
        News::Key(event) => match ui.event(&event, model) {
            Some(Wish::Ask(request)) => {
                // The thread that asks lives as long as the view.
                let _ = ways.wishes.send(request);
            }
            Some(Wish::Capture(point, file)) => ways.begin_capture(&point, &file, ui),
            Some(Wish::EndCapture) => ways.capture.iter().for_each(Capturing::end),
            Some(Wish::Leave) => return Some(End::Left),
            Some(Wish::Interrupt) => return Some(End::Interrupted),
            Some(Wish::Redraw) => screen.redraw(),
            None => {}
        },
        News::Status(status) => model.status(&status),
        News::Figures(snapshot) => model.figures(*snapshot, Instant::now()),
        News::Modules(modules) => model.modules(modules),
        News::Problem(text) => model.problem(&text),
        News::Told(Told { in_short, text, is_error }) => ui.told(&in_short, &text, is_error),
        News::Captured(Told { in_short, text, is_error }) => {
            (ways.capture, ui.captures) = (None, false);
            ui.told(&in_short, &text, is_error);
        }
        News::Line(line) => ui.line(&line),
        News::Over => return Some(End::Over),
        News::Signal => return Some(End::Left),
        News::Gone => return Some(End::Gone),
        News::Closed => return Some(End::Closed),
    }
    None
}
