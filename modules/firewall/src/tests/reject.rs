//! Answers to rejected packets.

use super::build::{ACK, FIN, Frame, RST, SYN, echo, error, icmp, tcp, tcp_numbered, udp};
use super::{one, start};
use crate::Firewall;
use perigee_guest::Verdict;
use perigee_guest::testing::Host;
use perigee_guest::wire::{Ethernet, Header as _, Icmp, Icmpv6, Ipv4, Ipv6, Layers, Tcp, checksum};

fn rejecting() -> Host<Firewall> {
    start("", &[r#"{"action":"reject"}"#])
}

/// The answer, whose checksums are right and whose lengths agree.
fn answer(host: &mut Host<Firewall>, frame: &Frame) -> Vec<u8> {
    let output = one(host, frame);
    assert_eq!(output.verdict, Verdict::tx(frame.port), "{frame:x?}");
    assert!(checksum::check(&output.bytes).is_ok(), "{:x?}", output.bytes);
    let mut layers = Layers::new(&output.bytes);
    let last = layers.by_ref().last().unwrap();
    assert!(!layers.is_malformed() && last.whole().end == output.bytes.len());
    let (sent, back) = (Ethernet::parse(&frame.bytes).unwrap(), Ethernet::parse(&output.bytes).unwrap());
    assert_eq!((back.source(), back.destination()), (sent.destination(), sent.source()));
    output.bytes
}

#[test]
fn tcp_is_reset() {
    let mut host = rejecting();
    // Without an acknowledgment the answer acknowledges what came.
    let reset = answer(&mut host, &tcp_numbered("10.0.0.1:5", "10.0.0.2:80", SYN, (77, 9)));
    let ip = Ipv4::parse(&reset[14..]).unwrap();
    assert_eq!((ip.source(), ip.destination()), ([10, 0, 0, 2].into(), [10, 0, 0, 1].into()));
    let tcp = Tcp::parse(ip.payload).unwrap();
    assert_eq!((tcp.source_port(), tcp.destination_port()), (80, 5));
    assert_eq!((tcp.sequence(), tcp.acknowledgment(), tcp.rst(), tcp.ack()), (0, 78, true, true));
    let reset = answer(&mut host, &tcp_numbered("[2001:db8::1]:5", "[2001:db8::2]:80", FIN | ACK, (77, 9)).by_b());
    let ip = Ipv6::parse(&reset[14..]).unwrap();
    let tcp = Tcp::parse(ip.payload).unwrap();
    assert_eq!((tcp.sequence(), tcp.acknowledgment(), tcp.rst(), tcp.ack()), (9, 0, true, false));
    assert_eq!(host.counter("rejected.reset"), 2);
}

#[test]
fn others_get_an_error_that_quotes_them() {
    let mut host = rejecting();
    let sent = udp("10.0.0.1:5", "10.0.0.2:53").tagged(9);
    let bytes = answer(&mut host, &sent);
    let ip = Ipv4::parse(&bytes[18..]).unwrap();
    let icmp = Icmp::parse(ip.payload).unwrap();
    assert_eq!((icmp.kind(), icmp.code(), &icmp.payload[4..]), (3, 3, &sent.bytes[18..]));
    let sent = echo("2001:db8::1", "2001:db8::2", 128, 3);
    let bytes = answer(&mut host, &sent);
    let ip = Ipv6::parse(&bytes[14..]).unwrap();
    let icmp = Icmpv6::parse(ip.payload).unwrap();
    assert_eq!((icmp.kind(), icmp.code(), &icmp.payload[4..]), (1, 4, &sent.bytes[14..]));
    assert_eq!(host.counter("rejected.unreachable"), 2);
}

#[test]
fn errors_are_no_longer_than_they_may_be() {
    let mut host = rejecting();
    for (sent, longest) in [
        (icmp("10.0.0.1", "10.0.0.2", 8, 0, &[7; 1_400]), 576),
        (icmp("2001:db8::1", "2001:db8::2", 128, 0, &[7; 1_400]), 1_280),
    ] {
        assert_eq!(answer(&mut host, &sent).len(), 14 + longest);
    }
}

#[test]
fn rules_say_with_what() {
    for (with, v4, v6) in
        [("net-unreachable", 0, 0), ("host-unreachable", 1, 3), ("port-unreachable", 3, 4), ("admin-prohibited", 13, 1)]
    {
        let mut host = start("", &[&format!(r#"{{"action":"reject","with":"{with}"}}"#)]);
        let bytes = answer(&mut host, &tcp("10.0.0.1:5", "10.0.0.2:80", SYN));
        assert_eq!(bytes[34..36], [3, v4], "{with}");
        let bytes = answer(&mut host, &udp("[2001:db8::1]:5", "[2001:db8::2]:80"));
        assert_eq!(bytes[54..56], [1, v6], "{with}");
    }
}

#[test]
fn who_may_not_be_answered_is_not() {
    let sent = udp("10.0.0.2:5", "10.0.0.1:53");
    let plain = || udp("10.0.0.1:5", "10.0.0.2:53");
    let silent = [
        tcp("10.0.0.1:5", "10.0.0.2:80", RST),
        tcp("[2001:db8::1]:5", "[2001:db8::2]:80", RST | ACK),
        error("10.0.0.1", "10.0.0.2", 3, 3, &sent),
        icmp("10.0.0.1", "10.0.0.2", 5, 0, &[0; 32]),
        icmp("2001:db8::1", "2001:db8::2", 2, 0, &[0; 48]),
        udp("10.0.0.1:5", "224.0.0.1:53"),
        udp("10.0.0.1:5", "255.255.255.255:53"),
        udp("0.0.0.0:68", "10.0.0.2:67"),
        udp("127.0.0.1:5", "10.0.0.2:53"),
        udp("[::]:5", "[2001:db8::2]:53"),
        udp("[2001:db8::1]:5", "[ff02::1]:53"),
        plain().with(0, &[1, 0, 0x5e, 0, 0, 1]),
        plain().with(0, &[0xff; 6]),
        // Damaged on its way: in the header, and behind it.
        Frame { bytes: [&plain().bytes[..24], &[1], &plain().bytes[25..]].concat(), port: 0 },
        Frame { bytes: [&plain().bytes[..45], &[9]].concat(), port: 0 },
    ];
    let mut host = rejecting();
    for frame in &silent {
        assert!(one(&mut host, frame).verdict.is_drop(), "{frame:x?}");
    }
    assert_eq!(host.counter("rejected.unanswered"), silent.len() as u64);
}

#[test]
fn answers_are_limited() {
    let mut host = start(r#""reject_rate":{"per_second":1,"burst":2}"#, &[r#"{"action":"reject"}"#]);
    let sent = udp("10.0.0.1:5", "10.0.0.2:53");
    let verdicts = [0; 4].map(|_| one(&mut host, &sent).verdict.is_drop());
    assert_eq!((verdicts, host.counter("rejected.limited")), ([false, false, true, true], 2));
}
