//! All packets of a pool in C's hands: `functions/stash.c`.
#![allow(unsafe_code, reason = "calls C, with the pools and ports that a `Loop` lends")]

use anyhow::{Context, Result, ensure};
use perigee_runtime::bench::Loop;
use std::ffi::c_void;
use std::ptr::NonNull;

unsafe extern "C" {
    fn stash_new(pool: *mut c_void, count: u32, len: u16) -> *mut c_void;
    fn stash_feed(stash: *mut c_void, port: u16, n: u32) -> u64;
    fn stash_take(stash: *mut c_void, port: u16) -> u64;
    fn stash_free(stash: *mut c_void);
}

/// Packets that go before a port and come back, in order. It must go before the loop that its pool belongs to.
#[derive(Debug)]
pub(crate) struct Stash {
    stash: NonNull<c_void>,
}

impl Stash {
    /// `count` packets of chain 0's pool, `len` bytes long.
    pub(crate) fn new(on: &Loop, count: u32, len: u16) -> Result<Self> {
        // SAFETY:
        // - the pool is the loop's, which lives; its rooms hold packets of a port's MTU.
        let stash = unsafe { stash_new(on.mempool(0), count, len) };
        Ok(Self { stash: NonNull::new(stash).with_context(|| format!("the pool has no {count} packets"))? })
    }

    /// Puts the next packets before port 0, whose tx leads to its own rx.
    pub(crate) fn feed(&mut self, on: &mut Loop, n: u32) -> Result<()> {
        // SAFETY:
        // - the port is the loop's, which lives and does nothing meanwhile.
        let fed = unsafe { stash_feed(self.stash.as_ptr(), on.dpdk_port(0), n) };
        ensure!(fed == u64::from(n), "the port took {fed} of {n} packets");
        Ok(())
    }

    /// Takes them back. Returns how many.
    pub(crate) fn take(&mut self, on: &mut Loop) -> u64 {
        // SAFETY:
        // - as for `feed`.
        unsafe { stash_take(self.stash.as_ptr(), on.dpdk_port(0)) }
    }
}

impl Drop for Stash {
    fn drop(&mut self) {
        // SAFETY:
        // - made in `new`, and freed once; all packets are back, for each `feed` is followed by a `take`.
        unsafe { stash_free(self.stash.as_ptr()) };
    }
}
