//! Captures: the files that net_pcap reads and writes. Its driver tells nobody that a file has ended, that it could not read
//! on, or that the disk did not take what was written: here it is found out.
//!
//! - `device.rs`: what a device reads and writes, by its arguments.
//! - `libpcap.rs`: the reader. It is the driver's own, so that what is counted is what is delivered.
//! - `input.rs`: a file that is read, looked at from its beginning to its end before the run starts.
//! - `end.rs`: whether a port has given all that its files had.
//! - `output.rs`: files that are written, which a start that is refused leaves as they were.

mod device;
mod end;
mod header;
mod input;
mod kernel;
mod libpcap;
mod output;

pub use device::PcapDevice;
pub use end::{Ends, Given, Lost, Queue};
pub(crate) use header::has_fcs;
pub use input::{Contents, Refusal, look, look_at_path};
#[cfg(test)]
pub(crate) use libpcap::Reader as Libpcap;
pub(crate) use libpcap::link_name;
pub use output::{Outputs, why_not_written};

use std::path::Path;

/// Packets in a capture.
///
/// # Errors
/// As a text: it is no capture that net_pcap reads to its end.
#[doc(hidden)]
pub fn count_packets(path: &Path) -> Result<u64, String> {
    look(path).map(|facts| facts.packets).map_err(|refusal| refusal.to_string())
}
