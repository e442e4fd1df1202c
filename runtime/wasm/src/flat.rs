//! Flat state regions: memory of a module's own choice that goes from an instance to its successor without a copy.
//!
//! A region is a memfd that is mapped inside a linear memory. A successor gets the same memfd, mapped privately at first: what
//! it writes goes into pages of its own, so the instance before it finds everything as it was, should it have to go on. Once
//! it is sure that it will not, the pages are written into the memfd piece by piece ([`Flat::settle`]), each of which is then
//! mapped shared again, so that there is one copy only and the next successor can have it.
#![allow(unsafe_code, reason = "maps memory inside a guest's")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What [`Flat::settle`] does in one call: some 50 us of an lcore's time.
const PIECE: usize = 256 << 10;
/// Mappings that begin at a multiple of it move by page tables, not page by page.
const ALIGN: usize = perigee_abi::STATE_ALIGN as usize;

/// What a region lies in: a file in memory, which its instance, its successors and those who read it map.
#[derive(Debug)]
pub struct RegionFile {
    file: File,
    len: usize,
    number: u64,
}

impl RegionFile {
    /// One of `len` bytes of zeros.
    fn new(len: usize) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Ok(Self { file: memfd(len)?, len, number: NEXT.fetch_add(1, Ordering::Relaxed) })
    }

    /// Its bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Which of this process's it is; never 0.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl AsRawFd for RegionFile {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// The flat state region of one instance. The mapping goes with the linear memory that it lies in.
#[derive(Debug)]
pub struct Flat {
    file: Arc<RegionFile>,
    at: NonNull<u8>,
    len: usize,
    /// What lies before this is mapped shared.
    settled: usize,
}

// SAFETY:
// - the region lies in a memory that its instance owns, and moves with the instance from thread to thread.
unsafe impl Send for Flat {}

/// A region mapped for an instance that shall have it: populated, so that taking it over costs no page faults but those of
/// writing.
#[derive(Debug)]
pub struct Ahead {
    file: Arc<RegionFile>,
    reserved: NonNull<u8>,
    reserved_len: usize,
    at: NonNull<u8>,
    len: usize,
    /// An instance has it now.
    taken: bool,
}

// SAFETY:
// - the mapping belongs to the value alone and is valid on every thread.
unsafe impl Send for Ahead {}

impl Flat {
    /// A region of zeros, laid over `len` bytes at `at`.
    ///
    /// # Safety
    /// The bytes belong to one linear memory, which never moves and outlives the value; nothing else is there. `at` is a
    /// multiple of 2 MiB.
    pub unsafe fn new(at: NonNull<u8>, len: usize) -> Result<Self, String> {
        let file = RegionFile::new(len).map_err(|e| format!("its state region of {len} bytes cannot be made: {e}"))?;
        let flat = Self { file: Arc::new(file), at, len, settled: len };
        // SAFETY:
        // - the caller promises that the range is free for it.
        unsafe { flat.map_shared(0, len, 0) }.map_err(|e| format!("its state region cannot be mapped: {e}"))?;
        Ok(flat)
    }

    /// Bytes of it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// It has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the region is kept in, for [`Ahead::new`]; `None` while some of it is not settled.
    pub fn file(&self) -> Option<Arc<RegionFile>> {
        self.is_settled().then(|| Arc::clone(&self.file))
    }

    /// All of it is this instance's own for good: what it writes, others see who map it.
    pub(super) fn is_settled(&self) -> bool {
        self.settled == self.len
    }

    /// What it lies in, to be told to those who read it.
    pub(super) fn current(&self) -> &Arc<RegionFile> {
        &self.file
    }

    /// Lays another instance's region in place of the one that is here, which is given up. It becomes this one's own with
    /// [`Self::settle`]; until then the other finds everything as it was, if it runs again.
    pub fn take_over(&mut self, ahead: &mut Ahead) -> Result<(), String> {
        if ahead.len != self.len {
            return Err(format!("its state region has {} bytes, the one that is handed over {}", self.len, ahead.len));
        }
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let (from, to) = (ahead.at.as_ptr().cast(), self.at.as_ptr().cast::<libc::c_void>());
        // SAFETY:
        // - `from` is a mapping of `len` bytes that belongs to `ahead` alone. `to` is this region's own range, of the same
        //   length, in which nothing else lies.
        let moved = unsafe { libc::mremap(from, ahead.len, ahead.len, flags, to) };
        if moved == libc::MAP_FAILED {
            return Err(format!("the state region cannot be moved: {}", io::Error::last_os_error()));
        }
        ahead.taken = true;
        // The region that this instance had goes with `ahead`: whoever drops that closes it.
        std::mem::swap(&mut self.file, &mut ahead.file);
        self.settled = 0;
        Ok(())
    }

    /// Makes a piece more of what was taken over this instance's own for good. True once all of it is.
    pub fn settle(&mut self) -> io::Result<bool> {
        if self.settled < self.len {
            let (from, len) = (self.settled, PIECE.min(self.len - self.settled));
            self.write_back(from, len)?;
            // SAFETY:
            // - inside the region, whose mapping this is.
            unsafe { self.map_shared(from, len, libc::MAP_POPULATE) }?;
            self.settled += len;
        }
        Ok(self.settled == self.len)
    }

    /// Copies a piece of the mapping into the memfd.
    fn write_back(&self, from: usize, len: usize) -> io::Result<()> {
        let mut done = 0;
        while done < len {
            let at = self.at.as_ptr().wrapping_add(from + done).cast();
            let offset = libc::off_t::try_from(from + done).unwrap_or(libc::off_t::MAX);
            // SAFETY:
            // - `len - done` bytes from there lie in the region, and the guest does not run meanwhile.
            let n = unsafe { libc::pwrite(self.file.as_raw_fd(), at, len - done, offset) };
            match usize::try_from(n) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(_) => return Err(io::Error::last_os_error()),
            }
        }
        Ok(())
    }

    /// Maps a piece of the memfd at its place.
    ///
    /// # Safety
    /// The range lies in the region.
    unsafe fn map_shared(&self, from: usize, len: usize, more: i32) -> io::Result<()> {
        let at = self.at.as_ptr().wrapping_add(from).cast();
        let offset = libc::off_t::try_from(from).unwrap_or(libc::off_t::MAX);
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_FIXED | more);
        // SAFETY:
        // - the caller promises that the range is the region's; what was mapped there goes.
        let mapped = unsafe { libc::mmap(at, len, access, flags, self.file.as_raw_fd(), offset) };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Ahead {
    /// Maps a region of `len` bytes aside, for a successor of the instance that works on it now.
    pub fn new(file: &Arc<RegionFile>, len: usize) -> Result<Self, String> {
        let fail = |e: io::Error| format!("the state region cannot be mapped ahead: {e}");
        let reserved_len = len + ALIGN;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY:
        // - a new mapping at an address that the system chooses.
        let reserved = unsafe { libc::mmap(ptr::null_mut(), reserved_len, libc::PROT_NONE, flags, -1, 0) };
        if reserved == libc::MAP_FAILED {
            return Err(fail(io::Error::last_os_error()));
        }
        let Some(reserved) = NonNull::new(reserved.cast::<u8>()) else { return Err(fail(io::ErrorKind::Other.into())) };
        let skip = reserved.addr().get().next_multiple_of(ALIGN) - reserved.addr().get();
        // SAFETY:
        // - skip < ALIGN, which the reservation has to spare.
        let at = unsafe { reserved.add(skip) };
        let ahead = Self { file: Arc::clone(file), reserved, reserved_len, at, len, taken: false };
        // Read-only first: populating a private mapping that can be written would copy each page now, and what the old
        // instance writes until the switch would not be seen.
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_POPULATE;
        // SAFETY:
        // - len bytes from `at` lie in the reservation, which belongs to `ahead`.
        let mapped = unsafe { libc::mmap(at.as_ptr().cast(), len, libc::PROT_READ, flags, file.as_raw_fd(), 0) };
        if mapped == libc::MAP_FAILED {
            return Err(fail(io::Error::last_os_error()));
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY:
        // - the mapping was just made; only its protection changes.
        let code = unsafe { libc::mprotect(at.as_ptr().cast(), len, access) };
        if code != 0 {
            return Err(fail(io::Error::last_os_error()));
        }
        Ok(ahead)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Where the region was taken over, there is a hole in the middle, or by now something of somebody else's.
        let (start, end) = (self.reserved.addr().get(), self.reserved.addr().get() + self.reserved_len);
        let (from, to) = (self.at.addr().get(), self.at.addr().get() + self.len);
        let pieces = if self.taken { [(start, from), (to, end)] } else { [(start, end), (end, end)] };
        for (from, to) in pieces {
            if from < to {
                let at = self.reserved.as_ptr().wrapping_add(from - start);
                // SAFETY:
                // - a part of the reservation that is this value's still.
                unsafe { libc::munmap(at.cast(), to - from) };
            }
        }
    }
}

/// A file in memory of `len` bytes of zeros.
fn memfd(len: usize) -> io::Result<File> {
    // SAFETY:
    // - the name is a C string.
    let fd = unsafe { libc::memfd_create(c"perigee-state".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY:
    // - the descriptor was just made and belongs to nobody else.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(len as u64)?;
    Ok(file)
}
