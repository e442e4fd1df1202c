//! libpcap: the reader that net_pcap has. What it reads here, the driver delivers; where it stops here, the driver stops.

#![allow(unsafe_code, reason = "calls C: libpcap")]

use crate::sys;
use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::NonNull;

/// A file that is being read.
pub(crate) struct Reader(NonNull<sys::pcap_t>);

/// What is known of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Bytes that are in the file.
    pub(super) len: u32,
    /// Bytes that the packet had on its way.
    pub(super) original: u32,
}

impl Reader {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|e| e.to_string())?;
        let mut error = [0; sys::PCAP_ERRBUF_SIZE];
        // SAFETY:
        // - the name is terminated, and there is place for an error's text of the length that libpcap says.
        let file = unsafe { sys::pcap_open_offline(name.as_ptr(), error.as_mut_ptr()) };
        NonNull::new(file).map(Self).ok_or_else(|| text(error.as_ptr()))
    }

    /// DLT_EN10MB (1) is Ethernet.
    pub(super) fn link_type(&self) -> i32 {
        // SAFETY:
        // - the file is open.
        unsafe { sys::pcap_datalink(self.0.as_ptr()) }
    }

    /// The next packet; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Record>, String> {
        /// The file has ended (PCAP_ERROR_BREAK).
        const END: i32 = -2;
        let (mut header, mut data) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY:
        // - the file is open, and both places are valid.
        let code = unsafe { sys::pcap_next_ex(self.0.as_ptr(), &raw mut header, &raw mut data) };
        match code {
            1 => {
                // SAFETY:
                // - libpcap has just said that it points to a packet's header, which lives until the next call.
                let header = unsafe { &*header };
                Ok(Some(Record { len: header.caplen, original: header.len }))
            }
            END => Ok(None),
            _ => {
                // SAFETY:
                // - the file is open; its text lives as long as it does.
                Err(text(unsafe { sys::pcap_geterr(self.0.as_ptr()) }))
            }
        }
    }
}

/// For tests of another reader: whole packets, with times in nanoseconds.
#[cfg(test)]
impl Reader {
    pub(crate) fn open_in_nanoseconds(path: &Path) -> Result<Self, String> {
        const NANOSECONDS: libc::c_uint = 1;
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|e| e.to_string())?;
        let mut error = [0; sys::PCAP_ERRBUF_SIZE];
        // SAFETY:
        // - as in `open`.
        let file =
            unsafe { sys::pcap_open_offline_with_tstamp_precision(name.as_ptr(), NANOSECONDS, error.as_mut_ptr()) };
        NonNull::new(file).map(Self).ok_or_else(|| text(error.as_ptr()))
    }

    /// Seconds, nanoseconds, bytes, and the original length.
    pub(crate) fn next_whole(&mut self) -> Option<(i64, i64, Vec<u8>, u32)> {
        let (mut header, mut data) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY:
        // - the file is open, and both places are valid.
        let code = unsafe { sys::pcap_next_ex(self.0.as_ptr(), &raw mut header, &raw mut data) };
        if code != 1 {
            return None;
        }
        // SAFETY:
        // - libpcap has just said that it points to a packet's header, which lives until the next call.
        let header = unsafe { &*header };
        // SAFETY:
        // - and to so many bytes.
        let bytes = unsafe { std::slice::from_raw_parts(data, header.caplen as usize) };
        Some((header.ts.tv_sec, header.ts.tv_usec, bytes.to_vec(), header.len))
    }
}

/// A link type as people call it: `Raw IP (RAW)`.
pub(crate) fn link_name(link_type: i32) -> String {
    // SAFETY:
    // - any number may be asked for; the text is a static one, or none.
    let name = unsafe { sys::pcap_datalink_val_to_name(link_type) };
    // SAFETY:
    // - as above.
    let description = unsafe { sys::pcap_datalink_val_to_description(link_type) };
    if name.is_null() || description.is_null() {
        return format!("link type {link_type}");
    }
    format!("{} ({})", text(description), text(name))
}

/// A terminated text of libpcap's.
fn text(at: *const libc::c_char) -> String {
    // SAFETY:
    // - libpcap terminates its texts.
    unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY:
        // - the file is open, and nobody reads it any more.
        unsafe { sys::pcap_close(self.0.as_ptr()) };
    }
}
