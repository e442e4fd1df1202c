//! The batch area as a static, and addresses as they are.
#![allow(unsafe_code, reason = "statics that the host writes between calls")]

use crate::text::Text;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use perigee_abi::Batch;

struct Area(UnsafeCell<MaybeUninit<Batch>>);

// SAFETY:
// - All access is through `raw`, which states who may touch what and when.
unsafe impl Sync for Area {}

static AREA: Area = Area(UnsafeCell::new(MaybeUninit::zeroed()));

struct Words(Cell<(u32, Text<240>)>);

// SAFETY:
// - An instance runs on one thread: WebAssembly without the threads proposal has no other.
unsafe impl Sync for Words {}

static WORDS: Words = Words(Cell::new((0, Text::new())));

/// The newest refusal: its number and its text.
pub(crate) fn words() -> (u32, Text<240>) {
    WORDS.0.get()
}

/// Puts down a refusal.
pub(crate) fn set_words(number: u32, text: Text<240>) {
    WORDS.0.set((number, text));
}

struct Taken(Cell<bool>);

// SAFETY:
// - As for the words.
unsafe impl Sync for Taken {}

static TAKEN: Taken = Taken(Cell::new(false));

/// True once in an instance: who asks first has the flat state region.
pub(crate) fn take_region() -> bool {
    !TAKEN.0.replace(true)
}

/// The batch area.
#[inline(always)]
pub(crate) fn batch() -> *mut Batch {
    AREA.0.get().cast()
}

/// The byte at an address that the host named.
#[inline(always)]
pub(crate) fn byte(address: u32) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut(address as usize)
}
