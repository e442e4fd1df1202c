//! Directories that only this user can write: for compiled code and for the versions seen.

use perigee_config::Directory;
use perigee_config::user::effective_user;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a directory of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// May go at any time.
    Cache,
    /// Stays.
    State,
}

/// The directory that is meant, not looked at yet; `None` for none.
pub(super) fn path(directory: &Directory, purpose: Purpose, base: &Path) -> Option<PathBuf> {
    match directory {
        Directory::Off => None,
        Directory::Path(path) => Some(base.join(path)),
        Directory::Auto => automatic(purpose),
    }
}

fn automatic(purpose: Purpose) -> Option<PathBuf> {
    let (system, variable, home) = match purpose {
        Purpose::Cache => ("/var/cache", "XDG_CACHE_HOME", ".cache"),
        Purpose::State => ("/var/lib", "XDG_STATE_HOME", ".local/state"),
    };
    if effective_user() == 0 {
        return Some(Path::new(system).join("perigee"));
    }
    // XDG: a path that is not absolute is to be ignored.
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(home)))?;
    Some(base.join("perigee"))
}

/// Makes the directory where it is not there, and refuses one that others could write to or that is not ours.
pub(super) fn claim(path: &Path) -> Result<(), String> {
    // Without what would have the kernel follow a link at the end: "link/", "link/.".
    let path = &path.components().collect::<PathBuf>();
    let say = |what: String| format!("directory {}: {what}", path.display());
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| say(format!("cannot be made: {e}")))?;
    let facts = std::fs::symlink_metadata(path).map_err(|e| say(e.to_string()))?;
    if !facts.is_dir() {
        return Err(say("is a link or no directory at all: name the directory itself".to_owned()));
    }
    let me = effective_user();
    if facts.uid() != me {
        return Err(say(format!("belongs to user {}, this process runs as {me}: use one of your own", facts.uid())));
    }
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(say(format!("others can write to it (mode {mode:03o}): chmod 700, and remove what is in it")));
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_link_is_no_directory_of_ours_however_it_is_written() {
        let home = tempfile::tempdir().expect("a directory");
        claim(&home.path().join("target")).expect("made");
        std::os::unix::fs::symlink(home.path().join("target"), home.path().join("link")).expect("a link");
        for name in ["link", "link/", "link/.", "link//./"] {
            let refused = claim(&home.path().join(name)).expect_err(name);
            assert!(refused.contains("is a link or no directory at all"), "{name}: {refused}");
        }
        claim(&home.path().join("target/")).expect("it is one");
    }
}
