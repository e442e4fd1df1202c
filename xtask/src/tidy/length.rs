//! Files that can be read in one sitting.

use super::Finding;
use crate::files::File;

const ENDINGS: [&str; 7] = [".rs", ".c", ".h", ".zig", ".ts", ".go", ".py"];
/// Made of another file, which is no reading.
const MADE: [&str; 1] = ["python/perigee/_types.py"];
const AIM: usize = 400;
const LIMIT: usize = 500;

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let read = files.iter().filter(|file| file.is(&ENDINGS) && !MADE.contains(&file.path.as_str()));
    read.filter_map(of_file).collect()
}

fn of_file(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    let text = format!("{}: {lines} lines; aim at {AIM}, {LIMIT} is the limit: find what is two things", file.path);
    if lines > LIMIT { Some(Finding::Error(text)) } else { (lines > AIM).then_some(Finding::Warning(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_is_warned_of_and_too_long_is_refused() {
        let file = |path: &str, lines| File { path: path.into(), text: "\n".repeat(lines) };
        assert_eq!(check(&[file("a.rs", AIM), file("notes.md", 900), file(MADE[0], 900)]), []);
        assert!(matches!(check(&[file("a.rs", AIM + 1)])[..], [Finding::Warning(_)]));
        assert!(matches!(check(&[file("a.c", LIMIT + 1)])[..], [Finding::Error(_)]));
    }
}
