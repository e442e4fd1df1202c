//! The counter in a test host.

use super::*;
use perigee_guest::testing::{Host, Input};
use perigee_guest::wire::protocol;

/// A frame of this EtherType with a payload.
fn frame(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    bytes.extend(ether_type.to_be_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

fn ipv4(protocol: u8, fragment: u16) -> Vec<u8> {
    let mut ip = vec![0; 28];
    (ip[0], ip[3], ip[9]) = (0x45, 28, protocol);
    ip[6..8].copy_from_slice(&fragment.to_be_bytes());
    frame(0x0800, &ip)
}

fn ipv6(next_header: u8) -> Vec<u8> {
    let mut ip = vec![0; 48];
    (ip[0], ip[5], ip[6], ip[40]) = (0x60, 8, next_header, protocol::UDP);
    frame(0x86dd, &ip)
}

fn tagged(mut frame: Vec<u8>) -> Vec<u8> {
    frame.splice(12..12, [0x81, 0, 0, 7]);
    frame
}

/// The classes in which these packets were counted.
fn counted(packets: Vec<Input>) -> Vec<(&'static str, u64)> {
    let mut host = Host::<Count>::start("").unwrap();
    host.process(packets);
    let count = |class: Class| (class.name(), host.counter(&format!("{}.packets", class.name())));
    Class::ALL.map(count).into_iter().filter(|(_, packets)| *packets > 0).collect()
}

#[test]
fn packets_go_on_or_are_dropped() {
    for (config, verdict) in [("", Verdict::NEXT), (r#"{"then": "drop"}"#, Verdict::DROP)] {
        let mut host = Host::<Count>::start(config).unwrap();
        let out = host.process([ipv4(17, 0), vec![1; 3]]);
        assert!(out.iter().all(|o| o.verdict == verdict));
        assert_eq!(out[0].bytes, ipv4(17, 0));
        assert_eq!((host.counter("packets"), host.counter("bytes")), (2, 63));
        assert_eq!((host.counter("udp.packets"), host.counter("udp.bytes")), (1, 60));
    }
    let error = Host::<Count>::start(r#"{"then": "tx"}"#).map(|_| ()).unwrap_err();
    assert_eq!(error, "then: unknown word \"tx\"; known: next, drop");
}

#[test]
fn every_protocol_has_its_class() {
    let cases = [(6, "tcp"), (17, "udp"), (1, "icmp"), (58, "icmpv6"), (132, "sctp"), (47, "other_proto")];
    for (number, name) in cases {
        assert_eq!(counted(vec![ipv4(number, 0).into()]), [("ipv4", 1), (name, 1)]);
        assert_eq!(counted(vec![ipv6(number).into()]), [("ipv6", 1), (name, 1)]);
        assert_eq!(counted(vec![tagged(ipv4(number, 0)).into()]), [("ipv4", 1), ("vlan", 1), (name, 1)]);
    }
    assert_eq!(counted(vec![frame(0x0806, &[]).into()]), [("arp", 1)]);
    assert_eq!(counted(vec![frame(0x88cc, &[]).into()]), [("other_type", 1)]);
}

#[test]
fn fragments_groups_and_tags_are_seen() {
    // The first fragment has only "more fragments", the last only an offset; "don't fragment" is none.
    for (bits, fragment) in [(0x2000, true), (0x0001, true), (0x4000, false)] {
        let classes = counted(vec![ipv4(17, bits).into()]);
        assert_eq!(classes.contains(&("fragment", 1)), fragment, "{bits:#x}");
    }
    // A fragment header alone makes no part of a packet: "more fragments", an offset.
    for (at, value, fragment) in [(43, 0, false), (43, 1, true), (43, 8, true), (42, 1, true), (43, 6, false)] {
        let mut packet = ipv6(44);
        packet[14 + at] = value;
        let expected = [("ipv6", 1), ("udp", 1), ("fragment", 1)];
        assert_eq!(counted(vec![packet.into()]), expected[..2 + usize::from(fragment)], "byte {at} is {value}");
    }
    let mut group = frame(0x0806, &[]);
    group[..6].fill(0xff);
    assert_eq!(counted(vec![group.clone().into()]), [("arp", 1), ("broadcast", 1)]);
    group[1] = 0;
    assert_eq!(counted(vec![Input::new(&group).vlan(5)]), [("arp", 1), ("vlan", 1), ("multicast", 1)]);
}

#[test]
fn extension_headers_are_walked_over() {
    // IPv6 with so many words of eight bytes behind its header.
    let packet = |first: u8, words: &[[u8; 8]]| {
        let mut ip = ipv6(first)[14..54].to_vec();
        ip[5] = u8::try_from(8 * words.len()).unwrap();
        ip.extend(words.concat());
        frame(0x86dd, &ip)
    };
    let udp = [0, 9, 0, 9, 0, 8, 0, 0];
    for number in [0, 43, 60, 135, 139, 140, 253, 254] {
        let words = [[protocol::DESTINATION_OPTIONS, 1, 0, 0, 0, 0, 0, 0], [0; 8], [17, 0, 0, 0, 0, 0, 0, 0], udp];
        assert_eq!(counted(vec![packet(number, &words).into()]), [("ipv6", 1), ("udp", 1)], "{number}");
    }
    // In a packet of AH; nothing behind; cut off.
    assert_eq!(counted(vec![packet(51, &[[17, 3, 0, 0, 0, 0, 0, 0], [0; 8]]).into()]), [("ipv6", 1), ("malformed", 1)]);
    let ah = [[17, 2, 0, 0, 0, 0, 0, 0], [0; 8], udp];
    assert_eq!(counted(vec![packet(51, &ah).into()]), [("ipv6", 1), ("udp", 1)]);
    assert_eq!(counted(vec![packet(60, &[[59, 0, 0, 0, 0, 0, 0, 0]]).into()]), [("ipv6", 1), ("other_proto", 1)]);
    assert_eq!(counted(vec![packet(60, &[[17, 1, 0, 0, 0, 0, 0, 0]]).into()]), [("ipv6", 1), ("malformed", 1)]);
}

#[test]
fn what_contradicts_itself_is_malformed() {
    let (mut four, mut six) = (ipv4(17, 0), ipv6(17));
    (four[17], six[19]) = (0, 0);
    assert_eq!(counted(vec![four.into()]), [("ipv4", 1), ("malformed", 1)]);
    assert_eq!(counted(vec![six.into()]), [("ipv6", 1), ("malformed", 1)]);

    let mut short = ipv4(17, 0);
    short[17] = 200;
    assert_eq!(counted(vec![short.into()]), [("ipv4", 1), ("malformed", 1)]);
    assert_eq!(counted(vec![Input::new(&[1; 13])]), [("malformed", 1)]);
    let cut = tagged(frame(0x0800, &[]))[..17].to_vec();
    assert_eq!(counted(vec![cut.into()]), [("vlan", 1), ("malformed", 1)]);
}

#[test]
fn sizes_are_those_of_rfc_2819() {
    let mut host = Host::<Count>::start("").unwrap();
    let sizes = [60, 61, 123, 124, 251, 252, 507, 508, 1019, 1020, 1514, 1515];
    host.process(sizes.map(|len| vec![0; len]));
    assert_eq!(SIZE_NAMES.map(|name| host.counter(name)), [1, 2, 2, 2, 2, 2, 1]);
}
