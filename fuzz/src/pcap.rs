//! A capture: its packets counted.

use perigee_pcap::file::Reader;
use perigee_runtime::count_packets;
use std::io::Cursor;
use std::path::PathBuf;

/// The shortest record of a packet: pcapng's simple packet block, whose captured length is 0.
const SHORTEST: u64 = 16;

/// Counts packets in bytes as in a capture file, of either format. Nothing panics, each packet takes some of the bytes, and
/// an error names the file. Our own reader, for files that are played, has all packets that libpcap has in files that it reads to their
/// ends.
pub fn check(bytes: &[u8]) {
    let own = own(bytes);
    // The reader is libpcap, which opens files by their names.
    let name = format!("perigee-fuzz-{}-{:?}.pcap", std::process::id(), std::thread::current().id());
    let path: PathBuf = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    let counted = count_packets(&path);
    std::fs::remove_file(&path).expect("the file that was just written");
    match counted {
        Err(error) => assert!(error.contains("perigee-fuzz"), "whose error is it? {error}"),
        Ok(packets) => {
            assert!(packets <= bytes.len() as u64 / SHORTEST, "{packets} packets in {} bytes", bytes.len());
            assert_eq!(own, packets, "ours and libpcap's");
        }
    }
}

/// How many packets our own reader has.
fn own(bytes: &[u8]) -> u64 {
    let Ok(mut reader) = Reader::new(Cursor::new(bytes), bytes.len() as u64, "f") else { return 0 };
    let (mut packets, mut taken) = (0, 0);
    loop {
        match reader.next_record() {
            Ok(Some(record)) => {
                packets += 1;
                taken += record.bytes.len();
                assert!(taken <= bytes.len(), "{taken} bytes of packets in {}", bytes.len());
            }
            Ok(None) => return packets,
            Err(fault) => {
                assert!(fault.at <= bytes.len() as u64 && fault.packets == packets, "{fault:?}");
                return packets;
            }
        }
    }
}
