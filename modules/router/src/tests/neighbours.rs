//! Neighbours: asked for, believed, doubted, forgotten; and what waits for them.

use super::*;
use perigee_guest::wire::{NdMac, NeighborAdvertisement, NeighborSolicitation};

const C4: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 7);
const C6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
const C_MAC: Mac = Mac([2, 0, 0, 0, 0, 0xc1]);
const LIAR: Mac = Mac([2, 0, 0, 0, 0, 0xee]);
const R4: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const R6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);

perigee_guest::stack! {
    struct Nd { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, body: NeighborAdvertisement, mac: NdMac }
}
perigee_guest::stack! {
    struct Ns { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, body: NeighborSolicitation, mac: NdMac }
}

fn reply(from: Mac) -> Input {
    Input::new(&arp(Arp::REPLY, (from, C4), (R1, R4))).port(1)
}

fn advertisement(from: Mac, solicited: bool) -> Input {
    let mut bytes = vec![0; Nd::LEN];
    Nd::fill(&mut bytes, |p| {
        p.eth.set_destination(R1);
        p.eth.set_source(from);
        p.ip.set_source(C6);
        p.ip.set_destination(R6);
        p.ip.set_hop_limit(255);
        p.body.set_solicited(solicited);
        p.body.set_override_known(true);
        p.body.set_target(C6);
        p.mac.set_kind(NdMac::TARGET);
        p.mac.set_mac(from);
    })
    .unwrap();
    Input::new(&bytes).port(1)
}

fn at(host: &mut Host<Router>, millis: u64) {
    host.set_time(millis * 1_000_000);
}

/// What a call without packets puts out.
fn tick(host: &mut Host<Router>, millis: u64) -> Vec<(Vec<u8>, Verdict)> {
    at(host, millis);
    host.process(Vec::<Input>::new());
    listed(host)
}

fn state(host: &mut Host<Router>, of: &str) -> Option<String> {
    let told = String::from_utf8(host.message(b"neighbours?").unwrap()).unwrap();
    told.lines().find(|line| line.starts_with(&format!("{of} "))).map(String::from)
}

#[test]
fn ipv4_waits_for_an_answer() {
    let mut host = start();
    at(&mut host, 1000);
    let frame = udp4(C4, 60);
    assert_eq!(one(&mut host, &frame).verdict, held());
    let asked = listed(&host);
    assert_eq!((asked.len(), asked[0].1, macs(&asked[0].0)), (1, Verdict::tx(1), (Mac::BROADCAST, R1)));
    let question = Arp::parse(&asked[0].0[14..]).unwrap();
    assert_eq!((question.operation(), question.sender(), question.target()), (Arp::REQUEST, R4, C4));
    assert_eq!((host.held(), asked[0].0.len()), (1, 60));
    host.process([reply(C_MAC)]);
    let sent = listed(&host);
    let mut expected = with_ip(frame, |ip| ip.set_ttl(63));
    expected[..12].copy_from_slice(&[C_MAC.0, R1.0].concat());
    assert_eq!((sent, host.held()), (vec![(expected, Verdict::tx(1))], 0));
    // From now on nothing waits.
    assert_eq!(macs(&one(&mut host, &udp4(C4, 60)).bytes), (C_MAC, R1));
    assert_eq!((host.counter("waited"), host.counter("forwarded4"), host.counter("asked")), (1, 2, 1));
}

#[test]
fn ipv6_waits_for_an_answer() {
    let mut host = start();
    at(&mut host, 1000);
    one(&mut host, &udp6(C6, 60));
    let asked = listed(&host);
    let group = Ipv6::solicited_node(C6);
    let ip = Ipv6::parse(&asked[0].0[14..]).unwrap();
    assert_eq!(macs(&asked[0].0), (Mac::of_ipv6_multicast(group.octets()), R1));
    assert_eq!((ip.source(), ip.destination(), ip.hop_limit()), (R6, group, 255));
    assert_eq!(checksum::check(&asked[0].0), Ok(()));
    assert_eq!(NdMac::find(&ip.payload[24..], NdMac::SOURCE), Some(R1));
    host.process([advertisement(C_MAC, true)]);
    assert_eq!((macs(&listed(&host)[0].0), host.held()), ((C_MAC, R1), 0));
    assert!(state(&mut host, "2001:db8:1::7").unwrap().contains("reachable"));
}

#[test]
fn who_does_not_answer_is_unreachable() {
    let mut host = start();
    at(&mut host, 1000);
    host.process([udp4(C4, 60), udp4(C4, 90)]);
    for millis in [2000, 3000] {
        assert_eq!(Arp::parse(&tick(&mut host, millis + 20)[0].0[14..]).unwrap().target(), C4);
    }
    let told = tick(&mut host, 4100);
    let errors: Vec<_> = told.iter().filter(|(_, verdict)| !verdict.is_drop()).collect();
    assert_eq!((told.len(), errors.len(), host.held()), (4, 2, 0));
    for ((error, _), len) in errors.into_iter().zip([60, 90]) {
        let error = Ipv4::parse(&error[14..]).unwrap();
        assert_eq!((error.destination(), error.payload[0], error.payload[1]), (A4, 3, 1));
        assert_eq!(error.payload.len(), 8 + len);
    }
    assert_eq!((host.counter("unresolved"), host.counter("neighbours_gone")), (2, 1));
    assert_eq!(state(&mut host, "10.0.1.7"), None);
    // It comes back.
    one(&mut host, &udp4(C4, 60));
    host.process([reply(C_MAC)]);
    assert_eq!((host.held(), host.counter("forwarded4")), (0, 1));
}

/// Those who have waited for long do not go on waiting with those who come in the moment in which the neighbour is given up.
#[test]
fn nobody_waits_for_longer_than_three_seconds() {
    let mut host = start();
    at(&mut host, 1000);
    one(&mut host, &udp4(C4, 60));
    for millis in [2020, 3040, 4060] {
        at(&mut host, millis);
        one(&mut host, &udp4(C4, 60));
    }
    assert_eq!((host.held(), host.counter("unresolved")), (1, 3));
}

#[test]
fn what_waits_is_bounded() {
    let config = CONFIG.replacen('{', r#"{"neighbour": {"queue": 2, "hold": 5}, "#, 1);
    let mut host = Host::<Router>::start(&config).unwrap();
    for n in 0..4 {
        for _ in 0..4 {
            one(&mut host, &udp4([10, 0, 1, 100 + n].into(), 60));
        }
    }
    assert_eq!((host.held(), host.counter("queue_full"), host.counter("waited")), (5, 11, 5));
}

#[test]
fn a_scan_pushes_out_no_neighbour() {
    let config = CONFIG.replacen('{', r#"{"neighbour": {"max": 32, "unresolved": 8, "hold": 16}, "#, 1);
    let mut host = Host::<Router>::start(&config).unwrap();
    at(&mut host, 1000);
    for (address, answer) in [(true, reply(C_MAC)), (false, advertisement(C_MAC, true))] {
        one(&mut host, &if address { udp4(C4, 60) } else { udp6(C6, 60) });
        host.process([answer]);
    }
    for n in 0..5_000_u128 {
        at(&mut host, 1000 + u64::try_from(n).unwrap() / 10);
        one(&mut host, &udp6(Ipv6Addr::from_bits(C6.to_bits() + 1000 + n), 60));
        assert!(host.held() <= 16);
    }
    for neighbour in ["10.0.1.7", "2001:db8:1::7"] {
        assert!(state(&mut host, neighbour).unwrap().contains("reachable"));
    }
    assert!(host.counter("unresolved_evicted") > 4_900);
    // One that answers at once is found all the same.
    one(&mut host, &udp4([10, 0, 1, 8].into(), 60));
    let answer = arp(Arp::REPLY, (C_MAC, [10, 0, 1, 8].into()), (R1, R4));
    host.process([Input::new(&answer).port(1)]);
    assert!(state(&mut host, "10.0.1.8").unwrap().contains("reachable"));
}

#[test]
fn a_neighbour_is_asked_before_it_is_given_up() {
    let mut host = start();
    at(&mut host, 1000);
    one(&mut host, &udp4(C4, 60));
    host.process([reply(C_MAC)]);
    // Stale after half a minute; used then, so it is asked itself, and answers.
    tick(&mut host, 31_100);
    assert!(state(&mut host, "10.0.1.7").unwrap().contains("stale"));
    at(&mut host, 32_000);
    assert_eq!(one(&mut host, &udp4(C4, 60)).verdict, Verdict::tx(1));
    let asked = tick(&mut host, 36_200);
    assert_eq!(macs(&asked[0].0), (C_MAC, R1));
    host.process([reply(C_MAC)]);
    assert!(state(&mut host, "10.0.1.7").unwrap().contains("reachable"));
    // Then it is gone: three questions to it, three to all, and it is forgotten. Meanwhile packets go to where it was.
    tick(&mut host, 66_300);
    at(&mut host, 67_000);
    one(&mut host, &udp4(C4, 60));
    let mut to = Vec::new();
    for millis in (71_000..80_000).step_by(500) {
        to.extend(tick(&mut host, millis).iter().map(|(question, _)| macs(question).0));
    }
    assert_eq!(to, [C_MAC, C_MAC, C_MAC, Mac::BROADCAST, Mac::BROADCAST, Mac::BROADCAST]);
    assert_eq!(state(&mut host, "10.0.1.7"), None);
}

#[test]
fn a_lie_changes_nothing() {
    let mut host = start();
    at(&mut host, 1000);
    for (frame, answer) in [(udp4(C4, 60), reply(C_MAC)), (udp6(C6, 60), advertisement(C_MAC, true))] {
        one(&mut host, &frame);
        host.process([answer]);
    }
    // Announcements, replies that nobody asked for, and questions, from elsewhere.
    let lies = [
        Input::new(&arp(Arp::REQUEST, (LIAR, C4), (Mac([0; 6]), C4))).port(1),
        Input::new(&arp(Arp::REQUEST, (LIAR, C4), (Mac([0; 6]), R4))).port(1),
        reply(LIAR),
        advertisement(LIAR, false),
        advertisement(LIAR, true),
    ];
    at(&mut host, 2500);
    host.process(lies.clone());
    // The old one is asked, and has the word.
    let asked: Vec<_> = listed(&host).iter().map(|(question, _)| macs(question).0).collect();
    assert_eq!(asked, [C_MAC, C_MAC]);
    host.process(lies.clone());
    assert!(listed(&host).is_empty());
    host.process([reply(C_MAC), advertisement(C_MAC, true)]);
    host.process(lies);
    for frame in [udp4(C4, 60), udp6(C6, 60)] {
        assert_eq!(macs(&one(&mut host, &frame).bytes), (C_MAC, R1));
    }
    // However many there are, it is asked once in a second.
    assert_eq!(host.counter("asked"), 4);
}

#[test]
fn a_neighbour_may_get_another_card() {
    let mut host = start();
    at(&mut host, 1000);
    one(&mut host, &udp4(C4, 60));
    host.process([reply(C_MAC)]);
    at(&mut host, 5000);
    let announcement = arp(Arp::REQUEST, (LIAR, C4), (Mac([0; 6]), C4));
    host.process([Input::new(&announcement).port(1)]);
    // The old one is silent, so all are asked.
    let asked = tick(&mut host, 6100);
    assert_eq!(macs(&asked[0].0), (Mac::BROADCAST, R1));
    host.process([reply(LIAR)]);
    assert_eq!(macs(&one(&mut host, &udp4(C4, 60)).bytes), (LIAR, R1));
}

#[test]
fn who_asks_is_remembered() {
    let mut host = start();
    at(&mut host, 1000);
    let question = arp(Arp::REQUEST, (C_MAC, C4), (Mac([0; 6]), R4));
    host.process([Input::new(&question).port(1)]);
    assert_eq!(macs(&one(&mut host, &udp4(C4, 60)).bytes), (C_MAC, R1));
    // An announcement of somebody whom nobody wants is not.
    let other: Ipv4Addr = [10, 0, 1, 33].into();
    let announcement = arp(Arp::REQUEST, (C_MAC, other), (Mac([0; 6]), other));
    host.process([Input::new(&announcement).port(1)]);
    assert_eq!(state(&mut host, "10.0.1.33"), None);
}

#[test]
fn what_waited_is_cut_too() {
    let mut host = start();
    at(&mut host, 1000);
    one(&mut host, &udp4(C4, 1500));
    host.process([reply(C_MAC)]);
    let parts: Vec<_> = listed(&host).into_iter().filter(|(_, verdict)| !verdict.is_drop()).collect();
    assert_eq!((parts.len(), host.counter("fragments"), host.held()), (2, 2, 0));
    assert!(parts.iter().all(|(part, _)| macs(part) == (C_MAC, R1) && part.len() <= 1414));
}
