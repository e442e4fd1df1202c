//! What leaves for a backend, byte by byte.

use super::*;
use perigee_guest::testing::Input;
use perigee_guest::wire::{Geneve, Header as _, Layers, checksum};

/// One backend at this address, and a service of each family through a tunnel.
fn tunnel(forward: &str, address: &str, more: &str) -> Host<Balancer> {
    let service =
        |to: &str| format!(r#"{{"address": "{to}", "protocol": "tcp", "port": 80, "forward": "{forward}"{more}}}"#);
    let config = format!(
        r#"{{"backends": [{{"name": "s", "mac": "02:00:00:00:01:01", "address": "{address}", "port": 2}}],
            "source4": "10.9.0.254", "source6": "fd00::fe", "services": [{}, {}]}}"#,
        service("192.0.2.1"),
        service("2001:db8::1")
    );
    Host::start(&config).unwrap()
}

/// The names of a frame's headers, all of whose checksums are right.
fn headers(frame: &[u8]) -> String {
    assert_eq!(checksum::check(frame), Ok(()));
    Layers::new(frame).map(|place| place.info.format.name).collect::<Vec<_>>().join(" ")
}

#[test]
fn mac_addresses_are_rewritten_and_nothing_else() {
    let mut host = host("");
    let frame = tcp(7, SYN);
    let out = host.process([frame.clone()]).remove(0);
    assert_eq!(out.verdict, Verdict::tx(0));
    assert_eq!((&out.bytes[..5], &out.bytes[6..12]), (&[2, 0, 0, 0, 1][..], &OWN.0[..]));
    assert_eq!(out.bytes[12..], frame[12..]);
}

#[test]
fn a_backend_has_a_port_of_its_own() {
    let mut host = tunnel("ipip", "10.9.0.1", "");
    let out = host.process([tcp(7, SYN)]).remove(0);
    assert_eq!(out.verdict, Verdict::tx(2));
    assert_eq!(out.bytes[..12], [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0x12]);
}

#[test]
fn ip_in_ip() {
    let cases = [
        ("10.9.0.1", tcp(7, SYN), "Ethernet IPv4 IPv4 TCP"),
        ("10.9.0.1", tcp6(7, SYN, 5), "Ethernet IPv4 IPv6 TCP"),
        ("fd00::1", tcp(7, SYN), "Ethernet IPv6 IPv4 TCP"),
        ("fd00::1", tcp6(7, SYN, 5), "Ethernet IPv6 IPv6 TCP"),
    ];
    for (address, frame, expected) in cases {
        let mut host = tunnel("ipip", address, "");
        let out = host.process([frame.clone()]).remove(0);
        assert_eq!(headers(&out.bytes), expected);
        let overhead = out.bytes.len() - frame.len();
        assert_eq!(out.bytes[14 + overhead..], frame[14..], "the packet itself is as it was");
        if overhead == 20 {
            let outer = Ipv4::parse(&out.bytes[14..]).unwrap();
            assert_eq!((outer.source(), outer.destination()), ([10, 9, 0, 254].into(), [10, 9, 0, 1].into()));
            assert!(outer.dont_fragment() && outer.ttl() == 64);
        } else {
            let outer = Ipv6::parse(&out.bytes[14..]).unwrap();
            assert_eq!((outer.source(), outer.hop_limit()), ("fd00::fe".parse().unwrap(), 64));
        }
    }
}

#[test]
fn geneve() {
    for (address, outer) in [("10.9.0.1", "Ethernet IPv4 UDP GENEVE"), ("fd00::1", "Ethernet IPv6 UDP GENEVE")] {
        let mut host = tunnel("geneve", address, r#", "vni": 66051"#);
        for (frame, inner) in [(tcp(7, SYN), "IPv4 TCP"), (tcp6(7, SYN, 5), "IPv6 TCP")] {
            let out = host.process([frame.clone()]).remove(0);
            assert_eq!(headers(&out.bytes), format!("{outer} {inner}"));
            let udp_at = if address.contains(':') { 54 } else { 34 };
            let udp = Udp::parse(&out.bytes[udp_at..]).unwrap();
            assert!(udp.source_port() >= 0xc000 && udp.destination_port() == 6_081);
            let geneve = Geneve::parse(udp.payload).unwrap();
            assert_eq!((geneve.vni(), geneve.payload), (0x1_0203, &frame[14..]));
            // Over IPv6 there is a checksum, which `headers` looked at.
            assert_eq!(udp.checksum() != 0, address.contains(':'));
        }
    }
}

#[test]
fn flows_have_source_ports_and_labels_of_their_own() {
    let mut host = tunnel("geneve", "fd00::1", "");
    let mut seen = std::collections::HashSet::new();
    for client in 0..100 {
        let out = host.process([tcp(client, SYN), tcp(client, ACK)]);
        let of = |output: &Output| {
            let ip = Ipv6::parse(&output.bytes[14..]).unwrap();
            (Udp::parse(ip.payload).unwrap().source_port(), ip.flow_label())
        };
        assert_eq!(of(&out[0]), of(&out[1]));
        seen.insert(of(&out[0]));
    }
    assert_eq!(seen.len(), 100);
}

#[test]
fn class_and_congestion_are_those_of_the_packet() {
    for address in ["10.9.0.1", "fd00::1"] {
        let mut frame = tcp(7, SYN);
        let (ip, _) = Ipv4::split_mut(&mut frame[14..]).unwrap();
        ip.set_dscp(46);
        ip.set_ecn(3);
        ip.fill_checksum(&[]);
        let out = tunnel("ipip", address, "").process([frame]).remove(0);
        let found = match address {
            "10.9.0.1" => Ipv4::parse(&out.bytes[14..]).map(|ip| (ip.dscp(), ip.ecn())),
            _ => Ipv6::parse(&out.bytes[14..]).map(|ip| (ip.dscp(), ip.ecn())),
        };
        assert_eq!(found, Ok((46, 3)));
    }
}

#[test]
fn padding_and_tags() {
    let mut host = tunnel("ipip", "10.9.0.1", "");
    let mut padded = tcp_of(7, SYN, 0);
    padded.resize(60, 0xee);
    let out = host.process([padded]).remove(0);
    assert_eq!(out.bytes.len(), 14 + 20 + 40, "what pads a frame does not go into the tunnel");
    let plain = tcp(7, ACK);
    let tagged = [&plain[..12], &[0x81, 0, 0, 5], &plain[12..]].concat();
    let out = host.process([tagged]).remove(0);
    assert_eq!(headers(&out.bytes), "Ethernet VLAN IPv4 IPv4 TCP");
    assert_eq!(out.bytes[12..16], [0x81, 0, 0, 5]);
}

#[test]
fn what_is_for_no_service_goes_on_or_is_dropped() {
    let (mut elsewhere, mut port) = (tcp(7, SYN), tcp(7, SYN));
    elsewhere[33] = 2;
    port[37] = 81;
    let arp = [&[0xff; 6][..], &CLIENT.0, &[8, 6], &[0; 46]].concat();
    let frames = || [elsewhere.clone(), port.clone(), arp.clone()].map(|frame| Input::new(&frame));
    let mut host = host("");
    assert!(host.process(frames()).iter().all(|out| out.verdict == Verdict::NEXT));
    let mut host = self::host(r#", "other": "drop""#);
    assert!(host.process(frames()).iter().all(|out| out.verdict.is_drop()));
    assert_eq!(host.counter("other"), 3);
}
