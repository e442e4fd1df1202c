//! Ethernet frames as bytes, and pcap files of them.

use std::fs;
use std::path::Path;

/// An Ethernet frame without its frame check sequence.
pub(crate) type Frame = Vec<u8>;

/// Bytes of the two MAC addresses, behind which tags go.
const ADDRESSES: usize = 12;
/// EtherType of a customer's VLAN tag.
const VLAN: u16 = 0x8100;
/// EtherType for local experiments: no protocol stack answers it.
const EXPERIMENTAL: u16 = 0x88b5;
/// The header of a pcap file: microseconds, little-endian, Ethernet.
const PCAP_HEADER: [u8; 24] = [
    0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    0, 0, 4, 0, 1, 0, 0, 0,
];

/// `count` frames with lengths from the smallest to `longest` and contents that differ.
pub(crate) fn sample(count: usize, longest: usize) -> Vec<Frame> {
    const SHORTEST: usize = 60;
    (0..count).map(|number| one_sample(number, SHORTEST + (longest - SHORTEST) * number / (count - 1).max(1))).collect()
}

/// Frame number `number` of a sample.
fn one_sample(number: usize, len: usize) -> Frame {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    frame.extend(EXPERIMENTAL.to_be_bytes());
    frame.extend((number as u64).to_be_bytes());
    let filler = frame.len()..len;
    frame.extend(filler.map(|at| u8::try_from((at * 7 + number) % 251).expect("a remainder of 251")));
    frame
}

/// `frame` with a VLAN tag for each of `tcis`, the outermost first.
pub(crate) fn tagged(frame: &[u8], tcis: &[u16]) -> Frame {
    let tags = tcis.iter().flat_map(|tci| [VLAN.to_be_bytes(), tci.to_be_bytes()].concat());
    frame[..ADDRESSES].iter().copied().chain(tags).chain(frame[ADDRESSES..].iter().copied()).collect()
}

/// `frame` with its source and destination address exchanged.
pub(crate) fn swapped(frame: &[u8]) -> Frame {
    [&frame[6..ADDRESSES], &frame[..6], &frame[ADDRESSES..]].concat()
}

/// Writes frames into a pcap file, a millisecond apart.
pub(crate) fn pcap_write(path: &Path, frames: &[Frame]) {
    let mut bytes = PCAP_HEADER.to_vec();
    for (number, frame) in frames.iter().enumerate() {
        let len = u32::try_from(frame.len()).expect("a frame's length");
        let number = u32::try_from(number).expect("few frames");
        for word in [1_000_000 + number / 1_000, number % 1_000 * 1_000, len, len] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame);
    }
    fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The frames of a pcap file, which must be whole ones of Ethernet.
pub(crate) fn pcap_read(path: &Path) -> Vec<Frame> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let magic = word(0);
    assert!(matches!(magic, 0xa1b2_c3d4 | 0xa1b2_3c4d), "{} is no pcap file: {magic:#x}", path.display());
    assert_eq!(word(20), 1, "{} does not hold Ethernet frames", path.display());
    let mut frames = Vec::new();
    let mut at = PCAP_HEADER.len();
    while at < bytes.len() {
        let (kept, whole) = (word(at + 8) as usize, word(at + 12));
        assert_eq!(kept, whole as usize, "{} holds a frame that was cut", path.display());
        at += 16;
        frames.push(bytes[at..at + kept].to_vec());
        at += kept;
    }
    frames
}
