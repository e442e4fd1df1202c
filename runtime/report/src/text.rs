//! Texts that are not ours: names that a module gives, its words, what a library says of it, what a file claims. This is the
//! one place where they come in. Each is cut before anything else is done with it, and has nothing in it that a terminal, a
//! log or a reader's eye would obey: no control characters, no marks that turn the direction of writing, nothing that is not
//! seen. A line break of theirs is shown as `\n`, so it never begins a line of ours.

use std::fmt::{self, Display, Write};

/// Most characters of a name: of a function, an import, a counter.
pub const NAME: usize = 80;
/// Most characters of what a module says: why it refuses, a line of its log.
pub const WORDS: usize = 1_000;
/// Most characters of what a library says of a module or a file.
pub const REPORT: usize = 400;

/// Characters of a line that are shown on both sides of a place in it.
const AROUND: usize = 100;

/// Stands for each character that is not shown.
const HIDDEN: char = char::REPLACEMENT_CHARACTER;
/// Stands where a text was cut.
const CUT: char = '…';

/// A text as one line of at most `most` characters, and a mark where it was cut.
#[must_use]
pub fn line(text: &(impl Display + ?Sized), most: usize) -> String {
    let mut shown = Shown { text: String::new(), left: most, is_cut: false };
    // It ends early where enough has come: whatever is behind that is not even made.
    let _ = write!(shown, "{text}");
    if shown.is_cut {
        shown.text.push(CUT);
    }
    shown.text
}

/// As [`line()`], of bytes that should be UTF-8.
#[must_use]
pub fn line_of_bytes(bytes: &[u8], most: usize) -> String {
    // No character has more than four bytes.
    let enough = &bytes[..bytes.len().min(most.saturating_add(1).saturating_mul(4))];
    line(&String::from_utf8_lossy(enough), most)
}

/// A text of several lines for a terminal: line breaks and tabs stay, all else is as in [`line()`]. For texts whose line
/// breaks are wanted, as in a module's answer.
#[must_use]
pub fn lines(text: &str) -> String {
    let mut last = ' ';
    let mut shown = |c: char| {
        let shown = if matches!(c, '\n' | '\t') { c } else { shown(c, last) };
        last = c;
        shown
    };
    text.chars().map(&mut shown).collect()
}

/// JSON as it was written, with all that [`line()`] would hide written as JSON's own escapes: the same values.
#[must_use]
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\t') || !is_hidden(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a text does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// A place in a file: its line, as much of it as is near, and below it a mark under `marked` characters. All count from 1;
/// each line of the excerpt begins with a line break.
#[must_use]
pub fn excerpt(number: usize, line: &str, column: usize, marked: usize) -> String {
    let place = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let (head, tail) = line.split_at(place);
    let before: String = head.chars().skip(head.chars().count().saturating_sub(AROUND)).collect();
    let cut = if before.len() < head.len() { "…" } else { "" };
    let before = format!("{cut}{}", self::line(&before, AROUND));
    let after = self::line(tail, AROUND);
    let blank = " ".repeat(number.to_string().len());
    let (space, marks) =
        (" ".repeat(before.chars().count()), "^".repeat(marked.clamp(1, after.chars().count().max(1))));
    format!("\n  {number} | {before}{after}\n  {blank} | {space}{marks}")
}

/// Whether a text comes through [`line()`] or [`lines`] as it is.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c != '\n' && c != '\t' && is_hidden(c))
}

/// A text that grows until it has enough characters.
struct Shown {
    text: String,
    left: usize,
    is_cut: bool,
}

impl Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                self.is_cut = true;
                return Err(fmt::Error);
            }
            self.left -= 1;
            if c == '\n' {
                self.left = self.left.saturating_sub(1);
                self.text.push_str("\\n");
            } else {
                self.text.push(shown(c, self.text.chars().next_back().unwrap_or(' ')));
            }
        }
        Ok(())
    }
}

/// A character as it is shown behind another one. A mark that belongs to the letter before it is shown with no other.
fn shown(c: char, before: char) -> char {
    if c.is_ascii_graphic() {
        c
    } else if c == '\t' || is_space(c) {
        ' '
    } else if is_hidden(c) || (is_mark(c) && !before.is_alphanumeric() && !is_mark(before)) {
        HIDDEN
    } else {
        c
    }
}

/// A character that is not seen itself, and changes what is seen of others, or nothing. Unicode's control and format
/// characters, its separators of lines, private and unassigned ones are what the standard library escapes; some more are
/// empty.
fn is_hidden(c: char) -> bool {
    let is_empty = matches!(
        c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
    );
    is_empty || (is_escaped(c) && !is_space(c) && !is_mark(c))
}

/// A space, of any width that is seen.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// A mark that stands on or beside the letter before it: the standard library escapes it alone, and not behind a letter.
fn is_mark(c: char) -> bool {
    if !is_escaped(c) {
        return false;
    }
    let mut pair = [b'a', 0, 0, 0, 0];
    let len = c.encode_utf8(&mut pair[1..]).len();
    std::str::from_utf8(&pair[..=len]).is_ok_and(|pair| pair.escape_debug().nth(1) == Some(c))
}

/// The standard library would not show it as it is.
fn is_escaped(c: char) -> bool {
    !c.is_ascii_graphic() && c.escape_debug().len() != 1
}

#[cfg(test)]
mod test {
    use super::*;

    /// What must never reach a terminal, written down apart from the rule: controls, C1, marks of direction, what has no
    /// width, ends of lines and paragraphs, language tags.
    const HARMFUL: &[(u32, u32)] = &[
        (0, 0x1f),
        (0x7f, 0x9f),
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x206f),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xfff9, 0xfffb),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
        (0xe000, 0xf8ff),
    ];

    fn is_harmful(c: char) -> bool {
        HARMFUL.iter().any(|(from, to)| (*from..=*to).contains(&u32::from(c)))
    }

    #[test]
    fn no_harmful_character_comes_through_anywhere() {
        for c in HARMFUL.iter().flat_map(|(from, to)| *from..=*to).filter_map(char::from_u32) {
            for text in [format!("{c}"), format!("a{c}b"), format!("a{c}"), format!("\u{e9}{c}{c}")] {
                let code = u32::from(c);
                let kept = |shown: &str| shown.contains(is_harmful);
                assert!(!kept(&line(&text, 80)), "{code:#x}");
                assert!(!kept(&line_of_bytes(text.as_bytes(), 80)), "{code:#x}");
                let several = lines(&text).replace(['\n', '\t'], "");
                assert!(!kept(&several), "{code:#x}");
                assert_eq!(is_plain(&text), matches!(c, '\n' | '\t'), "{code:#x}");
            }
            let value = serde_json::Value::from(format!("a{c}b"));
            let escaped = json(&value.to_string());
            assert!(!escaped.chars().any(|s| s == c), "{:#x}", u32::from(c));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).expect("JSON"), value);
        }
    }

    #[test]
    fn letters_of_all_scripts_come_through() {
        for text in ["core::panicking::panic", "Größe é e\u{301} 数 अनुच्छेद שלום مرحبا 😀", "a \\ \" ' b", ""]
        {
            assert_eq!((line(text, 80), lines(text), is_plain(text)), (text.to_owned(), text.to_owned(), true));
        }
        assert_eq!(line("a\tb\u{a0}c\u{3000}d", 80), "a b c d");
        assert_eq!(lines("a\n\tb\u{1b}[2J"), "a\n\tb\u{fffd}[2J");
        // No mark stands on what is ours before it.
        assert_eq!(line("\u{338}a\u{338}", 80), "\u{fffd}a\u{338}");
    }

    #[test]
    fn an_excerpt_has_its_mark_under_the_place() {
        assert_eq!(excerpt(7, "let x = 1", 5, 1), "\n  7 | let x = 1\n    |     ^");
        assert_eq!(excerpt(12, "\tß\u{202e}x", 3, 9), "\n  12 |  ß\u{fffd}x\n     |   ^^");
        assert_eq!(excerpt(1, "", 1, 0), "\n  1 | \n    | ^");
        assert_eq!(excerpt(1, "ab", 9, 3), "\n  1 | ab\n    |   ^");
        for column in [1, 2, 100, 101, 102, 50_000, 99_999, 100_000, 200_000] {
            let text = excerpt(1, &"\u{1b}é".repeat(50_000), column, 70_000);
            let lines: Vec<_> = text.lines().skip(1).map(|line| line.chars().count()).collect();
            assert!(lines.len() == 2 && lines.iter().all(|count| *count < 220) && is_plain(&text), "{text}");
            let at = text.lines().nth(2).and_then(|line| line.chars().position(|c| c == '^')).expect("a mark");
            assert_eq!(at, 6 + (column - 1).min(101).min(if column > 100_000 { 101 } else { column }), "{text}");
        }
    }

    #[test]
    fn a_line_break_is_no_new_line() {
        assert_eq!(line("a\nERROR b", 80), "a\\nERROR b");
        assert_eq!(line_of_bytes(b"a\xff\nb", 80), "a\u{fffd}\\nb");
    }

    #[test]
    fn a_text_is_cut_at_each_length_and_what_is_behind_is_not_made() {
        for text in ["x".repeat(100_000), "\u{202e}".repeat(50_000), "é\n".repeat(40_000), "😀".repeat(30_000)] {
            for most in [0, 1, 2, 79, 80, 81, 1_000] {
                for shown in [line(&text, most), line_of_bytes(text.as_bytes(), most)] {
                    assert!(shown.ends_with(CUT) && shown.chars().count() <= most + 2, "{most}: {shown}");
                }
            }
        }
        assert_eq!(line("abc", 3), "abc");
        assert_eq!(line("abcd", 3), "abc…");
        struct Endless;
        impl Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("again and ")?;
                }
            }
        }
        assert_eq!(line(&Endless, 12), "again and ag…");
    }
}
