//! DPDK as one has it without Perigee: `plain.c`.
#![allow(unsafe_code, reason = "calls C, with a pool and a port of its own")]

use anyhow::{Result, ensure};
use std::ffi::{CString, c_char, c_void};
use std::ptr;

/// An ordinary pool and its port, as `struct twin_plain` in `twin.h`.
#[repr(C)]
#[derive(Debug)]
struct RawPlain {
    pool: *mut c_void,
    port: u16,
    name: [u8; 46],
}

const _: () = assert!(size_of::<RawPlain>() == 56);

unsafe extern "C" {
    fn twin_plain_open(plain: *mut RawPlain, name: *const c_char, rooms: u32) -> i32;
    fn twin_plain_close(plain: *mut RawPlain) -> i32;
}

/// A net_null whose packets' data lie behind their headers.
#[derive(Debug)]
pub(crate) struct Plain {
    raw: RawPlain,
    is_open: bool,
}

impl Plain {
    /// With so many rooms. EAL must be started; nothing else has a device of this name.
    pub(crate) fn open(name: &str, rooms: u32) -> Result<Self> {
        let mut raw = RawPlain { pool: ptr::null_mut(), port: 0, name: [0; 46] };
        let text = CString::new(name)?;
        // SAFETY:
        // - the name is terminated, and copied; what is written is the value's own.
        let failed = unsafe { twin_plain_open(&raw mut raw, text.as_ptr(), rooms) };
        ensure!(failed == 0, "DPDK makes no ordinary pool of {rooms} rooms with a port {name}");
        Ok(Self { raw, is_open: true })
    }

    /// The `rte_mempool`, and DPDK's number of the port.
    pub(crate) fn parts(&self) -> (*mut c_void, u16) {
        (self.raw.pool, self.raw.port)
    }

    /// All its packets came back.
    pub(crate) fn close(mut self) -> Result<()> {
        ensure!(self.end() == 0, "packets did not come back to the ordinary pool");
        Ok(())
    }

    fn end(&mut self) -> i32 {
        self.is_open = false;
        // SAFETY:
        // - opened in `open`, and closed once.
        unsafe { twin_plain_close(&raw mut self.raw) }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        if self.is_open {
            self.end();
        }
    }
}
