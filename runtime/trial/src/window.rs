//! The window of a trial: anonymous memory in the place where a run maps its packets, and what the host last knew of it.
#![allow(unsafe_code, reason = "maps memory inside a linear memory, and copies from and to it")]

use perigee_report::Error;
use perigee_wasm::host::Host;
use perigee_wasm::instance::Instance;
use perigee_wasm::module::Module;
use std::ptr::{self, NonNull};

/// Starts a module as a run does, with a window of `len` bytes.
///
/// # Errors
/// As for [`Instance::new`].
pub(super) fn start(module: &Module, host: Host, len: usize) -> Result<(Instance, Window), String> {
    let mut window = None;
    let instance = Instance::new(module, host, len, |at| {
        // SAFETY:
        // - Instance::new checked that `len` bytes fit the declared window, from a multiple of 2 MiB on, inside the memory
        //   of the instance that is being made; it is kept beside the window, which only its methods use.
        window = Some(unsafe { Window::map(at, len) }?);
        Ok(())
    })?;
    Ok((instance, window.ok_or("its window was not mapped")?))
}

/// Byte that rooms are filled with before anything is in them: what has changed was written.
pub(super) const CANARY: u8 = 0xc5;
/// Bytes that are compared at once.
const BLOCK: usize = 16 << 10;

/// The mapped window. It must be dropped with its instance, in whose memory it lies; nobody reads it after that.
#[derive(Debug)]
pub(super) struct Window {
    at: NonNull<u8>,
    /// Its bytes as the host left them.
    known: Vec<u8>,
}

// SAFETY:
// - it points into a memory that belongs to one instance, which lives and moves with it in the same trial.
unsafe impl Send for Window {}

impl Window {
    /// Maps `len` bytes at `at`, over what is there.
    ///
    /// # Errors
    /// Where the system has no memory.
    ///
    /// # Safety
    /// `at` is a multiple of 2 MiB, and `at..at + len` lies in the linear memory of an instance that lives as long as the
    /// window and is on no other thread while the window is used.
    unsafe fn map(at: *mut u8, len: usize) -> Result<Self, Error> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY:
        // - the caller may replace this range.
        let mapped = unsafe { libc::mmap(at.cast(), len, prot, flags, -1, 0) };
        let at = NonNull::new(mapped.cast::<u8>()).filter(|_| mapped != libc::MAP_FAILED);
        let at = at.ok_or_else(|| Error::Memory(format!("a window: {}", std::io::Error::last_os_error())))?;
        let mut window = Self { at, known: vec![CANARY; len] };
        let canaries = window.known.clone();
        window.write(0, &canaries);
        Ok(window)
    }

    /// Bytes mapped.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Copies `len` bytes out, from `at` on; fewer where the window ends.
    pub(super) fn read(&self, at: usize, len: usize) -> Vec<u8> {
        let at = at.min(self.len());
        let mut bytes = vec![0; len.min(self.len() - at)];
        // SAFETY:
        // - at + bytes.len() <= len, and no guest runs while the host does.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr().wrapping_add(at), bytes.as_mut_ptr(), bytes.len()) };
        bytes
    }

    /// Copies bytes in.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.len(), "{at} + {} in a window of {}", bytes.len(), self.len());
        // SAFETY:
        // - at + bytes.len() <= len, and no guest runs while the host does.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.as_ptr().wrapping_add(at), bytes.len()) };
        self.known[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The bytes that a guest has changed since the last call, in ranges; they count as
    /// known from now on.
    pub(super) fn changes(&mut self) -> Vec<std::ops::Range<usize>> {
        let mut changes: Vec<std::ops::Range<usize>> = Vec::new();
        for start in (0..self.len()).step_by(BLOCK) {
            let now = self.read(start, BLOCK);
            let old = &mut self.known[start..start + now.len()];
            if *old == now[..] {
                continue;
            }
            let differ = old.iter().zip(&now).enumerate().filter(|(_, (a, b))| a != b);
            for at in differ.map(|(i, _)| start + i) {
                match changes.last_mut() {
                    Some(last) if at == last.end => last.end += 1,
                    _ => changes.push(at..at + 1),
                }
            }
            old.copy_from_slice(&now);
        }
        changes
    }
}
