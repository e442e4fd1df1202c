//! The CRC32c of SCTP (RFC 9260, appendix A; iSCSI's, RFC 3720).
//!
//! WebAssembly has no instruction for it, so tables do: sixteen of 1 KiB, by which sixteen bytes are taken at once. They
//! are in a module that computes a CRC32c, and in no other. With one table a module is 15 KiB smaller, and a byte costs
//! several times as much: each waits for the one before.

use core::ops::Range;
use crc::{CRC_32_ISCSI, Crc, Digest, Table};

type Tables = Table<16>;
static ALGORITHM: Crc<u32, Tables> = Crc::<u32, Tables>::new(&CRC_32_ISCSI);

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
#[derive(Clone)]
#[must_use]
pub struct Crc32c(Digest<'static, u32, Tables>);

impl Crc32c {
    /// The CRC32c of nothing.
    #[inline]
    pub fn new() -> Self {
        Self(ALGORITHM.digest())
    }

    /// Adds the bytes that follow.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "bytes are added behind it, which is no sum of two of a kind")]
    pub fn add(mut self, data: &[u8]) -> Self {
        self.0.update(data);
        self
    }

    /// The CRC32c as a number; in packets it stands with its lowest byte first.
    #[inline]
    #[must_use]
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Crc32c {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Crc32c({:#010x})", self.clone().finish())
    }
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
