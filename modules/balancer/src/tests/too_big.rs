//! Senders are told what does not fit, where they may be.

use super::*;
use perigee_guest::wire::{Header as _, Icmp, IcmpUnreachable, Icmpv6, Icmpv6Error, checksum};

const SERVICE4: &str = r#"{"address": "192.0.2.1", "protocol": "tcp", "port": 80, "forward": "ipip"}"#;
const SERVICE6: &str = r#"{"address": "2001:db8::1", "protocol": "tcp", "port": 80, "forward": "geneve"}"#;
const UDP: &str = r#"{"address": "192.0.2.1", "protocol": "udp", "port": 80, "forward": "ipip"}"#;

/// A tunnel over IPv4, on a way of 1,500 bytes: 1,480 for IPv4 in IPv4, 1,464 in GENEVE.
fn host(more: &str) -> Host<Balancer> {
    let config = format!(
        r#"{{"backends": [{{"name": "s", "mac": "02:00:00:00:01:01", "address": "10.9.0.1"}}], "source4": "10.9.0.254",
            "services": [{SERVICE4}, {SERVICE6}, {UDP}]{more}}}"#
    );
    Host::start(&config).unwrap()
}

#[test]
fn what_just_fits_is_sent() {
    let mut host = host("");
    let out = host.process([tcp_of(1, ACK, 1_480 - 40), tcp6(1, ACK, 1_464 - 60)]);
    assert!(out.iter().all(|out| backend(out) == Some(1) && out.bytes.len() == 1_514));
}

#[test]
fn fragmentation_needed() {
    let mut host = host("");
    let frame = tcp_of(1, ACK, 1_481 - 40);
    let out = host.process([frame.clone()]).remove(0);
    assert_eq!((out.verdict, checksum::check(&out.bytes)), (Verdict::tx(0), Ok(())));
    assert_eq!((&out.bytes[..6], &out.bytes[6..12]), (&CLIENT.0[..], &OWN.0[..]));
    let ip = Ipv4::parse(&out.bytes[14..]).unwrap();
    assert_eq!((ip.source(), ip.destination()), ([192, 0, 2, 1].into(), [10, 0, 0, 0].into()));
    assert_eq!(ip.total_length(), 576);
    let icmp = Icmp::parse(ip.payload).unwrap();
    let body = IcmpUnreachable::parse(icmp.payload).unwrap();
    assert_eq!((icmp.kind(), icmp.code(), body.mtu()), (Icmp::UNREACHABLE, 4, 1_480));
    assert_eq!(body.payload, &frame[14..14 + 576 - 28]);
    assert_eq!((host.counter("too_big"), host.counter("too_big.told"), host.counter("packets")), (1, 1, 0));
}

#[test]
fn packet_too_big() {
    let mut host = host("");
    let frame = tcp6(1, ACK, 1_465 - 60);
    let out = host.process([frame.clone()]).remove(0);
    assert_eq!((out.verdict, checksum::check(&out.bytes)), (Verdict::tx(0), Ok(())));
    let ip = Ipv6::parse(&out.bytes[14..]).unwrap();
    assert_eq!(ip.source(), "2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap());
    let icmp = Icmpv6::parse(ip.payload).unwrap();
    let body = Icmpv6Error::parse(icmp.payload).unwrap();
    assert_eq!((icmp.kind(), icmp.code(), body.parameter()), (Icmpv6::TOO_BIG, 0, 1_464));
    assert_eq!((out.bytes.len(), body.payload), (14 + 1_280, &frame[14..14 + 1_280 - 48]));
}

#[test]
fn not_all_senders_are_told() {
    let mut host = host("");
    let to_many = {
        let mut frame = tcp_of(1, ACK, 1_460);
        frame[0] |= 1;
        frame
    };
    let from_nobody = {
        let mut frame = tcp_of(1, ACK, 1_460);
        frame[26..30].fill(0);
        frame
    };
    let may_be_cut = udp(1, 1_470);
    for frame in [to_many, from_nobody, may_be_cut] {
        assert!(host.process([frame])[0].verdict.is_drop());
    }
    assert_eq!((host.counter("too_big"), host.counter("too_big.told")), (3, 0));
}

#[test]
fn not_too_many_are_told() {
    let mut host = host(r#", "icmp_per_second": 5"#);
    let mut told = |now: u64| {
        host.set_time(now);
        let out = host.process((0..20).map(|client| tcp_of(client, ACK, 1_460)));
        out.iter().filter(|out| !out.verdict.is_drop()).count()
    };
    assert_eq!((told(0), told(400_000_000), told(1_400_000_000)), (5, 2, 5));
    assert_eq!((host.counter("too_big"), host.counter("too_big.limited")), (60, 48));
    let mut host = self::host(r#", "icmp_per_second": 0"#);
    assert!(host.process([tcp_of(1, ACK, 1_460)])[0].verdict.is_drop());
}
