//! libpcap as the compiler of filters.

#![allow(unsafe_code, reason = "calls C: libpcap")]

use super::program::Raw;
use crate::sys;
use std::ffi::{CStr, CString};
use std::ptr::NonNull;

/// Ethernet, as libpcap numbers it (DLT_EN10MB).
const ETHERNET: i32 = 1;
/// What a filter returns for a packet that it takes: any number but 0 will do.
const SNAP_LENGTH: i32 = 262_144;
/// `ip broadcast` asks for a network's mask, and a port has none (PCAP_NETMASK_UNKNOWN).
const NO_NETMASK: u32 = u32::MAX;

/// A compiled filter in libpcap's memory.
pub(super) struct Compiled(sys::bpf_program);

/// libpcap, not open on anything.
struct Handle(NonNull<sys::pcap_t>);

impl Handle {
    fn new() -> Result<Self, String> {
        // SAFETY:
        // - takes numbers only.
        let handle = unsafe { sys::pcap_open_dead(ETHERNET, SNAP_LENGTH) };
        NonNull::new(handle).map(Self).ok_or_else(|| "libpcap has no memory".to_owned())
    }

    fn error(&self) -> String {
        // SAFETY:
        // - the handle is open; its text lives as long as it does.
        let text = unsafe { sys::pcap_geterr(self.0.as_ptr()) };
        // SAFETY:
        // - libpcap terminates its texts.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY:
        // - the handle is open, and nobody uses it any more.
        unsafe { sys::pcap_close(self.0.as_ptr()) };
    }
}

impl Compiled {
    /// Compiles a filter for Ethernet frames. libpcap may look names up: of hosts, networks, ports.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let text = CString::new(text).map_err(|_| "it has a zero byte".to_owned())?;
        let handle = Handle::new()?;
        let mut program = sys::bpf_program::default();
        // SAFETY:
        // - the handle is open, the place is valid, the text is terminated.
        let code = unsafe { sys::pcap_compile(handle.0.as_ptr(), &raw mut program, text.as_ptr(), 1, NO_NETMASK) };
        if code == 0 { Ok(Self(program)) } else { Err(handle.error()) }
    }

    /// Its instructions.
    pub(super) fn instructions(&self) -> Vec<Raw> {
        let len = usize::try_from(self.0.bf_len).unwrap_or(0);
        if self.0.bf_insns.is_null() {
            return Vec::new();
        }
        // SAFETY:
        // - libpcap has made so many instructions there, which live until the program is freed.
        let instructions = unsafe { std::slice::from_raw_parts(self.0.bf_insns, len) };
        instructions.iter().map(|one| Raw { code: one.code, jt: one.jt, jf: one.jf, k: one.k }).collect()
    }

    /// What libpcap's own interpreter says of a packet.
    #[cfg(test)]
    pub(super) fn passes(&self, packet: &[u8]) -> bool {
        let len = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let ts = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let header = sys::pcap_pkthdr { ts, caplen: len, len };
        // SAFETY:
        // - program and header are valid, and the packet has as many bytes as the header says.
        unsafe { sys::pcap_offline_filter(&raw const self.0, &raw const header, packet.as_ptr()) != 0 }
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY:
        // - libpcap made the program, and it is freed once.
        unsafe { sys::pcap_freecode(&raw mut self.0) };
    }
}
