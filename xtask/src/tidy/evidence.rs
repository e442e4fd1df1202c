//! What we promise is shown: the pages that promise something name a test for it, and that test is there.

use super::Finding;
use crate::files::File;
use std::collections::HashMap;

/// Pages of promises. Each row of their tables names a test, as `` `path/file.rs: name` ``.
const PAGES: [&str; 2] = ["SPECIFICATION.md", "docs/security.md"];
/// In this one every row of every table is a figure, so none may be without a test.
const FIGURES: &str = "SPECIFICATION.md";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let by_path: HashMap<&str, &str> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let mut findings = Vec::new();
    for page in PAGES {
        let Some(text) = by_path.get(page) else {
            findings
                .push(Finding::Error(format!("{page} is not there: it is where the promises and their tests stand")));
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let at = format!("{page}:{}", number + 1);
            let named = named_tests(line);
            if page == FIGURES && is_row(line) && named.is_empty() {
                findings.push(Finding::Error(format!("{at}: names no test, as `path/file.rs: name`")));
            }
            findings.extend(named.into_iter().filter_map(|(file, test)| {
                let found = by_path.get(file).map(|text| text.contains(&format!("fn {test}(")));
                match found {
                    None => Some(Finding::Error(format!("{at}: {file} is not there"))),
                    Some(false) => Some(Finding::Error(format!("{at}: {file} has no test {test}"))),
                    Some(true) => None,
                }
            }));
        }
    }
    findings
}

/// Files and functions that a line names between backticks.
fn named_tests(line: &str) -> Vec<(&str, &str)> {
    let spans = line.split('`').skip(1).step_by(2);
    let pairs = spans.filter_map(|span| span.split_once(": "));
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    pairs.filter(|(file, name)| file.ends_with(".rs") && is_name(name)).collect()
}

/// A table's row, not its head or the line below it.
fn is_row(line: &str) -> bool {
    line.starts_with("| ") && !line.starts_with("| ---") && !line.contains("| Shown by |")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn errors(page: &str) -> usize {
        let page = format!("| Promise | Shown by |\n| --- | --- |\n{page}");
        let test = file("a/tests/b.rs", "#[test]\nfn stays_up() {}");
        check(&[file(FIGURES, &page), file(PAGES[1], ""), test]).len()
    }

    #[test]
    fn a_figure_names_a_test_that_is_there() {
        assert_eq!(errors("| up | `a/tests/b.rs: stays_up` |"), 0);
        assert_eq!(errors("| up | some test |"), 1);
        assert_eq!(errors("| up | `a/tests/b.rs: falls_down` |"), 1);
        assert_eq!(errors("| up | `a/tests/c.rs: stays_up` |"), 1);
    }
}
