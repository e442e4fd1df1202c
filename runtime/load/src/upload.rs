//! A module's bytes and signature, read once: what is hashed and verified is what is compiled.

use perigee_report::Error;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Most bytes of a signature's file: four lines, of which one is free text.
pub(super) const MOST_SIGNATURE: u64 = 8 << 10;

/// A module as somebody hands it over.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// The module, binary or text.
    pub bytes: Vec<u8>,
    /// Its signature in minisign's format.
    pub signature: Option<String>,
}

impl From<Vec<u8>> for Upload {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, signature: None }
    }
}

impl From<&[u8]> for Upload {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl Upload {
    /// Reads a module's file of at most `most` bytes, and the signature `FILE.minisig` beside it, where there is one.
    ///
    /// # Errors
    /// A file that cannot be read, is none, or is too large.
    pub fn read(file: &Path, most: u64) -> Result<Self, Error> {
        let bytes = read_file(file, most)?;
        let beside = signature_path(file);
        let signature = match read_file(&beside, MOST_SIGNATURE) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes);
                Some(text.map_err(|_| wrong(&beside, "is no signature: it is no text".to_owned()))?)
            }
            Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { bytes, signature })
    }
}

/// Where a file's signature is looked for.
#[must_use]
pub fn signature_path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".minisig");
    path.into()
}

/// Reads a plain file of at most `most` bytes.
pub(super) fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    // A pipe that nobody writes to would keep us waiting otherwise.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() {
        return Err(wrong(path, "is not a plain file".to_owned()));
    }
    read_open(&file, path, most)
}

/// As [`read_file`], of a file that is open: it may grow while it is read.
pub(super) fn read_open(file: &File, path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| Error::File { path: path.to_owned(), source })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(wrong(path, format!("has more than {most} bytes, which is the most that is taken")));
    }
    Ok(bytes)
}

fn wrong(path: &Path, what: String) -> Error {
    Error::File { path: path.to_owned(), source: std::io::Error::other(what) }
}
