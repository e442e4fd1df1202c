//! A capture: its packets counted.

use perigee_runtime::count_packets;
use std::path::PathBuf;

/// The shortest record of a packet: pcapng's simple packet block, whose captured length is 0.
const SHORTEST: u64 = 16;

/// Counts packets in bytes as in a capture file, of either format. Nothing panics, each packet takes some of the bytes, and
/// an error names the file.
pub fn check(bytes: &[u8]) {
    // The reader is libpcap, which opens files by their names.
    let name = format!("perigee-fuzz-{}-{:?}.pcap", std::process::id(), std::thread::current().id());
    let path: PathBuf = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    let counted = count_packets(&path);
    std::fs::remove_file(&path).expect("the file that was just written");
    match counted {
        Err(error) => assert!(error.contains("perigee-fuzz"), "whose error is it? {error}"),
        Ok(packets) => assert!(packets <= bytes.len() as u64 / SHORTEST, "{packets} packets in {} bytes", bytes.len()),
    }
}
