//! The memory that a module declares to its host.
//!
//! Everything here is for the macro [`module!`](crate::module!) and for [`crate::testing`]; a module's author needs none
//! of it. Statics that the host writes are `UnsafeCell`s: the compiler must not think that it knows what is in them.
#![allow(unsafe_code, reason = "statics that the host writes between calls")]

#[cfg(all(target_arch = "wasm32", feature = "state"))]
mod heap;
#[cfg_attr(target_arch = "wasm32", path = "memory_wasm.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "memory_native.rs")]
mod memory;

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
#[cfg(all(target_arch = "wasm32", feature = "state"))]
pub use heap::Heap;
#[cfg(target_arch = "wasm32")]
pub(crate) use memory::take_region;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use memory::with;
pub(crate) use memory::{batch, byte, set_words, words};

/// Room for the host to map the packets in. It costs nothing in the module's file: it is never initialised.
#[repr(C, align(4096))]
pub struct Window<const LEN: usize>(UnsafeCell<[u8; LEN]>);

// SAFETY:
// - Nobody makes a reference to the bytes: only the address is taken, and packets are found by the host's descriptors.
unsafe impl<const LEN: usize> Sync for Window<LEN> {}

impl<const LEN: usize> Window<LEN> {
    /// Declares a window.
    #[must_use]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; LEN]))
    }

    /// Where it is. The provenance is exposed: descriptors carry addresses as numbers.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.get().expose_provenance()
    }
}

impl<const LEN: usize> Default for Window<LEN> {
    fn default() -> Self {
        Self::new()
    }
}

/// Room for configuration, messages, replies and state.
#[repr(C, align(64))]
pub struct Mailbox<const LEN: usize>(UnsafeCell<[u8; LEN]>);

// SAFETY:
// - The only access is `bytes`, whose caller promises to be alone.
unsafe impl<const LEN: usize> Sync for Mailbox<LEN> {}

impl<const LEN: usize> Mailbox<LEN> {
    /// Declares a mailbox.
    #[must_use]
    pub const fn new() -> Self {
        assert!(LEN >= 256, "a mailbox has 256 bytes or more, so that a refusal fits");
        Self(UnsafeCell::new([0; LEN]))
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.get().expose_provenance()
    }

    /// The bytes, for one who has the mailbox alone.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.get_mut()
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// Nobody else uses the mailbox while the result lives.
    #[expect(clippy::mut_from_ref, reason = "the caller promises to be alone")]
    pub unsafe fn bytes(&self) -> &mut [u8] {
        // SAFETY:
        // - The pointer is the cell's own, so it is valid and aligned.
        // - The caller promises that there is no other reference.
        unsafe { &mut *self.0.get() }
    }
}

impl<const LEN: usize> Default for Mailbox<LEN> {
    fn default() -> Self {
        Self::new()
    }
}

/// The one instance of the module: nothing until `init` has succeeded. All zero in the beginning, whatever `M` is, so
/// that a module with large tables stays a small file.
pub struct Slot<M> {
    ready: Cell<bool>,
    value: UnsafeCell<MaybeUninit<M>>,
}

// SAFETY:
// - All access is in `get` and `set`, whose callers promise to be alone.
unsafe impl<M> Sync for Slot<M> {}

impl<M> Slot<M> {
    /// An empty slot.
    #[must_use]
    pub const fn new() -> Self {
        Self { ready: Cell::new(false), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Puts an instance in.
    pub(crate) unsafe fn set(&self, module: M) {
        // SAFETY:
        // - The pointer is the cell's own.
        // - The caller promises that nobody else uses the slot.
        unsafe { self.value.get().write(MaybeUninit::new(module)) };
        self.ready.set(true);
    }

    /// The instance. Panics where there is none: a host that calls before `init` has a bug that must be seen.
    #[expect(clippy::mut_from_ref, reason = "the caller promises to be alone")]
    pub(crate) unsafe fn get(&self) -> &mut M {
        assert!(self.ready.get(), "called before a successful init");
        // SAFETY:
        // - The pointer is the cell's own.
        // - The caller promises that nobody else uses the slot.
        let value = unsafe { &mut *self.value.get() };
        // SAFETY:
        // - `ready` is only set after the value was written.
        unsafe { value.assume_init_mut() }
    }
}

impl<M> Drop for Slot<M> {
    fn drop(&mut self) {
        if self.ready.get() {
            // SAFETY:
            // - `ready` is only set after the value was written, and the slot is not used again.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<M> Default for Slot<M> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the batch area is.
#[must_use]
pub fn batch_address() -> usize {
    batch().expose_provenance()
}
