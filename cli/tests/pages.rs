//! The pages that begin with the repository: what they show is typed, pasted and compared. docs/tutorial.md, which needs a
//! compiler, is in new.rs.

use crate::page::{NAMED, Use, blocks, follow, root};
use std::fs;

/// The pages that a test follows.
const FOLLOWED: [&str; 12] = [
    "README.md",
    "docs/getting-started.md",
    "docs/tutorial.md",
    "docs/writing-modules.md",
    "docs/conformance.md",
    "docs/control.md",
    "docs/capturing.md",
    "docs/pacing.md",
    "docs/streams.md",
    "docs/how-to-measure.md",
    "docs/results.md",
    "docs/profiling.md",
];

#[test]
fn the_readme_does_what_it_says() {
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) != 0 {
        eprintln!("not run: the README makes TAP interfaces, as root");
        return;
    }
    follow("README.md", &[]);
}

#[test]
fn the_first_steps_lead_where_they_say() {
    follow("docs/getting-started.md", &[]);
}

#[test]
fn what_is_shown_of_modules_is_so() {
    follow("docs/writing-modules.md", &[]);
    follow("docs/conformance.md", &[]);
}

#[test]
fn a_run_is_asked_as_shown() {
    follow("docs/control.md", &[]);
}

#[test]
fn packets_are_captured_as_their_page_says() {
    follow("docs/capturing.md", &[]);
}

#[test]
fn packets_leave_as_their_page_says() {
    follow("docs/pacing.md", &[]);
}

#[test]
fn streams_are_as_their_page_shows_them() {
    follow("docs/streams.md", &[]);
}

#[test]
fn what_is_measured_and_drawn_is_as_its_page_says() {
    follow("docs/how-to-measure.md", &[]);
}

#[test]
fn a_profile_is_as_its_page_says() {
    follow("docs/profiling.md", &[]);
}

#[test]
fn results_are_what_their_page_says() {
    follow("docs/results.md", &[]);
}

/// A block that is a command is run, or its page says why not.
#[test]
fn no_command_stands_on_a_page_untried() {
    let mut pages = vec!["README.md".to_owned()];
    let docs = fs::read_dir(root().join("docs")).expect("the pages").flatten();
    pages.extend(docs.map(|entry| format!("docs/{}", entry.file_name().to_string_lossy())));
    pages.retain(|page| page.ends_with(".md"));
    assert!(pages.len() > 20, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(root().join(&page)).expect("a page");
        for block in blocks(&text) {
            let place = format!("{page}:{}", block.line);
            assert!(!block.language.is_empty(), "{place}: a block without a language: {NAMED}");
            let is_followed = FOLLOWED.contains(&page.as_str());
            assert!(is_followed || block.used != Use::Paste, "{place}: no test follows this page: say `not run: WHY`");
            if block.language == "toml" {
                let parsed: Result<toml::Table, _> = toml::from_str(&block.text);
                assert!(parsed.is_ok(), "{place}: {}", parsed.unwrap_err());
            }
        }
    }
}
