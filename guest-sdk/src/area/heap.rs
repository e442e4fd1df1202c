//! The heap of a module: a static of fixed size behind Rust's global allocator.
#![allow(unsafe_code, reason = "hands a static over to the allocator")]

use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

/// Has no memory before a module's `init` gives it some. It never asks the engine for more: the memory of a module is
/// bounded by what it declares.
#[global_allocator]
static ALLOCATOR: TalcSyncCell<Given, WasmBinning> = TalcSyncCell::new_wasm(Given);

/// The memory that was given and that the allocator has not taken yet.
static MEMORY: Memory = Memory(Cell::new((null_mut(), 0)));

struct Memory(Cell<(*mut u8, usize)>);

// SAFETY:
// - An instance runs on one thread: WebAssembly without the threads proposal has no other.
unsafe impl Sync for Memory {}

/// Where the allocator gets its memory from: what was given, once.
#[derive(Debug)]
struct Given;

// SAFETY:
// - `acquire` does not use the allocator.
unsafe impl Source for Given {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, _: Layout) -> Result<(), ()> {
        let (start, len) = MEMORY.0.replace((null_mut(), 0));
        if len == 0 {
            return Err(());
        }
        // SAFETY:
        // - `Heap::give` promises that the memory is the allocator's alone, for ever.
        let end = unsafe { talc.claim(start, len) };
        end.map(|_| ()).ok_or(())
    }
}

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
    /// Called once.
    pub unsafe fn give(&'static self) {
        if LEN > 0 {
            MEMORY.0.set((self.0.get().cast(), LEN));
        }
    }
}

impl<const LEN: usize> Default for Heap<LEN> {
    fn default() -> Self {
        Self::new()
    }
}
