//! What the standard library has no names for: files without a name, and descriptors that are put in another's place.

#![allow(unsafe_code, reason = "calls into the kernel")]

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// A file in memory that nobody else knows.
pub(super) fn memory_file() -> Result<File> {
    // SAFETY:
    // - the name is terminated and copied; the call gives a descriptor or -1.
    let code = unsafe { libc::memfd_create(c"perigee-capture".as_ptr(), libc::MFD_CLOEXEC) };
    if code < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY:
    // - the kernel has just given it to us, and nobody else knows it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(code) }))
}

/// Lets `descriptor`, which somebody else in this process writes to, be `file` from now on.
pub(super) fn replace(descriptor: RawFd, file: &File) -> Result<()> {
    // SAFETY:
    // - both are numbers of open files; whoever has the descriptor goes on with the same number.
    let code = unsafe { libc::dup3(file.as_raw_fd(), descriptor, libc::O_CLOEXEC) };
    if code < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Asks whether files may be made in a directory, or a file be written, without doing either.
pub(super) fn may_write(path: &Path) -> Result<()> {
    let name = CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY:
    // - the name is terminated; the call answers, and changes nothing.
    let code = unsafe { libc::access(name.as_ptr(), libc::W_OK) };
    if code < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}
