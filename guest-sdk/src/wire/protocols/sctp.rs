//! SCTP.

use crate::wire::{Cover, Error, Header, Next, OwnSum, checksum, header};

/// An SCTP packet: this, then chunks.
#[header(name = "SCTP", source = "RFC 9260", ip_protocol = 132)]
pub struct Sctp {
    /// From which port.
    source_port: u16,
    /// To which port.
    destination_port: u16,
    /// Which association.
    #[hex]
    tag: u32,
    /// CRC32c of the packet.
    #[hex]
    checksum: u32,
}

impl Header for Sctp {
    fn next(&self, payload: &[u8]) -> Next {
        match payload.first() {
            Some(&SctpChunk::DATA) => Next::Header(&SctpData::INFO),
            Some(&(SctpChunk::INIT | SctpChunk::INIT_ACK)) => Next::Header(&SctpInit::INFO),
            Some(_) => Next::Header(&SctpChunk::INFO),
            None => Next::Payload,
        }
    }

    fn cover(&self) -> Cover {
        Cover::Own(OwnSum { fill: checksum::set_sctp, is_right: checksum::verify_sctp })
    }
}

impl Sctp {
    /// The chunks of a packet, with their values. Each begins at a multiple of four bytes.
    pub fn chunks(mut payload: &[u8]) -> impl Iterator<Item = Result<(&SctpChunk, &[u8]), Error>> {
        core::iter::from_fn(move || {
            if payload.is_empty() {
                return None;
            }
            let chunk = SctpChunk::parse(payload);
            let whole = chunk.as_ref().map_or(payload.len(), |chunk| SctpChunk::LEN + chunk.payload.len());
            payload = payload.get(whole.next_multiple_of(4)..).unwrap_or_default();
            Some(chunk.map(|chunk| (chunk.header, chunk.payload)))
        })
    }
}

/// A chunk of any type.
#[header(name = "SCTP chunk", source = "RFC 9260")]
pub struct SctpChunk {
    /// Its type.
    kind: u8,
    /// Depends on the type.
    #[hex]
    flags: u8,
    /// Length of the chunk, without what fills it up to a multiple of four bytes.
    #[initial = 4]
    length: u16,
}

/// A chunk of data.
#[header(name = "SCTP data", source = "RFC 9260")]
pub struct SctpData {
    /// 0.
    kind: u8,
    /// Must be 0.
    #[bits(4)]
    reserved: u8,
    /// To be acknowledged at once (RFC 7053).
    immediate: bool,
    /// The order does not matter.
    unordered: bool,
    /// The first part of a message.
    #[initial = true]
    first: bool,
    /// The last part of a message.
    #[initial = true]
    last: bool,
    /// Length of the chunk, without what fills it up.
    #[initial = 16]
    length: u16,
    /// Transmission sequence number.
    tsn: u32,
    /// Which stream.
    stream: u16,
    /// Which message of the stream.
    stream_sequence: u16,
    /// Which protocol is carried.
    payload_protocol: u32,
}

/// The beginning of an association, or its acknowledgment. Parameters follow.
#[header(name = "SCTP init", source = "RFC 9260")]
pub struct SctpInit {
    /// 1, or 2 for an acknowledgment.
    #[initial = SctpChunk::INIT]
    kind: u8,
    /// Must be 0.
    #[hex]
    flags: u8,
    /// Length of the chunk, without what fills it up.
    #[initial = 20]
    length: u16,
    /// The tag that the other shall use.
    #[hex]
    tag: u32,
    /// How many bytes the sender takes.
    #[initial = 65_536]
    window: u32,
    /// How many streams the sender wants.
    #[initial = 1]
    outbound_streams: u16,
    /// How many streams the sender takes.
    #[initial = 1]
    inbound_streams: u16,
    /// The first transmission sequence number.
    tsn: u32,
}

impl SctpChunk {
    /// Type of a chunk of data.
    pub const DATA: u8 = 0;
    /// Type of the beginning of an association.
    pub const INIT: u8 = 1;
    /// Type of its acknowledgment.
    pub const INIT_ACK: u8 = 2;
}

/// The same for all chunks.
macro_rules! chunk {
    ($header:ident, $valid:expr) => {
        impl Header for $header {
            fn is_valid(&self) -> bool {
                let valid: fn(u8) -> bool = $valid;
                valid(self.kind())
            }

            fn total_len(&self, _available: usize) -> usize {
                usize::from(self.length())
            }

            #[allow(clippy::cast_possible_truncation, reason = "a stack's length has 16 bits")]
            fn set_lengths(&mut self, variable: usize, payload: usize) {
                self.set_length((size_of::<Self>() + variable + payload) as u16);
            }
        }
    };
}

chunk!(SctpChunk, |_| true);
chunk!(SctpData, |kind| kind == SctpChunk::DATA);
chunk!(SctpInit, |kind| matches!(kind, SctpChunk::INIT | SctpChunk::INIT_ACK));

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Fields as _, Ipv4, Layers, Stack as _, checksum};
    use std::vec::Vec;

    crate::stack! { struct Message { eth: Ethernet, ip: Ipv4, sctp: Sctp, data: SctpData } }

    #[test]
    fn the_checksum_covers_the_chunks() {
        let mut packet = [3; 80];
        Message::fill(&mut packet, |p| p.sctp.set_tag(7)).unwrap();
        assert_eq!(checksum::check(&packet), Ok(()));
        let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
        assert_eq!(names[2..], ["SCTP", "SCTP data"]);
        packet[79] ^= 1;
        assert_eq!(checksum::check(&packet).map_err(|place| place.name()), Err("SCTP"));
    }

    #[test]
    fn chunks_begin_at_multiples_of_four() {
        let chunks = [14, 0, 0, 5, 9, 0, 0, 0, 11, 0, 0, 4];
        let found: Vec<_> =
            Sctp::chunks(&chunks).map(|chunk| chunk.map(|(c, value)| (c.kind(), value.len()))).collect();
        assert_eq!(found, [Ok((14, 1)), Ok((11, 0))]);
        assert_eq!(Sctp::chunks(&[1, 0, 0, 3]).count(), 1);
        assert!(Sctp::chunks(&[1, 0, 0, 3]).all(|chunk| chunk.is_err()));
        assert_eq!(SctpChunk::FORMAT.len, 4);
    }
}
