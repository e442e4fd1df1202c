//! The region: one piece of shared memory that all data rooms of a trust domain lie in. It is mapped once in the host and
//! once in the window of each instance.

use perigee_config::HugePages;
use perigee_dpdk_sys as sys;
use perigee_machine as machine;
use perigee_report::Error;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Of the kernel's usual pages.
const PAGE: usize = 4_096;
/// Of huge ones, at a multiple of which each region starts.
const HUGE: usize = machine::HugePages::SIZE;

/// Memory of one or two memfds, mapped in the host and known to DPDK. Its length is the same with huge pages and without, so
/// that what fits a module's window fits it always.
#[derive(Debug)]
pub struct Region {
    parts: Vec<Part>,
    mapping: Mapping,
    used: usize,
    is_registered: bool,
}

/// What a region is made of.
#[derive(Clone, Copy, Debug)]
pub struct Backing {
    /// Whether its pages are huge.
    pub huge: HugePages,
    /// Cards reach it: it lies at addresses that an IOMMU with few bits can translate, too.
    pub for_cards: bool,
    /// All pages are there from the beginning, so that no packet waits for one, and none that lacks ends the process later.
    pub at_once: bool,
}

/// A piece of a region: as many whole huge pages as there are in it, or what is left.
#[derive(Debug)]
struct Part {
    file: File,
    at: usize,
    len: usize,
    at_once: bool,
}

/// Address space of the host's: `len` bytes from `base` on are the region's.
#[derive(Debug)]
struct Mapping {
    reserved: NonNull<libc::c_void>,
    reserved_len: usize,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY:
// - the pointers are to a mapping that lives as long as the value, whichever thread owns it.
// - through a shared reference nothing is read or written behind them.
unsafe impl Send for Mapping {}
// SAFETY:
// - as above: the shared methods only do arithmetic on the address.
unsafe impl Sync for Mapping {}

impl Region {
    /// Makes a region of at least `len` bytes. Where huge pages may be used, those that are free are taken; where they must
    /// be, too few are an error.
    pub fn new(len: usize, backing: Backing) -> Result<Self, Error> {
        let len = len.next_multiple_of(PAGE);
        let mapping = Mapping::reserve(len, backing.for_cards).map_err(|e| too_much(len, &e))?;
        let parts = Self::fill(&mapping, backing)?;
        let mut region = Self { parts, mapping, used: 0, is_registered: false };
        let at = region.mapping.base.as_ptr().cast();
        // SAFETY:
        // - len bytes from there are the mapping made above, aligned to the page size given, and not registered yet.
        let code = unsafe { sys::rte_extmem_register(at, len, ptr::null_mut(), 0, PAGE) };
        region.is_registered = code == 0;
        if code != 0 {
            return Err(Error::Memory(format!("rte_extmem_register: {}", super::last_error())));
        }
        Ok(region)
    }

    /// Lays memory behind the addresses. Whoever looks for free huge pages and then takes them may come too late: taking them is the
    /// only question, and the answer may be no.
    fn fill(mapping: &Mapping, Backing { huge, at_once, .. }: Backing) -> Result<Vec<Part>, Error> {
        let len = mapping.len;
        let whole = if huge == HugePages::Off { 0 } else { len / HUGE * HUGE };
        let mut parts = Vec::new();
        if whole > 0 {
            match Part::new(mapping, 0, whole, libc::MFD_HUGETLB | libc::MFD_HUGE_2MB, true) {
                Ok(part) => parts.push(part),
                Err(error) if huge == HugePages::On => return Err(no_huge_pages(whole, &error)),
                Err(error) => tracing::debug!("{} MiB of rooms without huge pages: {error}", whole >> 20),
            }
        }
        let done = parts.first().map_or(0, |part| part.len);
        if done < len {
            parts.push(Part::new(mapping, done, len - done, 0, at_once).map_err(|e| too_much(len, &e))?);
        }
        Ok(parts)
    }

    /// Where the region starts in the host.
    pub fn base(&self) -> usize {
        self.mapping.base.as_ptr().addr()
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.mapping.len
    }

    /// It has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes `bytes` of it, from a multiple of the page size on.
    pub fn take(&mut self, bytes: usize) -> Result<*mut u8, Error> {
        let at = self.used.next_multiple_of(PAGE);
        if at + bytes > self.len() {
            return Err(Error::Memory(format!("the region of {} bytes is too small for the pools", self.len())));
        }
        self.used = at + bytes;
        // SAFETY:
        // - at + bytes <= len was checked, so the address lies inside the mapping.
        Ok(unsafe { self.mapping.base.as_ptr().add(at) })
    }

    /// Maps the whole region at `at`, over what is there.
    ///
    /// # Safety
    /// `at` is a multiple of 2 MiB, and `at..at + len` is a mapping that the caller owns and may replace.
    pub unsafe fn map_at(&self, at: *mut u8) -> Result<(), Error> {
        self.parts.iter().try_for_each(|part| {
            // SAFETY:
            // - the parts lie in the region one after the other, so inside of what the caller owns.
            unsafe { part.map(at.wrapping_add(part.at)) }.map_err(|e| too_much(self.len(), &e))
        })
    }
}

impl Part {
    /// Makes `len` bytes and maps them `at` bytes behind the mapping's base.
    fn new(mapping: &Mapping, at: usize, len: usize, flags: libc::c_uint, at_once: bool) -> io::Result<Self> {
        // SAFETY:
        // - the name is a terminated string.
        let fd = unsafe { libc::memfd_create(c"perigee-rooms".as_ptr(), libc::MFD_CLOEXEC | flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY:
        // - the descriptor is open, and nobody else owns it.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(len as u64)?;
        let part = Self { file, at, len, at_once };
        if flags & libc::MFD_HUGETLB != 0 {
            part.ask()?;
        }
        let start = mapping.base.as_ptr().wrapping_add(at);
        // SAFETY:
        // - at + len lies inside the mapping, which is the caller's and has nothing there that is in use.
        unsafe { part.map(start) }?;
        if at_once {
            populate(start, len)?;
        }
        Ok(part)
    }

    /// Whether there are pages enough, asked where nothing is. The kernel takes away what lies under a mapping at a fixed address
    /// before it looks for huge pages, and does not give it back where they lack (Linux 6.18): then the addresses are anybody's, and
    /// another thread's next stack may lie there. Once the file has its pages, a mapping of it needs no others.
    fn ask(&self) -> io::Result<()> {
        let (prot, fd) = (libc::PROT_READ | libc::PROT_WRITE, self.file.as_raw_fd());
        // SAFETY:
        // - a new mapping at an address that the system chooses; the file has len bytes.
        let asked = unsafe { libc::mmap(ptr::null_mut(), self.len, prot, libc::MAP_SHARED, fd, 0) };
        if asked == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let populated = populate(asked.cast(), self.len);
        // SAFETY:
        // - mapped above with this length, and nothing points into it.
        unsafe { libc::munmap(asked, self.len) };
        populated
    }

    /// Maps it at `at`, over what is there.
    ///
    /// # Safety
    /// `at..at + len` is a mapping that the caller owns and may replace; `at` is a multiple of this part's page size.
    unsafe fn map(&self, at: *mut u8) -> io::Result<()> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let populate = if self.at_once { libc::MAP_POPULATE } else { 0 };
        let flags = libc::MAP_SHARED | libc::MAP_FIXED | populate;
        // SAFETY:
        // - over what the caller owns; the file has len bytes.
        let base = unsafe { libc::mmap(at.cast(), self.len, prot, flags, self.file.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Makes sure that all pages are there: where a control group has no more, the first touch would end the process (SIGBUS). Kernels
/// before 5.14 do not know the question.
fn populate(at: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY:
    // - the range was just mapped, and nothing in it is lost.
    let code = unsafe { libc::madvise(at.cast(), len, libc::MADV_POPULATE_WRITE) };
    let error = io::Error::last_os_error();
    if code == 0 || error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) }
}

impl Mapping {
    /// Takes addresses for `len` bytes from a multiple of 2 MiB on, with nothing behind them yet.
    fn reserve(len: usize, for_cards: bool) -> io::Result<Self> {
        /// Many IOMMUs have 39 bits. EAL's own memory begins at 4 GiB and ends well before this.
        static LOW: AtomicUsize = AtomicUsize::new(1 << 38);
        let reserved_len = len + HUGE;
        let wanted = if for_cards { LOW.fetch_add(reserved_len, Ordering::Relaxed) } else { 0 };
        let wanted = ptr::without_provenance_mut(wanted);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY:
        // - a new mapping at an address that the system chooses: the one that is wished for, where nothing is there.
        let reserved = unsafe { libc::mmap(wanted, reserved_len, libc::PROT_NONE, flags, -1, 0) };
        if reserved == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let reserved = NonNull::new(reserved).ok_or_else(io::Error::last_os_error)?;
        let skip = reserved.addr().get().next_multiple_of(HUGE) - reserved.addr().get();
        // SAFETY:
        // - skip < HUGE, which the mapping has to spare.
        let base = unsafe { reserved.cast::<u8>().add(skip) };
        Ok(Self { reserved, reserved_len, base, len })
    }
}

fn too_much(len: usize, reason: &io::Error) -> Error {
    Error::Memory(format!("{} MiB of rooms: {reason}. Lower the pools, or free memory", len >> 20))
}

fn no_huge_pages(len: usize, reason: &io::Error) -> Error {
    let machine::HugePages { free, total } = machine::HugePages::now();
    Error::Memory(format!(
        "huge_pages = \"on\": {} pages of 2 MiB for rooms cannot be had ({reason}), {free} of {total} are free now. Give the \
         machine more (/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages), or write huge_pages = \"auto\"",
        len / HUGE
    ))
}

impl Drop for Region {
    fn drop(&mut self) {
        if !self.is_registered {
            return;
        }
        // SAFETY:
        // - registered in `new` with this address and length; all pools in it are freed before (Memory's field order).
        unsafe { sys::rte_extmem_unregister(self.mapping.base.as_ptr().cast(), self.mapping.len) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY:
        // - mapped in `reserve` with this address and length, with the region's parts laid over it; nothing points into it
        //   any more.
        unsafe { libc::munmap(self.reserved.as_ptr(), self.reserved_len) };
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn backing(huge: HugePages) -> Backing {
        Backing { huge, for_cards: false, at_once: true }
    }

    /// The parts of a region of that length, as (start, length, in huge pages).
    fn parts(len: usize, huge: HugePages) -> Result<Vec<(usize, usize, bool)>, Error> {
        let mapping = Mapping::reserve(len, false).expect("address space");
        assert_eq!(mapping.base.addr().get() % HUGE, 0);
        let parts = Region::fill(&mapping, backing(huge))?;
        // All of it is there and can be written, whatever it is made of.
        for at in (0..len).step_by(PAGE) {
            let byte = mapping.base.as_ptr().wrapping_add(at);
            // SAFETY:
            // - at < len, so inside the mapping, over which `fill` has laid memory.
            unsafe { byte.write(1) };
        }
        let is_huge = |part: &Part| {
            use std::os::unix::fs::MetadataExt;
            part.file.metadata().expect("a memfd").blksize() == HUGE as u64
        };
        Ok(parts.iter().map(|part| (part.at, part.len, is_huge(part))).collect())
    }

    #[test]
    fn a_region_has_one_length_with_huge_pages_and_without() {
        for len in [PAGE, HUGE - PAGE, HUGE, HUGE + PAGE, 3 * HUGE + 5 * PAGE] {
            assert_eq!(parts(len, HugePages::Off).expect("ordinary memory"), [(0, len, false)]);
            // With those that this machine has free, be it none, few, or some that another process takes meanwhile.
            let parts = parts(len, HugePages::Auto).expect("ordinary memory does where huge pages lack");
            let mut end = 0;
            for (at, part, is_huge) in &parts {
                assert_eq!(*at, end, "{parts:?}");
                assert!(!is_huge || (part % HUGE == 0 && *at == 0), "{parts:?}");
                end += part;
            }
            assert_eq!(end, len, "{parts:?}");
        }
    }

    #[test]
    fn huge_pages_that_lack_are_told_with_numbers() {
        // A terabyte of them has no machine of tests; nothing is taken of what it has.
        let mapping = Mapping::reserve(1 << 40, false).expect("address space");
        let error = Region::fill(&mapping, backing(HugePages::On)).expect_err("too many").to_string();
        assert!(error.contains("huge_pages = \"on\": 524288 pages of 2 MiB for rooms cannot be had"), "{error}");
        assert!(error.contains(" are free now"), "{error}");
    }

    /// What is not had leaves no hole in what was reserved, which another thread's memory would come into.
    #[test]
    fn a_question_that_fails_leaves_the_addresses_as_they_were() {
        let mapping = Mapping::reserve(1 << 40, false).expect("address space");
        Region::fill(&mapping, backing(HugePages::On)).expect_err("too many");
        for at in (0..mapping.len).step_by(1 << 30) {
            let page = mapping.base.as_ptr().wrapping_add(at);
            // SAFETY:
            // - asks about the page alone; where none is mapped, the kernel says so.
            let code = unsafe { libc::msync(page.cast(), PAGE, libc::MS_ASYNC) };
            assert_eq!(code, 0, "nothing is mapped {at} bytes behind the beginning: {}", io::Error::last_os_error());
        }
    }
}
