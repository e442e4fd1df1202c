//! An instance of a module, natively.
#![allow(unsafe_code, reason = "the same functions are called that a WebAssembly module exports")]

use crate::Module;
use crate::area::{self, Mailbox, Slot};
use core::cell::{Cell, UnsafeCell};
use perigee_abi::Batch;
use std::boxed::Box;

/// A module's callbacks, for [`Instance::call`].
#[derive(Clone, Copy)]
pub(crate) enum Callback {
    Init(u32),
    Process(u32),
    Generate(u32),
    Prefill(u32),
    Tick,
    Message(u32),
    Save,
    Restore(u32),
    RestoreFrom(u32),
}

/// An instance of a module and its mailbox, natively.
pub(crate) struct Instance<M: Module> {
    slot: Slot<M>,
    mailbox: Box<Mailbox<65_536>>,
}

impl<M: Module> Instance<M> {
    pub(crate) fn new() -> Self {
        Self { slot: Slot::new(), mailbox: Box::new(Mailbox::new()) }
    }

    pub(crate) fn mailbox(&mut self) -> &mut [u8] {
        self.mailbox.bytes_mut()
    }

    /// Calls back as the host would, through the same functions that a WebAssembly module exports.
    pub(crate) fn call(&mut self, area: &mut UnsafeCell<Batch>, window: &[Cell<u8>], what: Callback) -> i32 {
        let (slot, mailbox) = (&self.slot, &*self.mailbox);
        // What all of the SAFETY comments below rest on:
        // - `&mut self` and `&mut area` say that nobody else uses instance, mailbox or batch area.
        // - A callback cannot get at this `Instance`, so no call is made from inside another.
        area::with(area, window, || {
            match what {
                // SAFETY: as said above.
                Callback::Init(len) => return unsafe { super::init(slot, mailbox, len) },
                // SAFETY: as said above.
                Callback::Message(len) => return unsafe { super::message(slot, mailbox, len) },
                // SAFETY: as said above.
                Callback::Save => return unsafe { super::save(slot, mailbox) },
                // SAFETY: as said above.
                Callback::Restore(len) => return unsafe { super::restore(slot, mailbox, len, None) },
                // SAFETY: as said above.
                Callback::RestoreFrom(len) => return unsafe { super::restore(slot, mailbox, len, Some(u32::MAX)) },
                // SAFETY: as said above.
                Callback::Process(count) => unsafe { super::process(slot, count) },
                // SAFETY: as said above.
                Callback::Generate(count) => unsafe { super::generate(slot, count) },
                // SAFETY: as said above.
                Callback::Prefill(count) => unsafe { super::prefill(slot, count) },
                // SAFETY: as said above.
                Callback::Tick => unsafe { super::tick(slot) },
            }
            0
        })
    }
}
