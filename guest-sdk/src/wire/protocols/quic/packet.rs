//! Packets with a long header, of which a datagram may have several.

use super::{QuicLong, QuicSource, read_varint};
use crate::wire::{Error, Header as _};

/// A packet with a long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its version; 0 for version negotiation.
    pub version: u32,
    /// The receiver's connection ID.
    pub destination: &'a [u8],
    /// The sender's connection ID.
    pub source: &'a [u8],
    /// What it is for.
    pub kind: Kind<'a>,
    /// Its number and payload, both protected; empty for [`Kind::Negotiation`] and [`Kind::Retry`].
    pub payload: &'a [u8],
}

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// These versions are spoken here.
    Negotiation {
        /// As bytes, four each.
        versions: &'a [u8],
    },
    /// The first of a connection.
    Initial {
        /// What the server gave the client before.
        token: &'a [u8],
    },
    /// Data before the handshake is over.
    ZeroRtt,
    /// The handshake.
    Handshake,
    /// Come again with this token.
    Retry {
        /// The token.
        token: &'a [u8],
        /// Says that the packet is whole.
        tag: &'a [u8; 16],
    },
}

impl<'a> Packet<'a> {
    /// The packet at the beginning of `bytes`, and what follows it in the datagram.
    ///
    /// # Errors
    ///
    /// It has no long header, is of an unknown version, or is cut off.
    pub fn parse_long(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let long = QuicLong::parse(bytes)?;
        let source = QuicSource::parse(long.payload)?;
        let (version, rest) = (long.version(), source.payload);
        if version != QuicLong::NEGOTIATION && source.length() > QuicLong::MAX_ID {
            return Err(Error);
        }
        let (kind, rest) = read_kind(version, long.kind(), rest)?;
        let packet = Self { version, destination: long.variable, source: source.variable, kind, payload: &[] };
        if matches!(kind, Kind::Negotiation { .. } | Kind::Retry { .. }) {
            return Ok((packet, rest));
        }
        let (length, rest) = read_varint(rest)?;
        let length = usize::try_from(length).map_err(|_| Error)?;
        let (payload, rest) = rest.split_at_checked(length).ok_or(Error)?;
        Ok((Self { payload, ..packet }, rest))
    }
}

/// What a packet is for, and what follows that.
fn read_kind(version: u32, bits: u8, rest: &[u8]) -> Result<(Kind<'_>, &[u8]), Error> {
    if version == QuicLong::NEGOTIATION {
        let whole = !rest.is_empty() && rest.len().is_multiple_of(4);
        return if whole { Ok((Kind::Negotiation { versions: rest }, &[])) } else { Err(Error) };
    }
    // Version 2 counts from another one on (RFC 9369, section 3.2).
    let bits = if version == QuicLong::VERSION_2 { (bits + 3) % 4 } else { bits };
    Ok(match bits {
        0 => {
            let (length, rest) = read_varint(rest)?;
            let length = usize::try_from(length).map_err(|_| Error)?;
            let (token, rest) = rest.split_at_checked(length).ok_or(Error)?;
            (Kind::Initial { token }, rest)
        }
        1 => (Kind::ZeroRtt, rest),
        2 => (Kind::Handshake, rest),
        _ => {
            let (token, tag) = rest.split_last_chunk().ok_or(Error)?;
            (Kind::Retry { token, tag }, &[])
        }
    })
}

/// The packets with long headers at the beginning of a datagram. It ends at a packet with a short header, which has the rest
/// ([`Self::rest`]), or at zeros. A malformed packet is an error, and the last item.
#[derive(Clone, Debug)]
pub struct Packets<'a>(&'a [u8]);

impl<'a> Packets<'a> {
    /// Those of a datagram.
    #[must_use]
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self(datagram)
    }

    /// What was not looked at yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.first().filter(|first| **first & 0x80 != 0)?;
        let packet = Packet::parse_long(self.0);
        self.0 = packet.map_or(&[], |(_, rest)| rest);
        Some(packet.map(|(packet, _)| packet))
    }
}

/// The versions of [`Kind::Negotiation`].
#[derive(Clone, Debug)]
pub struct Versions<'a>(&'a [u8]);

impl<'a> Versions<'a> {
    /// Those in these bytes.
    #[must_use]
    pub const fn new(versions: &'a [u8]) -> Self {
        Self(versions)
    }
}

impl Iterator for Versions<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (version, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*version))
    }
}
