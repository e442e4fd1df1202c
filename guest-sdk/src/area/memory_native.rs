//! The batch area and the packets of the test host that is calling on this thread.
use crate::text::Text;
use core::cell::{Cell, UnsafeCell};
use core::ptr;
use perigee_abi::Batch;

std::thread_local! {
    static CURRENT: Cell<(*mut Batch, *mut u8)> = const { Cell::new((ptr::null_mut(), ptr::null_mut())) };
    static WORDS: Cell<(u32, Text<240>)> = const { Cell::new((0, Text::new())) };
}

/// The newest refusal: its number and its text.
pub(crate) fn words() -> (u32, Text<240>) {
    WORDS.get()
}

/// Puts down a refusal.
pub(crate) fn set_words(number: u32, text: Text<240>) {
    WORDS.set((number, text));
}

/// The batch area; null where no test host is calling.
pub(crate) fn batch() -> *mut Batch {
    CURRENT.get().0
}

/// The byte at an address that the host named.
pub(crate) fn byte(address: u32) -> *mut u8 {
    CURRENT.get().1.wrapping_add(address as usize)
}

/// Makes `area` and `window` the memory that the SDK sees while `call` runs.
pub(crate) fn with<R>(area: &mut UnsafeCell<Batch>, window: &[Cell<u8>], call: impl FnOnce() -> R) -> R {
    /// Puts the former memory back, after a panic too.
    struct Restore((*mut Batch, *mut u8));
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _restore = Restore(CURRENT.replace((area.get(), window.as_ptr().cast_mut().cast())));
    call()
}
