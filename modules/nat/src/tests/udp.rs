//! UDP: mappings, their time, checksums, hairpins, forwards.

use super::*;

#[test]
fn what_goes_out_comes_back() {
    let mut host = start("");
    let own = outside(&mut host, &udp("10.1.2.3:5000", "192.0.2.1:53"));
    assert!(own == "198.51.100.0:5000" || own == "198.51.100.1:5000", "the port is free, so it is kept: {own}");
    assert_eq!(send(&mut host, &udp("192.0.2.1:53", &own)), "192.0.2.1:53 > 10.1.2.3:5000");
    assert_eq!((host.counter("outbound"), host.counter("inbound"), host.counter("mappings")), (1, 1, 1));
}

#[test]
fn one_endpoint_has_one_mapping_whoever_it_talks_to() {
    let mut host = start("");
    let own = outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:53"));
    for remote in ["192.0.2.1:54", "192.0.2.2:53", "203.0.113.9:1"] {
        assert_eq!(outside(&mut host, &udp("10.0.0.1:5000", remote)), own);
    }
    let other = outside(&mut host, &udp("10.0.0.1:5002", "192.0.2.1:53"));
    assert_eq!(other.split(':').next(), own.split(':').next(), "a host has one address");
    assert_eq!((host.counter("mappings"), host.counter("sessions")), (2, 5));
}

#[test]
fn a_port_that_is_taken_is_given_to_nobody_else() {
    let mut host = Host::start(r#"{"inside": ["10.0.0.0/8"], "pools": ["198.51.100.7/32"]}"#).unwrap();
    assert_eq!(outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:53")), "198.51.100.7:5000");
    let own = outside(&mut host, &udp("10.0.0.2:5000", "192.0.2.1:53"));
    assert_ne!(own, "198.51.100.7:5000");
    assert_eq!(endpoint(&own).1 % 2, 0, "parity is kept");
    assert_eq!(send(&mut host, &udp("192.0.2.1:53", &own)), "192.0.2.1:53 > 10.0.0.2:5000");
    // TCP has ports of its own.
    assert_eq!(outside(&mut host, &super::tcp("10.0.0.3:5000", "192.0.2.1:53", "S")), "198.51.100.7:5000");
}

#[test]
fn without_a_checksum_it_stays_without() {
    let mut host = start("");
    let mut frame = udp("10.0.0.1:5000", "192.0.2.1:53");
    frame[40..42].fill(0);
    let out = host.process([frame]);
    assert_eq!(out[0].bytes[40..42], [0, 0]);
    assert!(told(&out[0]).starts_with("198.51.100."));
}

#[test]
fn a_mapping_lives_for_its_time_and_packets_renew_it() {
    let mut host = start(r#""timers": {"udp": 120}"#);
    let own = outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:53"));
    for now in [100, 200, 300] {
        host.set_time(now * SECOND);
        assert_eq!(outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:53")), own);
    }
    host.set_time(419 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    assert_eq!(host.counter("sessions.ended"), 0);
    host.set_time(425 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    assert_eq!((host.counter("sessions.ended"), host.counter("mappings.ended")), (1, 1));
    assert_eq!(send(&mut host, &udp("192.0.2.1:53", &own)), "drop");
    assert_eq!(host.counter("drop.no_mapping"), 1);
}

#[test]
fn hosts_inside_reach_each_other_by_their_addresses_outside() {
    let mut host = start(r#""filtering": "endpoint-independent""#);
    let first = outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:53"));
    let second = outside(&mut host, &udp("10.0.0.2:6000", "192.0.2.1:53"));
    let packet = udp("10.0.0.1:5000", &second);
    assert_eq!(send(&mut host, &packet), format!("{first} > 10.0.0.2:6000"), "RFC 4787, REQ-9");
    assert_eq!(send(&mut host, &udp("10.0.0.2:6000", &first)), format!("{second} > 10.0.0.1:5000"));
    assert_eq!(host.counter("hairpinned"), 2);
}

#[test]
fn a_forward_leads_inside_and_back() {
    let forward = r#""forwards": [{"protocol": "udp", "outside": "198.51.100.1:53", "inside": "10.0.0.5:5353"},
        {"protocol": "udp", "outside": "203.0.113.5:9999", "inside": "10.0.0.6:9999"}]"#;
    let mut host = start(forward);
    assert_eq!(send(&mut host, &udp("192.0.2.1:777", "198.51.100.1:53")), "192.0.2.1:777 > 10.0.0.5:5353");
    assert_eq!(send(&mut host, &udp("10.0.0.5:5353", "192.0.2.1:777")), "198.51.100.1:53 > 192.0.2.1:777");
    // What the server begins itself has the same endpoint outside.
    assert_eq!(send(&mut host, &udp("10.0.0.5:5353", "192.0.2.8:8")), "198.51.100.1:53 > 192.0.2.8:8");
    // An address of its own has no dynamic ports.
    assert_eq!(send(&mut host, &udp("192.0.2.1:777", "203.0.113.5:9999")), "192.0.2.1:777 > 10.0.0.6:9999");
    assert_eq!(send(&mut host, &udp("192.0.2.1:777", "198.51.100.0:53")), "drop");
    // By hairpin, too.
    let own = outside(&mut host, &udp("10.0.0.9:4000", "192.0.2.1:53"));
    assert_eq!(send(&mut host, &udp("10.0.0.9:4000", "198.51.100.1:53")), format!("{own} > 10.0.0.5:5353"));
    assert_eq!(send(&mut host, &udp("10.0.0.5:5353", &own)), "198.51.100.1:53 > 10.0.0.9:4000");
}

#[test]
fn what_is_not_ours_goes_on_as_it_is() {
    let mut host = start("");
    let many =
        ["224.0.0.251:5353", "255.255.255.255:67", "169.254.1.1:1", "127.0.0.1:1"].map(|to| udp("10.0.0.1:1", to));
    let others = [udp("192.0.2.1:1", "192.0.2.2:2"), udp("10.0.0.1:1", "10.0.0.2:2"), vec![7; 60]];
    for frame in many.into_iter().chain(others) {
        let out = host.process([frame.clone()]);
        assert_eq!((out[0].verdict.is_drop(), &out[0].bytes), (false, &frame));
    }
    assert_eq!(host.counter("passed"), 7);
    let mut host = start(r#""other": "drop""#);
    assert_eq!(send(&mut host, &udp("192.0.2.1:1", "192.0.2.2:2")), "drop");
    assert_eq!(host.counter("drop.other"), 1);
}

#[test]
fn a_frame_without_payload_is_not_ours() {
    let mut host = start("");
    let frame: Vec<u8> = (0..14).collect();
    assert!(!host.process([frame])[0].verdict.is_drop());
}
