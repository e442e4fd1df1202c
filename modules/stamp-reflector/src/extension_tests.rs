//! Extensions, by the figures of RFC 8972.

use crate::StampReflector;
use crate::tests::{AT, question};
use perigee_guest::testing::Host;
use perigee_guest::wire::checksum;

/// Sends extensions, and gives those that come back.
fn exchange(host: &mut Host<StampReflector>, sent: &[u8]) -> Vec<u8> {
    let question = question(3, sent);
    let out = host.process([question.clone()]);
    assert_eq!(checksum::check(&out[0].bytes), Ok(()));
    assert_eq!(out[0].bytes.len(), question.len(), "the answer is as long as the question");
    out[0].bytes[AT + 44..].to_vec()
}

fn host(config: &str) -> Host<StampReflector> {
    Host::start(config).unwrap()
}

/// A type and a value, as a sender writes them: U and no other flag.
fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, kind];
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    bytes
}

#[test]
fn padding_comes_back() {
    let mut host = host("{}");
    let back = exchange(&mut host, &tlv(1, &[1, 2, 3]));
    assert_eq!(back, [0, 1, 0, 3, 1, 2, 3]);
    assert_eq!((host.counter("extensions"), host.counter("unrecognized")), (1, 0));
}

#[test]
fn the_place_is_told() {
    let mut sent = vec![0; 4];
    sent.extend([tlv(1, &[0; 8]), tlv(4, &[0; 16]), tlv(7, &[0; 16]), tlv(99, &[5]), tlv(4, &[0; 3])].concat());
    let back = exchange(&mut host("{}"), &tlv(2, &sent));
    let address = |kind: u8, last: u8| {
        let mut bytes = vec![0, kind, 0, 16, 10, 0, 0, last];
        bytes.resize(20, 0);
        bytes
    };
    let mut expected = vec![0, 2, 0, u8::try_from(sent.len()).unwrap(), 3, 94, 156, 64];
    expected.extend([0, 2, 0, 8, 2, 0, 0, 0, 0, 0x99, 0, 0]);
    expected.extend([address(5, 2), address(8, 1)].concat());
    expected.extend([0x80, 99, 0, 1, 5, 0x40, 4, 0, 3, 0, 0, 0]);
    assert_eq!(back, expected);
}

#[test]
fn the_clock_is_told() {
    assert_eq!(exchange(&mut host("{}"), &tlv(3, &[0; 4])), [0, 3, 0, 4, 5, 2, 5, 2]);
    assert_eq!(exchange(&mut host(r#"{"sync": "gnss"}"#), &tlv(3, &[0; 4])), [0, 3, 0, 4, 4, 2, 4, 2]);
}

#[test]
fn a_class_of_service_goes_back() {
    let mut host = host("{}");
    let question = question(3, &tlv(4, &[0x0a << 2, 0, 0, 0]));
    let out = host.process([question]);
    let bytes = &out[0].bytes;
    // DSCP1 is asked for, DSCP2 came as 0x2e, ECN as 3; the answer leaves with DSCP1.
    let word = u32::from_be_bytes(bytes[AT + 48..].try_into().unwrap());
    assert_eq!((word >> 26, word >> 20 & 0x3f, word >> 18 & 3, word & 0x3_ffff), (0x0a, 0x2e, 3, 0));
    assert_eq!(bytes[15], 0x0a << 2);
}

#[test]
fn counters_and_the_answer_before_are_those_of_the_session() {
    let sent = [tlv(5, &[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]), tlv(7, &[0xff; 16])].concat();
    let back = exchange(&mut host("{}"), &sent);
    // Without sessions there are no counters (U), and the answer before is not known.
    assert_eq!((back[0], &back[4..8]), (0x80, &[0, 0, 0, 9][..]));
    assert_eq!((back[16], &back[20..]), (0, &[0; 16][..]));
    let mut stateful = host(r#"{"mode": "stateful"}"#);
    stateful.set_time(1_000);
    let back = exchange(&mut stateful, &sent);
    assert_eq!(back[..16], [0, 5, 0, 12, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(back[20..], [0; 16]);
    stateful.set_time(2_000);
    let question = question(3, &sent);
    let first = stateful.process([question.clone()])[0].bytes.clone();
    stateful.set_time(3_000);
    let second = stateful.process([question])[0].bytes.clone();
    let follow_up = &second[AT + 44 + 20..];
    assert_eq!(follow_up[..4], 1_u32.to_be_bytes());
    assert_eq!(follow_up[4..12], first[AT + 4..AT + 12]);
    assert_eq!(follow_up[12..], [2, 0, 0, 0]);
}

#[test]
fn accesses_are_confirmed() {
    assert_eq!(exchange(&mut host("{}"), &tlv(6, &[0x10, 1, 0, 0])), [0, 6, 0, 4, 0x10, 1, 0, 0]);
    assert_eq!(exchange(&mut host("{}"), &tlv(6, &[0x30, 1, 0, 0]))[0], 0x80);
}

#[test]
fn what_is_not_known_says_so() {
    // HMAC (8) needs a key; 9 to 12 and others are of later documents.
    for kind in [0, 8, 9, 10, 11, 12, 179, 255] {
        let back = exchange(&mut host("{}"), &tlv(kind, &[7; 16]));
        assert_eq!((back[0], &back[4..]), (0x80, &[7; 16][..]), "{kind}");
    }
}

#[test]
fn wrong_lengths_say_so_and_end_nothing_but_what_cannot_go_on() {
    for kind in 2..=7 {
        let mut host = host(r#"{"mode": "stateful"}"#);
        let back = exchange(&mut host, &[tlv(kind, &[1; 3]), tlv(1, &[9])].concat());
        assert_eq!((back[0], back[7]), (0x40, 0), "{kind}");
        assert_eq!((host.counter("bad_length"), host.counter("extensions")), (1, 1));
    }
    // Longer than what is left: the rest stays as it is.
    let mut host = host("{}");
    let mut sent = tlv(1, &[9; 8]);
    sent[3] = 9;
    let back = exchange(&mut host, &sent);
    assert_eq!((back[0], &back[1..]), (0x40, &sent[1..]));
    for len in 1..4 {
        let back = exchange(&mut host, &vec![0x80; len]);
        assert_eq!((back[0], back.len()), (0x40, len));
    }
}
