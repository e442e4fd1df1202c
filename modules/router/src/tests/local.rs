//! What is for the router itself.

use super::*;
use perigee_guest::wire::{NdMac, NeighborSolicitation};

perigee_guest::stack! { struct Ping6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6 } }
perigee_guest::stack! {
    struct Ns { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, body: NeighborSolicitation }
}

fn ping4(to: Ipv4Addr) -> Vec<u8> {
    let mut frame = with_ip(udp4(to, 60), |ip| ip.set_protocol(1));
    frame[34..42].copy_from_slice(&[8, 0, 0, 0, 1, 2, 3, 4]);
    let sum = checksum::finish(checksum::sum(&frame[34..])).to_be_bytes();
    frame[36..38].copy_from_slice(&sum);
    frame
}

fn icmp6(mac: Mac, source: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut bytes = [&[0; 54], message].concat();
    Ping6::fill(&mut bytes, |p| {
        p.eth.set_destination(mac);
        p.eth.set_source(A_MAC);
        p.ip.set_source(source);
        p.ip.set_destination(to);
        p.ip.set_hop_limit(255);
        (p.icmp, _) = (*Icmpv6::parse(message).unwrap().header, ());
    })
    .unwrap();
    bytes
}

#[test]
fn pings_of_own_addresses_are_answered() {
    let mut host = start();
    // Of the far interface too.
    for to in [ROUTER4, [10, 0, 1, 1].into()] {
        let out = one(&mut host, &ping4(to));
        let ip = Ipv4::parse(&out.bytes[14..]).unwrap();
        assert_eq!((out.verdict, macs(&out.bytes)), (Verdict::tx(0), (A_MAC, R0)));
        assert_eq!((ip.source(), ip.destination(), ip.ttl(), ip.payload[0]), (to, A4, 64, 0));
        assert_eq!(checksum::check(&out.bytes), Ok(()));
    }
    let out = one(&mut host, &with_options(ping4(ROUTER4), &[7, 7, 4, 0, 0, 0, 0, 0]));
    assert_eq!(Ipv4::parse(&out.bytes[14..]).unwrap().variable, [7, 7, 8, 10, 0, 0, 1, 0]);
    assert_eq!(host.counter("echo"), 3);
    let by_route = with_options(ping4(ROUTER4), &[131, 7, 4, 10, 0, 1, 9, 0]);
    assert!(one(&mut host, &by_route).verdict.is_drop());
    let message = [128, 0, 0, 0, 1, 2, 3, 4, 5];
    for (source, to) in [(A6, ROUTER6), (A6, "2001:db8:1::1".parse().unwrap())] {
        let out = one(&mut host, &icmp6(R0, source, to, &message));
        let ip = Ipv6::parse(&out.bytes[14..]).unwrap();
        assert_eq!((ip.source(), ip.destination(), ip.hop_limit(), ip.payload[0]), (to, source, 64, 129));
        assert_eq!((out.verdict, checksum::check(&out.bytes)), (Verdict::tx(0), Ok(())));
    }
    assert_eq!(host.counter("echo6"), 2);
}

#[test]
fn a_ping_of_the_link_s_address_is_answered_on_the_link() {
    let mut host = start();
    let (link, host_link) = ("fe80::ff:fe00:10".parse().unwrap(), "fe80::a1".parse().unwrap());
    let out = one(&mut host, &icmp6(R0, host_link, link, &[128, 0, 0, 0, 1, 2, 3, 4]));
    // It is not known yet who that is.
    assert_eq!((host.held(), out.verdict), (1, held()));
    let question = &listed(&host)[0].0;
    let ip = Ipv6::parse(&question[14..]).unwrap();
    assert_eq!((ip.source(), ip.destination()), (link, Ipv6::solicited_node(host_link)));
}

#[test]
fn arp_is_answered_for_own_addresses() {
    let mut host = start();
    let ask = |host: &mut Host<Router>, sender: Ipv4Addr, target: Ipv4Addr| {
        one(host, &arp(Arp::REQUEST, (A_MAC, sender), (Mac([0; 6]), target)))
    };
    for sender in [A4, Ipv4Addr::UNSPECIFIED] {
        let out = ask(&mut host, sender, ROUTER4);
        let reply = Arp::parse(&out.bytes[14..]).unwrap();
        assert_eq!((out.verdict, macs(&out.bytes)), (Verdict::tx(0), (A_MAC, R0)));
        assert_eq!((reply.operation(), reply.sender_mac(), reply.sender()), (Arp::REPLY, R0, ROUTER4));
    }
    // That of another link, a neighbour's, one from another link; and somebody who has ours.
    for (sender, target) in [(A4, [10, 0, 1, 1].into()), (A4, B4), ([10, 9, 0, 2].into(), ROUTER4)] {
        assert!(ask(&mut host, sender, target).verdict.is_drop());
    }
    assert!(ask(&mut host, ROUTER4, ROUTER4).verdict.is_drop());
    assert_eq!((host.counter("arp_answered"), host.counter("arp_heard"), host.counter("conflict")), (2, 3, 1));
}

fn solicitation(source: Ipv6Addr, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let group = Ipv6::solicited_node(target);
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), options].concat();
    icmp6(Mac::of_ipv6_multicast(group.octets()), source, group, &message)
}

#[test]
fn solicitations_are_answered_and_so_is_detection() {
    let mut host = start();
    let own_mac = [&[1, 1][..], &A_MAC.0].concat();
    let link = "fe80::ff:fe00:10".parse().unwrap();
    for (source, target, options) in
        [(A6, ROUTER6, &own_mac[..]), (A6, link, &own_mac), (Ipv6Addr::UNSPECIFIED, ROUTER6, &[])]
    {
        let out = one(&mut host, &solicitation(source, target, options));
        let ip = Ipv6::parse(&out.bytes[14..]).unwrap();
        let asked = !source.is_unspecified();
        assert_eq!((out.verdict, checksum::check(&out.bytes)), (Verdict::tx(0), Ok(())));
        assert_eq!((ip.source(), ip.destination()), (target, if asked { source } else { Ipv6::ALL_NODES }));
        // It is a router, has been asked, and knows better.
        assert_eq!((ip.payload[0], ip.payload[4]), (136, if asked { 0xe0 } else { 0xa0 }));
        assert_eq!(NdMac::find(&ip.payload[24..], NdMac::TARGET), Some(R0));
    }
    assert_eq!(host.counter("nd_answered"), 3);
    // Detection by which somebody gives his MAC address; a hop limit of a packet that was forwarded.
    assert!(one(&mut host, &solicitation(Ipv6Addr::UNSPECIFIED, ROUTER6, &own_mac)).verdict.is_drop());
    let mut far = solicitation(A6, ROUTER6, &own_mac);
    far[21] = 254;
    assert!(one(&mut host, &far).verdict.is_drop());
    assert_eq!(host.counter("malformed"), 2);
    assert!(one(&mut host, &solicitation(ROUTER6, ROUTER6, &own_mac)).verdict.is_drop());
    assert_eq!(host.counter("conflict"), 1);
}

#[test]
fn routers_say_that_they_are_there() {
    let config = CONFIG.replace(r#""mtu": 1400"#, r#""mtu": 1400, "advertise": true"#);
    let mut host = Host::<Router>::start(&config).unwrap();
    host.set_time(SECOND);
    host.process(Vec::<Input>::new());
    let sent = listed(&host);
    assert_eq!((sent.len(), sent[0].1, checksum::check(&sent[0].0)), (1, Verdict::tx(1), Ok(())));
    let ip = Ipv6::parse(&sent[0].0[14..]).unwrap();
    assert_eq!((ip.source(), ip.hop_limit()), ("fe80::ff:fe00:11".parse().unwrap(), 255));
    assert_eq!((ip.payload[0], &ip.payload[6..8]), (134, &1800_u16.to_be_bytes()[..]));
    let options = &ip.payload[16..];
    assert_eq!(options[..8], [1, 1, 2, 0, 0, 0, 0, 0x11]);
    assert_eq!(options[8..16], [5, 1, 0, 0, 0, 0, 5, 120]);
    assert_eq!((options[16..20].to_vec(), options.len()), (vec![3, 4, 64, 0xc0], 48));
    assert_eq!(options[32..], "2001:db8:1::".parse::<Ipv6Addr>().unwrap().octets());
    // Asked for, it comes again, but not at once.
    let wanted = icmp6(
        Mac([0x33, 0x33, 0, 0, 0, 2]),
        "fe80::b1".parse().unwrap(),
        "ff02::2".parse().unwrap(),
        &[133, 0, 0, 0, 0, 0, 0, 0],
    );
    host.set_time(2 * SECOND);
    host.process([Input::new(&wanted).port(1)]);
    assert!(listed(&host).is_empty());
    host.set_time(4 * SECOND + 1);
    host.process(Vec::<Input>::new());
    assert_eq!((listed(&host).len(), host.counter("router_advertisements")), (1, 2));
}
