//! Compiled code that is kept: in a directory that only we can write, under a name made of what it was compiled from and for,
//! with an authentication code that only we can make. What fails any of this is not looked at further.

use super::directory;
use super::upload::read_open;
use hmac::{Hmac, KeyInit, Mac};
use perigee_core::hex::hex;
use perigee_wasm::compile::Native;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

type Authenticator = Hmac<Sha256>;

const MAGIC: &[u8; 8] = b"PERIGEE1";
/// Magic, authentication code, length of the binary module.
const HEAD: usize = 8 + 32 + 8;
/// Most bytes of one file.
const MOST_FILE: u64 = 1 << 30;
const END: &str = "native";
const KEY: &str = "key";

/// A directory with compiled code.
pub(super) struct Cache {
    path: PathBuf,
    key: [u8; 32],
    most: u64,
}

/// Code that was looked for in the cache.
pub(super) enum Found {
    Native(Native),
    Nothing,
    /// A file is there and not to be trusted: why.
    Bad(String),
}

impl Cache {
    /// Takes the directory, and makes its key where there is none yet. At most `most` bytes are kept.
    ///
    /// # Errors
    /// The directory or its key is not ours alone, or cannot be made.
    pub(super) fn open(path: &Path, most: u64) -> Result<Self, String> {
        directory::claim(path)?;
        let key = key(&path.join(KEY)).map_err(|e| format!("{}: {e}", path.join(KEY).display()))?;
        Ok(Self { path: path.to_owned(), key, most })
    }

    /// The name of what is compiled from these bytes by an engine of this digest.
    fn name(wasm: &[u8], engine: &[u8; 32]) -> String {
        let name = Sha256::new().chain_update(Sha256::digest(wasm)).chain_update(engine).finalize();
        hex(&name)
    }

    pub(super) fn find(&self, wasm: &[u8], engine: &[u8; 32]) -> Found {
        let name = Self::name(wasm, engine);
        let path = self.file(&name);
        let file = match open_own(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Found::Nothing,
            Err(e) => return self.discard(&path, &e.to_string()),
        };
        let Ok(bytes) = read_open(&file, &path, MOST_FILE) else {
            return self.discard(&path, "cannot be read");
        };
        let Some((head, code)) = bytes.split_at_checked(HEAD) else {
            return self.discard(&path, "is cut off");
        };
        let (magic, rest) = head.split_at(MAGIC.len());
        let (code_of_file, wasm_len) = rest.split_at(32);
        if magic != MAGIC || self.authenticator(&name, wasm_len, code).verify_slice(code_of_file).is_err() {
            return self.discard(&path, "was changed: its authentication code is wrong");
        }
        // The age by which files are evicted is the time since they were last used.
        let _ = file.set_modified(SystemTime::now());
        let mut len = [0; 8];
        len.copy_from_slice(wasm_len);
        Found::Native(Native { code: code.to_vec(), wasm_len: u64::from_le_bytes(len) })
    }

    /// Keeps code; makes room for it first.
    ///
    /// # Errors
    /// It cannot be written: the next start compiles again.
    pub(super) fn keep(&self, wasm: &[u8], engine: &[u8; 32], native: &Native) -> Result<(), String> {
        let name = Self::name(wasm, engine);
        let wasm_len = native.wasm_len.to_le_bytes();
        let mac = self.authenticator(&name, &wasm_len, &native.code).finalize().into_bytes();
        let size = u64::try_from(native.code.len() + HEAD).unwrap_or(u64::MAX);
        if size > self.most.min(MOST_FILE) {
            return Ok(());
        }
        let write = || -> std::io::Result<()> {
            self.evict(self.most - size)?;
            let mut file = tempfile::Builder::new().prefix("new").suffix(".part").tempfile_in(&self.path)?;
            for part in [MAGIC.as_slice(), &mac, &wasm_len, &native.code] {
                file.write_all(part)?;
            }
            file.persist(self.file(&name)).map_err(|e| e.error)?;
            Ok(())
        };
        write().map_err(|e| format!("cache {}: {e}", self.path.display()))
    }

    fn authenticator(&self, name: &str, wasm_len: &[u8], code: &[u8]) -> Authenticator {
        // The hash's block, which the key fills in part: the rest is zeros by definition (RFC 2104).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        <Authenticator as KeyInit>::new(&block.into()).chain_update(name).chain_update(wasm_len).chain_update(code)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name).with_extension(END)
    }

    #[allow(clippy::unused_self, reason = "only what this cache has looked at is thrown away")]
    fn discard(&self, path: &Path, why: &str) -> Found {
        let gone = if std::fs::remove_file(path).is_ok() { "removed" } else { "left there" };
        Found::Bad(format!("cached code {}: {why}; {gone}, and compiled again", path.display()))
    }

    /// Removes files until the rest has at most `most` bytes: first what an interrupted write left, then what was not used
    /// for longest.
    fn evict(&self, most: u64) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)?.filter_map(Result::ok) {
            let (path, Ok(facts)) = (entry.path(), entry.metadata()) else { continue };
            let used = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let ends = |end: &str| path.extension().is_some_and(|e| e == end);
            let old = used.elapsed().is_ok_and(|age| age.as_secs() > 600);
            if ends("part") && old {
                std::fs::remove_file(&path)?;
            } else if ends(END) {
                files.push((used, facts.len(), path));
            }
        }
        files.sort();
        let mut size: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if size <= most {
                break;
            }
            std::fs::remove_file(path)?;
            size -= len;
        }
        Ok(())
    }
}

/// Opens a file of ours, not through a link, that others cannot write.
fn open_own(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let facts = file.metadata()?;
    let refuse = |what: &str| Err(std::io::Error::other(what.to_owned()));
    if !facts.is_file() {
        return refuse("is not a plain file");
    }
    if facts.uid() != perigee_config::user::effective_user() || facts.permissions().mode() & 0o022 != 0 {
        return refuse("can be written by others");
    }
    Ok(file)
}

/// The cache's key, made by whoever comes first.
fn key(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut key = [0; 32];
    match open_own(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            let folder = path.parent().unwrap_or(Path::new("."));
            let mut file = tempfile::Builder::new().prefix("new").suffix(".part").tempfile_in(folder)?;
            file.write_all(&key)?;
            match file.persist_noclobber(path) {
                Ok(_) => return Ok(key),
                // Another process was faster, and its key is the one.
                Err(e) if e.error.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e.error),
            }
        }
        Err(e) => return Err(e),
        Ok(_) => {}
    }
    let mut file = open_own(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(std::io::Error::other("others can read the cache's key: remove the cache's directory"));
    }
    if file.metadata()?.len() != 32 {
        return Err(std::io::Error::other("is not the cache's key: remove the cache's directory"));
    }
    file.read_exact(&mut key)?;
    Ok(key)
}
