//! Memory of the kind that a record lies in: of a file without a name, which others can be handed.
#![allow(unsafe_code, reason = "maps a file")]

use anyhow::{Context, Result, ensure};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::slice;

/// So many bytes, all of them touched.
#[derive(Debug)]
pub(crate) struct Shared {
    at: NonNull<u8>,
    len: usize,
}

impl Shared {
    pub(crate) fn new(len: usize) -> Result<Self> {
        // SAFETY:
        // - the name is a terminated string.
        let file = unsafe { libc::memfd_create(c"bench".as_ptr(), libc::MFD_CLOEXEC) };
        ensure!(file >= 0, "memfd_create: {}", std::io::Error::last_os_error());
        // SAFETY:
        // - the descriptor was just opened, and nobody else has it.
        let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(file) });
        file.set_len(len as u64).context("memory")?;
        let (access, descriptor) = (libc::PROT_READ | libc::PROT_WRITE, file.as_raw_fd());
        // SAFETY:
        // - a new mapping of a file that is as long; it outlives its descriptor.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, access, libc::MAP_SHARED, descriptor, 0) };
        ensure!(at != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        let mut shared = Self { at: NonNull::new(at.cast()).context("a mapping")?, len };
        shared.fill(1);
        Ok(shared)
    }
}

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY:
        // - the mapping is the value's own, as long as it lives, and nobody else maps the file.
        unsafe { slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl DerefMut for Shared {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY:
        // - as above.
        unsafe { slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY:
        // - mapped in `new`, of that length, and unmapped once.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.len) };
    }
}
