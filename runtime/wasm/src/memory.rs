//! Linear memories: reserved whole, so that they never move and need no bounds checks, and so that the region can be mapped
//! inside. docs/abi.md, "Where the window lies", has the rules and what happens to those who break them.
#![allow(unsafe_code, reason = "maps memory and hands it to the engine")]

use std::ptr::{self, NonNull};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// The window's mapping wants the host address aligned like the guest's.
const ALIGN: usize = perigee_abi::WINDOW_ALIGN as usize;

/// Makes the memories of an engine.
#[derive(Debug)]
pub struct Creator;

/// One reservation: `size` bytes that can be used, address space behind them that traps.
struct Reserved {
    mapping: NonNull<u8>,
    mapped: usize,
    start: NonNull<u8>,
    size: usize,
    capacity: usize,
}

// SAFETY:
// - the mapping belongs to the value alone and is valid on every thread.
unsafe impl Send for Reserved {}
// SAFETY:
// - as above: shared methods read plain fields.
unsafe impl Sync for Reserved {}

// SAFETY:
// - new memories are anonymous pages, so filled with zeros.
// - reservation and guard are at least what was asked for, and all of it traps but the first `size` bytes.
// - the base never moves: growing changes protection only.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _type: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let capacity = reserved.unwrap_or(minimum).max(minimum);
        let mut memory = Reserved::new(capacity, guard).map_err(|e| format!("reserving {capacity} bytes: {e}"))?;
        memory.open(minimum).map_err(|e| format!("opening {minimum} bytes: {e}"))?;
        Ok(Box::new(memory))
    }
}

impl Reserved {
    fn new(capacity: usize, guard: usize) -> std::io::Result<Self> {
        let mapped = capacity + guard + ALIGN;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY:
        // - a new mapping at an address that the system chooses.
        let mapping = unsafe { libc::mmap(ptr::null_mut(), mapped, libc::PROT_NONE, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let mapping = NonNull::new(mapping.cast::<u8>()).ok_or_else(std::io::Error::last_os_error)?;
        let skip = mapping.addr().get().next_multiple_of(ALIGN) - mapping.addr().get();
        // SAFETY:
        // - skip < ALIGN, which the mapping has to spare.
        let start = unsafe { mapping.add(skip) };
        Ok(Self { mapping, mapped, start, size: 0, capacity })
    }

    fn open(&mut self, size: usize) -> std::io::Result<()> {
        // SAFETY:
        // - size <= capacity (the callers check), so size..size lies inside the mapping.
        let from = unsafe { self.start.as_ptr().add(self.size) };
        let bytes = size - self.size;
        // SAFETY:
        // - from..from+bytes is inside the mapping that this value owns; only protection is changed.
        let code = unsafe { libc::mprotect(from.cast(), bytes, libc::PROT_READ | libc::PROT_WRITE) };
        if code != 0 {
            return Err(std::io::Error::last_os_error());
        }
        self.size = size;
        Ok(())
    }
}

// SAFETY:
// - byte_size bytes from as_ptr can be read and written; byte_capacity bytes never move.
unsafe impl LinearMemory for Reserved {
    fn byte_size(&self) -> usize {
        self.size
    }

    fn byte_capacity(&self) -> usize {
        self.capacity
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > self.capacity {
            return Err(wasmtime::Error::msg("the memory's reservation is used up"));
        }
        self.open(new_size.max(self.size)).map_err(wasmtime::Error::new)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY:
        // - mapped in `new` with this length; the window mapped over a part of it goes with it.
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), self.mapped) };
    }
}
