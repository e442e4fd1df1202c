//! The CRC32c of SCTP (RFC 9260, appendix A; iSCSI's, RFC 3720).
//!
//! WebAssembly has no instruction for it, so tables do: sixteen of 1 KiB, made when the module is compiled, by which sixteen
//! bytes are taken at once. They are in a module that computes a CRC32c, and in no other. One table would save 15 KiB of a
//! module and make each byte wait for the one before it. `./x bench --only checksums` shows what a byte costs.

use core::ops::Range;
use crc::{CRC_32_ISCSI, Crc, Table};

static ALGORITHM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// SCTP's common header: ports, tag, checksum.
const SCTP_HEADER: usize = 12;
/// The checksum's place in it.
const SCTP_CHECKSUM: Range<usize> = 8..12;

/// The CRC32c of `data` as a number. In packets it stands with its lowest byte first: `to_le_bytes`.
///
/// ```
/// # use perigee_guest::wire::checksum::crc32c;
/// assert_eq!(crc32c(b"123456789"), 0xe306_9283);
/// ```
#[must_use]
pub fn crc32c(data: &[u8]) -> u32 {
    Crc32c::new().add(data).finish()
}

/// A CRC32c that is put together of several pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Crc32c {
    /// The remainder so far.
    state: u32,
}

impl Crc32c {
    /// The CRC32c of nothing.
    #[inline]
    pub const fn new() -> Self {
        Self { state: !0 }
    }

    /// Adds the bytes that follow.
    #[allow(clippy::should_implement_trait, reason = "bytes are added behind it, which is no sum of two of a kind")]
    pub fn add(self, data: &[u8]) -> Self {
        let tables = ALGORITHM.table();
        let (chunks, rest) = data.as_chunks::<16>();
        // The library's own loop over the same tables loads each byte by itself and takes a quarter longer.
        let state = chunks.iter().fold(self.state, |state, chunk| sixteen(tables, state, chunk));
        let one = |state: u32, byte: &u8| tables[0][usize::from(state.to_le_bytes()[0] ^ byte)] ^ (state >> 8);
        Self { state: rest.iter().fold(state, one) }
    }

    /// The CRC32c as a number; in packets it stands with its lowest byte first.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u32 {
        !self.state
    }
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

/// Sixteen bytes at once: table `i` says what a byte becomes with `i` bytes of 0 behind it. The bytes that the remainder
/// goes into come last, so that the others do not wait for it.
#[inline(always)]
fn sixteen(tables: &[[u32; 256]; 16], state: u32, bytes: &[u8; 16]) -> u32 {
    let (words, _) = bytes.as_chunks::<4>();
    // Of a word that is loaded once; loads, sixteen of tables among them, are what there is most of here.
    let four = |at: usize, state: u32| {
        let word = u32::from_le_bytes(words[at]) ^ state;
        let of = |byte: usize| tables[15 - 4 * at - byte][(word >> (8 * byte)) as usize & 0xff];
        (of(0) ^ of(1)) ^ (of(2) ^ of(3))
    };
    four(1, 0) ^ four(2, 0) ^ four(3, 0) ^ four(0, state)
}

/// The checksum of an SCTP packet, from its common header to the end of its last chunk, as it stands in the packet.
/// What stands there now counts as 0. `None` where the packet is shorter than the common header's 12 bytes.
#[must_use]
pub fn sctp(packet: &[u8]) -> Option<[u8; 4]> {
    let (header, chunks) = packet.split_first_chunk::<SCTP_HEADER>()?;
    let mut header = *header;
    header[SCTP_CHECKSUM].fill(0);
    Some(Crc32c::new().add(&header).add(chunks).finish().to_le_bytes())
}

/// Writes the checksum of an SCTP packet. False: it is shorter than the common header's 12 bytes, and nothing was written.
#[must_use]
pub fn set_sctp(packet: &mut [u8]) -> bool {
    match (sctp(packet), packet.get_mut(SCTP_CHECKSUM)) {
        (Some(checksum), Some(place)) => {
            place.copy_from_slice(&checksum);
            true
        }
        _ => false,
    }
}

/// Whether the checksum of an SCTP packet is right. A packet shorter than the common header has none.
#[must_use]
pub fn verify_sctp(packet: &[u8]) -> bool {
    sctp(packet).is_some_and(|checksum| packet[SCTP_CHECKSUM] == checksum)
}
