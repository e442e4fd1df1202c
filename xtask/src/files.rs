//! The repository's own files: what is not built, fetched or hidden.

use crate::command::Repository;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Folders that hold no sources of ours. The hidden ones that do are named in [`HIDDEN`].
const SKIPPED: [&str; 3] = ["docs/book", "fuzz/corpus", "guest-sdk/as/node_modules"];
const HIDDEN: [&str; 2] = [".ci", ".cargo"];

/// A text file of the repository.
pub(crate) struct File {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// True where the name ends with one of `endings`.
    pub(crate) fn is(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.path.ends_with(ending))
    }
}

/// Copies a module where configurations look for it. A file that is the same already keeps its time.
pub(crate) fn place(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    // Renamed into place, so that nobody who loads it meanwhile sees half of it.
    let part = to.with_extension("part");
    fs::write(&part, new).with_context(|| format!("cannot write {}", part.display()))?;
    fs::rename(&part, to).with_context(|| format!("cannot write {}", to.display()))
}

/// All text files under a folder of the repository (`""`: all), sorted by path.
pub(crate) fn under(repository: &Repository, folder: &str) -> Result<Vec<File>> {
    let mut files = Vec::new();
    walk(&repository.path(folder), folder, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, name: &str, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let own = entry.file_name().to_string_lossy().into_owned();
        let path = if name.is_empty() { own.clone() } else { format!("{name}/{own}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !is_skipped(&path, &own) {
            walk(&entry.path(), &path, files)?;
        } else if kind.is_file() {
            // What is not UTF-8 (a recording, an image) is no text of ours.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                files.push(File { path, text });
            }
        }
    }
    Ok(())
}

fn is_skipped(path: &str, name: &str) -> bool {
    name == "target" || SKIPPED.contains(&path) || (name.starts_with('.') && !HIDDEN.contains(&name))
}
