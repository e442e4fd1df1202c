//! Capture files, made byte by byte: good ones, odd ones, broken ones.

pub(crate) mod cases;

use std::path::Path;

/// The order of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

/// The old format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pcap {
    pub(crate) magic: u32,
    pub(crate) endian: Endian,
    pub(crate) link: u32,
    /// What the fields hold that nobody reads.
    pub(crate) reserved: u32,
}

impl Default for Pcap {
    fn default() -> Self {
        Self { magic: 0xa1b2_c3d4, endian: Endian::Little, link: 1, reserved: 0 }
    }
}

impl Pcap {
    fn word(self, value: u32) -> [u8; 4] {
        if self.endian == Endian::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn half(self, value: u16) -> [u8; 2] {
        if self.endian == Endian::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// A file of these frames.
    pub(crate) fn file(self, frames: &[Vec<u8>]) -> Vec<u8> {
        let words = |values: &[u32]| values.iter().flat_map(|&value| self.word(value)).collect::<Vec<u8>>();
        let version = [self.half(2), self.half(4)].concat();
        let mut file =
            [words(&[self.magic]), version, words(&[self.reserved, self.reserved, 262_144, self.link])].concat();
        for frame in frames {
            let len = u32::try_from(frame.len()).expect("frames are short");
            file.extend(words(&[1, 0, len, len]));
            // The patched format has an interface and a protocol behind each header.
            file.extend(if self.magic == 0xa1b2_cd34 { vec![0; 8] } else { Vec::new() });
            file.extend(frame);
        }
        file
    }
}

/// A frame of that length, with `tag` in it; cut off, where it is shorter than a header.
pub(crate) fn frame(tag: u8, len: usize) -> Vec<u8> {
    let mut frame = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5][..], &vec![tag; len]].concat();
    frame.truncate(len);
    frame
}

/// A block of pcapng.
pub(crate) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = u32::try_from(body.len() + 12).expect("blocks are short").to_le_bytes();
    [&kind.to_le_bytes()[..], &len, &body, &len].concat()
}

/// The beginning of a file.
pub(crate) fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat())
}

/// An interface, with its options.
pub(crate) fn interface(link: u16, snap: u32, options: &[u8]) -> Vec<u8> {
    block(1, &[&link.to_le_bytes()[..], &[0, 0], &snap.to_le_bytes(), options].concat())
}

/// An interface as most are.
pub(crate) fn ethernet() -> Vec<u8> {
    interface(1, 65_535, &[])
}

/// A packet of an interface.
pub(crate) fn packet_block(interface: u32, frame: &[u8]) -> Vec<u8> {
    packet_block_at(interface, 0, frame)
}

/// As [`packet_block`], at a time in units of the interface: its upper half comes first.
pub(crate) fn packet_block_at(interface: u32, time: u64, frame: &[u8]) -> Vec<u8> {
    let len = u32::try_from(frame.len()).expect("frames are short").to_le_bytes();
    let time = time.rotate_left(32).to_le_bytes();
    block(6, &[&interface.to_le_bytes()[..], &time, &len, &len, frame].concat())
}

/// The frames of a file of the old format in this machine's order, to its very end.
pub(crate) fn read_frames(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rest = bytes.get(24..).expect("a header");
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len: [u8; 4] = rest[8..12].try_into().expect("four bytes");
        let (frame, behind) = rest[16..].split_at(u32::from_le_bytes(len) as usize);
        frames.push(frame.to_vec());
        rest = behind;
    }
    frames
}
