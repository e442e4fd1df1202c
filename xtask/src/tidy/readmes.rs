//! Each module and each example explains itself and can be run.

use super::Finding;
use crate::files::File;
use std::collections::BTreeSet;

/// Folders of folders, and what each folder in them has.
const RULES: [(&str, &str); 3] = [("modules", "README.md"), ("examples", "README.md"), ("examples", "run.sh")];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut findings = Vec::new();
    for (parent, needed) in RULES {
        let inside = paths.iter().filter_map(|path| path.strip_prefix(parent)?.strip_prefix('/')?.split_once('/'));
        let folders: BTreeSet<&str> = inside.map(|(folder, _)| folder).collect();
        let missing = folders.into_iter().map(|folder| format!("{parent}/{folder}/{needed}"));
        let missing = missing.filter(|path| !paths.contains(path.as_str()));
        findings.extend(missing.map(|path| Finding::Error(format!("{path} is missing"))));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let paths = ["modules/a/README.md", "modules/a/src/lib.rs", "modules/b/src/lib.rs", "examples/README.md"];
        let files: Vec<_> = paths.iter().map(|path| File { path: (*path).into(), text: String::new() }).collect();
        assert_eq!(check(&files), [Finding::Error("modules/b/README.md is missing".into())]);
    }
}
