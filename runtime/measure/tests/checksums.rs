//! A UDP checksum that was right before a probe was written is right afterwards, wherever the probe lies.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "helpers of tests")]

use perigee_measure::probe::{self, Key, LEN, Probe};
use proptest::prelude::*;

/// The checksum of RFC 1071, byte by byte as its text says, over several pieces as if they were one.
fn checksum(pieces: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = pieces.concat();
    let mut sum = 0_u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Addresses, length and protocol, as RFC 768 and RFC 8200 have them.
fn pseudo_header(is_v6: bool, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    if is_v6 {
        let addresses = (0..32).map(|i| 0x20 + i * 3);
        return addresses.chain(length).chain([0, 0, 0, 17]).collect();
    }
    [[10, 0, 0, 1], [192, 168, 3, 44], [0, 17, length[2], length[3]]].concat()
}

fn write(datagram: &mut [u8], probe: &Probe, key: &Key) {
    let end = datagram.last_chunk_mut::<LEN>().unwrap();
    *end = probe::bytes(probe::written(probe::words(end), probe, key));
}

fn stays_right(is_v6: bool, payload: &[u8], probe: &Probe, key: &Key) {
    let mut datagram = [&[0x12, 0x34, 0xab, 0xcd, 0, 0, 0, 0][..], payload].concat();
    let length = datagram.len();
    datagram[4..6].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    let pseudo = pseudo_header(is_v6, length);
    let right = checksum(&[&pseudo, &datagram]);
    datagram[6..8].copy_from_slice(&right.to_be_bytes());
    assert_eq!(checksum(&[&pseudo, &datagram]), 0);

    write(&mut datagram, probe, key);
    assert_eq!(checksum(&[&pseudo, &datagram]), 0, "IPv6 {is_v6}, payload of {}", payload.len());
    // And again, as when a frame is stamped a second time.
    let again = Probe { sequence: probe.sequence + 1, ..*probe };
    write(&mut datagram, &again, key);
    assert_eq!(checksum(&[&pseudo, &datagram]), 0);
}

#[test]
fn at_each_offset() {
    let (key, probe) = (Key::new([1, 2, 3, 4]), Probe::new(7, 99, 1_000_000, 1_000_500));
    for length in LEN..LEN + 70 {
        for is_v6 in [false, true] {
            stays_right(is_v6, &vec![0; length], &probe, &key);
            stays_right(is_v6, &vec![0xff; length], &probe, &key);
        }
    }
}

proptest! {
    #[test]
    fn with_any_bytes(
        words: [u64; 4], payload in proptest::collection::vec(any::<u8>(), LEN..300), is_v6: bool, flow: u16,
        sequence in 0..u64::MAX, intended: u64, real: u64,
    ) {
        stays_right(is_v6, &payload, &Probe::new(flow, sequence, intended, real), &Key::new(words));
    }
}
