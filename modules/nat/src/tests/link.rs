//! Alone between two ports.

use super::*;
use perigee_guest::Verdict;
use perigee_guest::wire::{Arp, ether_type};

const LINK: &str = r#""link": {
    "inside": {"port": 0, "address": "10.0.0.254/24"},
    "outside": {"port": 1, "address": "198.51.100.1/24", "gateway": "198.51.100.254"}}"#;
const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 1]);
const GATEWAY: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);

fn start() -> Host<Nat> {
    Host::start(&config(LINK)).unwrap()
}

/// A request or an answer of ARP.
fn arp(operation: u16, mac: Mac, sender: &str, target: &str) -> Vec<u8> {
    let mut frame = vec![0; 60];
    let (ethernet, rest) = Ethernet::split_mut(&mut frame).unwrap();
    ethernet.set_destination(Mac([0xff; 6]));
    ethernet.set_source(mac);
    ethernet.set_ether_type(ether_type::ARP);
    let (arp, _) = Arp::split_mut(rest).unwrap();
    *arp = Arp::default();
    arp.set_operation(operation);
    arp.set_sender_mac(mac);
    arp.set_sender(sender.parse().unwrap());
    arp.set_target(target.parse().unwrap());
    frame
}

fn to(mut frame: Vec<u8>, mac: Mac, ttl: u8) -> Vec<u8> {
    frame[..6].copy_from_slice(&mac.0);
    frame[22] = ttl;
    let (ip, _) = Ipv4::split_mut(&mut frame[14..]).unwrap();
    ip.fill_checksum(&[]);
    frame
}

/// Both neighbours have asked for us.
fn met() -> Host<Nat> {
    let mut host = start();
    host.process([
        Input::new(&arp(1, CLIENT, "10.0.0.1", "10.0.0.254")),
        Input::new(&arp(1, GATEWAY, "198.51.100.254", "198.51.100.1")).port(1),
    ]);
    host
}

#[test]
fn it_answers_for_its_addresses() {
    let mut host = start();
    let asked =
        [(0, "10.0.0.254", true), (1, "198.51.100.0", true), (1, "198.51.100.1", true), (0, "198.51.100.0", false)];
    for (port, target, is_answered) in asked {
        let out = host.process([Input::new(&arp(1, CLIENT, "10.0.0.1", target)).port(port)]);
        assert_eq!(out[0].verdict == Verdict::tx(port), is_answered, "{target}");
        if is_answered {
            let answer = Arp::parse(&out[0].bytes[14..]).unwrap();
            assert_eq!((answer.operation(), answer.sender_mac().0[5]), (2, 0x10 + u8::try_from(port).unwrap()));
        }
    }
    assert_eq!(host.counter("arp.answered"), 3);
}

#[test]
fn packets_go_to_the_next_hop() {
    let mut host = met();
    let frame = to(udp("10.0.0.1:5000", "192.0.2.1:53"), Mac([2, 0, 0, 0, 0, 0x10]), 64);
    let out = host.process([Input::new(&frame)]);
    assert_eq!(
        (out[0].verdict, &out[0].bytes[..12]),
        (Verdict::tx(1), &[GATEWAY.0, [2, 0, 0, 0, 0, 0x11]].concat()[..])
    );
    assert_eq!(out[0].bytes[22], 63);
    let own = told(&out[0]).split(" > ").next().unwrap().to_owned();
    let frame = to(udp("192.0.2.1:53", &own), Mac([2, 0, 0, 0, 0, 0x11]), 64);
    let out = host.process([Input::new(&frame).port(1)]);
    assert_eq!((out[0].verdict, &out[0].bytes[..6]), (Verdict::tx(0), &CLIENT.0[..]));
    assert_eq!(told(&out[0]), "192.0.2.1:53 > 10.0.0.1:5000");
    // To another station, though it is seen.
    let frame = to(udp("10.0.0.1:5000", "192.0.2.1:53"), GATEWAY, 64);
    assert!(host.process([Input::new(&frame)])[0].verdict.is_drop());
    assert_eq!(host.counter("drop.other"), 1);
}

#[test]
fn a_neighbour_that_is_not_known_is_asked_for() {
    let mut host = start();
    let frame = to(udp("10.0.0.1:5000", "192.0.2.1:53"), Mac([2, 0, 0, 0, 0, 0x10]), 64);
    host.set_time(SECOND);
    assert!(host.process([Input::new(&frame)])[0].verdict.is_drop());
    let question = Arp::parse(&host.outputs()[0].bytes[14..]).map(|arp| *arp.header).unwrap();
    assert_eq!((question.target(), host.outputs()[0].verdict), ([198, 51, 100, 254].into(), Verdict::tx(1)));
    host.process([Input::new(&frame)]);
    assert_eq!((host.counter("arp.asked"), host.counter("drop.no_neighbour")), (1, 2), "not with each packet");
    host.process([Input::new(&arp(2, GATEWAY, "198.51.100.254", "198.51.100.1")).port(1)]);
    assert_eq!(host.process([Input::new(&frame)])[0].verdict, Verdict::tx(1));
}

#[test]
fn the_next_instance_knows_its_neighbours() {
    let (mut old, mut new) = (met(), start());
    new.restore(&old.save().unwrap()).unwrap();
    let frame = to(udp("10.0.0.1:5000", "192.0.2.1:53"), Mac([2, 0, 0, 0, 0, 0x10]), 64);
    assert_eq!(new.process([Input::new(&frame)])[0].verdict, Verdict::tx(1));
}

#[test]
fn who_has_no_time_left_is_told() {
    let mut host = met();
    let frame = to(udp("10.0.0.1:5000", "192.0.2.1:33434"), Mac([2, 0, 0, 0, 0, 0x10]), 1);
    assert!(host.process([Input::new(&frame)])[0].verdict.is_drop());
    let error = &host.outputs()[0];
    assert_eq!((checksum::check(&error.bytes), error.verdict), (Ok(()), Verdict::tx(0)));
    assert!(ends(&error.bytes[14..]).starts_with("10.0.0.254 > 10.0.0.1 "));
    assert_eq!((error.bytes[34], ends(&error.bytes[42..])), (11, "10.0.0.1:5000 > 192.0.2.1:33434".to_owned()));
    assert_eq!((host.counter("drop.ttl"), host.counter("icmp_made")), (1, 1));
}

#[test]
fn who_sends_too_much_at_once_is_told() {
    let mut run = perigee_guest::testing::Run::default();
    run.ports[1].mtu = 600;
    let mut host = Host::<Nat>::start_in(run, &config(LINK)).unwrap();
    for (flags, told) in [(0x40, 1), (0, 1)] {
        let mut frame = udp_with("10.0.0.1:5000", "192.0.2.1:53", &[7; 700]);
        frame[20] = flags;
        let frame = to(frame, Mac([2, 0, 0, 0, 0, 0x10]), 64);
        assert!(host.process([Input::new(&frame)])[0].verdict.is_drop());
        assert_eq!(host.counter("icmp_made"), told, "RFC 4787, REQ-13");
        if flags != 0 {
            let error = &host.outputs()[0].bytes;
            assert_eq!((&error[34..36], &error[40..42]), (&[3, 4][..], &600_u16.to_be_bytes()[..]));
            assert_eq!(checksum::check(error), Ok(()));
        }
    }
    assert_eq!(host.counter("drop.too_long"), 2);
}

#[test]
fn a_host_without_room_is_told() {
    let mut host = Host::<Nat>::start(&config(&format!(r#"{LINK}, "limits": {{"sessions": 1}}"#))).unwrap();
    for (port, told) in [(5_000, 0), (5_001, 1)] {
        let frame = to(udp(&format!("10.0.0.1:{port}"), "198.51.100.9:53"), Mac([2, 0, 0, 0, 0, 0x10]), 64);
        host.process([Input::new(&frame)]);
        assert_eq!(host.counter("icmp_made"), told, "RFC 5508, REQ-8");
    }
    assert_eq!(host.outputs()[0].bytes[34..36], [3, 13]);
}

#[test]
fn a_stranger_is_told_late_unless_somebody_inside_knows_it_by_then() {
    let link = LINK.replace("}}", r#"}, "unsolicited_syn": "answer"}"#);
    let config = format!(r#"{{"inside": ["10.0.0.0/8"], "pools": ["198.51.100.7/32"], {link}}}"#);
    let mut host = Host::<Nat>::start(&config).unwrap();
    for stranger in ["198.51.100.9:80", "198.51.100.10:80"] {
        let frame = to(tcp(stranger, "198.51.100.7:5000", "S"), Mac([2, 0, 0, 0, 0, 0x11]), 64);
        assert!(host.process([Input::new(&frame).port(1)])[0].verdict.is_drop());
    }
    // The same connection as the second one's, from its other end.
    let syn = to(tcp("10.0.0.1:5000", "198.51.100.10:80", "S"), Mac([2, 0, 0, 0, 0, 0x10]), 64);
    assert!(told(&host.process([Input::new(&syn)])[0]).starts_with("198.51.100.7:5000 > "));
    host.set_time(6 * SECOND - 1);
    host.process(Vec::<Vec<u8>>::new());
    assert_eq!(host.counter("icmp_made"), 0, "RFC 5382, REQ-4");
    host.set_time(6 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    let [error] = host.outputs() else { panic!("{:?}", host.outputs()) };
    assert_eq!((checksum::check(&error.bytes), &error.bytes[34..36]), (Ok(()), &[3, 3][..]));
    assert!(ends(&error.bytes[14..]).starts_with("198.51.100.7 > 198.51.100.9 "));
    assert_eq!(error.verdict, Verdict::tx(1));
}

#[test]
fn nobody_outside_may_say_to_be_inside() {
    let mut host = met();
    let frame = to(udp("10.0.0.1:5000", "192.0.2.1:53"), Mac([2, 0, 0, 0, 0, 0x11]), 64);
    assert!(host.process([Input::new(&frame).port(1)])[0].verdict.is_drop());
    let frame = to(udp("198.51.100.0:5000", "198.51.100.1:53"), Mac([2, 0, 0, 0, 0, 0x11]), 64);
    assert!(host.process([Input::new(&frame).port(1)])[0].verdict.is_drop());
    assert_eq!(host.counter("drop.spoofed"), 2);
}
