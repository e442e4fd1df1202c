//! Names of projects: a folder, a file and, in Rust, a crate are called by them.

use super::Language;
use anyhow::{Result, ensure};

/// Longest name.
const MOST: usize = 64;

/// Words that a crate cannot have as its name: keywords, those that are kept free, and crates that are there already.
const RUST: [&str; 60] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "perigee_guest",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "deps",
    "examples",
    "build",
];

/// Whether a project can have this name.
pub(super) fn check(name: &str, language: Language) -> Result<()> {
    let rules = "a name has letters (a to z), digits, - and _, and begins with a letter";
    let is_good = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    ensure!(is_good && name.starts_with(|c: char| c.is_ascii_alphabetic()), "{name:?} is no name: {rules}");
    ensure!(name.len() <= MOST, "the name has {} letters: {MOST} at most", name.len());
    let is_taken = language == Language::Rust && RUST.contains(&name.replace('-', "_").as_str());
    ensure!(!is_taken, "{name:?} means something in Rust, a crate cannot have that name: choose another");
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_are_those_of_files_and_crates() {
        for name in ["a", "my-module", "Hop_2"] {
            check(name, Language::Rust).unwrap();
        }
        for name in ["", "2hops", "-a", "_a", "a b", "a/b", "..", "ä", "a.b"] {
            let said = check(name, Language::C).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{name:?} is no name: ")), "{said}");
        }
        assert_eq!(check(&"a".repeat(65), Language::C).unwrap_err().to_string(), "the name has 65 letters: 64 at most");
    }

    #[test]
    fn words_of_rust_are_names_elsewhere() {
        for name in ["match", "perigee-guest", "std"] {
            assert!(check(name, Language::Rust).is_err(), "{name}");
            check(name, Language::Zig).unwrap();
        }
    }
}
