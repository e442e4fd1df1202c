//! Where input ends: net_pcap never says that its file has ended, so the packets in the file are counted beforehand.

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// Packets that a device will give before it has no more; `None` where it never ends.
///
/// # Errors
/// As a text: a file is no capture, or is cut off.
pub(crate) fn expected_packets(device: &str) -> Result<Option<u64>, String> {
    let mut arguments = device.split(',');
    if !arguments.next().is_some_and(|name| name.starts_with("net_pcap")) {
        return Ok(None);
    }
    let arguments: Vec<&str> = arguments.collect();
    let files: Vec<&str> = arguments.iter().filter_map(|a| a.strip_prefix("rx_pcap=")).collect();
    if files.is_empty() || arguments.contains(&"infinite_rx=1") {
        return Ok(None);
    }
    let counts = files.iter().map(|file| count(Path::new(file)));
    counts.sum::<Result<u64, String>>().map(Some)
}

fn count(path: &Path) -> Result<u64, String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    count_packets(path, BufReader::with_capacity(1 << 20, file))
}

/// Packets in a capture, which `path` is the name of in messages.
///
/// # Errors
/// As for [`expected_packets`].
#[doc(hidden)]
pub fn count_packets(path: &Path, mut capture: impl Read + Seek) -> Result<u64, String> {
    const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
    let mut magic = [0; 4];
    let is_ng = capture.read_exact(&mut magic).is_ok() && magic == PCAPNG;
    capture.rewind().map_err(|e| format!("{}: {e}", path.display()))?;
    if is_ng { count_pcapng(path, capture) } else { count_pcap(path, capture) }
}

fn count_pcap(path: &Path, file: impl Read) -> Result<u64, String> {
    let bad = |what: String| format!("{}: not a capture that can be read: {what}", path.display());
    let mut reader = PcapReader::new(file).map_err(|e| bad(e.to_string()))?;
    let mut n = 0;
    while let Some(record) = reader.next_raw_packet() {
        record.map_err(|e| bad(format!("{e} after {n} packets; editcap or tcpdump -r can cut it there")))?;
        n += 1;
    }
    Ok(n)
}

fn count_pcapng(path: &Path, file: impl Read) -> Result<u64, String> {
    let bad = |what: String| format!("{}: not a capture that can be read: {what}", path.display());
    let mut reader = PcapNgReader::new(file).map_err(|e| bad(e.to_string()))?;
    let mut n = 0;
    while let Some(block) = reader.next_block() {
        let block = block.map_err(|e| bad(format!("{e} after {n} packets")))?;
        n += u64::from(matches!(block, Block::EnhancedPacket(_) | Block::SimplePacket(_) | Block::Packet(_)));
    }
    Ok(n)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_pcap_files_end() {
        assert_eq!(expected_packets("net_null0"), Ok(None));
        assert_eq!(expected_packets("net_pcap0,tx_pcap=out.pcap"), Ok(None));
        assert_eq!(expected_packets("net_pcap0,rx_pcap=/nowhere,infinite_rx=1"), Ok(None));
        assert!(expected_packets("net_pcap0,rx_pcap=/nowhere").is_err());
    }

    #[test]
    fn a_cut_off_file_is_refused_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.pcap");
        let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
        let record = [[0; 8].as_slice(), &[14, 0, 0, 0, 14, 0, 0, 0], &[0; 14]].concat();
        bytes.extend(&record);
        std::fs::write(&path, &bytes).unwrap();
        let device = format!("net_pcap0,rx_pcap={}", path.display());
        assert_eq!(expected_packets(&device), Ok(Some(1)));
        bytes.extend(&record[..20]);
        std::fs::write(&path, &bytes).unwrap();
        let error = expected_packets(&device).unwrap_err();
        assert!(error.contains("in.pcap") && error.contains("after 1 packets"), "{error}");
    }
}
