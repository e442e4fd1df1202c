//! The JSON of requests and answers.

use super::ModuleEntry;
use super::problem::Problem;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perigee_config::stream::{Pattern, Rate, some_pattern};
use perigee_config::{Config, ConfigError, ModuleConfig, values};
use perigee_load::Upload;
use perigee_report::ModuleStats;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// `GET /v1/status`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Status {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) version: &'static str,
    pub(super) abi: u32,
    pub(super) pid: u32,
    pub(super) elapsed_ns: u64,
    pub(super) ports: usize,
    pub(super) chains: usize,
    pub(super) instances: usize,
    /// Instances that do not run any more.
    pub(super) failed: Vec<String>,
    pub(super) ticker_worst_gap_ns: u64,
    pub(super) control: ControlStatus,
}

/// How the control server itself fares.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(super) struct ControlStatus {
    pub(super) connections: u64,
    pub(super) requests: u64,
    /// Connections of other users, refused.
    pub(super) refused: u64,
    /// Connections beyond what is served at a time.
    pub(super) busy: u64,
}

/// One of `GET /v1/modules`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ModuleAnswer {
    #[serde(flatten)]
    pub(super) entry: ModuleEntry,
    pub(super) instances: Vec<ModuleStats>,
}

/// `POST /v1/modules/NAME/restart`: instances that are on their way.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Restarted {
    pub(super) instances: usize,
}

/// `POST /v1/streams/NAME`: a rate, a pattern, both of them, or whether it is paused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamRequest {
    /// The rate from now on, as the configuration has it.
    #[schemars(with = "Option<String>")]
    pub(super) rate: Option<Rate>,
    /// The pattern from now on, as the configuration has it.
    #[serde(default, deserialize_with = "some_pattern")]
    #[schemars(with = "Option<TextOrTable>")]
    pub(super) pattern: Option<Pattern>,
    /// Whether it holds its packets back.
    pub(super) paused: Option<bool>,
}

/// `POST /v1/stop`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stopping {
    /// `stopping`.
    pub(super) state: &'static str,
}

/// `GET` and `PUT /v1/log-level`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLevel {
    pub(super) filter: String,
}

/// `POST /v1/modules/NAME/message`: one answer per instance, in the order of the configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answers {
    pub(super) answers: Vec<Answer>,
}

/// One instance's answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    pub(super) base64: String,
    /// The same as text, where it is UTF-8 and nothing in it would be obeyed by whoever shows it.
    pub(super) text: Option<String>,
}

/// `POST /v1/modules/NAME/swap`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SwapRequest {
    /// The new module's bytes, as base64.
    pub(super) module: String,
    /// Its signature: the text of a minisign file.
    pub(super) signature: Option<String>,
    /// Its configuration, an object or a text; without it the old one's.
    #[schemars(with = "Option<TextOrTable>")]
    pub(super) config: Option<ModuleConfig>,
    /// How long the old instances are kept, as `1s`.
    #[serde(default, deserialize_with = "grace")]
    #[schemars(with = "Option<String>")]
    pub(super) grace: Option<Duration>,
    /// Begin without the old instances' state.
    #[serde(default)]
    pub(super) fresh: bool,
}

fn grace<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    values::duration(deserializer).map(Some)
}

/// `POST /v1/config/diff` and `/v1/config/apply`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigRequest {
    /// The configuration, as its file has it.
    pub(super) config: String,
    /// The files of its modules, as base64, by the path that it has for them.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    /// The signatures of those that have one: texts of minisign files, by the same paths.
    #[serde(default)]
    pub(super) signatures: BTreeMap<String, String>,
    /// The files of its modules' secrets, as base64, by the path that it has for them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) secrets: BTreeMap<String, Base64>,
}

/// A text, or an object with keys as the configuration has them.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "says what is taken; what it means is read elsewhere")]
enum TextOrTable {
    Text(String),
    Table(BTreeMap<String, serde_json::Value>),
}

/// What is in a secret's file, as base64.
#[derive(Deserialize)]
pub(super) struct Base64(Zeroizing<String>);

impl std::fmt::Debug for Base64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Base64")
    }
}

impl ConfigRequest {
    /// The configuration and the modules' files.
    pub(super) fn read(mut self) -> Result<(Config, BTreeMap<String, Upload>), Problem> {
        let wrong = |error: ConfigError| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "config", error.to_string());
        let mut config = Config::parse(&self.config, "config").map_err(wrong)?;
        config.give_secrets(|file| {
            let wrong = |what: &str| Problem::new(StatusCode::BAD_REQUEST, format!("secrets, {file:?}"), what);
            let text = self.secrets.get(file).ok_or_else(|| {
                wrong("the bytes are missing").hint("the run cannot reach files: hand over that of each secret")
            })?;
            // The decoder's own word would have a byte of the secret.
            Ok::<_, Problem>(Zeroizing::new(STANDARD.decode(text.0.as_bytes()).map_err(|_| wrong("no base64"))?))
        })?;
        let files = self.files.into_iter().map(|(path, text)| {
            let bytes = bytes_of(&text, &format!("files, {path:?}"))?;
            let signature = self.signatures.remove(&path);
            Ok((path, Upload { bytes, signature }))
        });
        let files = files.collect::<Result<_, Problem>>()?;
        if let Some(path) = self.signatures.keys().next() {
            let text = format!("there is no file {path:?} that it would sign");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "signatures", text));
        }
        Ok((config, files))
    }
}

/// `POST /v1/config/diff`: a line for each difference.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Differences {
    pub(super) actions: Vec<String>,
    /// Those of them that need a restart.
    pub(super) restart: Vec<String>,
}

/// The bytes of a file that came as base64; `place` is where.
pub(super) fn bytes_of(text: &str, place: &str) -> Result<Vec<u8>, Problem> {
    STANDARD.decode(text).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, place, format!("no base64: {error}"))
            .hint("the standard alphabet with padding, without line breaks: base64 -w0 FILE")
    })
}
