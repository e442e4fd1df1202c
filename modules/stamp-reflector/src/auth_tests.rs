//! Authenticated mode, by packets that were made elsewhere: with Python's `struct` and `hmac` from the figures of RFC 8762, sections
//! 4.2.2 and 4.3.2, and RFC 8972, sections 3 and 4.8.

use crate::StampReflector;
use crate::tests::{AT, mend, question};
use perigee_guest::Verdict;
use perigee_guest::testing::{Host, Input};
use perigee_guest::wire::checksum;
use stamp_wire::{AUTHENTICATED_BASE as BASE, tlv};

/// `0123456789abcdef0123456789ABCDEF`.
const KEY: &str = "3031323334353637383961626364656630313233343536373839414243444546";
/// Of the packet of number 77: its HMAC, and the whole answer.
const ASKED: &str = "bfa1ffd6fd51475ad6ae2292d0174893";
const ANSWERED: &str = "0000004d000000000000000000000000e8fe6f85000008640f84000700000000e8fe6f85000001ae00000000000000000000004d\
                        000000000000000000000000123456789abcdef00101000000000000fb000000000000000000000000000000b0fcfef0c2e62dbb\
                        df7c5ef8fa69247d";
/// Of an access report behind it, in the question, in its answer, and in an answer of number 0.
const REPORT: [u8; 8] = [0x80, 6, 0, 4, 0x10, 1, 0, 0];
const REPORT_ASKED: &str = "4675a7f97e479077ec7a9861ec530565";
const REPORT_ANSWERED: &str = "768af75bf635ff1258bab25f8678e815";
const REPORT_ANSWERED_0: &str = "4cd4aa579f348e33f3651e3f0db12d5f";

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn start(more: &str) -> Host<StampReflector> {
    let mut host = Host::start(&format!(r#"{{"secrets": {{"stamp": "{KEY}"}}{more}}}"#)).unwrap();
    host.set_time(5_000_000_500);
    host
}

/// The packet of number 77 in authenticated mode, with what follows its base.
fn asked(rest: &[u8]) -> Vec<u8> {
    let open = question(77, &[]);
    let mut packet = open[..AT].to_vec();
    packet.resize(AT + BASE, 0);
    packet[AT..AT + 4].copy_from_slice(&open[AT..AT + 4]);
    packet[AT + 16..AT + 28].copy_from_slice(&open[AT + 4..AT + 16]);
    packet[AT + 96..].copy_from_slice(&bytes(ASKED));
    packet.extend_from_slice(rest);
    mend(&mut packet);
    packet
}

/// The payload of the answer.
fn answered(host: &mut Host<StampReflector>, rest: &[u8]) -> Vec<u8> {
    let packet = asked(rest);
    let out = host.process([Input::new(&packet).time(5_000_000_100)]);
    assert_eq!((out[0].verdict, out[0].bytes.len()), (Verdict::tx(0), packet.len()));
    assert_eq!(checksum::check(&out[0].bytes), Ok(()));
    out[0].bytes[AT..].to_vec()
}

fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[0x80, kind, 0, u8::try_from(value.len()).unwrap()], value].concat()
}

#[test]
fn an_answer_is_what_another_program_makes_of_the_figures() {
    let mut host = start("");
    assert_eq!(answered(&mut host, &[]), bytes(ANSWERED));
    assert_eq!((host.counter("reflected"), host.counter("bad_hmac")), (1, 0));
    // The key in digits.
    let digits: String = KEY.bytes().map(|digit| format!("{digit:02x}")).collect();
    let mut host: Host<StampReflector> =
        Host::start(&format!(r#"{{"key_format": "hex", "secrets": {{"stamp": "{digits}"}}}}"#)).unwrap();
    host.set_time(5_000_000_500);
    assert_eq!(answered(&mut host, &[]), bytes(ANSWERED));
}

#[test]
fn what_is_not_authenticated_is_dropped() {
    let mut host = start("");
    let good = asked(&[]);
    for bit in 0..BASE * 8 {
        let mut packet = good.clone();
        packet[AT + bit / 8] ^= 1 << (bit % 8);
        mend(&mut packet);
        let out = host.process([packet.clone()]);
        assert!(out[0].verdict.is_drop() && out[0].bytes == packet, "{bit}");
    }
    assert_eq!((host.counter("bad_hmac"), host.counter("reflected")), (BASE as u64 * 8, 0));
    // Another key; a packet without HMAC; one that is cut, and TWAMP's.
    let mut other: Host<StampReflector> =
        Host::start(&format!(r#"{{"secrets": {{"stamp": "{}"}}}}"#, KEY.replace("30", "31"))).unwrap();
    assert!(other.process([good.clone()])[0].verdict.is_drop());
    assert_eq!(other.counter("bad_hmac"), 1);
    for len in [14, 44, BASE - 1] {
        let mut short = good[..AT + len].to_vec();
        mend(&mut short);
        assert!(host.process([short])[0].verdict.is_drop());
    }
    assert_eq!((host.counter("short"), host.counter("twamp")), (3, 0));
}

#[test]
fn extensions_are_answered_where_they_are_proven() {
    let mut host = start("");
    let rest =
        [&REPORT[..], &extension(tlv::HMAC, &bytes(REPORT_ASKED)), &extension(tlv::EXTRA_PADDING, &[9; 5])].concat();
    let back = answered(&mut host, &rest);
    assert_eq!(back[..BASE], bytes(ANSWERED));
    let mut expected = [&REPORT[..], &extension(tlv::HMAC, &bytes(REPORT_ANSWERED)), &extension(1, &[9; 5])].concat();
    for at in [0, 8, 28] {
        expected[at] = 0;
    }
    assert_eq!(back[BASE..], expected);
    assert_eq!((host.counter("extensions"), host.counter("bad_integrity")), (3, 0));
    // With a number of its own the answer's proof is another.
    let mut host = start(r#", "mode": "stateful""#);
    let back = answered(&mut host, &rest);
    assert_eq!(back[BASE + 12..BASE + 28], bytes(REPORT_ANSWERED_0));
}

#[test]
fn extensions_that_are_not_proven_come_back_with_that() {
    let proof = extension(tlv::HMAC, &bytes(REPORT_ASKED));
    let mut wrong = proof.clone();
    wrong[19] ^= 1;
    let padding = extension(tlv::EXTRA_PADDING, &[9; 5]);
    let cases: [Vec<&[u8]>; 8] = [
        vec![&REPORT],
        vec![&REPORT, &wrong],
        vec![&padding, &REPORT, &proof],
        vec![&proof, &REPORT],
        vec![&REPORT, &proof, &REPORT],
        vec![&REPORT, &proof, &proof],
        vec![&padding, &padding],
        vec![&REPORT, &[0x80, tlv::HMAC, 0, 2, 1, 2]],
    ];
    for parts in &cases {
        let mut host = start("");
        let rest = parts.concat();
        let back = answered(&mut host, &rest);
        assert_eq!(back[..BASE], bytes(ANSWERED), "the base is vouched for by itself");
        let mut expected = rest.clone();
        let mut at = 0;
        for part in parts {
            expected[at] = tlv::INTEGRITY;
            at += part.len();
        }
        assert_eq!(back[BASE..], expected, "{parts:x?}");
        assert_eq!((host.counter("bad_integrity"), host.counter("extensions")), (1, 0));
    }
    // One that is cut off; then padding alone, and what is no extension, which need no proof.
    let mut host = start("");
    let mut cut = REPORT.to_vec();
    cut[3] = 9;
    assert_eq!(answered(&mut host, &cut)[BASE], tlv::INTEGRITY | tlv::MALFORMED);
    assert_eq!(answered(&mut host, &padding)[BASE], 0);
    assert_eq!(answered(&mut host, &[0; 30])[BASE..], [0; 30]);
    assert_eq!(host.counter("bad_integrity"), 1);
}

#[test]
fn every_cut_and_every_bit_is_survived() {
    let mut host = start(r#", "mode": "stateful""#);
    let good = asked(&[&REPORT[..], &extension(tlv::HMAC, &bytes(REPORT_ASKED))].concat());
    for len in 14..good.len() {
        host.process([good[..len].to_vec()]);
    }
    for bit in 0..good.len() * 8 {
        let mut packet = good.clone();
        packet[bit / 8] ^= 1 << (bit % 8);
        host.process([packet.clone()]);
        let _ = checksum::fill(&mut packet);
        host.process([packet]);
    }
}

#[test]
fn keys_are_refused() {
    let cases = [
        (r#"{"key_format": "hex"}"#.to_owned(), "key_format"),
        (r#"{"secrets": {"stamp": "00112233"}}"#.to_owned(), "16 to 128 bytes"),
        (format!(r#"{{"key_format": "hex", "secrets": {{"stamp": "{}"}}}}"#, "7a".repeat(64)), "no hexadecimal digits"),
        (format!(r#"{{"secrets": {{"stamp": "{}"}}}}"#, "00".repeat(129)), "16 to 128 bytes"),
        (format!(r#"{{"secrets": {{"stamp": "{}"}}}}"#, "00".repeat(300)), "too long"),
        (format!(r#"{{"secrets": {{"key": "{KEY}"}}}}"#), "unknown key \"key\"; known: stamp"),
    ];
    for (config, expected) in cases {
        let error = Host::<StampReflector>::start(&config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected) && !error.contains("0011"), "{config}: {error}");
    }
}
