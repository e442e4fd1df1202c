//! Checksums of packets on their way: wherever a packet is on its route, its checksum is that of whoever made it.

use super::fill::{all_but_offloads, check, fill};
use super::{finish, pseudo_header, sum};
use crate::wire::{DestinationOptions, Ethernet, Header as _, Ipv4, Ipv6, Routing, Stack, Tcp, Udp, With};
use core::net::Ipv6Addr;
use perigee_abi::{offloads, tx_flags};
use std::vec;
use std::vec::Vec;

crate::stack! { struct Tcp4 { eth: Ethernet, ip: Ipv4, tcp: Tcp } }
crate::stack! { struct Udp6 { eth: Ethernet, ip: Ipv6, udp: Udp } }

const PAYLOAD: [u8; 5] = *b"route";
const TCP: usize = 16;
const UDP: usize = 6;

/// A packet with these bytes between its IP header and the transport.
fn with<S: Stack>(ip: usize, between: &[u8], network: impl FnOnce(&mut S)) -> Vec<u8> {
    let mut packet = vec![0; S::LEN];
    packet.extend(PAYLOAD);
    S::fill(&mut packet, network).unwrap();
    packet.splice(ip..ip, between.iter().copied());
    packet
}

fn tcp4(options: &[u8], destination: [u8; 4]) -> Vec<u8> {
    let mut packet = with::<Tcp4>(34, options, |p| p.ip.set_destination(destination.into()));
    let (words, len) = ((20 + options.len()) / 4, packet.len() - 14);
    packet[14] = 0x40 | u8::try_from(words).unwrap();
    packet[16..18].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
    packet
}

fn udp6(number: u8, extensions: &[u8], destination: Ipv6Addr) -> Vec<u8> {
    let mut packet = with::<Udp6>(54, extensions, |p| p.ip.set_destination(destination));
    let len = u16::try_from(packet.len() - 54).unwrap();
    packet[18..20].copy_from_slice(&len.to_be_bytes());
    packet[20] = number;
    packet
}

/// The transport's checksum after `fill`, which is at `at` in its header; nothing where it was left as it was.
fn filled(mut packet: Vec<u8>, at: usize) -> Option<u16> {
    let header = if at == TCP { 20 } else { 8 };
    let place = packet.len() - PAYLOAD.len() - header + at;
    packet[place..place + 2].copy_from_slice(&[0x12, 0x34]);
    fill(&mut packet).unwrap();
    assert_eq!(check(&packet), Ok(()));
    let value = u16::from_be_bytes([packet[place], packet[place + 1]]);
    // What is left alone is right, whatever it is.
    (value != 0x1234).then_some(value)
}

/// The checksum by the addresses that count, over the transport behind both headers.
fn expected(packet: &[u8], source: &[u8], destination: &[u8], at: usize) -> Option<u16> {
    let (number, len) = if at == TCP { (6, 20 + PAYLOAD.len()) } else { (17, 8 + PAYLOAD.len()) };
    let mut message = packet[packet.len() - len..].to_vec();
    message[at..at + 2].fill(0);
    Some(finish(pseudo_header(source, destination, number, len) + sum(&message)))
}

fn hop4(number: usize) -> [u8; 4] {
    [198, 51, 100, u8::try_from(number).unwrap()]
}

#[test]
fn source_routes_lead_to_the_last_address() {
    for kind in [131, 137] {
        for (before, count) in (0..=8).flat_map(|count| [(0, count), (1, count), (3, count)]) {
            let (last, mut hops) = (hop4(99), (0..count).map(hop4).collect::<Vec<_>>());
            hops.push(last);
            // As RFC 791 has it: the next address of the route becomes the destination, and whoever forwards writes his own.
            for visited in 0..=count {
                let (route, destination) = (&hops[1..], hops[visited]);
                let mut options = vec![1; before];
                let pointer = u8::try_from(4 + 4 * visited).unwrap();
                options.extend([kind, u8::try_from(3 + 4 * count).unwrap(), pointer]);
                options.extend(route.concat());
                options.resize(options.len().next_multiple_of(4), 0);
                if options.len() > 40 {
                    continue;
                }
                let packet = tcp4(&options, destination);
                let expected = expected(&packet, &packet[26..30], &last, TCP);
                assert_eq!(filled(packet, TCP), expected, "{count} hops, {visited} visited: {options:02x?}");
            }
        }
    }
}

#[test]
fn a_route_that_contradicts_itself_leaves_the_checksum_alone() {
    let options: [&[u8]; 7] = [
        // The pointer: before the route, within an address.
        &[131, 7, 3, 9, 9, 9, 9, 0],
        &[131, 7, 5, 9, 9, 9, 9, 0],
        &[137, 7, 0, 9, 9, 9, 9, 0],
        &[137, 11, 7, 9, 9, 9, 9, 8, 8, 8, 8, 0],
        // Addresses that are none, two routes.
        &[131, 6, 4, 9, 9, 9, 0, 0],
        &[131, 2, 0, 0],
        &[131, 7, 4, 9, 9, 9, 9, 137, 7, 4, 8, 8, 8, 8, 0, 0],
    ];
    for options in options {
        let packet = tcp4(options, [192, 0, 2, 9]);
        let mut asked = packet.clone();
        assert_eq!(filled(packet, TCP), None, "{options:02x?}");
        let flags = all_but_offloads(&mut asked, u32::MAX).unwrap().flags;
        assert_eq!(flags & tx_flags::TCP_CHECKSUM, 0, "{options:02x?}");
    }
    // Behind the end of the options nothing counts, and what does not end within them ends them.
    for options in [[0, 131, 7, 3, 9, 9, 9, 9], [137, 9, 4, 9, 9, 9, 9, 0], [1, 137, 1, 0, 0, 0, 0, 0]] {
        let packet = tcp4(&options, [192, 0, 2, 9]);
        let expected = expected(&packet, &packet[26..30], &[192, 0, 2, 9], TCP);
        assert_eq!(filled(packet, TCP), expected, "{options:02x?}");
    }
}

#[test]
fn a_port_is_not_asked_where_the_destination_stands_elsewhere() {
    let asked = |options: &[u8]| all_but_offloads(&mut tcp4(options, [192, 0, 2, 9]), u32::MAX).unwrap();
    let both = tx_flags::IPV4 | tx_flags::IP_CHECKSUM;
    assert_eq!((asked(&[131, 7, 4, 9, 9, 9, 9, 0]).flags, asked(&[131, 7, 4, 9, 9, 9, 9, 0]).l3_len), (both, 28));
    // Used up, and no route at all.
    for options in [&[131, 7, 8, 9, 9, 9, 9, 0][..], &[148, 4, 0, 0], &[]] {
        assert_eq!(asked(options).flags, both | tx_flags::TCP_CHECKSUM, "{options:02x?}");
    }
}

fn hop6(number: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0x11, 0, 0, u16::try_from(number).unwrap())
}

/// A routing header before UDP, of a kind, with so many places left, four bytes of its own, and the rest.
fn routing(kind: u8, left: usize, own: [u8; 4], list: &[u8]) -> Vec<u8> {
    let words = u8::try_from(list.len() / 8).unwrap();
    [&[17, words, kind, u8::try_from(left).unwrap()][..], &own, list].concat()
}

/// What types 0 and 2 hold when `visited` of `count` places behind the first are behind the packet, and its destination:
/// each place takes the next address out, and puts in the one under which it was reached (RFC 2460, section 4.4).
fn swapped(count: usize, visited: usize) -> (Vec<Ipv6Addr>, Ipv6Addr) {
    let mut list: Vec<_> = (1..=count).map(hop6).collect();
    let mut destination = hop6(0);
    for address in list.iter_mut().take(visited) {
        core::mem::swap(address, &mut destination);
    }
    (list, destination)
}

fn octets(list: &[Ipv6Addr]) -> Vec<u8> {
    list.iter().flat_map(Ipv6Addr::octets).collect()
}

/// Wherever it is on a route of `count` places, the packet has this checksum.
fn assert_destination(count: usize, number: u8, headers: &[u8], destination: Ipv6Addr) {
    let packet = udp6(number, headers, destination);
    let expected = expected(&packet, &packet[22..38], &hop6(count).octets(), UDP);
    assert_eq!(filled(packet, UDP), expected, "{count} places, to {destination}: {headers:02x?}");
}

#[test]
fn routing_headers_lead_to_the_last_address() {
    for (count, visited) in (1..=9).flat_map(|count| (0..=count).map(move |visited| (count, visited))) {
        let (list, destination) = swapped(count, visited);
        let left = count - visited;
        assert_destination(count, 43, &routing(0, left, [0; 4], &octets(&list)), destination);
        if count == 1 {
            assert_destination(count, 43, &routing(2, left, [0; 4], &octets(&list)), destination);
        }
        // Segment routing: the list begins with the last one, and stays as it is.
        let segments: Vec<_> = (0..=count).rev().map(hop6).collect();
        let last_entry = u8::try_from(count).unwrap();
        let whole = routing(4, left, [last_entry, 0, 0, 0], &octets(&segments));
        assert_destination(count, 43, &whole, hop6(visited));
        // The first segment may be left out.
        let reduced = routing(4, left, [last_entry - 1, 0, 0, 0], &octets(&segments[..count]));
        assert_destination(count, 43, &reduced, hop6(visited));
        // Addresses that share their first bytes with the destination (RFC 6554).
        for (each, last) in [(0, 0), (8, 8), (9, 13), (13, 9), (15, 3), (1, 15)] {
            let mut bytes = Vec::new();
            for (index, address) in list.iter().enumerate() {
                bytes.extend(&address.octets()[if index + 1 == count { last } else { each }..]);
            }
            let padding = bytes.len().next_multiple_of(8) - bytes.len();
            bytes.resize(bytes.len() + padding, 0);
            let own = [u8::try_from(each << 4 | last).unwrap(), u8::try_from(padding << 4).unwrap(), 0, 0];
            assert_destination(count, 43, &routing(3, left, own, &bytes), destination);
        }
    }
}

#[test]
fn a_way_that_is_not_known_leaves_the_checksum_alone_until_it_is_used_up() {
    for kind in 0..=255 {
        // One list of 40 bytes: two addresses and a half.
        for (left, own) in [(0, [0; 4]), (1, [0; 4]), (3, [0; 4]), (200, [0xff; 4])] {
            let header = routing(kind, left, own, &[7; 40]);
            let packet = udp6(43, &header, hop6(5));
            let plain = expected(&packet, &packet[22..38], &hop6(5).octets(), UDP);
            // Of segment routing such a header contradicts itself, and RFC 6554 makes whole addresses of some lengths.
            if Routing::parse(&header).is_ok() && (kind != 3 || left == 0) {
                assert_eq!(filled(packet, UDP), if left == 0 { plain } else { None }, "kind {kind}, {left} left");
            }
        }
    }
    // Lengths that cannot be: more places left than there are, half an address, padding beyond the list.
    let list = [7; 32];
    for header in [
        routing(0, 3, [0; 4], &list),
        routing(0, 1, [0; 4], &list[..24]),
        routing(0, 1, [0; 4], &[]),
        routing(2, 1, [0; 4], &list),
        routing(2, 2, [0; 4], &list[..16]),
        routing(3, 1, [0, 0x80, 0, 0], &list),
        routing(3, 3, [0; 4], &list),
        routing(3, 1, [0; 4], &[]),
    ] {
        assert_eq!(filled(udp6(43, &header, hop6(5)), UDP), None, "{header:02x?}");
    }
}

#[test]
fn of_several_routes_the_one_that_is_not_used_up_counts() {
    let chain = |first_left: usize, second_left: usize| {
        let mut first = routing(0, first_left, [0; 4], &octets(&[hop6(3)]));
        first[0] = 43;
        [first, routing(0, second_left, [0; 4], &octets(&[hop6(8)]))].concat()
    };
    for (lefts, last) in [((0, 0), 1), ((1, 0), 3), ((0, 1), 8), ((1, 1), 8)] {
        let packet = udp6(43, &chain(lefts.0, lefts.1), hop6(1));
        let expected = expected(&packet, &packet[22..38], &hop6(last).octets(), UDP);
        assert_eq!(filled(packet, UDP), expected, "{lefts:?}");
    }
}

#[test]
fn a_home_address_is_the_source() {
    let home = hop6(77);
    let mut options = vec![17, 2, 1, 2, 0, 0, 0xc9, 16];
    options.extend(home.octets());
    assert_eq!(DestinationOptions::parse(&options).unwrap().variable.len(), 16);
    let packet = udp6(60, &options, hop6(5));
    let expected = expected(&packet, &home.octets(), &hop6(5).octets(), UDP);
    assert_eq!(filled(packet, UDP), expected);
}

crate::stack! { struct Padded4 { eth: Ethernet, ip: With<Ipv4, 4>, udp: Udp } }

/// What is behind the message, within the IP packet or behind it, is not for a port to sum up.
#[test]
fn a_port_is_not_asked_where_something_lies_behind_the_message() {
    let mut packet = vec![0; Padded4::LEN];
    packet.extend(PAYLOAD);
    Padded4::fill(&mut packet, |p| p.ip.options = [1; 4]).unwrap();
    let asked = |packet: &[u8]| all_but_offloads(&mut packet.to_vec(), offloads::TX_UDP_CHECKSUM).unwrap().flags;
    assert_eq!(asked(&packet), tx_flags::IPV4 | tx_flags::UDP_CHECKSUM);
    for behind in [&[0][..], &[0xaa; 7]] {
        assert_eq!(asked(&[&packet, behind].concat()), 0);
    }
    let mut shorter = packet.clone();
    shorter[Padded4::LEN - 3] -= 2;
    assert_eq!(asked(&shorter), 0);
}
