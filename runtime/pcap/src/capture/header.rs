//! What libpcap does not tell of a file: whether its packets end in a frame check sequence.

use std::io::{Read, Result, Seek, SeekFrom};

/// First bytes of a pcapng file, and of its blocks: a section's, an interface's.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// Blocks that are not packets, before the first of which is looked for.
const MOST_BLOCKS: usize = 1_000;
/// An interface's option with the length of its packets' frame check sequence (if_fcslen).
const FCS_LENGTH: u16 = 13;
/// Largest description of an interface that is looked at.
const MOST: u32 = 64 << 10;

/// Says whether the file claims that a frame check sequence ends each packet.
pub(crate) fn has_fcs(file: &mut (impl Read + Seek)) -> Result<bool> {
    let mut start = [0; 24];
    file.read_exact(&mut start)?;
    if word(&start, 0, false) == Some(SECTION) {
        file.rewind()?;
        return in_pcapng(file);
    }
    // Of all variants of the old format: the network field at its place, in the order of the magic number.
    const MAGIC: [u32; 3] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34];
    /// The flag that says that the length above it is one.
    const HAS_FCS: u32 = 1 << 26;
    let is_big = word(&start, 0, true).is_some_and(|magic| MAGIC.contains(&magic));
    let network = word(&start, 20, is_big).unwrap_or(0);
    Ok(network & HAS_FCS != 0 && network >> 28 != 0)
}

/// Looks at the interfaces that come before the first packet.
fn in_pcapng(file: &mut (impl Read + Seek)) -> Result<bool> {
    let mut is_big = false;
    for _ in 0..MOST_BLOCKS {
        let mut start = [0; 12];
        if file.read_exact(&mut start).is_err() {
            return Ok(false);
        }
        let kind = word(&start, 0, is_big).unwrap_or(0);
        if kind == SECTION {
            is_big = word(&start, 8, true) == Some(0x1a2b_3c4d);
        }
        let len = word(&start, 4, is_big).unwrap_or(0);
        if len < 12 || !len.is_multiple_of(4) || is_packet(kind) {
            return Ok(false);
        }
        if kind == INTERFACE && len <= MOST {
            // The link type and what is reserved have been read; the snap length comes before the options.
            let mut body = vec![0; len as usize - 12];
            if file.read_exact(&mut body).is_err() {
                return Ok(false);
            }
            if option_is_set(body.get(4..).unwrap_or(&[]), is_big) {
                return Ok(true);
            }
        } else {
            file.seek(SeekFrom::Current(i64::from(len) - 12))?;
        }
    }
    Ok(false)
}

/// Enhanced, simple and obsolete packet blocks.
fn is_packet(kind: u32) -> bool {
    matches!(kind, 6 | 3 | 2)
}

fn option_is_set(mut options: &[u8], is_big: bool) -> bool {
    let half = |bytes: &[u8], at: usize| {
        let bytes: Option<[u8; 2]> = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| if is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    while let (Some(code @ 1..), Some(len)) = (half(options, 0), half(options, 2)) {
        if code == FCS_LENGTH {
            return options.get(4).is_some_and(|bits| *bits != 0);
        }
        let Some(rest) = options.get(4 + usize::from(len).next_multiple_of(4)..) else { return false };
        options = rest;
    }
    false
}

fn word(bytes: &[u8], at: usize, is_big: bool) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

#[cfg(test)]
mod test {
    use super::*;
    use std::io::Cursor;

    fn pcap(magic: [u8; 4], network: [u8; 4]) -> Vec<u8> {
        [&magic[..], &[2, 0, 4, 0], &[0; 8], &[0xff, 0xff, 0, 0], &network].concat()
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &len, body, &len].concat()
    }

    fn of(bytes: Vec<u8>) -> bool {
        has_fcs(&mut Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn old_files_say_it_in_their_network_field() {
        let (little, big) = (0xa1b2_c3d4_u32.to_le_bytes(), 0xa1b2_3c4d_u32.to_be_bytes());
        assert!(!of(pcap(little, 1_u32.to_le_bytes())));
        assert!(of(pcap(little, 0x2400_0001_u32.to_le_bytes())));
        assert!(of(pcap(big, 0x2400_0001_u32.to_be_bytes())));
        assert!(!of(pcap(big, 1_u32.to_be_bytes())));
        assert!(has_fcs(&mut Cursor::new([0; 10])).is_err(), "shorter than any header");
    }

    #[test]
    fn new_files_say_it_in_an_option() {
        let section = block(SECTION, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
        let interface = |options: &[u8]| block(INTERFACE, &[&[1, 0, 0, 0, 0, 0, 4, 0], options].concat());
        let resolution = [9, 0, 1, 0, 6, 0, 0, 0];
        let fcs = |len| [13, 0, 1, 0, len, 0, 0, 0];
        assert!(!of([section.clone(), interface(&resolution)].concat()));
        assert!(of([section.clone(), interface(&[resolution, fcs(4)].concat())].concat()));
        assert!(of([section.clone(), interface(&[]), interface(&fcs(4))].concat()));
        assert!(!of([section.clone(), interface(&fcs(0))].concat()));
        let whole = [section, interface(&[resolution, fcs(4)].concat())].concat();
        for len in 24..whole.len() {
            // What is cut short is no panic.
            has_fcs(&mut Cursor::new(&whole[..len])).unwrap();
        }
    }
}
