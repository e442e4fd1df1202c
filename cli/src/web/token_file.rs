//! The file with the token, beside the control socket, for whoever may read it: the user whose process this is.

use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file, locked as long as the page is served, and removed then.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    /// Its lock tells others that the token is in use.
    _file: File,
}

impl TokenFile {
    /// Writes it: `NAME.web-token` beside `NAME.sock`, or `NAME-PID.web-token` while another page of the run is served.
    pub(super) fn write(socket: &Path, token: &str) -> Result<Self> {
        let stem = socket.file_stem().unwrap_or_default().to_string_lossy();
        let own = socket.with_file_name(format!("{stem}.web-token"));
        let path = if is_in_use(&own) {
            socket.with_file_name(format!("{stem}-{}.web-token", std::process::id()))
        } else {
            own
        };
        let cannot = || format!("the token's file {}", path.display());
        // One that a killed process left.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(cannot),
            _ => {}
        }
        // A link that somebody puts there is not followed: the file must be new.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(cannot)?;
        file.try_lock().map_err(std::io::Error::from).with_context(cannot)?;
        file.write_all(format!("{token}\n").as_bytes()).with_context(cannot)?;
        Ok(Self { path, _file: file })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("{} stays: {error}", self.path.display());
        }
    }
}

/// Whether a process that lives holds the file.
fn is_in_use(path: &Path) -> bool {
    let is_plain = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    is_plain && File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_for_its_owner_and_goes_with_its_page() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("run.sock");
        let first = TokenFile::write(&socket, "secret").unwrap();
        assert_eq!(first.path(), home.path().join("run.web-token"));
        assert_eq!(fs::metadata(first.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(first.path()).unwrap(), "secret\n");
        // A second page of the same run leaves the first one's alone.
        let second = TokenFile::write(&socket, "other").unwrap();
        assert_ne!(second.path(), first.path());
        drop(second);
        assert_eq!(fs::read_to_string(first.path()).unwrap(), "secret\n");
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn a_link_or_a_leftover_is_replaced_and_not_written_to() {
        let home = tempfile::tempdir().unwrap();
        let (socket, victim) = (home.path().join("run.sock"), home.path().join("victim"));
        fs::write(&victim, "text").unwrap();
        std::os::unix::fs::symlink(&victim, home.path().join("run.web-token")).unwrap();
        let token = TokenFile::write(&socket, "secret").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "text");
        assert!(fs::symlink_metadata(token.path()).unwrap().is_file());
    }
}
