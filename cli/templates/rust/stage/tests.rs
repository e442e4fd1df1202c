//! The module in a test host, which is as strict as the real one. test.sh runs the cases of cases.toml as well.

use super::*;
use perigee_guest::Verdict;
use perigee_guest::testing::Host;
use perigee_guest::wire::{Stack as _, Udp};

perigee_guest::stack! {
    struct Headers {
        eth: Ethernet,
        ip: Ipv4,
        udp: Udp,
    }
}

/// A UDP packet of 60 bytes.
fn packet(ttl: u8) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    Headers::fill(&mut bytes, |headers| headers.ip.set_ttl(ttl)).unwrap();
    bytes
}

#[test]
fn a_hop_is_taken_and_the_checksum_follows() {
    let mut host = Host::<Hop>::start("").unwrap();
    let out = host.process([packet(64), packet(2)]);
    for (out, ttl) in out.iter().zip([63, 1]) {
        assert_eq!(out.verdict, Verdict::NEXT);
        assert_eq!(out.bytes, packet(ttl));
    }
    assert_eq!((host.counter("packets"), host.counter("bytes"), host.counter("forwarded")), (2, 120, 2));
}

#[test]
fn a_packet_without_hops_is_dropped() {
    let mut host = Host::<Hop>::start(r#"{"hops": 5}"#).unwrap();
    let out = host.process([packet(5), packet(6)]);
    assert!(out[0].verdict.is_drop());
    assert_eq!((out[1].verdict, out[1].bytes[22]), (Verdict::NEXT, 1));
    assert_eq!((host.counter("forwarded"), host.counter("expired")), (1, 1));
}

#[test]
fn other_packets_stay_as_they_are() {
    let mut host = Host::<Hop>::start("").unwrap();
    let mut arp = packet(64);
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let out = host.process([arp.clone(), vec![0; 14]]);
    assert_eq!((out[0].verdict, &out[0].bytes), (Verdict::NEXT, &arp));
    assert_eq!((out[1].verdict, &out[1].bytes), (Verdict::NEXT, &vec![0; 14]));
    assert_eq!(host.counter("forwarded"), 0);
}

#[test]
fn what_cannot_be_is_refused() {
    for (config, text) in [
        (r#"{"hops": 0}"#, "hops: 0 would change nothing; 1 or more"),
        (r#"{"hop": 1}"#, "unknown key \"hop\"; known: hops"),
    ] {
        assert_eq!(Host::<Hop>::start(config).map(|_| ()).unwrap_err(), text);
    }
}
