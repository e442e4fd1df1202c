//! What is wrong with a configuration, in words.

use crate::refusal::Refusal;
use crate::text::Text;
use core::fmt::{self, Write as _};
use serde::de::{self, Expected, Unexpected};

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) refusal: Refusal,
    placed: bool,
}

impl Error {
    pub(super) fn new(parts: &[&str]) -> Self {
        Self { refusal: Refusal::from_parts(parts), placed: false }
    }

    /// An error with these words.
    pub(super) fn of(text: Text<240>) -> Self {
        Self { refusal: text.into(), placed: false }
    }

    /// `what`, then the words that are known in its place.
    #[inline(never)]
    fn unknown(what: &str, word: &str, known: &[&str]) -> Self {
        let mut text = Text::new();
        text.push("unknown ").push(what).push(" \"").push(word).push("\"; known: ");
        if known.is_empty() {
            text.push("none");
        }
        for (index, name) in known.iter().enumerate() {
            text.push(if index == 0 { "" } else { ", " }).push(name);
        }
        Self::of(text)
    }

    #[inline(never)]
    fn formatted(message: fmt::Arguments<'_>) -> Self {
        let mut text = Text::new();
        let _ = text.write_fmt(message);
        Self::of(text)
    }

    /// Puts the key before the text: `a.b: text`.
    #[inline(never)]
    pub(super) fn at(self, key: &str) -> Self {
        let mut text = Text::new();
        text.push(key).push(if self.placed { "." } else { ": " }).push(self.refusal.text().as_str());
        Self { refusal: text.into(), placed: true }
    }

    #[inline(never)]
    fn expected(expected: &dyn Expected, found: &Unexpected<'_>) -> Self {
        let mut text = Text::new();
        text.push("expected ");
        let _ = write!(text, "{expected}");
        text.push(", found ");
        // Not by `Display`: that brings the code that prints floating point numbers into every module.
        match found {
            Unexpected::Str(word) => text.push("\"").push(word).push("\""),
            Unexpected::Unsigned(number) => text.push_number(*number),
            Unexpected::Signed(number) => text.push("-").push_number(number.unsigned_abs()),
            Unexpected::Bool(true) => text.push("true"),
            Unexpected::Bool(false) => text.push("false"),
            Unexpected::Map => text.push("a table"),
            Unexpected::Seq => text.push("a list"),
            _ => text.push("something else"),
        };
        Self::of(text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl core::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::formatted(format_args!("{message}"))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected, &found)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected, &found)
    }

    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        let mut text = Text::new();
        let _ = write!(text, "expected {expected}");
        text.push(", found ").push_number(len as u64).push(" items");
        Self::of(text)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("word", variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("key", field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(&["the key \"", field, "\" is missing"])
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(&["the key \"", field, "\" is there twice"])
    }
}
