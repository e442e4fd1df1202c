//! Folders that a process writes to once it is another user: made, or found, while it still is root, and held open from then
//! on. What was there keeps its owner, and a link is not followed: root does nothing to what somebody else may have put there.

use super::user::User;
use perigee_config::user::effective_user;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// A folder that this process may write to from now on.
#[derive(Debug)]
pub struct Folder {
    /// As people know it.
    shown: PathBuf,
    /// Held open where the new user need not be able to find its way there: under /root, say.
    open: Option<File>,
}

impl Folder {
    /// The folder `asked` for, which is made if it is not there; or where that belongs to somebody else, one below it.
    pub(super) fn claim(user: User, asked: &Path) -> Result<Self, String> {
        let opened = make(user, asked)?;
        let User::Other { user: id, group } = user else { return Ok(Self { shown: asked.to_owned(), open: None }) };
        let facts = |opened: &File| opened.metadata().map_err(|e| told(asked, &e.to_string()));
        if may_write(&facts(&opened)?, id, group) {
            return Ok(Self { shown: asked.to_owned(), open: Some(opened) });
        }
        let below = asked.join(format!("uid-{id}"));
        let opened = make(user, &below)?;
        if !may_write(&facts(&opened)?, id, group) {
            return Err(told(&below, &format!("is there, and user {id} may not write to it: remove it")));
        }
        Ok(Self { shown: below, open: Some(opened) })
    }

    /// Where it is reached.
    pub fn path(&self) -> PathBuf {
        let open = |file: &File| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        self.open.as_ref().map_or_else(|| self.shown.clone(), open)
    }

    /// Where people find it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }
}

/// Opens a folder. One that is not there is made, for its owner alone, and becomes the user's.
pub(super) fn make(user: User, path: &Path) -> Result<File, String> {
    // Without what would have the kernel follow a link at the end: "link/", "link/.".
    let path: PathBuf = path.components().collect();
    let told = |e: std::io::Error| told(&path, &e.to_string());
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(told)?;
    }
    let made = match DirBuilder::new().mode(0o700).create(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => false,
        made => made.map(|()| true).map_err(told)?,
    };
    let open = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(&path);
    let folder = open.map_err(|e| match e.raw_os_error() {
        Some(libc::ELOOP | libc::ENOTDIR) => {
            format!("{}: is a link or no directory at all: name the directory itself", path.display())
        }
        _ => told(e),
    })?;
    if let (true, User::Other { user, group }) = (made, user) {
        // Whoever may write to the folder above could have put another one in its place by now.
        if folder.metadata().map_err(told)?.uid() != effective_user() {
            return Err(format!("{}: somebody else has put another directory in its place", path.display()));
        }
        fchown(&folder, Some(user), Some(group)).map_err(told)?;
    }
    Ok(folder)
}

fn told(path: &Path, what: &str) -> String {
    format!("{}: {what}; the jail needs the directory that is written to", path.display())
}

/// Whether a user, of one group, may make files in a folder.
fn may_write(folder: &Metadata, user: u32, group: u32) -> bool {
    let shift = match () {
        () if folder.uid() == user => 6,
        () if folder.gid() == group => 3,
        () => 0,
    };
    folder.mode() >> shift & 0o3 == 0o3
}

#[cfg(test)]
mod test {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const OTHER: User = User::Other { user: 65_534, group: 65_533 };

    fn is_root() -> bool {
        let is_root = effective_user() == 0;
        if !is_root {
            eprintln!("not run: only root gives folders away");
        }
        is_root
    }

    fn owner(path: &Path) -> (u32, u32) {
        let facts = fs::symlink_metadata(path).expect("there");
        (facts.uid(), facts.gid())
    }

    #[test]
    fn links_are_refused_whatever_stands_behind_them() {
        let home = tempfile::tempdir().expect("a directory");
        let (target, link) = (home.path().join("target"), home.path().join("link"));
        fs::create_dir(&target).expect("a directory");
        symlink(&target, &link).expect("a link");
        symlink(home.path().join("nothing"), home.path().join("dangling")).expect("a link");
        fs::write(home.path().join("file"), "").expect("a file");
        let before = owner(&target);
        for user in [User::Stays(0), User::OnlyOne, OTHER] {
            for name in ["link", "link/", "link/.", "link//./", "dangling", "file"] {
                let refused = Folder::claim(user, &home.path().join(name)).expect_err(name);
                assert!(refused.contains("is a link or no directory at all"), "{name}: {refused}");
            }
        }
        assert_eq!(owner(&target), before);
        assert!(!home.path().join("nothing").exists());
    }

    #[test]
    fn what_was_there_keeps_its_owner() {
        if !is_root() {
            return;
        }
        let home = tempfile::tempdir().expect("a directory");
        let there = home.path().join("there");
        fs::create_dir(&there).expect("a directory");
        let before = owner(&there);
        for name in ["there", "there/", "there/.", "there/../there"] {
            let folder = Folder::claim(OTHER, &home.path().join(name)).expect(name);
            assert_eq!(folder.shown(), home.path().join(name).join("uid-65534"));
            fs::write(folder.path().join("bundle"), "x").expect("it can be written to");
            assert!(there.join("uid-65534/bundle").exists());
        }
        assert_eq!((owner(&there), owner(&there.join("uid-65534"))), (before, (65_534, 65_533)));
        assert_eq!(owner(home.path()), before);
    }

    #[test]
    fn what_is_made_is_the_users_and_nothing_above_it() {
        if !is_root() {
            return;
        }
        let home = tempfile::tempdir().expect("a directory");
        let folder = Folder::claim(OTHER, &home.path().join("new/deep")).expect("made");
        assert_eq!(folder.shown(), home.path().join("new/deep"));
        assert_eq!(owner(&home.path().join("new/deep")), (65_534, 65_533));
        assert_eq!(owner(&home.path().join("new")), (0, 0));
        // Once more: it is the user's own now.
        let again = Folder::claim(OTHER, &home.path().join("new/deep")).expect("there");
        assert_eq!(again.shown(), home.path().join("new/deep"));
        // One for all needs nothing of root.
        let all = home.path().join("all");
        fs::create_dir(&all).expect("a directory");
        fs::set_permissions(&all, fs::Permissions::from_mode(0o1777)).expect("for all");
        assert_eq!(Folder::claim(OTHER, &all).expect("there").shown(), all);
        assert_eq!(owner(&all), (0, 0));
        // Somebody was here before, and has taken the place of the one below.
        let taken = home.path().join("taken");
        fs::create_dir_all(taken.join("uid-65534")).expect("directories");
        let refused = Folder::claim(OTHER, &taken).expect_err("it is root's");
        assert!(refused.contains("user 65534 may not write to it"), "{refused}");
        assert_eq!(owner(&taken.join("uid-65534")), (0, 0));
    }
}
