//! The Unix socket: where it lies, who may reach it, and what is done about one that a dead process left.

use crate::error::Error;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Longest path of a socket: what the kernel's address holds, less the terminating zero.
const MAX_PATH: usize = 107;

/// A socket that waits for clients, and that no server answers on yet: bound before a run starts, since afterwards the
/// process may not make files.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: UnixListener,
    pub(super) file: SocketFile,
    /// Whose process this was when it was bound: together with root, who may speak with it.
    pub(super) owner: u32,
}

/// The socket's file, removed when this is dropped, unless another has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            // It answers nobody any more, and the next start of this name removes it.
            tracing::debug!("{} stays: {error}", self.path.display());
        }
    }
}

/// Where sockets lie that nobody named: `$XDG_RUNTIME_DIR/perigee`; without that variable `/run/perigee` for root and
/// `/tmp/perigee-UID` for others.
#[must_use]
pub fn default_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty()) {
        return PathBuf::from(directory).join("perigee");
    }
    match own_uid() {
        0 => PathBuf::from("/run/perigee"),
        uid => PathBuf::from(format!("/tmp/perigee-{uid}")),
    }
}

/// Whether a process answers at this socket.
#[must_use]
pub fn is_alive(path: &Path) -> bool {
    // One that is busy beyond its backlog says so at once; only one that nobody listens on refuses.
    match UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
    }
}

impl Listener {
    /// Binds a socket at `path`. Its directory is made if it is missing, for this user alone; a socket that a dead process
    /// left is replaced.
    ///
    /// # Errors
    /// A process answers there, something else lies there, or the system says no.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let refuse = |what: String| Error::Request(format!("control socket {}: {what}", path.display()));
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        make_directory(directory).map_err(|e| refuse(format!("directory {}: {e}", directory.display())))?;
        // Bound under another name first: nobody shall reach it before its mode is set.
        let first = directory.join(format!(".{}", std::process::id()));
        if let Some(long) = [path, &first].into_iter().find(|path| path.as_os_str().len() > MAX_PATH) {
            let len = long.as_os_str().len();
            return Err(refuse(format!("a path of {len} bytes, sockets have at most {MAX_PATH}; name a shorter one")));
        }
        // Two processes that find the same dead socket take turns.
        let turn = File::open(directory).and_then(|directory| directory.lock().map(|()| directory));
        let turn = turn.map_err(|e| refuse(format!("directory {}: {e}", directory.display())))?;
        check_free(path).map_err(&refuse)?;
        let socket = bind_as(&first, path).map_err(|e| refuse(e.to_string()))?;
        drop(turn);
        let metadata = fs::symlink_metadata(path).map_err(|e| refuse(e.to_string()))?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { socket, file: SocketFile { path: path.to_owned(), identity }, owner: metadata.uid() })
    }

    /// Binds a socket for a run of that name in [`default_directory`]: `NAME.sock`, or `NAME-PID.sock` while another
    /// process of that name runs.
    ///
    /// # Errors
    /// As for [`Self::bind`]; also where the directory can be reached by others.
    pub fn bind_default(name: &str) -> Result<Self, Error> {
        let directory = default_directory();
        let name: String = name.chars().map(|c| if c.is_control() || c == '/' { '_' } else { c }).take(48).collect();
        check_private(&directory)
            .map_err(|what| Error::Request(format!("control socket: directory {}: {what}", directory.display())))?;
        let path = directory.join(format!("{name}.sock"));
        if is_alive(&path) {
            return Self::bind(&directory.join(format!("{name}-{}.sock", std::process::id())));
        }
        Self::bind(&path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).recursive(true).create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Makes the directory; one that is there must be a directory of ours that nobody else can reach.
fn check_private(directory: &Path) -> Result<(), String> {
    make_directory(directory).map_err(|e| e.to_string())?;
    let found = fs::symlink_metadata(directory).map_err(|e| e.to_string())?;
    if !found.is_dir() || found.uid() != own_uid() {
        return Err("it is not a directory of this user; remove it, or name a socket with --control PATH".to_owned());
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!("others can reach it (mode {:o}); chmod 700 it", found.mode() & 0o777));
    }
    Ok(())
}

fn own_uid() -> u32 {
    // The owner of one's own entry in /proc is the effective user.
    fs::metadata("/proc/self").map_or(u32::MAX, |found| found.uid())
}

/// A place is free where nothing is, or the socket of a process that has ended.
fn check_free(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(found) if !found.file_type().is_socket() => Err("there is a file that is no socket; remove it".to_owned()),
        Ok(_) if is_alive(path) => Err("a process answers there; name another one with --control PATH".to_owned()),
        Ok(_) => {
            tracing::info!("the socket {} of a process that has ended is replaced", path.display());
            Ok(())
        }
    }
}

fn bind_as(first: &Path, path: &Path) -> io::Result<UnixListener> {
    // Left by a process of the same number that was killed in this very moment.
    let _ = fs::remove_file(first);
    let socket = UnixListener::bind(first)?;
    let ready = fs::set_permissions(first, Permissions::from_mode(0o700)).and_then(|()| fs::rename(first, path));
    if let Err(error) = ready {
        let _ = fs::remove_file(first);
        return Err(error);
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_socket_is_for_its_owner_alone_and_goes_with_its_file() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("new/deep/a.sock");
        let listener = Listener::bind(&path).expect("a socket");
        assert_eq!(fs::metadata(&path).expect("the socket").mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(home.path().join("new/deep")).expect("its directory").mode() & 0o777, 0o700);
        assert!(is_alive(&path));
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_living_one_refused() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("a.sock");
        // What a killed process leaves: a socket file that nobody listens on.
        drop(UnixListener::bind(&path).expect("a socket"));
        assert!(path.exists() && !is_alive(&path));
        let first = Listener::bind(&path).expect("in the dead one's place");
        let refused = Listener::bind(&path).expect_err("it is taken").to_string();
        assert!(refused.contains("a process answers there"), "{refused}");
        drop(first);
        fs::write(&path, "text").expect("a file");
        let refused = Listener::bind(&path).expect_err("a file is there").to_string();
        assert!(refused.contains("no socket"), "{refused}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "text");
    }

    #[test]
    fn the_file_of_another_is_left_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("a.sock");
        let first = Listener::bind(&path).expect("a socket");
        fs::remove_file(&path).expect("somebody removes it");
        let second = Listener::bind(&path).expect("a new one");
        drop(first);
        assert!(is_alive(&path), "the first one's end took the second one's socket");
        drop(second);
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let long = std::env::temp_dir().join("x".repeat(120));
        let refused = Listener::bind(&long).expect_err("too long").to_string();
        assert!(refused.contains("at most 107"), "{refused}");
    }
}
