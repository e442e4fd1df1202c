//! A file of streams: a configuration whose `[[stream]]` tables say as well what their packets are.

use super::stack::problem;
use anyhow::{Context, Result};
use perigee_runtime::config::{Config, ConfigError, Located, Problem, Severity, closest, locate};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

/// Keys that a stream of a configuration has, too: when its packets leave. They are read as a configuration reads them.
const PACING: [&str; 11] =
    ["name", "rate", "pattern", "late", "late_after", "start", "after", "duration", "count", "paused", "probes"];
/// What its packets are, and where they leave. `name` is for both.
const TRAFFIC: [&str; 14] = [
    "name",
    "port",
    "lcores",
    "headers",
    "packet",
    "payload",
    "size",
    "sizes",
    "vary",
    "streams",
    "checksums",
    "fill",
    "seed",
    "queue",
];

/// What packets are: keys of the module `stream-gen`, and headers in the place of its template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Template {
    /// The stack of headers: names, or names with values.
    pub(super) headers: Option<Vec<Value>>,
    /// Instead of headers and payload: the whole packet in hexadecimal digits.
    pub(super) packet: Option<String>,
    /// What lies behind the headers: hexadecimal digits, or `{ text = "..." }`.
    pub(super) payload: Option<Value>,
    /// Length without frame check sequence.
    pub(super) size: Option<u16>,
    /// Lengths that vary.
    pub(super) sizes: Option<Value>,
    /// What else varies.
    pub(super) vary: Option<Vec<Value>>,
    /// Its share of the mix that it belongs to.
    pub(super) weight: Option<u32>,
}

/// A stream's table without its pacing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Traffic {
    pub(super) name: String,
    pub(super) port: Option<String>,
    pub(super) queue: Option<u16>,
    pub(super) lcores: Vec<u32>,
    headers: Option<Vec<Value>>,
    packet: Option<String>,
    payload: Option<Value>,
    size: Option<u16>,
    sizes: Option<Value>,
    vary: Option<Vec<Value>>,
    /// Instead of these six: several of them, mixed by weight.
    pub(super) streams: Option<Vec<Template>>,
    pub(super) checksums: Option<String>,
    pub(super) fill: Option<String>,
    pub(super) seed: Option<u64>,
}

impl Traffic {
    /// What the stream says of its packets, as a member of a mix would say it; `None` where it says nothing of them.
    pub(super) fn template(&self) -> Option<Template> {
        let template = Template {
            headers: self.headers.clone(),
            packet: self.packet.clone(),
            payload: self.payload.clone(),
            size: self.size,
            sizes: self.sizes.clone(),
            vary: self.vary.clone(),
            weight: None,
        };
        let said = [
            template.headers.is_some(),
            template.packet.is_some(),
            template.payload.is_some(),
            template.size.is_some(),
            template.sizes.is_some(),
            template.vary.is_some(),
        ];
        said.contains(&true).then_some(template)
    }
}

/// A file of streams as it was read.
pub(crate) struct File {
    /// All that it has as a configuration. Each stream has its pacing; one with packets has a chain of its own name, which is
    /// not there yet.
    pub(super) config: Config,
    /// What the packets of each stream are; `None` for one that paces a chain of the file.
    pub(super) traffic: Vec<Option<Traffic>>,
    /// The directory that its paths start from.
    pub(super) base: PathBuf,
    text: String,
    name: String,
}

impl File {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self::parse(text, path.display().to_string(), base)?)
    }

    pub(super) fn parse(text: String, name: String, base: PathBuf) -> Result<Self, ConfigError> {
        let unreadable = |error: toml::de::Error| ConfigError::unreadable(&text, &name, &error);
        let mut document = DeTable::parse(&text).map_err(unreadable)?;
        let mut traffic = Vec::new();
        let mut problems = Vec::new();
        if let Some(streams) = document.get_mut().get_mut("stream")
            && let DeValue::Array(streams) = streams.get_mut()
        {
            for (index, stream) in streams.iter_mut().enumerate() {
                let span = stream.span();
                let DeValue::Table(table) = stream.get_mut() else { continue };
                traffic.push(if table.contains_key("chain") {
                    None
                } else {
                    problems.extend(unknown_keys(table, index));
                    let own = Spanned::new(span, take_traffic(table));
                    Some(Traffic::deserialize(toml::Deserializer::from(own)).map_err(unreadable)?)
                });
            }
        }
        if !problems.is_empty() {
            return Err(ConfigError { problems: locate(&text, &name, &problems) });
        }
        let config = Config::from_document(document, &text, &name)?;
        Ok(Self { config, traffic, base, text, name })
    }

    /// Refuses problems that are errors, all of them told with their lines; returns the warnings.
    pub(crate) fn refuse(&self, problems: &[Problem]) -> Result<Vec<Located>, ConfigError> {
        let located = locate(&self.text, &self.name, problems);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            located.into_iter().partition(|problem| problem.severity == Severity::Error);
        if errors.is_empty() { Ok(warnings) } else { Err(ConfigError { problems: errors }) }
    }
}

/// Takes what is not pacing out of a stream's table, and gives it a chain of its own name.
fn take_traffic<'i>(table: &mut DeTable<'i>) -> DeTable<'i> {
    let of = |keys: &[&str], table: &DeTable<'i>| -> DeTable<'i> {
        let own = table.iter().filter(|(key, _)| keys.contains(&key.get_ref().as_ref()));
        own.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let own = of(&TRAFFIC, table);
    *table = of(&PACING, table);
    if let Some(name) = table.get("name").cloned() {
        let key = Spanned::new(name.span(), "chain".into());
        table.insert(key, name);
    }
    own
}

/// Keys that a stream does not have.
fn unknown_keys(table: &DeTable<'_>, index: usize) -> Vec<Problem> {
    let known = || PACING.iter().chain(&TRAFFIC[1..]).copied();
    let keys = table.keys().map(|key| key.get_ref().as_ref());
    let wrong = keys.filter(|key| !known().any(|known| known == *key));
    let problem = |key: &str| {
        let meant = closest(key, known()).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        let help = format!("{meant}known keys: {}", known().collect::<Vec<_>>().join(", "));
        problem(format!("stream[{index}].{key}"), format!("unknown key `{key}`"), &help)
    };
    wrong.map(problem).collect()
}
