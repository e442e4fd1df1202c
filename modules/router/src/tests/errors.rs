//! ICMP errors: what they say, and when there is none.

use super::*;

/// The error that a frame leads to, checked as far as all are the same.
#[track_caller]
fn error4(host: &mut Host<Router>, frame: &[u8]) -> (u8, u8, u16) {
    assert!(one(host, frame).verdict.is_drop());
    let [(error, verdict)] = &listed(host)[..] else { panic!("{} packets", listed(host).len()) };
    let ip = Ipv4::parse(&error[14..]).unwrap();
    assert_eq!((*verdict, macs(error), checksum::check(error)), (Verdict::tx(0), (A_MAC, R0), Ok(())));
    assert_eq!((ip.source(), ip.destination(), ip.ttl(), ip.dscp()), (ROUTER4, A4, 64, 0x30));
    let quote = &ip.payload[8..];
    assert_eq!(quote, &frame[14..14 + quote.len()]);
    assert_eq!(quote.len(), (frame.len() - 14).min(576 - 28));
    let icmp = Icmp::parse(ip.payload).unwrap();
    (icmp.kind(), icmp.code(), u16::from_be_bytes([ip.payload[6], ip.payload[7]]))
}

#[track_caller]
fn error6(host: &mut Host<Router>, frame: &[u8]) -> (u8, u8, u32) {
    assert!(one(host, frame).verdict.is_drop());
    let [(error, verdict)] = &listed(host)[..] else { panic!("{} packets", listed(host).len()) };
    let ip = Ipv6::parse(&error[14..]).unwrap();
    assert_eq!((*verdict, macs(error), checksum::check(error)), (Verdict::tx(0), (A_MAC, R0), Ok(())));
    assert_eq!((ip.source(), ip.destination()), (ROUTER6, A6));
    let quote = &ip.payload[8..];
    assert_eq!(quote, &frame[14..14 + quote.len()]);
    assert_eq!(quote.len(), (frame.len() - 14).min(1280 - 48));
    let [kind, code, ..] = *ip.payload else { panic!() };
    (kind, code, u32::from_be_bytes(*ip.payload[4..].first_chunk().unwrap()))
}

#[test]
fn the_sender_is_told_why() {
    let mut host = start();
    let expired = with_ip(udp4(B4, 100), |ip| ip.set_ttl(1));
    assert_eq!(error4(&mut host, &expired), (11, 0, 0));
    assert_eq!(error4(&mut host, &udp4([172, 31, 0, 1].into(), 1400)), (3, 1, 0));
    assert_eq!(error4(&mut host, &with_ip(udp4(B4, 1401), |ip| ip.set_dont_fragment(true))), (3, 4, 1400));
    // To the router itself, where nobody listens.
    assert_eq!(error4(&mut host, &udp4(ROUTER4, 60)), (3, 3, 0));
    assert_eq!(error4(&mut host, &with_ip(udp4(ROUTER4, 60), |ip| ip.set_protocol(89))), (3, 2, 0));
    let mut expired = udp6(B6, 100);
    expired[21] = 1;
    assert_eq!(error6(&mut host, &expired), (3, 0, 0));
    assert_eq!(error6(&mut host, &udp6(B6, 1401)), (2, 0, 1400));
    assert_eq!(error6(&mut host, &udp6("2001:db8:9::1".parse().unwrap(), 60)), (1, 0, 0));
    assert_eq!(error6(&mut host, &udp6(ROUTER6, 60)), (1, 4, 0));
    assert_eq!((host.counter("icmp_sent"), host.counter("icmp_suppressed")), (9, 0));
}

#[test]
fn without_a_default_route_there_is_none() {
    let mut host = Host::start(&CONFIG.replace(r#", "default via 10.0.1.9""#, "")).unwrap();
    assert_eq!(error4(&mut host, &udp4([8, 8, 8, 8].into(), 60)), (3, 0, 0));
    assert_eq!(host.counter("no_route"), 1);
}

#[test]
fn beyond_its_scope_nothing_goes() {
    let mut host = start();
    let mut frame = udp6(B6, 60);
    frame[22..38].copy_from_slice(&"fe80::99".parse::<Ipv6Addr>().unwrap().octets());
    one(&mut host, &frame);
    // The way back is not known yet: the error is lost.
    assert_eq!((host.counter("beyond_scope"), host.counter("icmp_lost")), (1, 1));
}

#[test]
fn of_these_nobody_is_told() {
    let mut host = start();
    let expired = with_ip(udp4(B4, 60), |ip| ip.set_ttl(1));
    let mut suppressed = |frame: Vec<u8>| {
        let before = host.counter("icmp_suppressed");
        assert!(one(&mut host, &frame).verdict.is_drop() && listed(&host).is_empty());
        assert_eq!(host.counter("icmp_suppressed"), before + 1);
    };
    // About an error; a later fragment.
    let mut error = with_ip(expired.clone(), |ip| ip.set_protocol(1));
    error[34] = 3;
    suppressed(error);
    suppressed(with_ip(expired.clone(), |ip| ip.set_fragment_offset(5)));
    // IPv6: an error, whole and behind destination options; a redirect; a later fragment of ICMPv6.
    let mut six = udp6(B6, 100);
    (six[20], six[21]) = (58, 1);
    for kind in [1, 4, 137] {
        six[54] = kind;
        suppressed(six.clone());
    }
    let mut behind = udp6(B6, 100);
    (behind[20], behind[21]) = (60, 1);
    behind[54..62].copy_from_slice(&[58, 0, 1, 4, 0, 0, 0, 0]);
    behind[62] = 3;
    suppressed(behind);
    let mut fragment = udp6(B6, 100);
    (fragment[20], fragment[21]) = (44, 1);
    fragment[54..62].copy_from_slice(&[58, 0, 0, 80, 0, 0, 0, 1]);
    suppressed(fragment);
}

#[test]
fn a_first_fragment_and_a_ping_get_errors() {
    let mut host = start();
    let first = with_ip(udp4(B4, 60), |ip| {
        ip.set_more_fragments(true);
        ip.set_ttl(1);
    });
    assert_eq!(error4(&mut host, &first), (11, 0, 0));
    let mut ping = with_ip(first, |ip| ip.set_protocol(1));
    ping[34] = 8;
    assert_eq!(error4(&mut host, &ping), (11, 0, 0));
}

#[test]
fn errors_are_limited() {
    let config = CONFIG.replacen('{', r#"{"icmp": {"rate": 10, "burst": 5}, "#, 1);
    let mut host = Host::<Router>::start(&config).unwrap();
    let expired = with_ip(udp4(B4, 60), |ip| ip.set_ttl(1));
    host.set_time(SECOND);
    for _ in 0..50 {
        one(&mut host, &expired);
    }
    assert_eq!((host.counter("icmp_sent"), host.counter("icmp_limited")), (5, 45));
    host.set_time(SECOND + SECOND / 10);
    one(&mut host, &expired);
    assert_eq!((host.counter("icmp_sent"), host.counter("expired")), (6, 51));
}
