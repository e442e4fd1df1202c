//! An instance looked at and put into a state from outside, between two calls: for evidence of a failure, and its replay.
#![allow(unsafe_code, reason = "copies from and to a memory that a guest can write, when it runs")]

use super::Instance;
use crate::host::Host;
use perigee_report::Numbers;
use std::ptr;
use wasmtime::{Global, V128, Val};

/// The name under which the `i`th global that a module defines is exported.
pub fn global_export(i: usize) -> String {
    format!("perigee evidence: global {i}")
}

/// The value of a global, as evidence keeps it: its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum GlobalValue {
    /// An i32.
    I32(i32),
    /// An i64.
    I64(i64),
    /// The bits of an f32.
    F32(u32),
    /// The bits of an f64.
    F64(u64),
    /// A v128.
    V128(u128),
    /// A reference, which has no value outside.
    Reference,
}

impl Instance {
    /// Copies bytes of the memory out. False, and nothing is copied, where they do not lie in it whole.
    pub fn read(&self, at: u32, to: &mut [u8]) -> bool {
        let Some(from) = self.place(at, to.len()) else { return false };
        // SAFETY:
        // - `place` checked that the bytes lie in the memory; the copy's target is the host's own.
        unsafe { ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        true
    }

    /// Copies bytes into the memory. False, and nothing is copied, where they do not fit.
    pub fn write(&mut self, at: u32, bytes: &[u8]) -> bool {
        let Some(to) = self.place(at, bytes.len()) else { return false };
        // SAFETY:
        // - `place` checked that the bytes lie in the memory, which no reference of the host's points into.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        true
    }

    /// `len` bytes of the memory from `at` on, fewer where it ends.
    pub fn copy(&self, at: u32, len: usize) -> Vec<u8> {
        let left = self.memory.data_size(&self.store).saturating_sub(at as usize);
        let mut bytes = vec![0; len.min(left)];
        self.read(at, &mut bytes);
        bytes
    }

    fn place(&self, at: u32, len: usize) -> Option<*mut u8> {
        let end = (at as usize).checked_add(len)?;
        (end <= self.memory.data_size(&self.store)).then(|| self.memory.data_ptr(&self.store).wrapping_add(at as usize))
    }

    /// Bytes of its memory now, the window included.
    pub fn size(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// Makes the memory `len` bytes long, where it is shorter.
    pub fn grow_to(&mut self, len: u64) -> Result<(), String> {
        let missing = len.saturating_sub(self.size() as u64).div_ceil(65_536);
        self.memory.grow(&mut self.store, missing).map(|_| ()).map_err(|e| format!("the memory cannot grow: {e:#}"))
    }

    /// The globals that the module defines, in order, where it was prepared for that.
    pub fn globals(&mut self) -> Vec<GlobalValue> {
        let mut values = Vec::new();
        while let Some(global) = self.global(values.len()) {
            values.push(match global.get(&mut self.store) {
                Val::I32(value) => GlobalValue::I32(value),
                Val::I64(value) => GlobalValue::I64(value),
                Val::F32(bits) => GlobalValue::F32(bits),
                Val::F64(bits) => GlobalValue::F64(bits),
                Val::V128(value) => GlobalValue::V128(value.as_u128()),
                _ => GlobalValue::Reference,
            });
        }
        values
    }

    /// Gives the mutable globals their values; those that cannot be set are what they are.
    pub fn set_globals(&mut self, values: &[GlobalValue]) -> Result<(), String> {
        for (i, value) in values.iter().enumerate() {
            let global = self.global(i).ok_or_else(|| format!("the module has no global {i}"))?;
            if global.ty(&self.store).mutability() == wasmtime::Mutability::Const {
                continue;
            }
            let value = match *value {
                GlobalValue::I32(value) => Val::I32(value),
                GlobalValue::I64(value) => Val::I64(value),
                GlobalValue::F32(bits) => Val::F32(bits),
                GlobalValue::F64(bits) => Val::F64(bits),
                GlobalValue::V128(value) => Val::V128(V128::from(value)),
                GlobalValue::Reference => continue,
            };
            global.set(&mut self.store, value).map_err(|e| format!("global {i}: {e:#}"))?;
        }
        Ok(())
    }

    /// The numbers that the module exports.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Bytes from where the window begins to where it ends as the module declared it.
    pub fn window_len(&self) -> u32 {
        (self.numbers.window.saturating_add(self.numbers.window_len)).saturating_sub(self.window)
    }

    fn global(&mut self, i: usize) -> Option<Global> {
        self.instance.get_global(&mut self.store, &global_export(i))
    }

    /// What the host keeps for it.
    pub fn host(&self) -> &Host {
        self.store.data()
    }

    /// As [`Self::host`], to change it.
    pub fn host_mut(&mut self) -> &mut Host {
        self.store.data_mut()
    }
}
