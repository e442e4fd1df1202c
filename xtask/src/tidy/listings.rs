//! Listings in pages are what the files say that they come from.
//!
//! A page shows a file, or a part of one, in a block of code under the line `<!-- listing: path/from/the/root:part -->`.
//! The text stands in the page, so that it is there wherever the page is read; this rule compares it with the file, and
//! `./x tidy --bless` writes it anew. A part lies between the comments `ANCHOR: part` and `ANCHOR_END: part`.

use super::Finding;
use crate::command::Repository;
use crate::files::{self, File};
use anyhow::{Context, Result};
use std::fs;

const MARK: &str = "<!-- listing: ";
const FENCE: &str = "```";
/// How mdbook includes a file: such a line is all that is seen of it elsewhere.
const INCLUDE: &str = concat!("{{", "#");

/// Compares all listings of all pages.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in files.iter().filter(|file| file.is(&[".md"])) {
        let includes = page.text.lines().enumerate().filter(|(_, line)| line.starts_with(INCLUDE));
        findings.extend(includes.map(|(line, _)| {
            let what = "read elsewhere than in the book, a page shows this line alone: write `<!-- listing: path -->`, a \
                        block of code under it, and let ./x tidy --bless fill it";
            Finding::Error(format!("{}:{}: {what}", page.path, line + 1))
        }));
        match rewritten(page, files) {
            Ok(text) => findings.extend(difference(page, &text)),
            Err(problem) => findings.push(Finding::Error(problem)),
        }
    }
    findings
}

/// Writes all listings anew; says which pages have changed.
pub(crate) fn bless(repository: &Repository) -> Result<()> {
    let files = files::under(repository, "")?;
    for page in files.iter().filter(|file| file.is(&[".md"])) {
        let text = rewritten(page, &files).map_err(anyhow::Error::msg)?;
        if text != page.text {
            fs::write(repository.path(&page.path), text).with_context(|| format!("cannot write {}", page.path))?;
            println!("{}: listings written anew", page.path);
        }
    }
    Ok(())
}

fn difference(page: &File, text: &str) -> Option<Finding> {
    let mut pairs = page.text.lines().zip(text.lines()).enumerate();
    let line = pairs.find(|(_, (is, should))| is != should).map(|(line, _)| line + 1);
    let what = "the listing here is not what its file says; ./x tidy --bless writes it anew";
    (page.text != text).then(|| Finding::Error(format!("{}:{}: {what}", page.path, line.unwrap_or(1))))
}

/// The page with each listing as its file says, or what is wrong with it.
fn rewritten(page: &File, files: &[File]) -> Result<String, String> {
    let mut text = String::new();
    let mut lines = page.text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        text += &format!("{line}\n");
        let Some(source) = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        let wrong = |what: &str| format!("{}:{}: {source}: {what}", page.path, number + 1);
        let open = lines.next().map(|(_, line)| line).filter(|line| line.starts_with(FENCE));
        text += open.ok_or_else(|| wrong("a block of code must begin in the next line"))?;
        text.push('\n');
        text += &listing(source, files).map_err(|what| wrong(&what))?;
        lines.by_ref().find(|(_, line)| *line == FENCE).ok_or_else(|| wrong("the block of code has no end"))?;
        text += &format!("{FENCE}\n");
    }
    Ok(text)
}

/// What a file, or its part, says, without the lines that name parts.
fn listing(source: &str, files: &[File]) -> Result<String, String> {
    let (path, part) = source.split_once(':').map_or((source, None), |(path, part)| (path, Some(part)));
    let file = files.iter().find(|file| file.path == path).ok_or("there is no such file")?;
    let mut lines: Vec<&str> = file.text.lines().collect();
    if let Some(part) = part {
        let place = |word: &str| lines.iter().position(|line| line.trim_end().ends_with(&format!("{word}: {part}")));
        let (from, to) = place("ANCHOR").zip(place("ANCHOR_END")).ok_or("the file has no such part")?;
        lines = lines.get(from + 1..to).ok_or("the part ends before it begins")?.to_vec();
    }
    lines.retain(|line| !line.contains("ANCHOR: ") && !line.contains("ANCHOR_END: "));
    if lines.iter().any(|line| line.starts_with(FENCE)) {
        return Err("a line of it would end the block of code".to_owned());
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str =
        "use x;\nimpl A {\n    // ANCHOR: f\n    fn f() {\n\n        g();\n    }\n    // ANCHOR_END: f\n}\n";
    const SHOWN: &str = "Text.\n\n<!-- listing: a.rs:f -->\n```rust\n    fn f() {\n\n        g();\n    }\n```\nMore.\n";

    fn page(text: &str) -> Vec<File> {
        [("a.rs", CODE), ("docs/a.md", text)].map(|(path, text)| File { path: path.into(), text: text.into() }).into()
    }

    fn found(text: &str) -> Vec<String> {
        let words = |finding| match finding {
            Finding::Error(words) | Finding::Warning(words) => words,
        };
        check(&page(text)).into_iter().map(words).collect()
    }

    #[test]
    fn a_listing_is_what_its_file_says() {
        assert_eq!(found(SHOWN), [""; 0]);
        let old = SHOWN.replace("g();", "h();");
        assert!(found(&old)[0].starts_with("docs/a.md:7: the listing here"), "{:?}", found(&old));
        let files = page(&old);
        assert_eq!(rewritten(&files[1], &files).as_deref(), Ok(SHOWN));
    }

    #[test]
    fn a_whole_file_is_shown_without_the_names_of_its_parts() {
        let files = page("<!-- listing: a.rs -->\n```\n```\n");
        let whole = "use x;\nimpl A {\n    fn f() {\n\n        g();\n    }\n}\n";
        assert_eq!(rewritten(&files[1], &files), Ok(format!("<!-- listing: a.rs -->\n```\n{whole}```\n")));
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        for (text, expected) in [
            ("<!-- listing: b.rs -->\n```\n```\n", "docs/a.md:1: b.rs: there is no such file"),
            ("\n<!-- listing: a.rs:g -->\n```\n```\n", "docs/a.md:2: a.rs:g: the file has no such part"),
            ("<!-- listing: a.rs:f -->\ntext\n", "docs/a.md:1: a.rs:f: a block of code must begin in the next line"),
            ("<!-- listing: a.rs:f -->\n```\n", "docs/a.md:1: a.rs:f: the block of code has no end"),
        ] {
            assert_eq!(found(text), [expected]);
        }
        let include = concat!("```\n{{", "#include a.rs}}\n```\n");
        assert!(found(include)[0].starts_with("docs/a.md:2: read elsewhere"), "{:?}", found(include));
    }
}
