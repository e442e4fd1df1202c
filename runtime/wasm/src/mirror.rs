//! Another instance's state region, mapped into an instance that reads it.
//!
//! Privately: what the instance stores there costs it its view of that page, and changes nothing for anybody else. A page that can
//! only be read would make a fault of the host of what host code does for a guest, as `memory.fill`.
#![allow(unsafe_code, reason = "maps memory inside a guest's")]

use super::share::Reader;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// What an instance sees of another's region. The mapping goes with the linear memory that it lies in.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) reader: Reader,
    at: NonNull<u8>,
    len: usize,
    /// The number of what is mapped; 0: nothing is.
    number: u64,
}

// SAFETY:
// - the region lies in a memory that its instance owns, and moves with the instance from thread to thread.
unsafe impl Send for Mirror {}

impl Mirror {
    /// Lays what there is of the region over `len` bytes at `at`.
    ///
    /// # Safety
    /// The bytes belong to one linear memory, which never moves and outlives the value; nothing else is there. `at` is a
    /// multiple of 2 MiB.
    pub(super) unsafe fn new(reader: Reader, at: NonNull<u8>, len: usize) -> Result<Self, String> {
        let mut mirror = Self { reader, at, len, number: 0 };
        mirror.follow().map_err(|e| format!("the state region that it reads cannot be mapped: {e}"))?;
        Ok(mirror)
    }

    /// Maps the region of the instance that works now, where that is another than before.
    #[inline]
    pub(super) fn follow(&mut self) -> io::Result<()> {
        let number = self.reader.shared().number();
        if number == self.number { Ok(()) } else { self.map() }
    }

    #[cold]
    fn map(&mut self) -> io::Result<()> {
        let Some(file) = self.reader.shared().current() else { return Ok(()) };
        // One of another size is not what this module was made for: it sees zeros.
        let fits = file.len() == self.len;
        let (fd, kind) = if fits { (file.as_raw_fd(), 0) } else { (-1, libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) };
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_FIXED | kind);
        // SAFETY:
        // - the caller of `new` promises that the range is the region's; what was mapped there goes, and nobody refers to it: the
        //   guest does not run.
        let mapped = unsafe { libc::mmap(self.at.as_ptr().cast(), self.len, access, flags, fd, 0) };
        let mapped = if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) };
        self.number = if mapped.is_ok() { file.number() } else { self.number };
        self.reader.shared().give_back(file);
        mapped
    }
}
