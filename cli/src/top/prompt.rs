//! The line in which somebody says what is to be done, and the request that comes of it.

use crate::client::{GRACE, Request, Swap};
use crate::module_config::ConfigArgs;
use crate::read::content;
use perigee_runtime::config::stream::Rate;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Most characters that are typed or pasted: a path, a message.
const LONGEST: usize = 4096;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A stream's new rate.
    Rate(String),
    /// Whether a stream shall pause (or go on).
    Hold(String, bool),
    /// A module's new file.
    Swap(String),
    /// A message to a module.
    Message(String),
    /// A point at which packets are captured, and a file.
    Capture,
    /// Whether the run shall stop.
    Stop,
}

impl Asked {
    /// What stands before the answer.
    pub(super) fn question(&self) -> String {
        match self {
            Self::Rate(stream) => format!("rate of stream {stream}: "),
            Self::Hold(stream, true) => format!("pause stream {stream}? y/n "),
            Self::Hold(stream, false) => format!("resume stream {stream}? y/n "),
            Self::Swap(module) => format!("file of the new {module}: "),
            Self::Message(module) => format!("message to {module} (text or @FILE): "),
            Self::Capture => "capture (POINT FILE): ".to_owned(),
            Self::Stop => "stop the run? y/n ".to_owned(),
        }
    }

    /// One key answers it.
    fn is_yes_or_no(&self) -> bool {
        matches!(self, Self::Hold(..) | Self::Stop)
    }

    /// The request that an answer makes of it, or what is wrong with the answer.
    fn request(self, answer: &str) -> Result<Order, String> {
        Ok(Order::Ask(match self {
            Self::Rate(stream) => {
                Request::Rate { stream, rate: Rate::parse(answer).map_err(|error| error.to_string())? }
            }
            Self::Hold(stream, paused) => Request::Hold { stream, paused },
            Self::Swap(module) => {
                let swap = Swap { file: answer.into(), config: ConfigArgs::default(), grace: GRACE, fresh: false };
                Request::Swap { module, swap }
            }
            Self::Message(_) if answer == "@-" => return Err("standard input is not read here: name a file".to_owned()),
            Self::Message(module) => {
                let bytes = content(answer).map_err(|error| format!("{error:#}"))?;
                Request::Message { module, bytes }
            }
            Self::Capture => {
                let wrong =
                    || "name the point, and behind a space the file, as \"port:eth0 packets.pcapng\"".to_owned();
                let (point, file) = answer.split_once(char::is_whitespace).ok_or_else(wrong)?;
                return Ok(Order::Capture { point: point.to_owned(), file: file.trim().to_owned() });
            }
            Self::Stop => Request::Stop,
        }))
    }
}

/// What somebody wants to be done.
pub(super) enum Order {
    /// The run is to do it.
    Ask(Request),
    /// Packets of this point are to be written into this file.
    Capture {
        /// As `perigee capture --at` takes it.
        point: String,
        /// Its path.
        file: String,
    },
}

/// A question, and what was typed so far.
#[derive(Debug)]
pub(super) struct Prompt {
    /// What is asked for.
    pub(super) asked: Asked,
    /// The answer.
    pub(super) text: String,
}

/// What a key has made of a prompt.
pub(super) enum Answered {
    /// It goes on.
    NotYet(Prompt),
    /// It was given up.
    No,
    /// This is to be done.
    Yes(Order),
    /// The answer is none, and why.
    Wrong(String),
}

impl Prompt {
    /// Asks.
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, text: String::new() }
    }

    /// Asks, with a beginning of the answer.
    pub(super) fn with(asked: Asked, text: String) -> Self {
        Self { asked, text }
    }

    /// Takes a key.
    pub(super) fn key(mut self, key: &KeyEvent) -> Answered {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Answered::No,
            KeyCode::Char('c' | 'g') if is_control => return Answered::No,
            KeyCode::Char('u') if is_control => self.text.clear(),
            KeyCode::Char('y' | 'Y') if self.asked.is_yes_or_no() => return self.answered(),
            _ if self.asked.is_yes_or_no() => return Answered::No,
            KeyCode::Enter if self.text.trim().is_empty() => return Answered::No,
            KeyCode::Enter => return self.answered(),
            KeyCode::Backspace => drop(self.text.pop()),
            KeyCode::Char(c) if !is_control => self.typed(c.encode_utf8(&mut [0; 4])),
            _ => {}
        }
        Answered::NotYet(self)
    }

    /// Takes what was typed or pasted.
    pub(super) fn typed(&mut self, text: &str) {
        let left = LONGEST.saturating_sub(self.text.chars().count());
        self.text.extend(text.chars().filter(|c| !c.is_control()).take(left));
    }

    fn answered(self) -> Answered {
        let text = self.text.trim();
        match self.asked.clone().request(text) {
            Ok(order) => Answered::Yes(order),
            Err(why) => Answered::Wrong(format!("{text}: {why}")),
        }
    }
}
