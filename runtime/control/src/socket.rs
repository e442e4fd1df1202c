//! The Unix socket: where it lies, who may reach it, and what is done about one that a dead process left.

use perigee_config::user::effective_user;
use perigee_report::Error;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
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

/// The system's directory of sockets: root's, or that of the user to whom the package gives it.
const SYSTEM: &str = "/run/perigee";

/// Where sockets lie that nobody named. The first is where this user's own go: `$XDG_RUNTIME_DIR/perigee`; without that
/// variable `/run/perigee` for root, or for the user to whom it belongs, and `/tmp/perigee-UID` for others. A second one is
/// `/run/perigee` where that is another, for root and for its owner.
#[must_use]
pub fn default_directories() -> Vec<PathBuf> {
    let session = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty()).map(PathBuf::from);
    let owner = fs::symlink_metadata(SYSTEM).ok().map(|found| found.uid());
    directories(effective_user(), session, owner)
}

fn directories(user: u32, session: Option<PathBuf>, owner: Option<u32>) -> Vec<PathBuf> {
    let is_own = owner.unwrap_or(0) == user;
    let own = match session {
        Some(session) => session.join("perigee"),
        None if is_own => SYSTEM.into(),
        None => PathBuf::from(format!("/tmp/perigee-{user}")),
    };
    let system = (user == 0 || is_own).then(|| PathBuf::from(SYSTEM)).filter(|system| *system != own);
    [Some(own), system].into_iter().flatten().collect()
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

    /// Binds a socket for a run of that name in the first of [`default_directories`]: `NAME.sock`, or `NAME-PID.sock` while another
    /// process of that name runs.
    ///
    /// # Errors
    /// As for [`Self::bind`]; also where the directory can be reached by others.
    pub fn bind_default(name: &str) -> Result<Self, Error> {
        let directory = default_directories().swap_remove(0);
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
    if !found.is_dir() || found.uid() != effective_user() {
        return Err("it is not a directory of this user; remove it, or name a socket with --control PATH".to_owned());
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!("others can reach it (mode {:o}); chmod 700 it", found.mode() & 0o777));
    }
    Ok(())
}

/// A place is free where nothing is, or the socket of a process that has ended.
fn check_free(path: &Path) -> Result<(), String> {
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
    let ready = close_to_others(first).and_then(|()| fs::rename(first, path));
    if let Err(error) = ready {
        let _ = fs::remove_file(first);
        return Err(error);
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Leaves a socket to its owner alone: this file and no other, should somebody who may write to the directory have put a link
/// in its place.
fn close_to_others(socket: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(socket)?;
    if !file.metadata()?.file_type().is_socket() {
        return Err(io::Error::other("somebody else has put another file in its place"));
    }
    fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), Permissions::from_mode(0o700))
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
    fn the_systems_directory_is_for_root_and_for_whom_it_belongs_to() {
        let of = |user, session: Option<&str>, owner| {
            let found = directories(user, session.map(PathBuf::from), owner);
            found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(0, None, None), "/run/perigee");
        assert_eq!(of(0, None, Some(0)), "/run/perigee");
        // The package has given it to a user of its own: root's runs go elsewhere, and root sees both.
        assert_eq!(of(0, None, Some(990)), "/tmp/perigee-0 /run/perigee");
        assert_eq!(of(990, None, Some(990)), "/run/perigee");
        assert_eq!(of(990, Some("/run/user/990"), Some(990)), "/run/user/990/perigee /run/perigee");
        assert_eq!(of(1000, None, Some(990)), "/tmp/perigee-1000");
        assert_eq!(of(1000, Some("/run/user/1000"), None), "/run/user/1000/perigee");
        assert_eq!(of(1000, None, None), "/tmp/perigee-1000");
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
    fn a_link_in_the_place_of_a_socket_leads_nowhere() {
        let home = tempfile::tempdir().expect("a directory");
        let (file, link) = (home.path().join("file"), home.path().join("link"));
        fs::write(&file, "text").expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("its mode");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        close_to_others(&link).expect_err("it is no socket");
        assert_eq!(fs::metadata(&file).expect("the file").mode() & 0o777, 0o644);
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let long = std::env::temp_dir().join("x".repeat(120));
        let refused = Listener::bind(&long).expect_err("too long").to_string();
        assert!(refused.contains("at most 107"), "{refused}");
    }
}
