//! Texts in JSON.

use core::fmt::{self, Write as _};

/// A text as JSON has it: in quotation marks, with what must be escaped escaped.
///
/// ```
/// use perigee_guest::Quoted;
///
/// assert_eq!(format!("{{\"name\":{}}}", Quoted("a \"b\"\n")), r#"{"name":"a \"b\"\u000a"}"#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                _ if u32::from(letter) < 0x20 => write!(f, "\\u{:04x}", u32::from(letter))?,
                _ => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}
