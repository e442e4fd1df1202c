//! Memory that several processes share, as words: each is read and written whole, and no reference to it is made.

#![allow(unsafe_code, reason = "maps memory that is shared, and reads and writes it by address")]

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping of whole pages. It may be written where it was made so.
#[derive(Debug)]
pub(crate) struct Words {
    base: NonNull<u8>,
    len: u64,
    writable: bool,
}

// SAFETY:
// - the mapping is the value's own; words are read and written by atomic operations, and ranges by the one lane's writer that they belong to.
unsafe impl Send for Words {}
// SAFETY:
// - as above.
unsafe impl Sync for Words {}

impl Words {
    /// Maps the first `len` bytes of a file, which must not become shorter while this lives.
    pub(crate) fn map(file: BorrowedFd<'_>, len: u64, writable: bool) -> io::Result<Self> {
        let size = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let rights = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY:
        // - the kernel chooses an address at which nothing is.
        let base = unsafe { mmap(std::ptr::null_mut(), size, rights, MapFlags::SHARED, file, 0) }?;
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, len, writable })
    }

    /// Lets the kernel give all pages now. Where it cannot, they come when they are first written.
    pub(crate) fn populate(&self) {
        let size = usize::try_from(self.len).unwrap_or(0);
        // SAFETY:
        // - the range is the mapping's own; the advice changes no byte.
        let _ = unsafe { madvise(self.base.as_ptr().cast(), size, Advice::LinuxPopulateWrite) };
    }

    #[inline]
    fn word(&self, at: u64) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at < self.len);
        let at = self.base.as_ptr().wrapping_add(usize::try_from(at).unwrap_or(0));
        // SAFETY:
        // - `at` lies in the mapping, checked above, which is whole pages, and is a multiple of 8.
        // - the mapping lives as long as the borrow of self.
        // - all that read or write this word do so whole: the heads by this function, the bytes of records in a place that a reader
        //   throws away where it finds that it was written over.
        unsafe { AtomicU64::from_ptr(at.cast()) }
    }

    #[inline]
    pub(crate) fn load(&self, at: u64, order: Ordering) -> u64 {
        self.word(at).load(order)
    }

    #[inline]
    pub(crate) fn store(&self, at: u64, value: u64, order: Ordering) {
        assert!(self.writable);
        self.word(at).store(value, order);
    }

    /// Copies words from `at` on, each by itself.
    pub(crate) fn copy_to(&self, at: u64, to: &mut [u64]) {
        for (place, at) in to.iter_mut().zip((at..).step_by(8)) {
            *place = self.load(at, Ordering::Relaxed);
        }
    }

    /// Where `len` bytes from `at` on begin, which are looked at once and then written without another look.
    pub(crate) fn place(&self, at: u64, len: u64) -> NonNull<u8> {
        assert!(self.writable && at.is_multiple_of(8) && at <= self.len && self.len - at >= len);
        let at = usize::try_from(at).unwrap_or(0);
        // SAFETY:
        // - `at` lies in the mapping or at its end, checked above.
        unsafe { self.base.add(at) }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        let size = usize::try_from(self.len).unwrap_or(0);
        // SAFETY:
        // - the mapping is ours, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), size) };
    }
}
