//! ICMP: queries, and errors with what they quote (RFC 5508).

use super::*;

/// The quoted packet's ends.
fn quoted(output: &perigee_guest::testing::Output) -> String {
    ends(&output.bytes[14 + 28..])
}

#[test]
fn a_ping_goes_out_and_its_answer_comes_back() {
    let mut host = start("");
    let own = outside(&mut host, &echo("10.0.0.1", "192.0.2.1", 8, 7_000));
    let identifier = 7_000;
    assert!(own.starts_with("198.51.100."));
    assert_eq!(send(&mut host, &echo("192.0.2.1", &own, 0, identifier)), "192.0.2.1 > 10.0.0.1 id 7000");
    assert_eq!(send(&mut host, &echo("192.0.2.2", &own, 0, identifier)), "drop", "it has not asked there");
    assert_eq!(send(&mut host, &echo("10.0.0.2", "192.0.2.1", 0, 1_234)), "drop", "nobody has asked");
    assert_eq!(host.counter("drop.icmp"), 1);
}

#[test]
fn an_error_from_outside_finds_who_has_sent() {
    // The whole packet, and as much as RFC 792 asks for.
    for quoted_len in [35, 28] {
        let mut host = start("");
        let out = host.process([udp_with("10.0.0.1:5000", "192.0.2.1:33434", b"trace..")]);
        let sent = out[0].bytes.clone();
        let own = ends(&sent[14..]).split(':').next().unwrap().to_owned();
        let out = host.process([error("203.0.113.254", &own, 11, &sent, quoted_len)]);
        assert_eq!(checksum::check(&out[0].bytes), Ok(()));
        assert_eq!(quoted(&out[0]), "10.0.0.1:5000 > 192.0.2.1:33434");
        assert!(told(&out[0]).starts_with("203.0.113.254 > 10.0.0.1 "));
        // Its checksums are those of the packet that was sent.
        let original = udp_with("10.0.0.1:5000", "192.0.2.1:33434", b"trace..");
        assert_eq!(out[0].bytes[42..42 + quoted_len], original[14..14 + quoted_len]);
        assert_eq!(host.counter("icmp_errors"), 1);
    }
}

#[test]
fn errors_about_tcp_and_pings_are_understood() {
    let mut host = start("");
    let frames = [tcp("10.0.0.1:5000", "192.0.2.1:80", "S"), echo("10.0.0.1", "192.0.2.1", 8, 77)];
    for frame in frames {
        let sent = host.process([frame.clone()])[0].bytes.clone();
        let own = ends(&sent[14..]).split([':', ' ']).next().unwrap().to_owned();
        let out = host.process([error("203.0.113.254", &own, 3, &sent, 28)]);
        assert!(!out[0].verdict.is_drop());
        // Of TCP no checksum is quoted; all that is there is as it was sent.
        assert_eq!(out[0].bytes[42..42 + 28], frame[14..14 + 28]);
    }
}

#[test]
fn an_error_from_inside_shows_nothing_of_inside() {
    let mut host =
        start(r#""forwards": [{"protocol": "udp", "outside": "198.51.100.1:53", "inside": "10.0.0.5:5353"}]"#);
    let arrived = host.process([udp("192.0.2.1:777", "198.51.100.1:53")])[0].bytes.clone();
    // From the host itself, and from a router on the way to it (REQ-5).
    for from in ["10.0.0.5", "10.9.9.9"] {
        let out = host.process([error(from, "192.0.2.1", 3, &arrived, 36)]);
        assert_eq!(checksum::check(&out[0].bytes), Ok(()));
        assert!(told(&out[0]).starts_with("198.51.100.1 > 192.0.2.1 "));
        assert_eq!(quoted(&out[0]), "192.0.2.1:777 > 198.51.100.1:53");
    }
}

#[test]
fn an_error_takes_the_hairpin_too() {
    let mut host = start(r#""filtering": "endpoint-independent""#);
    let first = outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:53"));
    let second = outside(&mut host, &udp("10.0.0.2:6000", "192.0.2.1:53"));
    let arrived = host.process([udp("10.0.0.1:5000", &second)])[0].bytes.clone();
    let out = host.process([error("10.0.0.2", first.split(':').next().unwrap(), 3, &arrived, 40)]);
    assert_eq!(checksum::check(&out[0].bytes), Ok(()));
    assert_eq!(quoted(&out[0]), format!("10.0.0.1:5000 > {second}"), "RFC 5508, REQ-7");
    assert!(told(&out[0]).starts_with(&format!("{} > 10.0.0.1 ", second.split(':').next().unwrap())));
}

#[test]
fn errors_that_nobody_has_caused_are_dropped_and_keep_nothing_alive() {
    let mut host = start(r#""timers": {"udp": 120}"#);
    let sent = host.process([udp("10.0.0.1:5000", "192.0.2.1:53")])[0].bytes.clone();
    let own = ends(&sent[14..]).split(':').next().unwrap().to_owned();
    let stranger = udp(&format!("{own}:5000"), "192.0.2.99:53");
    assert_eq!(send(&mut host, &error("192.0.2.1", &own, 3, &stranger, 28)), "drop");
    let mut wrong = error("192.0.2.1", &own, 3, &sent, 28);
    wrong[36] ^= 1;
    assert!(host.process([wrong])[0].verdict.is_drop(), "REQ-3: its checksum is wrong");
    assert_eq!((host.counter("drop.icmp"), host.counter("drop.malformed")), (1, 1));
    host.set_time(100 * SECOND);
    assert_ne!(send(&mut host, &error("192.0.2.1", &own, 3, &sent, 28)), "drop");
    host.set_time(130 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    assert_eq!(host.counter("sessions.ended"), 1, "REQ-6: errors do not renew it");
    // A redirect is for one link.
    assert_eq!(send(&mut host, &icmp("10.0.0.1", "192.0.2.1", 5, 1, &[0; 32])), "drop");
}
