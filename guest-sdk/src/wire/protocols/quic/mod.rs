//! QUIC: what can be read of its packets without keys.
//!
//! ```
//! use perigee_guest::wire::quic::{Kind, Packet};
//!
//! // The beginning of a client's first datagram: which connection is it?
//! # let mut datagram = [0; 1200];
//! # datagram[..14].copy_from_slice(&[0xc3, 0, 0, 0, 1, 4, 1, 2, 3, 4, 0, 0, 0x44, 0x9e]);
//! let (packet, rest) = Packet::parse_long(&datagram)?;
//! assert_eq!((packet.kind, packet.destination), (Kind::Initial { token: &[] }, &[1, 2, 3, 4][..]));
//! assert_eq!((packet.payload.len(), rest.len()), (1182, 4));
//! # Ok::<(), perigee_guest::wire::Error>(())
//! ```

mod packet;
#[cfg(test)]
pub(super) mod test;
mod varint;

pub use packet::{Kind, Packet, Packets, Versions};
pub use varint::{MAX_VARINT, read_varint, varint_len, write_varint};

use crate::wire::{Header, Next, header};

/// The long header of QUIC: that of packets before there are keys. Its variable part is the receiver's connection ID;
/// [`QuicSource`] follows, and what lies behind it depends on version and type ([`Packet`]).
#[header(name = "QUIC", source = "RFC 9000", udp_port = 443)]
pub struct QuicLong {
    /// It has this long form.
    #[initial = true]
    long: bool,
    /// Always set, but in version negotiation.
    #[initial = true]
    fixed: bool,
    /// The type; what it means depends on the version ([`Packet`]).
    #[bits(2)]
    kind: u8,
    /// Protected by a key, but in a retry.
    #[bits(4)]
    #[hex]
    protected: u8,
    /// [`QuicLong::VERSION_1`] or another; 0: version negotiation.
    #[initial = Self::VERSION_1]
    #[hex]
    version: u32,
    /// Length of the receiver's connection ID, which follows.
    destination_len: u8,
}

impl Header for QuicLong {
    /// Strict, because ports say little: only versions that are known, and version negotiation.
    fn is_valid(&self) -> bool {
        let known = match self.version() {
            Self::NEGOTIATION => true,
            version => self.fixed() && Self::is_known(version) && self.destination_len() <= Self::MAX_ID,
        };
        self.long() && known
    }

    fn header_len(&self) -> usize {
        Self::LEN + usize::from(self.destination_len())
    }

    fn next(&self, _payload: &[u8]) -> Next {
        Next::Header(&QuicSource::INFO)
    }

    #[allow(clippy::cast_possible_truncation, reason = "a connection ID has at most 255 bytes")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_destination_len(variable as u8);
    }
}

impl QuicLong {
    /// Version negotiation.
    pub const NEGOTIATION: u32 = 0;
    /// Version 1 (RFC 9000).
    pub const VERSION_1: u32 = 1;
    /// Version 2 (RFC 9369).
    pub const VERSION_2: u32 = 0x6b33_43cf;
    /// Drafts of version 1: this and a number.
    pub const DRAFT: u32 = 0xff00_0000;
    /// Longest connection ID of versions 1 and 2.
    pub const MAX_ID: u8 = 20;

    /// Whether it is version 1, one of its last drafts, or version 2.
    #[must_use]
    pub const fn is_known(version: u32) -> bool {
        // Drafts before 29 are no longer spoken; 34 was the last.
        matches!(version, Self::VERSION_1 | Self::VERSION_2 | 0xff00_001d..=0xff00_0022)
    }
}

/// What follows the long header: the length of the sender's connection ID, which is its variable part.
#[header(name = "QUIC source", source = "RFC 9000")]
pub struct QuicSource {
    /// Length of the sender's connection ID, which follows.
    length: u8,
}

impl Header for QuicSource {
    fn header_len(&self) -> usize {
        Self::LEN + usize::from(self.length())
    }

    #[allow(clippy::cast_possible_truncation, reason = "a connection ID has at most 255 bytes")]
    fn set_lengths(&mut self, variable: usize, _payload: usize) {
        self.set_length(variable as u8);
    }
}

/// The short header of QUIC: that of packets with keys. The receiver's connection ID follows, and only the receiver knows how
/// long it is; so it is not looked for on any port.
#[header(name = "QUIC short", source = "RFC 9000")]
pub struct QuicShort {
    /// Not set: it has not the long form.
    long: bool,
    /// Always set.
    #[initial = true]
    fixed: bool,
    /// Turned over once a round trip, for those who measure it.
    spin: bool,
    /// Protected by a key: key phase and length of the packet number.
    #[bits(5)]
    #[hex]
    protected: u8,
}

impl Header for QuicShort {
    fn is_valid(&self) -> bool {
        !self.long() && self.fixed()
    }
}
