//! What is shown of what is known, and what keys do.

use super::look::{Look, Tone};
use super::model::Model;
use super::pages::{CHAINS, MODULES, PAGES, PORTS, STREAMS};
use super::prompt::{Answered, Asked, Order, Prompt};
use crate::client::Request;
use perigee_runtime::{StreamState, text};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::collections::VecDeque;

/// Lines of the log that are kept.
const LINES: usize = 500;

/// What lies over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Nothing: the page is seen.
    Nothing,
    /// All that is known of the chosen row.
    Details,
    /// The keys.
    Help,
    /// Lines of the log, and answers.
    Log,
}

/// Where somebody is on a page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// The chosen row.
    pub(super) row: usize,
    /// The first row that is seen.
    pub(super) top: usize,
}

/// What a key asks of the program.
pub(super) enum Wish {
    /// The run shall do something.
    Ask(Request),
    /// Packets are to be captured: the point and the file.
    Capture(String, String),
    /// The capture is to end.
    EndCapture,
    /// Enough.
    Leave,
    /// Ctrl-C.
    Interrupt,
    /// The screen is torn.
    Redraw,
}

/// What is shown.
pub(super) struct Ui {
    /// How it looks.
    pub(super) look: Look,
    /// Which page.
    pub(super) page: usize,
    /// Where on each.
    pub(super) places: [Place; PAGES.len()],
    /// What lies over it.
    pub(super) over: Over,
    /// The first line that is seen of what lies over it.
    pub(super) scroll: usize,
    /// Rows of the page that fit, as it was drawn last.
    pub(super) height: usize,
    /// What is asked.
    pub(super) prompt: Option<Prompt>,
    /// What became of the last wish.
    pub(super) status: (String, Tone),
    /// A capture is under way.
    pub(super) captures: bool,
    /// What the run has logged and answered.
    pub(super) lines: VecDeque<String>,
}

impl Ui {
    /// The first page.
    pub(super) fn new(look: Look) -> Self {
        Self {
            look,
            page: 0,
            places: [Place::default(); PAGES.len()],
            over: Over::Nothing,
            scroll: 0,
            height: 1,
            prompt: None,
            status: (String::new(), Tone::Plain),
            captures: false,
            lines: VecDeque::new(),
        }
    }

    /// Takes a line of the run's log.
    pub(super) fn line(&mut self, line: &str) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
        if self.over == Over::Log && self.scroll > 0 {
            self.scroll += 1;
        }
    }

    /// Takes what became of a wish.
    pub(super) fn told(&mut self, in_short: &str, text: &str, is_error: bool) {
        self.status = (text::line(in_short, text::WORDS), if is_error { Tone::Bad } else { Tone::Plain });
        text::lines(text).lines().for_each(|line| self.line(line));
    }

    /// Takes a key, a paste, or another size, for which the next picture is enough.
    pub(super) fn event(&mut self, event: &Event, model: &Model) -> Option<Wish> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key, model),
            Event::Paste(text) => {
                if let Some(prompt) = &mut self.prompt {
                    prompt.typed(text);
                }
                None
            }
            _ => None,
        }
    }

    fn key(&mut self, key: &KeyEvent, model: &Model) -> Option<Wish> {
        if let Some(prompt) = self.prompt.take() {
            return self.answer(prompt, key);
        }
        self.status = (String::new(), Tone::Plain);
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Wish::Interrupt),
                KeyCode::Char('l') => Some(Wish::Redraw),
                _ => None,
            };
        }
        match key.code {
            KeyCode::Char('q') => return Some(Wish::Leave),
            KeyCode::Char('?') => self.lay(Over::Help),
            KeyCode::Char('l') => self.lay(Over::Log),
            KeyCode::Enter if PAGES[self.page].len(model) > 0 => self.lay(Over::Details),
            KeyCode::Esc => self.over = Over::Nothing,
            KeyCode::Char(c @ '1'..='6') => self.turn(c as usize - '1' as usize),
            KeyCode::Tab | KeyCode::Right => self.turn((self.page + 1) % PAGES.len()),
            KeyCode::BackTab | KeyCode::Left => self.turn((self.page + PAGES.len() - 1) % PAGES.len()),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::PageUp => self.go(-i64::try_from(self.height).unwrap_or(1)),
            KeyCode::PageDown => self.go(i64::try_from(self.height).unwrap_or(1)),
            KeyCode::Home => self.go(i64::MIN),
            KeyCode::End => self.go(i64::MAX),
            KeyCode::Char('c') if self.captures => return Some(Wish::EndCapture),
            KeyCode::Char('c') => self.ask_capture(model),
            KeyCode::Char(c @ ('r' | 'p' | 's' | 'm' | 'x')) => self.ask(c, model),
            _ => {}
        }
        None
    }

    fn answer(&mut self, prompt: Prompt, key: &KeyEvent) -> Option<Wish> {
        match prompt.key(key) {
            Answered::NotYet(prompt) => self.prompt = Some(prompt),
            Answered::No => self.status = ("nothing was done".to_owned(), Tone::Faint),
            Answered::Wrong(why) => self.status = (text::line(&why, text::WORDS), Tone::Bad),
            Answered::Yes(Order::Capture { point, file }) => return Some(Wish::Capture(point, file)),
            Answered::Yes(Order::Ask(request)) => {
                self.status = ("asked; the answer has not come yet".to_owned(), Tone::Faint);
                return Some(Wish::Ask(request));
            }
        }
        None
    }

    /// Lays something over the page, or takes it away where it lies there.
    fn lay(&mut self, over: Over) {
        self.over = if self.over == over { Over::Nothing } else { over };
        self.scroll = 0;
    }

    fn turn(&mut self, page: usize) {
        self.page = page;
        self.over = Over::Nothing;
    }

    /// Moves on what is seen; drawing keeps it within what is there.
    fn go(&mut self, by: i64) {
        let moved = |at: usize, by: i64| {
            let at = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(by).max(0);
            usize::try_from(at).unwrap_or(usize::MAX)
        };
        match self.over {
            Over::Nothing => self.places[self.page].row = moved(self.places[self.page].row, by),
            // The newest lines stand below, where the log begins.
            Over::Log => self.scroll = moved(self.scroll, by.saturating_neg()),
            Over::Details | Over::Help => self.scroll = moved(self.scroll, by),
        }
    }

    /// Asks where packets are to be captured: at the chosen port or chain, if nothing else is wanted.
    fn ask_capture(&mut self, model: &Model) {
        let row = self.places[self.page].row;
        let port = (self.page == PORTS).then(|| model.now.ports.get(row)).flatten();
        let chain = (self.page == CHAINS).then(|| model.now.chains.get(row)).flatten();
        let point = match (port, chain) {
            (Some(port), _) => format!("port:{} ", text::line(&port.name, text::NAME)),
            (_, Some(chain)) => format!("{}:rx ", text::line(&chain.name, text::NAME)),
            _ => String::new(),
        };
        self.prompt = Some(Prompt::with(Asked::Capture, point));
    }

    /// Asks what is to be done with the chosen row.
    fn ask(&mut self, key: char, model: &Model) {
        let row = self.places[self.page].row;
        let stream = (self.page == STREAMS).then(|| model.now.streams.get(row)).flatten();
        let module = (self.page == MODULES).then(|| model.now.modules.get(row)).flatten();
        let asked = match (key, stream, module) {
            ('x', ..) => Asked::Stop,
            ('r', Some(stream), _) => Asked::Rate(stream.name.clone()),
            ('p', Some(stream), _) => Asked::Hold(stream.name.clone(), stream.state != StreamState::Paused),
            ('s', _, Some(module)) => Asked::Swap(module.name.clone()),
            ('m', _, Some(module)) => Asked::Message(module.name.clone()),
            _ => {
                let (what, page) = if matches!(key, 'r' | 'p') { ("stream", STREAMS) } else { ("module", MODULES) };
                self.status = (format!("{key} is for a {what}: choose one on page {}", page + 1), Tone::Warn);
                return;
            }
        };
        self.prompt = Some(Prompt::new(asked));
    }
}
