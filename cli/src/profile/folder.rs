//! The folder of a profile: this user's alone, and no link. Its files are opened while files can still be opened, and written at the end.

use anyhow::{Context, Result, bail, ensure};
use perigee_runtime::config::user::effective_user;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Rights of a folder for its owner, and of a file in it.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The folder, held open: what its path leads to later does not matter.
pub(super) struct Folder {
    open: File,
    shown: PathBuf,
}

/// A file that is written once.
pub(super) struct Sink {
    pub(super) file: File,
    /// Where people find it.
    pub(super) path: PathBuf,
}

impl Folder {
    /// Makes the folder, or takes one that is there and that nobody else may look into.
    ///
    /// # Errors
    /// It is a link or no folder, somebody else's, or open to others; or it cannot be made.
    pub(super) fn open(asked: &Path) -> Result<Self> {
        // Without what would have the kernel follow a link at the end: "link/", "link/.".
        let shown: PathBuf = asked.components().collect();
        let what = || format!("--profile {}", shown.display());
        match DirBuilder::new().mode(FOLDER_MODE).create(&shown) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                bail!("{}: the folder above it is not there: make it, or name another one", what())
            }
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e).with_context(what),
            _ => {}
        }
        let open = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(&shown);
        let open = open.map_err(|e| match e.raw_os_error() {
            Some(libc::ELOOP | libc::ENOTDIR) => {
                anyhow::anyhow!("{}: is a link or no folder at all: name the folder itself", what())
            }
            _ => anyhow::Error::new(e).context(what()),
        })?;
        let facts = open.metadata().with_context(what)?;
        let (owner, mode) = (facts.uid(), facts.mode() & 0o777);
        ensure!(
            owner == effective_user(),
            "{}: is user {owner}'s: name a folder of your own, or one that is not there",
            what()
        );
        ensure!(
            mode & 0o077 == 0,
            "{}: others may look into it (mode {mode:o}): chmod 700 {}, or name a folder that is not there",
            what(),
            shown.display()
        );
        Ok(Self { open, shown })
    }

    /// A file in it, in the place of one from a profile before.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn file(&self, name: &str) -> Result<Sink> {
        let path = self.shown.join(name);
        let reached = PathBuf::from(format!("/proc/self/fd/{}", self.open.as_raw_fd())).join(name);
        match fs::remove_file(&reached) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("--profile: {} cannot be replaced", path.display()));
            }
            _ => {}
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(&reached);
        let file = file.with_context(|| format!("--profile: cannot write {}", path.display()))?;
        Ok(Sink { file, path })
    }
}

impl Sink {
    /// Writes all of it.
    ///
    /// # Errors
    /// The disk is full, say.
    pub(super) fn write(mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).with_context(|| format!("--profile: cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn refused(path: &Path) -> String {
        Folder::open(path).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn a_folder_is_made_for_its_owner_and_files_of_before_are_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("profile");
        for text in ["first", "second"] {
            let folder = Folder::open(&path).unwrap();
            folder.file("a.txt").unwrap().write(text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), text);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("a.txt"))), (0o700, 0o600));
        // A link in the place of a file goes, and what it leads to stays.
        fs::write(home.path().join("other"), "other").unwrap();
        symlink(home.path().join("other"), path.join("b.txt")).unwrap();
        Folder::open(&path).unwrap().file("b.txt").unwrap().write(b"new").unwrap();
        assert_eq!(fs::read_to_string(home.path().join("other")).unwrap(), "other");
        assert_eq!(fs::read_to_string(path.join("b.txt")).unwrap(), "new");
    }

    #[test]
    fn links_and_what_others_look_into_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("target")).unwrap();
        fs::set_permissions(at("target"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink(at("target"), at("link")).unwrap();
        symlink(at("nothing"), at("dangling")).unwrap();
        fs::write(at("file"), "").unwrap();
        for name in ["link", "link/", "link/.", "dangling", "file"] {
            assert!(refused(&at(name)).contains("is a link or no folder at all"), "{name}: {}", refused(&at(name)));
        }
        assert!(!at("nothing").exists());
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o750)).unwrap();
        assert!(refused(&at("open")).contains("others may look into it (mode 750)"), "{}", refused(&at("open")));
        assert!(
            refused(&at("not/there")).contains("the folder above it is not there"),
            "{}",
            refused(&at("not/there"))
        );
    }
}
