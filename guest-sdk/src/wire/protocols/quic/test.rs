//! Packets of RFC 9000, 9001 and 9369.

use super::*;
use crate::wire::protocols::captured::hex;
use crate::wire::{Error, Fields as _};
use std::string::String;
use std::vec::Vec;

/// RFC 9001, appendix A.3: the server's first packet, without most of its payload.
pub(in crate::wire::protocols) fn initial() -> String {
    std::format!("cf 00000001 00 08f067a5502a4262b5 00 4075 c0d95a482cd0991cd25b {}", "aa".repeat(107))
}

#[test]
fn a_datagram_has_several_packets() {
    let bytes = hex(&std::format!("{} e0 00000001 00 08f067a5502a4262b5 03 010203 41020304", initial()));
    let mut packets = Packets::new(&bytes);
    let first = packets.next().unwrap().unwrap();
    assert_eq!((first.version, first.destination.len(), first.source[0]), (QuicLong::VERSION_1, 0, 0xf0));
    assert_eq!((first.kind, first.payload.len()), (Kind::Initial { token: &[] }, 117));
    let second = packets.next().unwrap().unwrap();
    assert_eq!((second.kind, second.payload), (Kind::Handshake, &[1, 2, 3][..]));
    assert!(packets.next().is_none());
    let short = QuicShort::parse(packets.rest()).unwrap();
    assert_eq!((short.spin(), short.payload), (false, &[2, 3, 4][..]));
}

#[test]
fn retry_is_numbered_by_the_version() {
    let one = hex("ff 00000001 00 08f067a5502a4262b5 746f6b656e 04a265ba2eff4d829058fb3f0f2496ba");
    let two = hex("cf 6b3343cf 00 08f067a5502a4262b5 746f6b656e c8646ce8bfe33952d955543665dcc7b6");
    for (bytes, first, version) in [(one, 0x04, QuicLong::VERSION_1), (two, 0xc8, QuicLong::VERSION_2)] {
        let (packet, rest) = Packet::parse_long(&bytes).unwrap();
        let Kind::Retry { token, tag } = packet.kind else { panic!("{packet:?}") };
        assert_eq!((packet.version, token, tag[0], rest.len()), (version, &b"token"[..], first, 0));
        assert!(Packet::parse_long(&bytes[..29]).is_err());
    }
}

#[test]
fn versions_are_negotiated() {
    let bytes = hex("80 00000000 04 01020304 02 0506 00000001 6b3343cf");
    let (packet, _) = Packet::parse_long(&bytes).unwrap();
    let Kind::Negotiation { versions } = packet.kind else { panic!("{packet:?}") };
    let versions: Vec<_> = Versions::new(versions).collect();
    assert_eq!((packet.destination, packet.source), (&[1, 2, 3, 4][..], &[5, 6][..]));
    assert_eq!(versions, [QuicLong::VERSION_1, QuicLong::VERSION_2]);
    assert!(Packet::parse_long(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn only_what_is_known_is_claimed() {
    let bytes = hex(&initial());
    assert_eq!(QuicLong::parse(&bytes).unwrap().next(&[]), Next::Header(&QuicSource::INFO));
    // The fixed bit, the form, another version, an ID that is too long.
    for (at, value) in [(0, 0x8f), (0, 0x4f), (4, 2), (5, 21)] {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        assert!(QuicLong::parse(&bytes).is_err(), "{at} {value}");
    }
    assert!(QuicLong::is_known(QuicLong::DRAFT + 29) && !QuicLong::is_known(QuicLong::DRAFT + 28));
    assert_eq!(QuicLong::FORMAT.udp_ports, [443]);
    for len in 0..bytes.len() {
        assert!(Packet::parse_long(&bytes[..len]).is_err(), "{len}");
    }
}

#[test]
fn numbers_as_the_rfc_has_them() {
    // RFC 9000, appendix A.1.
    for (text, value) in [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
        ("ffffffffffffffff", MAX_VARINT),
    ] {
        let bytes = hex(text);
        let mut written = [0; 8];
        assert_eq!(read_varint(&bytes), Ok((value, &[][..])));
        assert_eq!(write_varint(&mut written, value), Ok(bytes.len()));
        assert_eq!(written[..bytes.len()], bytes);
        assert_eq!(read_varint(&bytes[..bytes.len() - 1]), Err(Error));
        assert_eq!(write_varint(&mut written[..bytes.len() - 1], value), Err(Error));
    }
    assert_eq!(read_varint(&[0x40, 0x25]), Ok((37, &[][..])));
    assert_eq!(write_varint(&mut [0; 9], MAX_VARINT + 1), Err(Error));
    assert_eq!([0x3f, 0x40, 0x3fff, 0x4000, 0x3fff_ffff, 0x4000_0000].map(varint_len), [1, 2, 2, 4, 4, 8].map(Ok));
}
