//! Both checksums beside slow, obvious ones, and beside packets that scapy 2.8.0 made.

use super::*;
use std::vec::Vec;

/// Word by word in 64 bits, and folded until nothing is left to fold.
fn model(data: &[u8]) -> u16 {
    let words = data.chunks(2).map(|c| u64::from(u16::from_be_bytes([c[0], *c.get(1).unwrap_or(&0)])));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// Bit by bit.
fn model_crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut random = crate::Lcg64::new(seed);
    (0..len).map(|_| random.next_u64().to_be_bytes()[0]).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_example_of_rfc_1071() {
    let words = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(fold(sum(&words)), 0xddf2);
    assert_eq!(finish(sum(&words)), 0x220d);
}

#[test]
fn folds_are_those_of_the_model() {
    for sum in [0, 1, 0xffff, 0x1_0000, 0xffff_0000, 0xffff_ffff, 0x0001_fffe, 0x8000_8000, 0x1234_5678_u32] {
        assert_eq!(fold(sum), model(&sum.to_be_bytes()), "{sum:#x}");
    }
}

#[test]
fn each_length_at_each_offset() {
    for data in [random_bytes(1, 2_080), std::vec![0xff; 2_080], std::vec![0x80; 2_080], std::vec![0; 2_080]] {
        for len in 0..=2_048 {
            for offset in [0, 1, 2, 3, 5, 8, 15, 16, 31] {
                let part = &data[offset..offset + len];
                assert_eq!(sum(part), u32::from(model(part)), "{len} bytes from {offset} on");
            }
        }
    }
}

#[test]
fn long_data_does_not_overflow() {
    for len in [65_535, 65_536, 1 << 17, (1 << 20) + 3] {
        for byte in [0, 0x7f, 0x80, 0xff] {
            let data = std::vec![byte; len];
            assert_eq!(sum(&data), u32::from(model(&data)), "{len} bytes of {byte:#x}");
        }
    }
}

#[test]
fn pieces_of_any_length_make_one_sum() {
    let mut random = crate::Lcg64::new(7);
    let mut below = |n: usize| usize::try_from(random.next_u64() >> 33).unwrap() % n;
    for round in 0..2_000 {
        let data = random_bytes(round, below(200));
        let (mut first, mut second) = (below(data.len() + 1), below(data.len() + 1));
        if first > second {
            (first, second) = (second, first);
        }
        let [a, b, c] = [&data[..first], &data[first..second], &data[second..]].map(|part| Sum::new().add(part));
        let whole = Sum::new().add(&data[..first]).add(&data[first..second]).add(&data[second..]);
        assert_eq!(whole.value(), model(&data), "{} bytes, cut at {first} and {second}", data.len());
        assert_eq!(a.append(b).append(c).value(), model(&data));
        let numbers = Sum::new().add(&data).add_u16(0xabcd).add_u32(0x0102_0304);
        let bytes = [&data[..], &[0xab, 0xcd, 1, 2, 3, 4]].concat();
        assert_eq!(numbers.value(), model(&bytes));
    }
}

/// The checksum of changed data, by its change and anew: it verifies with the data, and is the new one but for the second
/// zero of one's complement, which is right for any data. That may stand only where the bytes that changed are 0 now.
fn assert_changed(by_change: u16, data: &[u8], after: &[u8]) {
    assert!(Sum::new().add_u16(by_change).add(data).verify(), "{data:02x?} with {by_change:#06x}");
    if by_change != !model(data) {
        assert_eq!((by_change, !model(data), after.iter().max()), (0xffff, 0, Some(&0)), "{data:02x?}");
    }
}

#[test]
fn a_change_equals_a_new_sum() {
    let corners = [0_u16, 1, 0x00ff, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff];
    for before in corners {
        for after in corners {
            for rest in corners {
                let data = [before.to_be_bytes(), rest.to_be_bytes()].concat();
                let changed = [after.to_be_bytes(), rest.to_be_bytes()].concat();
                assert_changed(update(!model(&data), before, after), &changed, &after.to_be_bytes());
            }
        }
    }
}

#[test]
fn changes_of_any_bytes_equal_a_new_sum() {
    for round in 0..2_000 {
        let (mut data, new) = (random_bytes(round, 64), random_bytes(!round, 64));
        let old = !model(&data);
        let offset = usize::try_from(round % 48).unwrap();
        let len = usize::try_from(round / 48 % 17).unwrap();
        let before = data[offset..offset + len].to_vec();
        let after = &new[..len];
        data[offset..offset + len].copy_from_slice(after);
        let by_bytes = update_bytes(old, offset, &before, after);
        assert_changed(by_bytes, &data, after);
        assert_eq!(Change::new().bytes(offset, &before, after).bytes(offset, after, &before).apply(old), old);
        if offset.is_multiple_of(2) {
            if let (Ok(before), Ok(after)) = (before.as_slice().try_into(), after.try_into()) {
                assert_eq!(update_u32(old, u32::from_be_bytes(before), u32::from_be_bytes(after)), by_bytes);
            }
            if let (Ok(before), Ok(after)) = (before.as_slice().try_into(), after.try_into()) {
                assert_eq!(update_u128(old, u128::from_be_bytes(before), u128::from_be_bytes(after)), by_bytes);
            }
        }
    }
}

/// Few kinds of bytes, so that sums of 0 and of 0xffff are common, in changes of every kind and in several at once.
#[test]
fn an_updated_sum_verifies_whenever_a_new_one_does() {
    let mut random = crate::Lcg64::new(5);
    let mut all_zero = 0;
    for _ in 0..200_000 {
        let mut byte = |_| [0, 0, 0, 0xff, 0xff, 1, 0xfe][random.below(7) as usize];
        let (before, after): ([u8; 20], [u8; 20]) = (core::array::from_fn(&mut byte), core::array::from_fn(&mut byte));
        let len = 2 + random.below(19) as usize;
        let mut data = before;
        let mut change = Change::new();
        for _ in 0..=random.below(3) {
            // Where they overlap, a change begins with what the one before it wrote.
            let at = random.below(len as u64) as usize;
            let end = (at + 1 + random.below(16) as usize).min(len);
            let old = data;
            data[at..end].copy_from_slice(if random.below(2) == 0 { &after[at..end] } else { &[0; 20][at..end] });
            // Bytes that are replaced by as many others, or a word.
            change = match end - at {
                2 if at.is_multiple_of(2) => change.u16(word(&old, at), word(&data, at)),
                _ => change.bytes(at, &old[at..end], &data[at..end]),
            };
        }
        let (before, data) = (&before[..len], &data[..len]);
        all_zero += u32::from(data.iter().all(|byte| *byte == 0));
        // A sender may have written either zero where both are right.
        for old in [!model(before), 0xffff] {
            if Sum::new().add_u16(old).add(before).verify() {
                let new = change.apply(old);
                assert!(
                    Sum::new().add_u16(new).add(data).verify(),
                    "{before:02x?} to {data:02x?}: {old:#x} to {new:#x}"
                );
            }
        }
    }
    assert!(all_zero > 1_000, "{all_zero}");
}

fn word(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([data[at], data[at + 1]])
}

#[test]
fn a_change_may_lengthen_the_data() {
    let (before, after) = (b"ab12345678wxyz", b"ab1234567890123456wxyz");
    assert_eq!(update_bytes(!model(before), 2, b"12345678", b"1234567890123456"), !model(after));
    assert_eq!(update_bytes(!model(b"abc"), 1, b"bc", b"longer"), !model(b"alonger"));
}

#[test]
fn udp_never_gets_the_wrong_zero() {
    assert_eq!((for_udp(0), for_udp(1), for_udp(0xffff)), (0xffff, 1, 0xffff));
    // 0x1234 + 0xedcb is 0xffff: a checksum of 0.
    let data = [0x12, 0x34, 0x00, 0x01];
    let change = Change::new().u16(1, 0xedcb);
    assert_eq!(change.apply(!model(&data)), 0);
    assert_eq!(change.apply_udp(!model(&data)), 0xffff);
    // And back again, from what stands in the packet.
    assert_eq!(Change::new().u16(0xedcb, 1).apply_udp(0xffff), !model(&data));
    assert_eq!(change.apply_udp(0), 0, "no checksum stays none");
}

#[test]
fn packets_that_scapy_made() {
    let udp4 = from_hex("4500001f000100004011af220a000001c0a8010204000035000b5c936f6464");
    let udp4_zero = from_hex("45000020000100004011af210a000001c0a8010247210035000cffff7a65726f");
    let tcp4 = from_hex(
        "4600005100010000400619f70a000001c0a801029404000000010002000000000000000060022000accf0000020405b4787878787878787\
         878787878787878787878787878787878787878787878787878",
    );
    for (packet, protocol) in [(&udp4, 17), (&udp4_zero, 17), (&tcp4, 6)] {
        let (header, message) = packet.split_at(usize::from(packet[0] & 15) * 4);
        assert!(verify(sum(header)));
        let whole = Sum::from_pseudo_header(&header[12..16], &header[16..20], protocol, message.len()).add(message);
        assert!(whole.verify());
        assert!(!whole.add_u16(1).verify());
    }
    assert_eq!(
        for_udp(finish(
            pseudo_header(&udp4_zero[12..16], &udp4_zero[16..20], 17, 12)
                + sum(&udp4_zero[20..26])
                + sum(&udp4_zero[28..])
        )),
        0xffff
    );
    let udp6 = "60000000000b1140fd000000000000000000000000000001fd00000000000000000000000000000204000035000b2e3a6f6464";
    let icmpv6 = "60000000000f3a40fd000000000000000000000000000001fd0000000000000000000000000000028000d6790001000270657269676565";
    for packet in [udp6, icmpv6].map(from_hex) {
        let message = &packet[40..];
        let whole = Sum::from_pseudo_header(&packet[8..24], &packet[24..40], packet[6], message.len()).add(message);
        assert!(whole.verify());
    }
    let icmp = from_hex("4500002300010000400166d70a0000010a000002080048c80001000270657269676565");
    assert!(verify(sum(&icmp[20..])));
}

#[test]
fn the_vectors_of_rfc_3720() {
    let upwards: Vec<u8> = (0..32).collect();
    let downwards: Vec<u8> = (0..32).rev().collect();
    let mut read_pdu = [0; 48];
    for (at, value) in [(0, 0x01), (1, 0xc0), (16, 0x14), (22, 0x04), (27, 0x14), (31, 0x18), (32, 0x28), (40, 0x02)] {
        read_pdu[at] = value;
    }
    assert_eq!(crc32c(&[0; 32]).to_le_bytes(), [0xaa, 0x36, 0x91, 0x8a]);
    assert_eq!(crc32c(&[0xff; 32]).to_le_bytes(), [0x43, 0xab, 0xa8, 0x62]);
    assert_eq!(crc32c(&upwards).to_le_bytes(), [0x4e, 0x79, 0xdd, 0x46]);
    assert_eq!(crc32c(&downwards).to_le_bytes(), [0x5c, 0xdb, 0x3f, 0x11]);
    assert_eq!(crc32c(&read_pdu).to_le_bytes(), [0x56, 0x3a, 0x96, 0xd9]);
}

#[test]
fn crc32c_of_each_length_and_in_pieces() {
    let data = random_bytes(3, 2_064);
    for len in 0..=2_048 {
        for offset in [0, 1, 7] {
            let part = &data[offset..offset + len];
            let (a, b) = part.split_at(len / 3);
            let crc = model_crc32c(part);
            assert_eq!(
                (crc32c(part), Crc32c::new().add(a).add(b).finish()),
                (crc, crc),
                "{len} bytes from {offset} on"
            );
        }
    }
}

#[test]
fn sctp_packets_that_scapy_made() {
    for packet in [
        "13c48e3c01020304824c1555010000141122334400010000000a001400000007",
        "0001fffffffffffffc9d1ea00003001700000001000200030000002e7065726967656500",
        "000700090000000060ef67910b000004",
        "00000000000000005db5602b",
    ] {
        let right = from_hex(packet);
        assert!(verify_sctp(&right));
        let mut packet = right.clone();
        packet[9] ^= 1;
        assert!(!verify_sctp(&packet));
        assert!(set_sctp(&mut packet));
        assert_eq!(packet, right);
    }
}

#[test]
fn what_is_too_short_for_sctp_is_left_alone() {
    let mut short = [0x5a; 11];
    assert_eq!((sctp(&short), verify_sctp(&short), set_sctp(&mut short)), (None, false, false));
    assert_eq!(short, [0x5a; 11]);
}
