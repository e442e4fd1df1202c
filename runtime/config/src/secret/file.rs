//! The file that a secret is in.

use crate::user::effective_user;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Fewest bytes of a secret: what is shorter is guessed, and found in texts that have nothing to do with it.
pub const LEAST: usize = 8;
/// Most bytes of a secret, and of its file.
pub const MOST: usize = 4_096;

/// Why a file is no place for a secret, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What is wrong with the file: the rest of a sentence that begins with it.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.help)
    }
}

fn unfit<T>(what: impl Into<String>, help: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit { what: what.into(), help: help.into() })
}

/// Whether a secret could be read from there, without reading it.
///
/// # Errors
/// It could not, and why.
pub fn look(path: &Path) -> Result<(), Unfit> {
    open(path).map(|_| ())
}

/// Reads a secret's file as it is.
///
/// # Errors
/// It is not there or no plain file, somebody else can read it, or it is too large.
pub fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Unfit> {
    let file = open(path)?;
    // One byte more than is taken: a buffer that grows would leave copies behind, and a file may have grown since it was looked at.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 2));
    let read = file.take(MOST as u64 + 1).read_to_end(&mut bytes);
    if let Err(error) = read {
        return unfit(format!("cannot be read: {error}"), "see to the file");
    }
    check_file_len(bytes.len() as u64)?;
    Ok(bytes)
}

/// Opens it, and looks at what was opened: what the name means may change in between.
fn open(path: &Path) -> Result<File, Unfit> {
    // A pipe that nobody writes to would keep us waiting otherwise.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let shown = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return unfit("does not exist", format!("looked for {}", shown()));
        }
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return unfit(
                "is a link",
                "a secret's file is named itself, so that nobody can put another one in its place",
            );
        }
        Err(error) => return unfit(format!("cannot be read: {error}"), format!("see to {}", shown())),
    };
    let facts = file.metadata();
    let facts = facts.or_else(|error| unfit(format!("cannot be looked at: {error}"), "see to the file"))?;
    check(&facts, effective_user(), &shown())?;
    Ok(file)
}

/// What must hold of a file of `reader`'s secret.
fn check(facts: &Metadata, reader: u32, shown: &str) -> Result<(), Unfit> {
    if !facts.is_file() {
        return unfit("is no plain file", "name the file that the secret is in");
    }
    if ![0, reader].contains(&facts.uid()) {
        let what = format!("belongs to user {}, neither to root nor to the user {reader} that reads it", facts.uid());
        return unfit(what, format!("chown {reader} {shown}"));
    }
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return unfit(format!("has mode {mode:03o}, so that others can get at it"), format!("chmod 600 {shown}"));
    }
    check_file_len(facts.len())
}

fn check_file_len(len: u64) -> Result<(), Unfit> {
    match len {
        0 => unfit("is empty", "write the secret into it"),
        len if len > MOST as u64 => {
            unfit(format!("has {len} bytes"), format!("at most {MOST} are taken: is it the right file?"))
        }
        _ => Ok(()),
    }
}

/// Whether a secret can have so many bytes.
pub(super) fn check_len(len: usize) -> Result<(), Unfit> {
    if (LEAST..=MOST).contains(&len) {
        return Ok(());
    }
    let help = format!("it must be {LEAST} to {MOST}; as from: openssl rand -hex 32");
    unfit(format!("has a secret of {len} bytes"), help)
}

/// A text's last line end is the editor's, not the secret's; what is no text is taken as it is.
pub(super) fn without_line_end(bytes: &[u8]) -> &[u8] {
    let Some(text) = bytes.strip_suffix(b"\n") else { return bytes };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let is_text =
        std::str::from_utf8(text).is_ok_and(|text| !text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c)));
    if is_text { text } else { bytes }
}
