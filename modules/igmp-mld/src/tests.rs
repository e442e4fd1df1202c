//! The host in a test host: what it says, and what it makes of queries.

use super::*;
use perigee_guest::testing::{Host, Input, Run};
use perigee_guest::wire::{Ethernet, Header as _, Icmpv6, Igmp, Ipv4, Ipv6, Layers, checksum};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const G4: &str = "239.1.2.3";
const G6: &str = "ff05::1:3";

fn host(config: &str) -> Host<Listener> {
    Host::start(config).unwrap()
}

fn tick(host: &mut Host<Listener>, now: u64) -> Vec<Vec<u8>> {
    host.set_time(now);
    host.tick();
    host.outputs().iter().map(|output| output.bytes.clone()).collect()
}

/// All that is said from one time to another, in steps of 10 ms.
fn said(host: &mut Host<Listener>, from: u64, to: u64) -> Vec<(u64, Vec<u8>)> {
    let times = (from..to).step_by(10_000_000);
    times.flat_map(|now| tick(host, now).into_iter().map(move |frame| (now, frame))).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn ipv4(message: &[u8]) -> Vec<u8> {
    let mut frame = hex("01005e000001 020000000099 0800 46c00000 00000000 01020000 0a000001 e0000001 94040000");
    frame.extend_from_slice(message);
    frame[17] = u8::try_from(frame.len() - 14).unwrap();
    let _ = checksum::fill(&mut frame);
    frame.resize(frame.len().max(60), 0);
    frame
}

fn ipv6(message: &[u8]) -> Vec<u8> {
    let mut frame = hex("333300000001 020000000099 86dd 60000000 0000 00 01");
    frame.extend_from_slice(&hex("fe800000000000000000000000000099 ff020000000000000000000000000001 3a00050200000100"));
    frame.extend_from_slice(message);
    frame[19] = u8::try_from(frame.len() - 54).unwrap();
    checksum::fill(&mut frame).unwrap();
    frame
}

fn query4(version: u8, code: u8, group: [u8; 4]) -> Vec<u8> {
    let tail: &[u8] = if version == 3 { &[2, 125, 0, 0] } else { &[] };
    ipv4(&[&[Igmp::QUERY, code, 0, 0][..], &group, tail].concat())
}

fn query6(version: u8, code: u16, group: &str) -> Vec<u8> {
    let tail: &[u8] = if version == 2 { &[2, 125, 0, 0] } else { &[] };
    let group: core::net::Ipv6Addr = group.parse().unwrap();
    let code = code.to_be_bytes();
    ipv6(&[&[Icmpv6::MLD_QUERY, 0, 0, 0, code[0], code[1], 0, 0][..], &group.octets(), tail].concat())
}

fn names(frame: &[u8]) -> Vec<&'static str> {
    assert_eq!(checksum::check(frame), Ok(()));
    Layers::new(frame).map(|place| place.name()).collect()
}

#[test]
fn joins_are_as_the_rfcs_want_them() {
    let cases = [
        (
            G4,
            r#""igmp": 3"#,
            "01005e000016 020000000011 0800 46c00028 00000000 01020000 00000000 e0000016 94040000
             2200 0000 0000 0001 04000000 ef010203 000000000000",
        ),
        (
            G4,
            r#""igmp": 2, "source": "10.0.0.2""#,
            "01005e010203 020000000011 0800 46c00020 00000000 01020000 0a000002 ef010203 94040000
             1600 0000 ef010203 0000000000000000000000000000",
        ),
        (
            G6,
            r#""mld": 2"#,
            "333300000016 020000000011 86dd 60000000 0024 00 01 fe80000000000000000000fffe000011
             ff020000000000000000000000000016 3a00 050200000100 8f00 0000 0000 0001
             04000000 ff050000000000000000000000010003",
        ),
        (
            G6,
            r#""mld": 1"#,
            "333300010003 020000000011 86dd 60000000 0020 00 01 fe80000000000000000000fffe000011
             ff050000000000000000000000010003 3a00 050200000100 8300 0000 0000 0000
             ff050000000000000000000000010003",
        ),
    ];
    for (group, version, expected) in cases {
        let mut host = host(&format!(r#"{{"groups": ["{group}"], {version}}}"#));
        let frames = tick(&mut host, MS);
        let mut expected = hex(expected);
        checksum::fill(&mut expected).unwrap();
        assert_eq!(frames, [expected], "{group} {version}");
        assert_eq!(host.outputs()[0].verdict, Verdict::tx(1));
        names(&frames[0]);
    }
}

#[test]
fn a_change_is_told_twice_and_all_is_left_at_the_end() {
    let mut host = host(r#"{"groups": ["239.1.2.3", "ff05::1:3"], "leave_ms": 30000}"#);
    let joins = said(&mut host, 0, 30 * SECOND);
    assert_eq!((joins.len(), host.counter("joins")), (4, 4));
    assert!(joins.iter().all(|(time, _)| *time <= SECOND + 10 * MS));
    let leaves = said(&mut host, 30 * SECOND, 60 * SECOND);
    assert_eq!((leaves.len(), host.counter("leaves")), (4, 4));
    // "To include", nothing.
    assert_eq!(leaves[0].1[14 + 24 + 8], 3);
    assert!(said(&mut host, 60 * SECOND, 90 * SECOND).is_empty());
    host.process([query4(3, 10, [0; 4])]);
    assert!(said(&mut host, 90 * SECOND, 95 * SECOND).is_empty());
}

#[test]
fn general_queries_are_answered_in_time() {
    for (query, newest) in [
        (query4(3, 20, [0; 4]), "IGMPv3 record"),
        (query4(2, 20, [0; 4]), "IGMP group"),
        (query4(1, 0, [0; 4]), "IGMP group"),
    ] {
        let mut host = host(r#"{"groups": ["239.1.2.3", "239.1.2.4", "ff05::1:3"]}"#);
        said(&mut host, 0, 5 * SECOND);
        assert!(host.process([query.clone()])[0].verdict.is_drop());
        let answers = said(&mut host, 5 * SECOND, 20 * SECOND);
        assert_eq!((answers.len(), host.counter("answers"), host.counter("queries")), (2, 2, 1));
        let within = if query[39] == 0 { 10 } else { 2 };
        assert!(answers.iter().all(|(time, _)| *time <= 5 * SECOND + within * SECOND));
        assert_eq!(names(&answers[0].1).last(), Some(&newest));
    }
    for (query, newest) in [(query6(2, 2_000, "::"), "MLDv2 record"), (query6(1, 2_000, "::"), "MLD")] {
        let mut host = host(r#"{"groups": ["239.1.2.3", "ff05::1:3", "ff02::fb"]}"#);
        said(&mut host, 0, 5 * SECOND);
        host.process([query]);
        let answers = said(&mut host, 5 * SECOND, 20 * SECOND);
        assert_eq!((answers.len(), names(&answers[0].1).last()), (2, Some(&newest)));
        assert!(answers.iter().all(|(time, _)| *time <= 7 * SECOND + 10 * MS));
    }
}

#[test]
fn a_query_for_a_group_is_answered_for_that_group() {
    let mut host = host(r#"{"groups": ["239.1.2.3", "239.1.2.4", "ff05::1:3"]}"#);
    said(&mut host, 0, 5 * SECOND);
    host.process([query4(3, 10, [239, 1, 2, 4]), query4(3, 10, [239, 9, 9, 9])]);
    let answers = said(&mut host, 5 * SECOND, 10 * SECOND);
    assert_eq!((answers.len(), &answers[0].1[50..54]), (1, &[239, 1, 2, 4][..]));
    host.process([query6(2, 1_000, G6)]);
    assert_eq!(said(&mut host, 10 * SECOND, 15 * SECOND).len(), 1);
}

#[test]
fn an_older_querier_is_spoken_with_in_its_version() {
    let mut host = host(r#"{"groups": ["239.1.2.3"]}"#);
    said(&mut host, 0, 5 * SECOND);
    host.process([query4(2, 10, [0; 4])]);
    // Another host answers first: ours is spared.
    host.process([ipv4(&[Igmp::REPORT_2, 0, 0, 0, 239, 1, 2, 3])]);
    assert!(said(&mut host, 5 * SECOND, 10 * SECOND).is_empty());
    assert_eq!((host.counter("reports_heard"), host.counter("spared")), (1, 1));
    assert_eq!(host.message(b"leave 239.1.2.3").unwrap(), b"ok");
    let leave = tick(&mut host, 11 * SECOND);
    assert_eq!(
        (names(&leave[0]).last(), leave[0][38], &leave[0][30..34]),
        (Some(&"IGMP group"), Igmp::LEAVE, &[224, 0, 0, 2][..])
    );
    // 260 seconds later it is forgotten.
    host.message(b"join 239.1.2.3").unwrap();
    assert_eq!(names(&tick(&mut host, 270 * SECOND)[0]).last(), Some(&"IGMPv3 record"));
    // Version 1 has no word for leaving.
    let mut old = self::host(r#"{"groups": ["239.1.2.3"], "igmp": 1}"#);
    said(&mut old, 0, 30 * SECOND);
    old.message(b"leave 239.1.2.3").unwrap();
    assert!(said(&mut old, 30 * SECOND, 40 * SECOND).is_empty());
    assert_eq!(old.counter("leaves"), 0);
}

#[test]
fn in_the_newest_version_each_answers_for_itself() {
    let mut host = host(r#"{"groups": ["ff05::1:3"]}"#);
    said(&mut host, 0, 5 * SECOND);
    host.process([query6(2, 1_000, "::")]);
    let group: core::net::Ipv6Addr = G6.parse().unwrap();
    host.process([ipv6(&[&[Icmpv6::MLD_REPORT, 0, 0, 0, 0, 0, 0, 0][..], &group.octets()].concat())]);
    assert_eq!(said(&mut host, 5 * SECOND, 10 * SECOND).len(), 1);
    assert_eq!(host.counter("spared"), 0);
}

#[test]
fn groups_come_and_go_by_message() {
    let mut host = host("");
    assert!(tick(&mut host, MS).is_empty());
    host.message(b"join ff05::1:3").unwrap();
    assert_eq!(tick(&mut host, 2 * MS).len(), 1);
    host.message(b"leave ff05::1:3").unwrap();
    assert_eq!(tick(&mut host, 3 * MS).len(), 1);
    for (message, expected) in [
        (&b"leave ff05::1:3"[..], "not a group that is listened to"),
        (b"join 10.0.0.1", "only multicast groups"),
        (b"join", "known messages"),
        (b"mute ff05::1:3", "known messages"),
        (b"\xff\xff", "known messages"),
    ] {
        let error = host.message(message).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let mut host = self::host("");
    for number in 0..64 {
        host.message(format!("join 239.0.0.{number}").as_bytes()).unwrap();
    }
    assert!(host.message(b"join 239.0.0.64").unwrap_err().contains("64 groups"));
    assert_eq!(tick(&mut host, MS).len(), 8, "the test host has 8 spares");
    assert_eq!(host.counter("no_room"), 1);
    assert_eq!(said(&mut host, 2 * MS, 20 * SECOND).len(), 64 * 2 - 8);
    // A group that is left before anybody knew of it is not spoken of, and its place is free again.
    let mut host = self::host(r#"{"groups": ["239.1.2.3"], "join_ms": 1000}"#);
    host.message(b"leave 239.1.2.3").unwrap();
    assert!(said(&mut host, 0, 5 * SECOND).is_empty());
}

#[test]
fn what_is_wrong_is_counted_and_the_rest_goes_its_way() {
    let mut host = host(r#"{"groups": ["239.1.2.3", "ff05::1:3"], "other": "next"}"#);
    let spoil = |mut frame: Vec<u8>, at: usize, to: u8| {
        frame[at] = to;
        frame
    };
    let bad = [
        spoil(query4(3, 10, [0; 4]), 40, 0x55),          // wrong checksum
        query4(2, 10, [10, 0, 0, 1]),                    // no group
        ipv4(&[Igmp::QUERY, 10, 0, 0, 0, 0, 0]),         // cut off
        ipv4(&[Igmp::QUERY, 1, 0, 0, 0, 0, 0, 0, 0, 0]), // neither version 2 nor 3
        spoil(query6(2, 10, "::"), 21, 64),              // from a router far away
        spoil(query6(2, 10, "::"), 22, 0x20),            // not from this link
    ];
    let count = bad.len() as u64;
    assert!(host.process(bad).iter().all(|out| out.verdict.is_drop()));
    assert_eq!((host.counter("malformed"), host.counter("queries")), (count, 0));
    let udp = spoil(query4(3, 10, [0; 4]), 23, 17);
    let echo = spoil(query6(2, 10, "::"), 62, 128);
    let out = host.process([udp, echo, vec![0xff; 14], vec![0x81; 60]]);
    assert!(out.iter().all(|out| out.verdict == Verdict::NEXT));
    assert_eq!(host.counter("other"), 4);
    // Tagged ones count.
    let mut tagged = query4(3, 10, [0; 4]);
    tagged.splice(12..12, [0x81, 0, 0, 5]);
    host.process([tagged]);
    assert_eq!(host.counter("queries"), 1);
}

#[test]
fn every_cut_and_every_bit_is_survived() {
    for good in [query4(3, 0xff, [0; 4]), query6(2, 0xffff, "::"), query4(2, 10, [239, 1, 2, 3]), query6(1, 10, G6)] {
        let mut host = host(r#"{"groups": ["239.1.2.3", "ff05::1:3"]}"#);
        for len in 14..good.len() {
            host.process([good[..len].to_vec()]);
        }
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            host.process([Input::new(&bytes)]);
            // Right checksums for wrong contents.
            let _ = checksum::fill(&mut bytes);
            host.process([Input::new(&bytes)]);
        }
        tick(&mut host, u64::MAX);
    }
}

#[test]
fn frames_are_sent_from_the_configured_station() {
    let config = r#"{"groups": ["ff05::1:3", "239.1.2.3"], "mac": "02:00:00:00:00:07", "source6": "fe80::7", "source": "10.0.0.7", "port": 2}"#;
    let mut host = Host::<Listener>::start_in(Run::default(), config).unwrap();
    let frames = tick(&mut host, MS);
    assert_eq!(Ethernet::parse(&frames[0]).unwrap().source().0[5], 7);
    assert_eq!(Ipv6::parse(&frames[0][14..]).unwrap().source().octets()[15], 7);
    assert_eq!(Ipv4::parse(&frames[1][14..]).unwrap().source().octets(), [10, 0, 0, 7]);
    assert_eq!(host.outputs()[0].verdict, Verdict::tx(2));
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"groups": ["10.0.0.1"]}"#, "groups"),
        (r#"{"groups": ["224.0.0.1"]}"#, "groups"),
        (r#"{"groups": ["ff02::1"]}"#, "groups"),
        (r#"{"groups": ["ff01::5"]}"#, "groups"),
        (r#"{"igmp": 4}"#, "igmp"),
        (r#"{"mld": 3}"#, "mld"),
        (r#"{"robustness": 0}"#, "robustness"),
        (r#"{"source6": "2001:db8::1"}"#, "source6"),
        (r#"{"source": "224.0.0.1"}"#, "source"),
        (r#"{"mac": "01:00:00:00:00:00"}"#, "mac"),
        (r#"{"port": 9}"#, "port"),
        (r#"{"channels": []}"#, "channels"),
    ];
    for (config, expected) in cases {
        let error = Host::<Listener>::start(config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
