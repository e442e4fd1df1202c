//! Who is answered, and who is not: the same list for every kind of question.

use super::tests::{
    ASKER, OWN, US4, US6, arp_request, ask, echo4, group, icmp6, refused, solicitation, source_mac_option,
};
use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::wire::{Icmpv6, checksum};

const ECHO6: [u8; 10] = [Icmpv6::ECHO_REQUEST, 0, 0, 0, 0, 0, 0, 0, 1, 2];
/// Another address that is answered for.
const ALSO_US6: &str = "fe80::2";

/// An echo request from this address.
fn echo4_from(address: Ipv4Addr) -> Vec<u8> {
    let mut packet = echo4(&[], 56);
    packet[26..30].copy_from_slice(&address.octets());
    checksum::fill(&mut packet).unwrap();
    packet
}

#[test]
fn nobody_is_answered_who_cannot_have_asked() {
    let nobody = ["0.0.0.1", "0.255.255.255", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.255.255.255"];
    let reserved = ["240.0.0.1", "255.255.255.254", "255.255.255.255"];
    for address in nobody.into_iter().chain(reserved).map(|text| text.parse().unwrap()) {
        refused(&echo4_from(address), "other");
        refused(&arp_request(address, US4), "other");
    }
    refused(&echo4_from(Ipv4Addr::UNSPECIFIED), "other");
    let (mac, group) = group();
    for address in ["::1", "::ffff:10.0.0.1", "::ffff:0:0", "ff02::1"] {
        let address: Ipv6Addr = address.parse().unwrap();
        refused(&icmp6(OWN, address, US6, &ECHO6), "other");
        refused(&solicitation(mac, address, group, &source_mac_option()), "other");
    }
    refused(&icmp6(OWN, Ipv6Addr::UNSPECIFIED, US6, &ECHO6), "other");
    // And whoever can, is.
    for address in ["1.0.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255"] {
        let address = address.parse().unwrap();
        assert_eq!((ask(echo4_from(address)).1, ask(arp_request(address, US4)).1), ("echo", "arp"));
    }
}

#[test]
fn a_station_has_a_mac_address() {
    let (mac, group) = group();
    let questions = || {
        let asked = solicitation(mac, "fe80::1".parse().unwrap(), group, &[]);
        [
            arp_request([10, 0, 0, 1].into(), US4),
            echo4(&[], 8),
            icmp6(OWN, "fe80::1".parse().unwrap(), US6, &ECHO6),
            asked,
        ]
    };
    for (source, question) in [[0; 6], [1, 0, 0, 0, 0, 9], [0xff; 6]]
        .into_iter()
        .flat_map(|source| questions().map(|question| (source, question)))
    {
        let mut question = question;
        question[6..12].copy_from_slice(&source);
        refused(&question, "other");
    }
    // Where it stands in the question itself.
    for wrong in [[0; 6], [1, 0, 0, 0, 0, 9]] {
        let mut arp = arp_request([10, 0, 0, 1].into(), US4);
        arp[22..28].copy_from_slice(&wrong);
        refused(&arp, "malformed");
        let option = [&[1, 1][..], &wrong].concat();
        refused(&solicitation(mac, "fe80::1".parse().unwrap(), group, &option), "malformed");
    }
}

/// A TAP's port has the MAC address of the kernel's interface at its other end.
#[test]
fn who_has_our_mac_address_is_answered() {
    let mut arp = arp_request([10, 0, 0, 1].into(), US4);
    arp[6..12].copy_from_slice(&OWN.0);
    arp[22..28].copy_from_slice(&OWN.0);
    let mut echo = echo4(&[], 8);
    echo[6..12].copy_from_slice(&OWN.0);
    let mut echo6 = icmp6(OWN, "fe80::1".parse().unwrap(), US6, &ECHO6);
    echo6[6..12].copy_from_slice(&OWN.0);
    for (question, counted) in [(arp, "arp"), (echo, "echo"), (echo6, "echo6")] {
        assert_eq!(ask(question).1, counted);
    }
}

#[test]
fn whoever_has_our_address_is_a_conflict() {
    // In a request, be it for the address or for another one, and in a reply (RFC 5227, section 2.4).
    for target in [US4, Ipv4Addr::new(10, 0, 0, 77)] {
        let mut arp = arp_request(US4, target);
        refused(&arp, "conflict");
        arp[21] = 2;
        refused(&arp, "conflict");
        // Of other operations nobody says that.
        arp[21] = 3;
        refused(&arp, "other");
        // One of ours that came back by another station.
        arp[21] = 1;
        arp[22..28].copy_from_slice(&OWN.0);
        refused(&arp, "other");
    }
    let (mac, group) = group();
    for ours in [US6, ALSO_US6.parse().unwrap()] {
        refused(&solicitation(mac, ours, group, &source_mac_option()), "conflict");
        refused(&icmp6(OWN, ours, US6, &ECHO6), "other");
    }
    refused(&echo4_from(US4), "other");
    // An advertisement of our address, and one of another's.
    let advertised = |target: Ipv6Addr, code: u8| {
        let fixed = [Icmpv6::NEIGHBOR_ADVERTISEMENT, code, 0, 0, 0x20, 0, 0, 0];
        let message = [&fixed[..], &target.octets(), &[2, 1], &ASKER.0].concat();
        let to = Mac::of_ipv6_multicast(perigee_guest::wire::Ipv6::ALL_NODES.octets());
        icmp6(to, "fe80::1".parse().unwrap(), perigee_guest::wire::Ipv6::ALL_NODES, &message)
    };
    refused(&advertised(US6, 0), "conflict");
    refused(&advertised("fd00::99".parse().unwrap(), 0), "other");
    refused(&advertised(US6, 1), "malformed");
    let mut routed = advertised(US6, 0);
    routed[21] = 254;
    refused(&routed, "malformed");
}

#[test]
fn arp_for_other_hardware_is_not_ours() {
    for (at, value) in [(15, 6), (17, 1), (18, 8), (19, 16)] {
        let mut arp = arp_request([10, 0, 0, 1].into(), US4);
        arp[at] = value;
        refused(&arp, "other");
    }
}

/// An echo request with these bytes between the IPv6 header and the message.
fn behind(number: u8, extensions: &[u8]) -> Vec<u8> {
    let mut packet = icmp6(OWN, "fe80::1".parse().unwrap(), US6, &ECHO6);
    packet.splice(54..54, extensions.iter().copied());
    packet[20] = number;
    packet[19] += u8::try_from(extensions.len()).unwrap();
    packet
}

#[test]
fn an_echo_request_is_answered_behind_extension_headers() {
    let (plain, _) = ask(icmp6(OWN, "fe80::1".parse().unwrap(), US6, &ECHO6));
    let options = [58, 0, 1, 4, 0, 0, 0, 0];
    let alert = [58, 0, 5, 2, 0, 0, 1, 0];
    let whole = [58, 0, 0, 0, 1, 2, 3, 4];
    let used_up = [&[58, 2, 0, 0, 0, 0, 0, 0][..], &[9; 16]].concat();
    let all = [&[60, 0, 1, 4, 0, 0, 0, 0][..], &[44, 0, 1, 4, 0, 0, 0, 0], &whole].concat();
    let cases = [(0, &options[..]), (60, &options), (0, &alert), (44, &whole), (43, &used_up), (0, &all)];
    for (number, extensions) in cases {
        let (out, counted) = ask(behind(number, extensions));
        // As if they had not been there, but for what was filled up.
        assert_eq!((&out.bytes[..64], counted, out.verdict), (&plain.bytes[..64], "echo6", Verdict::tx(0)), "{number}");
        assert_eq!(checksum::check(&out.bytes), Ok(()));
    }
}

#[test]
fn what_asks_for_more_than_an_answer_is_not_answered() {
    let route = [&[58, 2, 0, 1, 0, 0, 0, 0][..], &[9; 16]].concat();
    refused(&behind(43, &route), "other");
    // Options that whoever does not know them shall not pass over: three ways to say so; one that leads out.
    for kind in [0x5e, 0x9e, 0xde] {
        refused(&behind(60, &[58, 0, kind, 4, 0, 0, 0, 0]), "other");
    }
    refused(&behind(60, &[58, 0, 1, 9, 0, 0, 0, 0]), "malformed");
    refused(&behind(60, &[58, 9, 1, 4, 0, 0, 0, 0]), "malformed");
    // A real fragment; AH; hop-by-hop options behind another header; a length of 0.
    refused(&behind(44, &[58, 0, 0, 1, 1, 2, 3, 4]), "fragment");
    refused(&behind(51, &[58, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]), "other");
    refused(&behind(60, &[0, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0]), "malformed");
    let mut empty = behind(60, &[58, 0, 1, 4, 0, 0, 0, 0]);
    empty[19] = 0;
    refused(&empty, "malformed");
    // Neighbours do not ask in fragments, not even whole ones (RFC 6980).
    let (mac, group) = group();
    let mut question = solicitation(mac, "fe80::1".parse().unwrap(), group, &source_mac_option());
    question.splice(54..54, [58, 0, 0, 0, 1, 2, 3, 4]);
    (question[20], question[19]) = (44, question[19] + 8);
    refused(&question, "other");
}

#[test]
fn a_ping_of_zeros_gets_a_checksum_that_verifies() {
    for data in [0, 1, 8, 56] {
        let mut question = echo4(&[], 0);
        question.truncate(34);
        question.extend([8, 0, 0xf7, 0xff, 0, 0, 0, 0]);
        question.resize(42 + data, 0);
        question[16..18].copy_from_slice(&u16::try_from(28 + data).unwrap().to_be_bytes());
        checksum::fill(&mut question).unwrap();
        let (out, counted) = ask(&question[..]);
        assert_eq!((counted, &out.bytes[36..38]), ("echo", &[0xff, 0xff][..]));
        assert_eq!(checksum::check(&out.bytes), Ok(()));
    }
}
