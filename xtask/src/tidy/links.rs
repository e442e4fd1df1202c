//! Links from one of our pages to another lead somewhere.

use super::Finding;
use crate::command::Repository;
use crate::files::File;
use std::path::Path;

pub(super) fn check(repository: &Repository, files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is(&[".md"])) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (line, target) in targets(&file.text) {
            if !repository.path(folder.join(&target)).exists() {
                findings.push(Finding::Error(format!("{}:{line}: {target} is not there", file.path)));
            }
        }
    }
    findings
}

/// Line numbers and paths of a page's relative links, without anchors.
fn targets(page: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for (number, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let links = if in_code { Vec::new() } else { between(&without_code(line), "](", ')') };
        let paths = links.into_iter().map(|link| link.split(['#', ':', ' ']).next().unwrap_or_default().to_owned());
        // A URL has lost its path to the split at the colon.
        let own = paths.filter(|path| !matches!(path.as_str(), "" | "http" | "https" | "mailto"));
        targets.extend(own.map(|path| (number + 1, path)));
    }
    targets
}

fn between(line: &str, start: &str, end: char) -> Vec<String> {
    line.split(start).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0.to_owned())).collect()
}

/// A line without what stands between backticks: `[a](b)` there is code, not a link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_links_are_found() {
        let page = "See [the ABI](abi.md#window) and [this](../x).\n[One](../abi/src/lib.rs)";
        let found: Vec<_> = targets(page).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
        assert_eq!(found, ["1 abi.md", "1 ../x", "2 ../abi/src/lib.rs"]);
    }

    #[test]
    fn other_links_and_code_are_not() {
        assert_eq!(targets("[a](https://example.org/b) [c](#d) `[e](f)`\n```\n[g](h)\n```"), []);
    }
}
