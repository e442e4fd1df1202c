//! Why a module refuses something.

use crate::area;
use crate::module::Full;
use crate::text::Text;
use core::fmt;

/// Why a module refuses a configuration, a message or a state.
///
/// The text is not in the value but aside, in one place of the instance. A refusal is handed up through many levels of
/// code, most of it made by serde; with the text in it, that code was four times as large. So only the newest refusal
/// has its text; an older one says "refused".
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    number: u32,
}

impl Refusal {
    /// A refusal with a fixed text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::from(Text::from(text))
    }

    /// A refusal whose text is put together from parts, which takes less code than formatting.
    #[must_use]
    #[inline(never)]
    pub fn from_parts(parts: &[&str]) -> Self {
        let mut text = Text::new();
        for part in parts {
            text.push(part);
        }
        Self::from(text)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> Text<240> {
        let (number, text) = area::words();
        // A refusal's length is what tells it from a success, so there is no empty one.
        if number == self.number && !text.as_bytes().is_empty() { text } else { Text::from("refused") }
    }
}

impl From<Text<240>> for Refusal {
    #[inline(never)]
    fn from(text: Text<240>) -> Self {
        let number = area::words().0.wrapping_add(1);
        area::set_words(number, text);
        Self { number }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl core::error::Error for Refusal {}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::new("the mailbox is too small: declare a larger one (`mailbox = ...` in `module!`)")
    }
}
