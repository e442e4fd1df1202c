//! What we call of libpcap: `pcap/pcap.h` and `pcap/bpf.h`, whose binary interface has been the same since version 1.0.
#![allow(unsafe_code, reason = "declares C: libpcap")]
#![allow(missing_docs, non_camel_case_types, reason = "the names are libpcap's, and its manual documents them")]

use libc::{c_char, c_int, c_uchar, c_uint, timeval};
use std::ptr;

pub(crate) const PCAP_ERRBUF_SIZE: usize = 256;

/// Only libpcap knows what is in it.
#[repr(C)]
pub(crate) struct pcap_t {
    _private: [u8; 0],
}

#[repr(C)]
pub(crate) struct pcap_pkthdr {
    pub ts: timeval,
    /// Bytes that were captured.
    pub caplen: u32,
    /// Bytes that the packet had.
    pub len: u32,
}

#[repr(C)]
pub(crate) struct bpf_insn {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

#[repr(C)]
pub(crate) struct bpf_program {
    pub bf_len: c_uint,
    pub bf_insns: *mut bpf_insn,
}

impl Default for bpf_program {
    fn default() -> Self {
        Self { bf_len: 0, bf_insns: ptr::null_mut() }
    }
}

#[link(name = "pcap")]
unsafe extern "C" {
    pub(crate) fn pcap_open_offline(name: *const c_char, error: *mut c_char) -> *mut pcap_t;
    pub(crate) fn pcap_next_ex(file: *mut pcap_t, header: *mut *mut pcap_pkthdr, data: *mut *const c_uchar) -> c_int;
    pub(crate) fn pcap_geterr(file: *mut pcap_t) -> *mut c_char;
    pub(crate) fn pcap_close(file: *mut pcap_t);
    pub(crate) fn pcap_datalink(file: *mut pcap_t) -> c_int;
    pub(crate) fn pcap_datalink_val_to_name(link_type: c_int) -> *const c_char;
    pub(crate) fn pcap_datalink_val_to_description(link_type: c_int) -> *const c_char;
    pub(crate) fn pcap_open_dead(link_type: c_int, snap_length: c_int) -> *mut pcap_t;
    pub(crate) fn pcap_compile(
        file: *mut pcap_t,
        program: *mut bpf_program,
        text: *const c_char,
        optimize: c_int,
        netmask: u32,
    ) -> c_int;
    pub(crate) fn pcap_freecode(program: *mut bpf_program);
    #[cfg(test)]
    pub(crate) fn pcap_open_offline_with_tstamp_precision(
        name: *const c_char,
        precision: c_uint,
        error: *mut c_char,
    ) -> *mut pcap_t;
    #[cfg(test)]
    pub(crate) fn pcap_offline_filter(
        program: *const bpf_program,
        header: *const pcap_pkthdr,
        packet: *const c_uchar,
    ) -> c_int;
}
