//! From the text of a file to a [`Config`], with messages that point at the line.

use super::validate::closest;
use super::{Config, Problem, Severity, Source, WhenFull};
use perigee_report::text;
use serde::Deserialize;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Why a text is no configuration: everything that was found, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What was found; at least one.
    pub problems: Vec<Located>,
}

/// A problem with its place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1; `None` for what is missing in the file as a whole.
    pub line: Option<usize>,
    /// The column, from 1, where the text itself cannot be read.
    pub column: Option<usize>,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Where the text itself cannot be read: the line, and below it a mark under the place.
    pub excerpt: String,
    /// Whether it keeps the run from starting.
    pub severity: Severity,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, "{number}:")?;
        }
        let kind = if self.severity == Severity::Warning { " warning:" } else { "" };
        write!(f, "{kind} {}{}", self.message, self.excerpt)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(Located::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a configuration and validates it ([`Config::validate`]); `file` is its name in messages. Warnings do not make
    /// it fail.
    ///
    /// # Errors
    /// As [`Config::read`], and where the text does not validate.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let config = Self::read(text, file)?;
        let mut problems = config.validate();
        problems.retain(|problem| problem.severity == Severity::Error);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems: locate(text, file, &problems) }) }
    }

    /// Reads a configuration without asking whether it could run: for those who then ask for all [`Config::problems`].
    ///
    /// # Errors
    /// Where the text is no TOML, or has a key or a value of the wrong kind.
    pub fn read(text: &str, file: &str) -> Result<Self, ConfigError> {
        let document = DeTable::parse(text).map_err(|error| ConfigError::unreadable(text, file, &error))?;
        Self::from_document(document, text, file)
    }

    /// As [`Self::read`], from a document that was parsed from `text`, whoever has taken keys of their own out of it: its values
    /// know where they stand.
    ///
    /// # Errors
    /// Where it has a key or a value of the wrong kind.
    pub fn from_document(document: Spanned<DeTable<'_>>, text: &str, file: &str) -> Result<Self, ConfigError> {
        let read = Self::deserialize(toml::Deserializer::from(document));
        let mut config = read.map_err(|error| ConfigError::unreadable(text, file, &error))?;
        for (index, chain) in config.chains.iter_mut().enumerate() {
            if chain.name.is_empty() {
                chain.name = format!("chain{index}");
            }
            // A file can wait as a generator can: it goes on when there is room again.
            let is_played = |name: &String| config.ports.iter().any(|port| port.name == *name && port.is_file());
            if matches!(&chain.source, Source::Port { port, .. } if is_played(port)) {
                chain.when_full.get_or_insert(WhenFull::Wait);
            }
        }
        Ok(config)
    }
}

/// Finds the lines of a file that problems speak of. They come in the order of the file.
#[must_use]
pub fn locate(text: &str, file: &str, problems: &[Problem]) -> Vec<Located> {
    // A text that parsed once parses again; one that is not the config's own gives problems without lines.
    let document = DeTable::parse(text).ok();
    let line_of = |problem: &Problem| {
        let span = span_of(document.as_ref()?, &problem.path)?;
        Some(position(text, span.start).0)
    };
    let mut located: Vec<Located> = problems
        .iter()
        .map(|problem| Located {
            file: file.to_owned(),
            line: line_of(problem),
            column: None,
            message: problem.to_string(),
            excerpt: String::new(),
            severity: problem.severity,
        })
        .collect();
    located.sort_by_key(|problem| problem.line);
    located
}

/// Where in the text the value of `path` (`chain[1].source.port`) stands; where it is a default, the innermost table or
/// array around it that is there.
fn span_of(document: &Spanned<DeTable<'_>>, path: &str) -> Option<Range<usize>> {
    let mut table = Some(document.get_ref());
    let mut array: Option<&DeArray<'_>> = None;
    let mut span = None;
    for step in path.split(['.', '[']) {
        let next: Option<&Spanned<DeValue<'_>>> = match step.strip_suffix(']') {
            Some(index) => index.parse().ok().and_then(|index: usize| array?.get(index)),
            None => table.and_then(|table| table.get(step)),
        };
        let Some(value) = next else { break };
        span = Some(value.span());
        (table, array) = (value.get_ref().as_table(), value.get_ref().as_array());
    }
    span
}

impl ConfigError {
    /// A text that is no TOML, or has a key or a value of the wrong kind.
    #[must_use]
    pub fn unreadable(source: &str, file: &str, error: &toml::de::Error) -> Self {
        let place = error.span().map(|span| (position(source, span.start), span));
        let excerpt = place.as_ref().map(|((line, column), span)| {
            let words = source.lines().nth(line - 1).unwrap_or("");
            let marks = source.get(span.clone()).map_or(1, |marked| marked.chars().count());
            text::excerpt(*line, words, *column, marks)
        });
        let problem = Located {
            file: file.to_owned(),
            line: place.as_ref().map(|((line, _), _)| *line),
            column: place.as_ref().map(|((_, column), _)| *column),
            message: in_our_words(error.message()),
            excerpt: excerpt.unwrap_or_default(),
            severity: Severity::Error,
        };
        Self { problems: vec![problem] }
    }
}

/// serde speaks of fields where a file has keys, and does not say which key was probably meant.
fn in_our_words(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return text::line(&message.replace("missing field", "missing key"), text::WORDS);
    };
    let (name, rest) = rest.split_once('`').unwrap_or((rest, ""));
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let meant = closest(name, known.iter().copied()).map(|key| format!("did you mean `{key}`? ")).unwrap_or_default();
    format!("unknown key `{}`; {meant}known keys: {}", text::line(name, text::NAME), known.join(", "))
}

/// Line and column of a byte, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}
