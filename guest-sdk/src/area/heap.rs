//! The heap of a module: a static of fixed size behind Rust's global allocator.
#![allow(unsafe_code, reason = "hands a static over to the allocator")]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use talc::cell::TalcSyncCell;
use talc::source::Claim;
use talc::wasm::WasmBinning;

/// Has no memory before a module's `init` gives it some. It never asks the engine for more: the memory of a module is
/// bounded by what it declares.
#[global_allocator]
static ALLOCATOR: TalcSyncCell<Claim, WasmBinning> = TalcSyncCell::new_wasm(Claim::standby());

/// Memory for the heap. It costs nothing in the module's file: it is never initialised.
#[repr(C, align(16))]
pub struct Heap<const LEN: usize>(UnsafeCell<MaybeUninit<[u8; LEN]>>);

// SAFETY:
// - The only access is `give`, which hands the bytes to the allocator, and an instance runs on one thread.
unsafe impl<const LEN: usize> Sync for Heap<LEN> {}

impl<const LEN: usize> Heap<LEN> {
    /// Declares a heap.
    #[must_use]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Hands the memory to the allocator, which takes it at the first allocation.
    ///
    /// # Safety
    ///
    /// Called once for all heaps, before anything is allocated.
    pub unsafe fn give(&'static self) {
        // SAFETY:
        // - The bytes are valid for as long as the program runs, and nobody else uses them.
        let memory = unsafe { Claim::new(self.0.get().cast(), LEN) };
        ALLOCATOR.replace_source(memory);
    }
}

impl<const LEN: usize> Default for Heap<LEN> {
    fn default() -> Self {
        Self::new()
    }
}
