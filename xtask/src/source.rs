//! Telling code from comments and texts in a Rust source file, without parsing it.

/// What a piece of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    Comment,
    /// A string or character literal, quotes included.
    Text,
}

/// The pieces of a Rust file, in order; together they are the file.
pub(crate) fn pieces(source: &str) -> Vec<(Kind, &str)> {
    let mut pieces = Vec::new();
    let (mut code, mut at) = (0, 0);
    while at < source.len() {
        let rest = &source[at..];
        let Some((kind, len)) = comment(rest).or_else(|| text(rest)) else {
            at += skip(rest);
            continue;
        };
        if code < at {
            pieces.push((Kind::Code, &source[code..at]));
        }
        pieces.push((kind, &rest[..len]));
        at += len;
        code = at;
    }
    if code < source.len() {
        pieces.push((Kind::Code, &source[code..]));
    }
    pieces
}

/// Bytes of code to step over: a whole word, so that the r in `for"` does not look like the r of a raw string.
fn skip(rest: &str) -> usize {
    let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
    if word > 0 { word } else { rest.chars().next().map_or(1, char::len_utf8) }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn comment(rest: &str) -> Option<(Kind, usize)> {
    if rest.starts_with("//") {
        return Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    // Rust's block comments nest.
    let (mut depth, mut at) = (1, 2);
    while depth > 0 {
        let (open, close) = (rest[at..].find("/*"), rest[at..].find("*/"));
        match (open, close) {
            (Some(open), Some(close)) if open < close => (depth, at) = (depth + 1, at + open + 2),
            (_, Some(close)) => (depth, at) = (depth - 1, at + close + 2),
            (_, None) => return Some((Kind::Comment, rest.len())),
        }
    }
    Some((Kind::Comment, at))
}

/// A string or character with its prefix (`b"`, `c"`, `r#"`).
fn text(rest: &str) -> Option<(Kind, usize)> {
    let with_prefix = |prefix: &str| rest.strip_prefix(prefix).filter(|body| body.starts_with(starts_of(prefix)));
    let body = ["br", "cr", "b", "c", "r", ""].into_iter().find_map(with_prefix)?;
    let len = match body.as_bytes()[0] {
        b'"' if !rest[..rest.len() - body.len()].ends_with('r') => escaped(body, '"'),
        b'\'' => character(body)?,
        _ => raw_string(body)?,
    };
    Some((Kind::Text, rest.len() - body.len() + len))
}

/// What may follow a literal's prefix.
fn starts_of(prefix: &str) -> &'static [char] {
    if prefix.ends_with('r') { &['"', '#'] } else { &['"', '\''] }
}

/// `#"..."#` with any number of hashes; `None` for `r#name`.
fn raw_string(body: &str) -> Option<usize> {
    let hashes = body.find(|c| c != '#')?;
    let inside = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(inside.find(&end).map_or(body.len(), |at| hashes + 1 + at + end.len()))
}

/// `'x'` or `'\n'`; `None` for a lifetime.
fn character(body: &str) -> Option<usize> {
    let mut inside = body[1..].chars();
    match inside.next()? {
        '\\' => Some(escaped(body, '\'')),
        first => (inside.next() == Some('\'')).then(|| first.len_utf8() + 2),
    }
}

/// Length of a literal in which a backslash escapes, both quotes included.
fn escaped(body: &str, quote: char) -> usize {
    let mut escape = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escape => escape = false,
            '\\' => escape = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    body.len()
}

/// The lines (from 1) on which `word` stands as a word of code.
pub(crate) fn lines_with_word(source: &str, word: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut line = 1;
    for (kind, piece) in pieces(source) {
        for (number, text) in piece.split('\n').enumerate() {
            if kind == Kind::Code && text.split(|c| !is_word(c)).any(|found| found == word) {
                lines.push(line + number);
            }
        }
        line += piece.matches('\n').count();
    }
    lines.dedup();
    lines
}

/// The code alone: without comments, white space and the commas that a formatter adds at the end of a list.
pub(crate) fn stripped(source: &str) -> String {
    let mut stripped = String::new();
    for (kind, piece) in pieces(source) {
        match kind {
            Kind::Comment => {}
            Kind::Text => stripped.push_str(piece),
            Kind::Code => stripped.extend(piece.chars().filter(|c| !c.is_whitespace())),
        }
    }
    [",)", ",]", ",}"].iter().fold(stripped, |text, pair| text.replace(pair, &pair[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<usize> {
        lines_with_word(source, "unsafe")
    }

    #[test]
    fn pieces_are_the_file() {
        let source = include_str!("source.rs");
        assert_eq!(pieces(source).iter().map(|(_, piece)| *piece).collect::<String>(), source);
    }

    #[test]
    fn words_of_code_are_found_by_line() {
        assert_eq!(lines("fn a() {\n    unsafe { b() }\n}\nunsafe fn c() {}"), [2, 4]);
        assert_eq!(lines("#[unsafe(no_mangle)] fn a() {}"), [1]);
    }

    #[test]
    fn other_words_are_not() {
        assert!(lines("#![deny(unsafe_code)]\nlet not_unsafe = 1;").is_empty());
    }

    #[test]
    fn comments_and_texts_are_not_code() {
        assert!(lines("// unsafe\n/* unsafe /* unsafe */ unsafe */\nlet a = \"unsafe \\\" unsafe\";").is_empty());
        assert_eq!(lines("let a = r#\"\" unsafe\"#;\nlet b = br\"unsafe\"; unsafe {}"), [2]);
        assert_eq!(lines("/// Is it unsafe?\nfn a<'x>(b: &'x str) { if c == '\"' { unsafe { d() } } }"), [2]);
    }

    #[test]
    fn literals_end_where_they_end() {
        assert_eq!(lines(r"let a = '\''; unsafe {}"), [1]);
        assert_eq!(lines(r"let a = '\\'; let b = b'\''; unsafe {}"), [1]);
        assert_eq!(lines("r#type.unsafe"), [1]);
        assert_eq!(lines("format!(\"{a}\\\\\"); unsafe {}"), [1]);
    }

    #[test]
    fn an_unfinished_file_is_no_endless_loop() {
        for source in ["/* a", "\"a", "r#\"a", "'", "'\\", "b'"] {
            assert_eq!(pieces(source).iter().map(|(_, piece)| *piece).collect::<String>(), source);
        }
    }

    #[test]
    fn only_the_code_counts() {
        let plain = "pub const A: u32 = 1; fn b(c: u8, d: u8) {}";
        let other = "/// Doc.\npub const A: u32 = /* one */ 1;\n\nfn b(\n    c: u8,\n    d: u8,\n) {}\n";
        assert_eq!(stripped(plain), stripped(other));
        assert_ne!(stripped(plain), stripped("pub const A: u32 = 2; fn b(c: u8, d: u8) {}"));
        assert_ne!(stripped("const A: &str = \"a b\";"), stripped("const A: &str = \"ab\";"));
    }
}
