//! Indexes of files of packets: what packets each stretch of a file has, so that a search reads those stretches only in which its filter
//! could find something.
//!
//! - `values.rs`: the numbers at one place of many packets.
//! - `sketch.rs`: all places that are known, by kind of packet.
//! - `writer.rs`, `reader.rs`: an index as a file beside the one that it is of.
//!
//! An index says nothing of protocols: it has the numbers that libpcap's programs load, and a program is followed with them
//! (`filter/reach.rs`). What it says is believed as far as it goes: a wrong index hides packets, and does no other harm.
//!
//! The file, numbers in little-endian order:
//!
//! | Bytes | |
//! | --- | --- |
//! | 8 | `PERGIDX` and the version of this format |
//! | | stretches, in the order of the file |
//! | 4 | 0: no more of them |
//! | 8, 8 | the file's length, and when it was last modified, in nanoseconds since 1970 |
//! | 8 | a checksum of these 16 bytes |
//!
//! A stretch: the length of what follows without the checksum (4), where it begins and ends in the file (8, 8), packets (8), the time of the first and of the last
//! one in nanoseconds since 1970 (8, 8), the sketch, and a checksum of all that (8).

mod reader;
mod sketch;
#[cfg(test)]
mod tests;
mod values;
mod writer;

pub use reader::{Index, Stretch, Unusable};
pub use writer::Writer;

use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"PERGIDX\x01";
/// A stretch ends behind the packet that makes it as long.
const STRETCH: u64 = 1 << 20;
/// Bytes of a stretch without its sketch.
const HEAD: usize = 40;
/// No stretch has more bytes in an index.
const MOST: u32 = 1 << 20;

/// Where the index of a file is.
pub fn path(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".index");
    file.with_file_name(name)
}

/// FNV-1a, for damage that nobody intended.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// When a file was last modified, in nanoseconds since 1970.
fn modified_ns(metadata: &std::fs::Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}
