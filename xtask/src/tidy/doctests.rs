//! An example in a crate's documentation is run, or is none: to compile nothing takes a second for each crate, so those without examples have
//! `doctest = false`, and get it back with their first one.

use super::Finding;
use crate::files::File;

/// Whether there is Rust in the documentation, which `cargo test` would run.
fn has_example(text: &str) -> bool {
    let doc = |line: &'_ str| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(|doc| doc.trim().to_owned())
    };
    let mut is_open = false;
    for fence in text.lines().filter_map(doc).filter(|doc| doc.starts_with("```")) {
        if !is_open && matches!(&*fence, "```" | "```rust" | "```should_panic" | "```no_run" | "```compile_fail") {
            return true;
        }
        is_open = !is_open;
    }
    false
}

/// Crates that have examples and do not run them.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let manifests = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let silent = manifests.filter(|file| file.text.lines().any(|line| line.trim() == "doctest = false"));
    let examples = |manifest: &File| {
        let sources = manifest.path.trim_end_matches("Cargo.toml").to_owned() + "src/";
        let of_it = files.iter().filter(move |file| file.path.starts_with(&sources) && file.path.ends_with(".rs"));
        of_it.filter(|file| has_example(&file.text)).map(|file| file.path.clone()).collect::<Vec<_>>()
    };
    let told = |path: String, manifest: &File| {
        Finding::Error(format!("{path}: its example is not run, for {} says doctest = false", manifest.path))
    };
    silent.flat_map(|manifest| examples(manifest).into_iter().map(move |path| told(path, manifest))).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn an_example_that_nobody_runs_is_found() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let silent = file("a/Cargo.toml", "[lib]\ndoctest = false\n");
        let example = file("a/src/lib.rs", "/// Adds.\n///\n/// ```\n/// add(1, 2);\n/// ```\nfn add() {}\n");
        let picture = file("a/src/other.rs", "//! ```text\n//! a -> b\n//! ```\n");
        let found = check(&[silent, example, picture]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(matches!(&found[0], Finding::Error(text) if text.starts_with("a/src/lib.rs: ")));
        assert!(check(&[file("a/Cargo.toml", "[lib]\n"), file("a/src/lib.rs", "/// ```\n")]).is_empty());
    }
}
