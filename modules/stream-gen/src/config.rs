//! What the operator can say.

use core::fmt;
use perigee_guest::Text;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize, Deserializer, de};
use perigee_guest::vary::{GapsSpec, Spec};

/// Most streams.
pub(crate) const STREAMS_MAX: usize = 8;
/// Most items in a stream's `vary`.
pub(crate) const VARY_MAX: usize = 12;

/// The configuration; README.md has the table.
#[derive(Deserialize, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config<'a> {
    #[serde(borrow)]
    pub(crate) packet: Option<Digits<'a>>,
    #[serde(borrow)]
    pub(crate) vary: List<Spec<'a>, VARY_MAX>,
    #[serde(borrow)]
    pub(crate) sizes: Option<Spec<'a>>,
    #[serde(borrow)]
    pub(crate) streams: List<StreamConfig<'a>, STREAMS_MAX>,
    pub(crate) gaps: Option<GapsSpec>,
    pub(crate) checksums: Checksums,
    pub(crate) fill: Fill,
    pub(crate) count: u64,
    pub(crate) seed: Option<u64>,
    pub(crate) port: Option<u16>,
    pub(crate) compile: Compile,
}

/// Whether the host makes machine code of what varies.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", transparent)]
pub(crate) struct Compile(pub(crate) bool);

impl Default for Compile {
    fn default() -> Self {
        Self(true)
    }
}

/// One of several streams.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct StreamConfig<'a> {
    #[serde(borrow)]
    pub(crate) packet: Digits<'a>,
    #[serde(borrow, default)]
    pub(crate) vary: List<Spec<'a>, VARY_MAX>,
    #[serde(borrow, default)]
    pub(crate) sizes: Option<Spec<'a>>,
    #[serde(default)]
    pub(crate) weight: Option<u32>,
}

/// Who computes checksums.
#[derive(Clone, Copy, Deserialize, Default, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Checksums {
    /// This module.
    #[default]
    Software,
    /// The port, as far as it can; this module the rest.
    Offload,
    /// Nobody.
    None,
}

/// When packets are written.
#[derive(Clone, Copy, Deserialize, Default, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Fill {
    /// The template once into each room, where there is one stream; what varies into each packet.
    #[default]
    Once,
    /// The template into each packet.
    Always,
    /// Whole packets once into each room, which are then sent over and over.
    Cached,
}

/// Longest packet text with line breaks in it; one without may have any length.
const LINES_MAX: usize = 256;

/// A packet's text, which lies in the configuration unless it has line breaks.
pub(crate) struct Digits<'a> {
    borrowed: Option<&'a str>,
    lines: Text<LINES_MAX>,
}

impl Digits<'_> {
    pub(crate) fn as_str(&self) -> &str {
        self.borrowed.unwrap_or(self.lines.as_str())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Digits<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DigitsVisitor;
        impl<'de> de::Visitor<'de> for DigitsVisitor {
            type Value = Digits<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a packet in hexadecimal digits")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Digits<'de>, E> {
                Ok(Digits { borrowed: Some(text), lines: Text::new() })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digits<'de>, E> {
                if text.len() > LINES_MAX {
                    return Err(E::custom("longer than 256 characters with line breaks; end lines with a backslash"));
                }
                Ok(Digits { borrowed: None, lines: text.into() })
            }
        }
        deserializer.deserialize_str(DigitsVisitor)
    }
}
