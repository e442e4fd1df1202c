//! What a run is told to do: one request each, and one way to show its answer, whoever asks.

use super::{Client, encode, show, upload};
use crate::module_config::ConfigArgs;
use anyhow::Result;
use perigee_runtime::config::stream::Rate;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How long the old instances are kept after a swap, where nothing else is said.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// A change, or a question to modules.
pub(crate) enum Request {
    /// All instances of a module get a message, and answer.
    Message {
        /// Its name.
        module: String,
        /// What they get.
        bytes: Vec<u8>,
    },
    /// New instances take the place of those that have failed.
    Restart {
        /// The module's name.
        module: String,
    },
    /// A stream gets another rate.
    Rate {
        /// Its name.
        stream: String,
        /// The rate from then on.
        rate: Rate,
    },
    /// A stream gets another pattern.
    Pattern {
        /// Its name.
        stream: String,
        /// The pattern, as the configuration has it.
        pattern: toml::Value,
        /// The rate from then on, where it changes too.
        rate: Option<Rate>,
    },
    /// A stream pauses, or goes on.
    Hold {
        /// Its name.
        stream: String,
        /// It pauses.
        paused: bool,
    },
    /// A new module takes the place of one.
    Swap {
        /// The old one's name.
        module: String,
        /// The new one.
        swap: Swap,
    },
    /// What differs between what runs and a file.
    Diff(PathBuf),
    /// The differences come into force.
    Apply(PathBuf),
    /// The log gets another filter.
    LogLevel(String),
    /// The run stops.
    Stop,
}

/// A new module, and how it comes.
pub(crate) struct Swap {
    /// Its file.
    pub(crate) file: PathBuf,
    /// Its configuration; where none is given, the old one's.
    pub(crate) config: ConfigArgs,
    /// How long the old instances are kept.
    pub(crate) grace: Duration,
    /// Begin without the old instances' state.
    pub(crate) fresh: bool,
}

impl Request {
    /// Sends it, and waits for the answer.
    pub(crate) fn send(&self, client: &Client) -> Result<Value> {
        match self {
            Self::Message { module, bytes } => client.send("POST", &of_module(module, "message"), bytes.clone()),
            Self::Restart { module } => client.send("POST", &of_module(module, "restart"), Vec::new()),
            Self::Rate { stream, rate } => change(client, stream, &json!({ "rate": rate.to_string() })),
            Self::Pattern { stream, pattern, rate } => {
                let mut what = json!({ "pattern": pattern });
                if let Some(rate) = rate {
                    what["rate"] = rate.to_string().into();
                }
                change(client, stream, &what)
            }
            Self::Hold { stream, paused } => change(client, stream, &json!({ "paused": paused })),
            Self::Swap { module, swap } => client.send("POST", &of_module(module, "swap"), upload::swap(swap)?),
            Self::Diff(file) => client.send("POST", "/v1/config/diff", upload::config(file)?),
            Self::Apply(file) => client.send("POST", "/v1/config/apply", upload::config(file)?),
            Self::LogLevel(filter) => {
                client.send("PUT", "/v1/log-level", json!({ "filter": filter }).to_string().into())
            }
            Self::Stop => client.send("POST", "/v1/stop", Vec::new()),
        }
    }

    /// Its answer as text for people.
    pub(crate) fn show(&self, answer: &Value) -> Result<String> {
        match self {
            Self::Message { .. } => show::answers(answer),
            Self::Restart { .. } => show::restarted(answer),
            Self::Rate { .. } | Self::Pattern { .. } | Self::Hold { .. } => show::stream(answer),
            Self::Swap { .. } => show::swap(answer),
            Self::Diff(_) => show::diff(answer),
            Self::Apply(_) => show::apply(answer),
            Self::LogLevel(_) => show::filter(answer),
            Self::Stop => Ok("asked to stop\n".to_owned()),
        }
    }

    /// Its answer on one line.
    pub(crate) fn in_short(&self, answer: &Value) -> Result<String> {
        match self {
            Self::Rate { .. } | Self::Pattern { .. } | Self::Hold { .. } => show::stream_in_short(answer),
            Self::Swap { .. } => show::swap(answer).map(|text| in_short(&text, 2)),
            Self::Message { .. } => show::answers(answer).map(|text| in_short(&text, usize::MAX)),
            _ => self.show(answer).map(|text| in_short(&text, 1)),
        }
    }
}

/// The first lines of a text on one.
fn in_short(text: &str, lines: usize) -> String {
    text.lines().take(lines).map(str::trim).collect::<Vec<_>>().join("; ")
}

fn of_module(module: &str, what: &str) -> String {
    format!("/v1/modules/{}/{what}", encode(module))
}

/// Changes a stream; the answer is how it stands then.
fn change(client: &Client, stream: &str, what: &Value) -> Result<Value> {
    client.send("POST", &format!("/v1/streams/{}", encode(stream)), what.to_string().into())
}
