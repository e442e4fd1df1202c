//! The responder in a test host, asked as the Linux kernel asks.

use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::testing::{Host, Input, Output};
use perigee_guest::wire::{Arp, Icmp, Icmpv6, Ipv4, Ipv6, NdMac, Stack as _, checksum, protocol};

const CONFIG: &str = r#"{"addresses": ["10.0.0.2", "fe80::2", "fd00::12:3456"]}"#;
/// Who asks, and the MAC address of port 0 of the test host.
pub(crate) const ASKER: Mac = Mac([2, 0, 0, 0, 0, 0x99]);
pub(crate) const OWN: Mac = Mac([2, 0, 0, 0, 0, 0x10]);
pub(crate) const US4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const ASKER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const US6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x12, 0x3456);
const ASKER6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn host(config: &str) -> Host<Responder> {
    Host::start(config).unwrap()
}

/// Asks once, and gives what came out and the counter that counted.
pub(crate) fn ask(packet: impl Into<Input>) -> (Output, &'static str) {
    let mut host = host(CONFIG);
    let out = host.process([packet.into()]).remove(0);
    let counted: Vec<_> = Outcome::ALL.iter().filter(|(_, name)| host.counter(name) > 0).collect();
    assert_eq!(counted.len(), 1, "{counted:?}");
    (out, counted[0].1)
}

/// What came out is the packet as it was, dropped, and counted under this name.
pub(crate) fn refused(packet: &[u8], name: &str) {
    let (out, counted) = ask(packet);
    assert_eq!((out.bytes.as_slice(), counted), (packet, name));
    assert!(out.verdict.is_drop());
}

perigee_guest::stack! { struct Message { ip: Ipv6, icmp: Icmpv6 } }

fn frame(to: Mac, number: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&to.0[..], &ASKER.0, &number.to_be_bytes(), payload].concat();
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

pub(crate) fn arp_request(sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4, 0, 1];
    let payload = [&fixed[..], &ASKER.0, &sender.octets(), &[0; 6], &target.octets()].concat();
    frame(Mac::BROADCAST, ether_type::ARP, &payload)
}

/// An echo request with options and with this many bytes of data.
pub(crate) fn echo4(options: &[u8], data: usize) -> Vec<u8> {
    let mut message = vec![Icmp::ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1];
    message.extend((0..=u8::MAX).cycle().take(data));
    let sum = checksum::finish(checksum::sum(&message)).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    let header = 20 + options.len();
    let mut ip = vec![0; header];
    ip[0] = 0x40 | u8::try_from(header / 4).unwrap();
    ip[2..4].copy_from_slice(&u16::try_from(header + message.len()).unwrap().to_be_bytes());
    (ip[6], ip[8], ip[9]) = (0x40, 33, protocol::ICMP);
    ip[12..16].copy_from_slice(&ASKER4.octets());
    ip[16..20].copy_from_slice(&US4.octets());
    ip[20..].copy_from_slice(options);
    let sum = checksum::finish(checksum::sum(&ip)).to_be_bytes();
    ip[10..12].copy_from_slice(&sum);
    frame(OWN, ether_type::IPV4, &[ip, message].concat())
}

/// An ICMPv6 message between two addresses, with a good checksum.
pub(crate) fn icmp6(to: Mac, source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 14 + Message::LEN + message.len() - 4];
    bytes[14 + Message::LEN - 4..].copy_from_slice(message);
    Message::fill(&mut bytes[14..], |p| {
        p.ip.set_hop_limit(255);
        p.ip.set_source(source);
        p.ip.set_destination(destination);
        p.icmp = Icmpv6::parse(message).map_or(p.icmp, |icmp| *icmp.header);
    })
    .unwrap();
    frame(to, ether_type::IPV6, &bytes[14..])
}

/// A neighbour solicitation with these options.
pub(crate) fn solicitation(to: Mac, source: Ipv6Addr, destination: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let fixed = [Icmpv6::NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    icmp6(to, source, destination, &[&fixed[..], &US6.octets(), options].concat())
}

/// The solicited-node group of our address, and its MAC address.
pub(crate) fn group() -> (Mac, Ipv6Addr) {
    let group = Ipv6::solicited_node(US6);
    (Mac::of_ipv6_multicast(group.octets()), group)
}

pub(crate) fn source_mac_option() -> Vec<u8> {
    [&[NdMac::SOURCE, 1][..], &ASKER.0].concat()
}

#[track_caller]
fn check_link(out: &Output, to: Mac) {
    let frame = Ethernet::parse(&out.bytes).unwrap();
    assert_eq!((frame.destination(), frame.source(), out.verdict), (to, OWN, Verdict::tx(0)));
}

#[test]
fn arp_is_answered() {
    for sender in [ASKER4, Ipv4Addr::UNSPECIFIED] {
        let (out, counted) = ask(arp_request(sender, US4));
        check_link(&out, ASKER);
        let reply = Arp::parse(&out.bytes[14..]).unwrap();
        assert_eq!((counted, reply.operation(), out.bytes.len()), ("arp", Arp::REPLY, 60));
        assert_eq!((reply.sender_mac(), reply.sender()), (OWN, US4));
        assert_eq!((reply.target_mac(), reply.target()), (ASKER, sender));
    }
}

#[test]
fn other_arp_is_not_answered() {
    refused(&arp_request(ASKER4, Ipv4Addr::new(10, 0, 0, 3)), "other");
    let mut reply = arp_request(ASKER4, US4);
    reply[21] = 2;
    refused(&reply, "other");
    let mut from_all = arp_request(ASKER4, US4);
    from_all[22..28].fill(0xff);
    refused(&from_all, "malformed");
    refused(&arp_request(ASKER4, US4)[..41], "malformed");
}

#[test]
fn echo_is_answered_with_any_length_and_options() {
    // Record route, with a no-operation before it: options stay.
    let record_route = [1, 7, 7, 4, 0, 0, 0, 0];
    for (options, data) in [(&[][..], 0), (&[], 56), (&[], 57), (&[], 1472), (&record_route, 56)] {
        let question = echo4(options, data);
        let (out, counted) = ask(&question[..]);
        check_link(&out, ASKER);
        assert_eq!((counted, out.bytes.len()), ("echo", question.len()));
        let ip = Ipv4::parse(&out.bytes[14..]).unwrap();
        assert_eq!(checksum::check(&out.bytes), Ok(()));
        assert_eq!((ip.source(), ip.destination(), ip.ttl(), ip.variable), (US4, ASKER4, 64, options));
        let message = Icmp::parse(ip.payload).unwrap();
        assert_eq!(message.kind(), Icmp::ECHO_REPLY);
        assert_eq!(ip.payload[4..8], [0x12, 0x34, 0, 1]);
    }
}

#[test]
fn wrong_or_partial_echo_is_not_answered() {
    let good = echo4(&[], 56);
    let change = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    // A data byte, the time to live, "more fragments" without and with a new header checksum.
    refused(&change(60, 0xff), "bad_checksum");
    refused(&change(22, 34), "bad_checksum");
    refused(&change(20, 0x20), "bad_checksum");
    for bits in [0x2000_u16, 0x0001] {
        let mut fragment = good.clone();
        fragment[20..22].copy_from_slice(&bits.to_be_bytes());
        checksum::fill(&mut fragment).unwrap();
        refused(&fragment, "fragment");
    }
    refused(&change(14, 0x55), "malformed");
    refused(&good[..40], "malformed");
    refused(&change(33, 3), "other");
    // To another station, and to one address in a frame to all.
    refused(&change(5, 0x77), "other");
    let mut to_all = good.clone();
    to_all[..6].fill(0xff);
    refused(&to_all, "other");
    // Loose source route, an option without a length, one that is longer than the header.
    refused(&echo4(&[131, 7, 4, 10, 0, 0, 9, 0], 8), "other");
    refused(&echo4(&[7, 0, 0, 0], 8), "malformed");
    refused(&echo4(&[7, 5, 0, 0], 8), "malformed");
}

#[test]
fn a_port_that_has_checked_is_believed() {
    let mut wrong = echo4(&[], 56);
    wrong[22] = 34;
    let (_, counted) = ask(Input::new(&wrong).flags(perigee_guest::abi::rx_flags::IP_CHECKSUM_GOOD));
    assert_eq!(counted, "echo");
}

#[test]
fn echo6_is_answered() {
    for data in [0, 1, 56, 1432] {
        let mut message = vec![Icmpv6::ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1];
        message.resize(8 + data, 0x61);
        let (out, counted) = ask(icmp6(OWN, ASKER6, US6, &message));
        check_link(&out, ASKER);
        let ip = Ipv6::parse(&out.bytes[14..]).unwrap();
        assert_eq!((counted, ip.source(), ip.destination(), ip.hop_limit()), ("echo6", US6, ASKER6, 64));
        let reply = Icmpv6::parse(ip.payload).unwrap();
        assert_eq!((reply.kind(), checksum::check(&out.bytes)), (Icmpv6::ECHO_REPLY, Ok(())));
        assert_eq!(ip.payload[4..], message[4..]);
    }
}

#[test]
fn wrong_or_partial_echo6_is_not_answered() {
    let message = [Icmpv6::ECHO_REQUEST, 0, 0, 0, 0, 0, 0, 0, 1, 2];
    let good = icmp6(OWN, ASKER6, US6, &message);
    let change = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    refused(&change(62, 9), "bad_checksum");
    refused(&change(20, protocol::IPV6_FRAGMENT), "fragment");
    refused(&change(20, protocol::UDP), "other");
    refused(&change(53, 0x57), "other");
    refused(&change(19, 200), "malformed");
    refused(&icmp6(OWN, Ipv6Addr::UNSPECIFIED, US6, &message), "other");
    refused(&icmp6(OWN, Ipv6::ALL_NODES, US6, &message), "other");
    refused(&icmp6(Mac::BROADCAST, ASKER6, US6, &message), "other");
}

/// Checks an advertisement, and gives its flags.
#[track_caller]
fn check_advertisement(out: &Output, counted: &str, to: Mac, to_address: Ipv6Addr) -> u8 {
    check_link(out, to);
    let ip = Ipv6::parse(&out.bytes[14..]).unwrap();
    assert_eq!((counted, out.bytes.len(), ip.payload_length()), ("ndp", 86, 32));
    assert_eq!((ip.source(), ip.destination(), ip.hop_limit()), (US6, to_address, 255));
    let message = Icmpv6::parse(ip.payload).unwrap();
    assert_eq!(checksum::check(&out.bytes), Ok(()));
    assert_eq!((message.kind(), message.code()), (Icmpv6::NEIGHBOR_ADVERTISEMENT, 0));
    assert_eq!(ip.payload[8..24], US6.octets());
    assert_eq!(ip.payload[24..], [&[NdMac::TARGET, 1][..], &OWN.0].concat());
    ip.payload[4]
}

#[test]
fn neighbours_are_answered() {
    let (mac, group) = group();
    let own_option = source_mac_option();
    // The first question goes to the group; later ones, to see whether we are still there, to us alone, with and without
    // the option.
    for (to, destination, options) in [(mac, group, &own_option[..]), (OWN, US6, &own_option), (OWN, US6, &[])] {
        let (out, counted) = ask(solicitation(to, ASKER6, destination, options));
        assert_eq!(check_advertisement(&out, counted, ASKER, ASKER6), 0x60);
    }
}

#[test]
fn duplicate_address_detection_is_answered_to_all_nodes() {
    let (mac, group) = group();
    let all = Mac([0x33, 0x33, 0, 0, 0, 1]);
    // Linux adds a nonce (RFC 7527).
    for options in [&[][..], &[14, 1, 1, 2, 3, 4, 5, 6]] {
        let (out, counted) = ask(solicitation(mac, Ipv6Addr::UNSPECIFIED, group, options));
        assert_eq!(check_advertisement(&out, counted, all, Ipv6::ALL_NODES), 0x20);
    }
}

#[test]
fn solicitations_against_the_rules_are_not_answered() {
    let (mac, group) = group();
    let own_option = source_mac_option();
    let none = Ipv6Addr::UNSPECIFIED;
    refused(&solicitation(mac, none, group, &own_option), "malformed");
    refused(&solicitation(OWN, none, US6, &[]), "malformed");
    refused(&solicitation(mac, ASKER6, group, &[1, 0, 0, 0, 0, 0, 0, 0]), "malformed");
    refused(&solicitation(mac, ASKER6, group, &[1, 1, 3, 0, 0, 0, 0, 0]), "malformed");
    let change = |at: usize, value: u8| {
        let mut bytes = solicitation(mac, ASKER6, group, &own_option);
        bytes[at] = value;
        let _ = checksum::fill(&mut bytes);
        bytes
    };
    // Hop limit, code, another target, a target that is a group.
    refused(&change(21, 254), "malformed");
    refused(&change(55, 1), "malformed");
    refused(&change(77, 0x99), "other");
    refused(&change(62, 0xff), "malformed");
}

/// Puts tags behind the MAC addresses.
fn tagged(mut frame: Vec<u8>, tags: &[[u8; 4]]) -> Vec<u8> {
    frame.splice(12..12, tags.concat());
    frame
}

#[test]
fn tagged_questions_get_tagged_answers() {
    let (mac, group) = group();
    let message = [Icmpv6::ECHO_REQUEST, 0, 0, 0, 0, 0, 0, 0];
    let questions = [
        arp_request(ASKER4, US4),
        echo4(&[], 56),
        icmp6(OWN, ASKER6, US6, &message),
        solicitation(mac, ASKER6, group, &source_mac_option()),
        solicitation(mac, Ipv6Addr::UNSPECIFIED, group, &[]),
    ];
    for question in questions {
        let (plain, counted) = ask(&question[..]);
        for tags in [&[[0x81, 0, 0x20, 7]][..], &[[0x88, 0xa8, 0, 5], [0x81, 0, 0, 6]]] {
            let (out, tagged_counted) = ask(tagged(question.clone(), tags));
            let mut expected = tagged(plain.bytes.clone(), tags);
            expected.truncate(out.bytes.len());
            assert_eq!((out.bytes, tagged_counted, out.verdict), (expected, counted, Verdict::tx(0)));
        }
        // A tag that the port took off comes back by itself.
        let (out, _) = ask(Input::new(&question).vlan(9));
        assert_eq!((out.bytes, out.desc.tx_flags), (plain.bytes, perigee_guest::abi::tx_flags::VLAN_INSERT));
    }
    refused(&tagged(echo4(&[], 8), &[[0x81, 0, 0, 1]; 3]), "other");
    refused(&tagged(echo4(&[], 8), &[[0x81, 0, 0, 1]])[..17], "malformed");
}

#[test]
fn the_rest_goes_where_the_configuration_says() {
    let udp = frame(OWN, ether_type::IPV4, &[0x45, 0, 0, 20]);
    let next = r#"{"addresses": ["10.0.0.2"], "other": "next", "mac": "02:00:00:00:00:55"}"#;
    let mut next = host(next);
    let out = next.process([Input::new(&udp), Input::new(&arp_request(ASKER4, US4)).port(3), Input::new(&[0; 4])]);
    assert_eq!((out[0].verdict, out[2].verdict), (Verdict::NEXT, Verdict::NEXT));
    // With the configured MAC address, by the port that asked.
    assert_eq!(out[1].verdict, Verdict::tx(3));
    assert_eq!(out[1].bytes[6..12], [2, 0, 0, 0, 0, 0x55]);
    // A packet that came from no port has nobody to answer.
    let out = next.process([Input::new(&arp_request(ASKER4, US4)).port(0xffff)]);
    assert_eq!(out[0].verdict, Verdict::NEXT);
}

#[test]
fn what_cannot_be_is_refused() {
    let cases = [
        ("", "the key \"addresses\" is missing"),
        (r#"{"addresses": []}"#, "addresses: at least one, such as \"10.0.0.2\" or \"fe80::2\""),
        (r#"{"addresses": ["224.0.0.1"]}"#, "addresses: only addresses of one host can be answered for"),
        (r#"{"addresses": ["10.0.0.300"]}"#, "addresses: invalid IP address syntax"),
        (r#"{"addresses": ["::1"], "mac": "01:00:00:00:00:00"}"#, "mac: not the address of one station"),
        (r#"{"adresses": ["::1"]}"#, "unknown key \"adresses\"; known: addresses, mac, other"),
    ];
    for (config, text) in cases {
        assert_eq!(Host::<Responder>::start(config).map(|_| ()).unwrap_err(), text, "{config}");
    }
}
