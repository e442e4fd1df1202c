//! In a test host.

use super::*;
use perigee_guest::testing::{Host, Input, Run};
use perigee_guest::wire::{Ethernet, Header as _, Icmp, Icmpv6, Ipv4, Ipv6, Vlan, checksum, protocol};
use perigee_guest::{Lcg64, Verdict};
use std::net::{Ipv4Addr, Ipv6Addr};

fn start(config: &str) -> Host<Spread> {
    Host::start_in(Run { rings: 8, ..Run::default() }, config).unwrap()
}

fn ethernet(number: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; Ethernet::LEN];
    Ethernet::split_mut(&mut frame).unwrap().0.set_ether_type(number);
    frame.extend(packet);
    frame
}

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, number: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; Ipv4::LEN];
    let (ip, _) = Ipv4::split_mut(&mut packet).unwrap();
    *ip = Ipv4::default();
    ip.set_lengths(0, payload.len());
    ip.set_protocol(number);
    ip.set_source(source);
    ip.set_destination(destination);
    packet[6..8].copy_from_slice(&fragment.to_be_bytes());
    packet.extend(payload);
    packet
}

fn ports(from: u16, to: u16) -> Vec<u8> {
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0; 8]].concat()
}

/// A datagram of UDP over IPv4, in a frame.
fn udp(source: u32, from: u16, destination: u32, to: u16) -> Vec<u8> {
    ethernet(0x0800, &ipv4(source.into(), destination.into(), protocol::UDP, 0, &ports(from, to)))
}

fn ipv6(source: u128, destination: u128, number: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; Ipv6::LEN];
    let (ip, _) = Ipv6::split_mut(&mut packet).unwrap();
    *ip = Ipv6::default();
    ip.set_lengths(0, payload.len());
    ip.set_next_header(number);
    ip.set_source(Ipv6Addr::from_bits(source));
    ip.set_destination(Ipv6Addr::from_bits(destination));
    packet.extend(payload);
    packet
}

fn udp6(source: u128, from: u16, destination: u128, to: u16) -> Vec<u8> {
    ethernet(0x86dd, &ipv6(source, destination, protocol::UDP, &ports(from, to)))
}

/// The ring that a frame goes to.
fn ring_of(host: &mut Host<Spread>, frame: &[u8]) -> usize {
    let verdict = host.process([frame.to_vec()])[0].verdict;
    (0..RINGS_MAX).find(|ring| verdict == Verdict::ring(u16::try_from(*ring).unwrap())).expect("each goes into a ring")
}

fn narrow(random: &mut Lcg64) -> u16 {
    u16::try_from(random.below(1 << 16)).unwrap()
}

#[test]
fn both_directions_go_to_one_ring_and_flows_to_all_of_them() {
    for by in ["addresses", "ports"] {
        let mut host = start(&format!(r#"{{"rings": [0, 1, 2], "by": "{by}"}}"#));
        let (mut random, mut seen) = (Lcg64::new(7), [0; 3]);
        for _ in 0..300 {
            let (a, b) = (random.below(1 << 32), random.below(1 << 32));
            let (from, to) = (narrow(&mut random), narrow(&mut random));
            let ring = ring_of(&mut host, &udp(a, from, b, to));
            assert_eq!(ring, ring_of(&mut host, &udp(b, to, a, from)));
            seen[ring] += 1;
            let (a, b) = ((u128::from(a) << 64) | 1, (u128::from(b) << 64) | 2);
            let ring = ring_of(&mut host, &udp6(a, from, b, to));
            assert_eq!(ring, ring_of(&mut host, &udp6(b, to, a, from)));
            seen[ring] += 1;
        }
        // 200 each are expected: 5 standard deviations of 11.5 are not passed by chance.
        assert!(seen.iter().all(|flows| (143..=257).contains(flows)), "{by}: {seen:?}");
    }
}

#[test]
fn ports_count_only_where_that_is_said() {
    let (one, other) = (0x0a00_0001, 0x0a00_0002);
    let rings = |by: &str| {
        let mut host = start(&format!(r#"{{"rings": [0, 1, 2, 3], "by": "{by}"}}"#));
        (0..64).map(|port| ring_of(&mut host, &udp(one, port, other, 53))).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(rings("addresses").len(), 1);
    assert_eq!(rings("ports").len(), 4);
}

#[test]
fn fragments_stay_together_and_tags_do_not_count() {
    let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let mut host = start(r#"{"rings": [0, 1, 2, 3], "by": "ports"}"#);
    let parts = [(0x2000, ports(1_000, 53)), (0x2001, ports(77, 78)), (0x0002, ports(9, 10))];
    let rings: Vec<_> = parts
        .iter()
        .map(|(fragment, payload)| {
            ring_of(&mut host, &ethernet(0x0800, &ipv4(a, b, protocol::UDP, *fragment, payload)))
        })
        .collect();
    assert!(rings.iter().all(|ring| *ring == rings[0]), "{rings:?}");

    let plain = udp(1, 2, 3, 4);
    let mut tagged = ethernet(0x8100, &[0; Vlan::LEN]);
    tagged[16..18].copy_from_slice(&0x0800_u16.to_be_bytes());
    tagged.extend(&plain[Ethernet::LEN..]);
    assert_eq!(ring_of(&mut host, &plain), ring_of(&mut host, &tagged));
}

#[test]
fn an_error_goes_where_the_packet_went_that_it_is_about() {
    let mut host = start(r#"{"rings": [0, 1, 2, 3, 4, 5, 6, 7], "by": "ports"}"#);
    let mut random = Lcg64::new(3);
    for kind in [Icmp::UNREACHABLE, Icmp::TIME_EXCEEDED, Icmp::PARAMETER_PROBLEM] {
        let (a, b, router) = (random.below(1 << 32), random.below(1 << 32), random.below(1 << 32));
        let asked = udp(a, 1_000, b, 53);
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &asked[Ethernet::LEN..][..28]].concat();
        let mut error = ethernet(0x0800, &ipv4(router.into(), a.into(), protocol::ICMP, 0, &message));
        checksum::fill(&mut error).unwrap();
        assert_eq!(ring_of(&mut host, &error), ring_of(&mut host, &asked));
    }
    // Of a question there is no other packet: it goes by its own addresses, as its answer does.
    let ping = |kind: u8, from: u32, to: u32| {
        ethernet(0x0800, &ipv4(from.into(), to.into(), protocol::ICMP, 0, &[kind, 0, 0, 0, 0, 1, 0, 1]))
    };
    assert_eq!(ring_of(&mut host, &ping(8, 1, 2)), ring_of(&mut host, &ping(0, 2, 1)));
}

/// IPv6 has the same behind headers of its own: options before the ports change nothing, fragments have none, errors are of what they are about.
#[test]
fn the_other_family_goes_the_same_ways() {
    let mut host = start(r#"{"rings": [0, 1, 2, 3, 4, 5, 6, 7], "by": "ports"}"#);
    let mut random = Lcg64::new(5);
    let mut drawn = || u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    for n in 0..20_u16 {
        let (a, b, router) = (drawn(), drawn(), drawn());
        let (asked, to) = (udp6(a, n, b, 53), ports(n, 53));
        let ring = ring_of(&mut host, &asked);
        let options = [&[protocol::UDP, 0, 1, 4, 0, 0, 0, 0][..], &to].concat();
        assert_eq!(ring_of(&mut host, &ethernet(0x86dd, &ipv6(a, b, protocol::HOP_BY_HOP, &options))), ring);
        for kind in [Icmpv6::UNREACHABLE, Icmpv6::TOO_BIG, Icmpv6::TIME_EXCEEDED, Icmpv6::PARAMETER_PROBLEM] {
            // Of what it is about only the beginning is there.
            let message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &asked[Ethernet::LEN..][..44]].concat();
            let error = ethernet(0x86dd, &ipv6(router, a, protocol::ICMPV6, &message));
            assert_eq!(ring_of(&mut host, &error), ring, "{kind}");
        }
        let part = |offset: u16, payload: &[u8]| {
            let header = [&[protocol::UDP, 0][..], &offset.to_be_bytes(), &[0, 0, 0, 7]].concat();
            ethernet(0x86dd, &ipv6(a, b, protocol::IPV6_FRAGMENT, &[&header[..], payload].concat()))
        };
        let (first, later) = (ring_of(&mut host, &part(1, &to)), ring_of(&mut host, &part(16, &ports(9, n))));
        let alone = ring_of(&mut host, &ethernet(0x86dd, &ipv6(b, a, protocol::ICMPV6, &[128, 0, 0, 0, 0, 1, 0, 1])));
        assert_eq!((first, later), (alone, alone), "by their addresses");
    }
}

#[test]
fn what_is_no_flow_goes_into_the_first_ring() {
    let mut host = start(r#"{"rings": [2, 1]}"#);
    let whole = udp(0x0a00_0001, 1, 0x0a00_0002, 2);
    let frames =
        [vec![0; 60], ethernet(0x0806, &[0; 28]), vec![0; 9], whole[..33].to_vec(), ethernet(0x0800, &[0x60; 40])];
    let out = host.process(frames.map(|frame| Input::new(&frame)));
    assert!(out.iter().all(|packet| packet.verdict == Verdict::ring(2)));
    assert_eq!((host.counter("packets"), host.counter("other")), (5, 5));
}

#[test]
fn any_bytes_have_a_ring() {
    let mut host = start(r#"{"rings": [0, 1, 2], "by": "ports"}"#);
    let mut random = Lcg64::new(11);
    for _ in 0..20_000 {
        let len = random.below(120) as usize;
        let mut frame = vec![0; len];
        frame.fill_with(|| random.below(256).to_le_bytes()[0]);
        // Most shall be looked at further than their type.
        if let Some(number) = frame.get_mut(12..14) {
            number.copy_from_slice([&[0x08, 0x00], &[0x86, 0xdd], &[0x81, 0x00]][random.below(3) as usize]);
        }
        ring_of(&mut host, &frame);
    }
}

#[test]
fn without_a_list_all_rings_have_their_share() {
    let mut host = start("{}");
    let rings: std::collections::BTreeSet<_> = (0..200).map(|n| ring_of(&mut host, &udp(n, 1, 1_000, 2))).collect();
    assert_eq!(rings.len(), 8);
}

#[test]
fn one_ring_takes_all_and_a_key_mixes_anew() {
    let mut host = start(r#"{"rings": [1]}"#);
    assert_eq!(host.process([udp(1, 2, 3, 4)])[0].verdict, Verdict::ring(1));
    assert_eq!(host.counter("other"), 0);
    let rings = |key: u64| {
        let mut host = start(&format!(r#"{{"rings": [0, 1], "key": {key}}}"#));
        (0..64).map(|n| ring_of(&mut host, &udp(n, 1, 1_000, 2))).collect::<Vec<_>>()
    };
    assert_eq!(rings(5), rings(5));
    assert_ne!(rings(5), rings(6));
}

#[test]
fn mistakes_are_told() {
    let refused = |config: &str| Host::<Spread>::start(config).map(|_| ()).unwrap_err();
    let none = Host::<Spread>::start_in(Run { rings: 0, ..Run::default() }, "{}").map(|_| ()).unwrap_err();
    assert!(none.starts_with("rings: this run has none"), "{none}");
    assert!(
        refused(r#"{"rings": [0, 64]}"#).starts_with("rings: there is no ring 64: this run has"),
        "{}",
        refused(r#"{"rings": [0, 64]}"#)
    );
    assert!(refused(r#"{"rings": [0], "by": "colour"}"#).contains("by"));
}
