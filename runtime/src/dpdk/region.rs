//! The region: one piece of shared memory that all data rooms of a trust domain lie in. It is mapped once in the host and
//! once in the window of each instance.

use crate::error::Error;
use perigee_dpdk_sys as sys;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::{self, NonNull};

/// Rooms start at multiples of this, so a slot can name one by its offset in these units.
pub(crate) const ROOM_ALIGN: usize = perigee_abi::SLOT_UNIT as usize;

/// Memory of a memfd, mapped in the host and known to DPDK.
#[derive(Debug)]
pub(crate) struct Region {
    file: File,
    base: NonNull<u8>,
    len: usize,
    used: usize,
}

// SAFETY:
// - the pointer is to a mapping that lives as long as the region, whichever thread owns it.
// - through a shared reference nothing is read or written behind it.
unsafe impl Send for Region {}
// SAFETY:
// - as above: the shared methods only do arithmetic on the address.
unsafe impl Sync for Region {}

impl Region {
    /// Makes a region of at least `len` bytes, in huge pages where `huge` says so.
    pub(crate) fn new(len: usize, huge: bool) -> Result<Self, Error> {
        let page = if huge { 2 << 20 } else { 4_096 };
        let len = len.next_multiple_of(page);
        let flags = libc::MFD_CLOEXEC | if huge { libc::MFD_HUGETLB } else { 0 };
        // SAFETY:
        // - the name is a terminated string.
        let fd = unsafe { libc::memfd_create(c"perigee-rooms".as_ptr(), flags) };
        if fd < 0 {
            return Err(fail("memfd_create", len));
        }
        // SAFETY:
        // - the descriptor is open, and nobody else owns it.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(len as u64).map_err(|e| Error::Memory(format!("{} MiB of rooms: {e}", len >> 20)))?;
        let base = map(&file, len, ptr::null_mut(), 0).ok_or_else(|| fail("mmap", len))?;
        // SAFETY:
        // - base..base+len is the mapping made above, aligned to the page size given, and not registered yet.
        let code = unsafe { sys::rte_extmem_register(base.as_ptr().cast(), len, ptr::null_mut(), 0, page) };
        let region = Self { file, base, len, used: 0 };
        if code != 0 {
            return Err(Error::Memory(format!("rte_extmem_register: {}", super::last_error())));
        }
        Ok(region)
    }

    /// Where the region starts in the host.
    pub(crate) fn base(&self) -> usize {
        self.base.as_ptr().addr()
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes `bytes` of it, from a multiple of the page size on.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<*mut u8, Error> {
        let at = self.used.next_multiple_of(4_096);
        if at + bytes > self.len {
            return Err(Error::Memory(format!("the region of {} bytes is too small for the pools", self.len)));
        }
        self.used = at + bytes;
        // SAFETY:
        // - at + bytes <= len was checked, so the address lies inside the mapping.
        Ok(unsafe { self.base.as_ptr().add(at) })
    }

    /// Maps the whole region at `at`, over what is there.
    ///
    /// # Safety
    /// `at` is a multiple of 2 MiB, and `at..at + len` is a mapping that the caller owns and may replace.
    pub(crate) unsafe fn map_at(&self, at: *mut u8) -> Result<(), Error> {
        map(&self.file, self.len, at, libc::MAP_FIXED).map(|_| ()).ok_or_else(|| fail("mmap of the window", self.len))
    }
}

fn map(file: &File, len: usize, at: *mut u8, flags: i32) -> Option<NonNull<u8>> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = flags | libc::MAP_SHARED | libc::MAP_POPULATE;
    // SAFETY:
    // - a new mapping, or, with MAP_FIXED, over what map_at's caller owns; the file has len bytes.
    let base = unsafe { libc::mmap(at.cast(), len, prot, flags, file.as_raw_fd(), 0) };
    if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) }
}

fn fail(what: &str, len: usize) -> Error {
    let reason = std::io::Error::last_os_error();
    Error::Memory(format!("{what} of {} MiB of rooms: {reason}. Lower the pools, or free memory", len >> 20))
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY:
        // - registered in `new` with this address and length; all pools in it are freed before (Memory's field order).
        unsafe { sys::rte_extmem_unregister(self.base.as_ptr().cast(), self.len) };
        // SAFETY:
        // - mapped in `new` with this address and length; nothing points into it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
