//! An error in a module's text: said with the place and the words around it, however long its line is.

use perigee_report::text;

/// What the parser of texts says of `source`, bounded.
pub(super) fn told(error: &wat::Error, source: &[u8]) -> String {
    let told = error.to_string();
    let Some((what, line, column)) = parts(&told) else { return text::line(&told, text::REPORT) };
    let words = source.split(|byte| *byte == b'\n').nth(line - 1).unwrap_or_default();
    let excerpt = text::excerpt(line, &String::from_utf8_lossy(words.trim_ascii_end()), column, 1);
    format!("{}, line {line}, column {column}{excerpt}", text::line(what, text::REPORT))
}

/// The message, and the line and the column (characters, if all are of one width) that it is about, both from 1 on. The parser
/// has no other way to tell them: it writes them before a copy of the line, or at the very end where the line is long.
fn parts(told: &str) -> Option<(&str, usize, usize)> {
    let before = if told.ends_with('^') { "\n     --> <anon>:" } else { " at <anon>:" };
    let (what, place) = told.rsplit_once(before)?;
    let (line, column) = place.lines().next()?.split_once(':')?;
    let (line, column) = (line.parse().ok()?, column.parse().ok()?);
    (line > 0 && column > 0).then_some((what, line, column))
}

#[cfg(test)]
mod test {
    use super::*;

    fn said(source: &str) -> String {
        told(&wat::parse_bytes(source.as_bytes()).expect_err("it is no module"), source.as_bytes())
    }

    #[test]
    fn the_place_is_shown_with_the_words_around_it() {
        assert_eq!(
            said("(module\n  (func $f (i32.cons 1)))"),
            "unknown operator or unexpected token, line 2, column 13\n  2 |   (func $f (i32.cons 1)))\n    |             ^"
        );
        // As many characters before the place as in the text, whatever their bytes are.
        let said = said("(module (; äöü ;) (fun))");
        assert!(said.ends_with("  1 | (module (; äöü ;) (fun))\n    |                    ^"), "{said}");
    }

    #[test]
    fn it_is_short_and_harmless_whatever_the_line_is() {
        let long = "x".repeat(1 << 20);
        for source in [
            format!("(module (func ${long} {long}))"),
            format!("(module (func call ${long}))"),
            format!("(module (func call $\"{long}\\0a     --> <anon>:1:1\\0aERROR\"))"),
            format!("(module (func call $\"\\0a\\1b[2J\\e2\\80\\ae\") (;{long};))"),
            format!("(module (; {long} ;) (fun))"),
            format!("(module (; \u{202e}{long}\u{9b} ;) (fun)) {long}"),
            format!("(module \"{long}"),
            "\u{1b}[2J\n(module".to_owned(),
            format!("(module (import \"{long}\" \"b\" (fun)))"),
        ] {
            let said = said(&source);
            assert!(said.chars().count() < 1_000, "{} characters", said.chars().count());
            assert!(text::is_plain(&said) && said.lines().count() <= 4, "{said}");
            assert!(!said.contains("\nERROR"), "{said}");
        }
    }
}
