//! A capture: its packets counted.

use perigee_runtime::count_packets;
use std::io::Cursor;
use std::path::Path;

/// The shortest record of a packet: pcapng's simple packet block, whose captured length is 0.
const SHORTEST: u64 = 16;

/// Counts packets in bytes as in a capture file, of either format. Nothing panics, each packet takes some of the bytes, and
/// an error names the file.
pub fn check(bytes: &[u8]) {
    match count_packets(Path::new("fuzz.pcap"), Cursor::new(bytes)) {
        Err(error) => assert!(error.contains("fuzz.pcap"), "whose error is it? {error}"),
        Ok(packets) => assert!(packets <= bytes.len() as u64 / SHORTEST, "{packets} packets in {} bytes", bytes.len()),
    }
}
