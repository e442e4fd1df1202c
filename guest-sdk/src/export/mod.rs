//! What the exported functions of a module do: the host's way in.
//!
//! Everything here is for the macro [`module!`](crate::module!) and for [`crate::testing`]. Each function must be called by the host alone, one at a time, and never from inside another: that is the safety contract of
//! every function here.
#![allow(unsafe_code, reason = "the exported functions use statics")]
#![expect(clippy::missing_safety_doc, reason = "one contract for all of them, stated above")]

#[cfg(not(target_arch = "wasm32"))]
mod instance;

use crate::area::{Mailbox, Slot};
use crate::module::{Buffer, Module, Setup};
use crate::raw::{FreshParts, Parts};
use crate::refusal::Refusal;
use crate::{Batch, Rooms};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use instance::{Callback, Instance};

/// `init`: makes the instance from the configuration in the mailbox.
pub unsafe fn init<M: Module, const LEN: usize>(slot: &Slot<M>, mailbox: &Mailbox<LEN>, len: u32) -> i32 {
    // SAFETY: the contract of this module.
    let bytes = unsafe { mailbox.bytes() };
    // SAFETY: the contract of this module.
    let parts = unsafe { Parts::take(0) };
    let result = M::init(&Setup::new(bytes.get(..len as usize).unwrap_or_default(), parts));
    let result = result.map(|module| {
        // SAFETY: the contract of this module.
        unsafe { slot.set(module) };
        0
    });
    answer(result, bytes)
}

/// `process`.
pub unsafe fn process<M: Module>(slot: &Slot<M>, count: u32) {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let parts = unsafe { Parts::take(count) };
    module.process(&mut Batch::new(parts));
}

/// `generate`.
pub unsafe fn generate<M: Module>(slot: &Slot<M>, count: u32) {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let parts = unsafe { Parts::take(count) };
    // SAFETY: the host gives fresh rooms to this callback.
    let parts = unsafe { FreshParts::new(parts) };
    module.generate(&mut Rooms::new(parts));
}

/// `prefill`.
pub unsafe fn prefill<M: Module>(slot: &Slot<M>, count: u32) {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let parts = unsafe { Parts::take(count) };
    // SAFETY: the host gives fresh rooms to this callback.
    let parts = unsafe { FreshParts::new(parts) };
    module.prefill(&mut Rooms::new(parts));
}

/// `tick`.
pub unsafe fn tick<M: Module>(slot: &Slot<M>) {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let parts = unsafe { Parts::take(0) };
    module.tick(&mut Batch::new(parts));
}

/// `message`: the reply is written behind the request, then moved to the front.
pub unsafe fn message<M: Module, const LEN: usize>(slot: &Slot<M>, mailbox: &Mailbox<LEN>, len: u32) -> i32 {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let bytes = unsafe { mailbox.bytes() };
    let Some((request, rest)) = bytes.split_at_mut_checked(len as usize) else { return 0 };
    let mut reply = Buffer::new(rest);
    let result = module.message(request, &mut reply).map(|()| reply.len());
    if let Ok(written) = result {
        bytes.copy_within(len as usize..len as usize + written, 0);
    }
    answer(result, bytes)
}

/// `save`.
pub unsafe fn save<M: Module, const LEN: usize>(slot: &Slot<M>, mailbox: &Mailbox<LEN>) -> i32 {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let bytes = unsafe { mailbox.bytes() };
    let mut state = Buffer::new(bytes);
    let result = module.save(&mut state).map(|()| state.len());
    answer(result, bytes)
}

/// `fields`.
pub unsafe fn fields<M: Module, const LEN: usize>(slot: &Slot<M>, mailbox: &Mailbox<LEN>) -> i32 {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let bytes = unsafe { mailbox.bytes() };
    let mut plan = Buffer::new(bytes);
    let result = module.fields(&mut plan).map(|()| plan.len());
    answer(result, bytes)
}

/// `restore`. `own` is the version that the module saves; `None` where the caller does not know it, and the state has it.
pub unsafe fn restore<M: Module, const LEN: usize>(
    slot: &Slot<M>,
    mailbox: &Mailbox<LEN>,
    len: u32,
    own: Option<u32>,
) -> i32 {
    // SAFETY: the contract of this module.
    let module = unsafe { slot.get() };
    // SAFETY: the contract of this module.
    let bytes = unsafe { mailbox.bytes() };
    // SAFETY: the contract of this module.
    let version = unsafe { Parts::take(0) }.header.state_version;
    let state = bytes.get(..len as usize).unwrap_or_default();
    let result =
        if own.is_none_or(|own| own == version) { module.restore(state) } else { module.restore_from(version, state) };
    let result = result.map(|()| 0);
    answer(result, bytes)
}

/// The number that a callback returns: a length, or a refusal's length negated with its text in the mailbox.
fn answer(result: Result<usize, Refusal>, mailbox: &mut [u8]) -> i32 {
    match result {
        Ok(len) => i32::try_from(len).unwrap_or(i32::MAX),
        Err(refusal) => {
            let mut text = Buffer::new(mailbox);
            // A refusal is shorter than the smallest mailbox, so this cannot be cut.
            let _ = text.push(refusal.text().as_bytes());
            -i32::try_from(text.len()).unwrap_or(i32::MAX)
        }
    }
}
