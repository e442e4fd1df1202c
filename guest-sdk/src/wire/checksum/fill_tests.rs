//! Checksums of whole packets.

use super::Prepared;
use super::fill::{all_but_offloads, check, fill, fill_places};
use super::{finish, for_udp, pseudo_header, sum};
use crate::wire::{
    Ah, DestinationOptions, Error, Ethernet, HopByHop, Icmp, IcmpEcho, Icmpv6, Ipv4, Ipv6, Layers, Places, Sctp,
    SctpData, Stack, Tcp, Udp, Vlan, Vxlan, With,
};
use perigee_abi::{offloads, tx_flags};
use std::string::String;
use std::vec;
use std::vec::Vec;

crate::stack! { struct Udp4 { eth: Ethernet, outer: Vlan, inner: Vlan, ip: With<Ipv4, 8>, udp: Udp } }
crate::stack! { struct Tcp6 { eth: Ethernet, ip: Ipv6, hop: HopByHop, to: DestinationOptions, tcp: With<Tcp, 12> } }
crate::stack! { struct Direct6 { eth: Ethernet, ip: Ipv6, tcp: Tcp } }
crate::stack! { struct Ping4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, echo: IcmpEcho } }
crate::stack! { struct Ping6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, echo: IcmpEcho } }
crate::stack! { struct Stream { eth: Ethernet, ip: Ipv4, sctp: Sctp, data: SctpData } }
crate::stack! { struct Safe { eth: Ethernet, ip: Ipv4, ah: With<Ah, 12>, tcp: Tcp } }
crate::stack! {
    struct Tunnel {
        eth: Ethernet,
        ip: Ipv6,
        udp: Udp,
        vxlan: Vxlan,
        inner_eth: Ethernet,
        inner_ip: Ipv4,
        inner_tcp: Tcp,
    }
}

/// A packet of this stack with an odd payload, addresses, and options that are well-formed.
fn packet<S: Stack>(payload: usize, set: impl FnOnce(&mut S)) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..S::LEN + payload).map(|at| u8::try_from(at % 253).unwrap()).collect();
    S::fill(&mut bytes, set).unwrap();
    bytes
}

fn packets() -> Vec<Vec<u8>> {
    let (a4, b4) = ([10, 0, 0, 1].into(), [192, 168, 255, 254].into());
    let (a6, b6) = ("fd00::1:ffff".parse().unwrap(), "2001:db8::ffff:2".parse().unwrap());
    vec![
        packet::<Udp4>(33, |p| {
            p.ip.set_source(a4);
            p.ip.set_destination(b4);
            p.ip.options = [7, 7, 4, 1, 2, 3, 4, 0];
        }),
        packet::<Tcp6>(33, |p| {
            p.ip.set_source(a6);
            p.ip.set_destination(b6);
            p.tcp.options = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
        }),
        packet::<Ping4>(57, |p| p.ip.set_source(a4)),
        packet::<Ping6>(57, |p| p.ip.set_source(a6)),
        packet::<Stream>(21, |p| p.sctp.set_tag(0x1234_5678)),
        packet::<Safe>(5, |p| p.ip.set_source(b4)),
        packet::<Tunnel>(11, |p| {
            p.ip.set_source(a6);
            p.inner_ip.set_destination(b4);
        }),
    ]
}

#[test]
fn a_stack_and_dissecting_fill_the_same() {
    for good in packets() {
        assert_eq!(check(&good), Ok(()));
        let mut again = good.clone();
        fill(&mut again).unwrap();
        assert_eq!(again, good);
    }
}

#[test]
fn every_byte_that_is_covered_counts() {
    // Behind the payload of UDP's tunnel the inner checksum sees it, too; the headers' own bytes may make the packet
    // another one.
    for good in packets() {
        let last = good.len() - 1;
        for at in [last, last - 3] {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(check(&bad).is_err(), "{at}");
            fill(&mut bad).unwrap();
            assert_eq!(check(&bad), Ok(()));
        }
    }
}

/// What a port does that was asked for checksums, as drivers of DPDK do it: addresses, protocol and length for the
/// pseudo-header are those in the IP header, and all bytes to the end of the frame are summed up.
fn hardware(packet: &mut [u8], flags: u32, l2_len: usize, l3_len: usize) {
    let (ip, l4) = (l2_len, l2_len + l3_len);
    if flags & (tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM) != 0 {
        let udp = flags & tx_flags::UDP_CHECKSUM != 0;
        let at = if udp { l4 + 6 } else { l4 + 16 };
        let length = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
        let (addresses, number, len) = if flags & tx_flags::IPV4 != 0 {
            (ip + 12..ip + 20, packet[ip + 9], length(ip + 2) - usize::from(packet[ip] & 15) * 4)
        } else {
            (ip + 8..ip + 40, packet[ip + 6], length(ip + 4))
        };
        packet[at..at + 2].fill(0);
        let before = pseudo_header(&packet[addresses], &[], number, len);
        let value = finish(before + sum(&packet[l4..]));
        packet[at..at + 2].copy_from_slice(&if udp { for_udp(value) } else { value }.to_be_bytes());
    }
    if flags & tx_flags::IP_CHECKSUM != 0 {
        assert!(flags & tx_flags::IPV4 != 0);
        packet[ip + 10..ip + 12].fill(0);
        let value = finish(sum(&packet[ip..l4]));
        packet[ip + 10..ip + 12].copy_from_slice(&value.to_be_bytes());
    }
}

#[test]
fn hardware_and_software_together_make_all_checksums_right() {
    let all = [offloads::TX_IP_CHECKSUM, offloads::TX_UDP_CHECKSUM, offloads::TX_TCP_CHECKSUM];
    let padded = packets().into_iter().map(|packet| [&packet[..], &[0xaa; 13]].concat());
    for good in packets().into_iter().chain(padded).chain([packet::<Direct6>(33, |p| p.ip.set_hop_limit(9))]) {
        for mask in 0..8_u32 {
            let can = (0..3).filter(|bit| mask >> bit & 1 != 0).fold(0, |bits, bit| bits | all[bit]);
            let mut packet = good.clone();
            let asked = all_but_offloads(&mut packet, can).unwrap();
            if mask == 0 {
                assert_eq!((asked.flags, &packet), (0, &good));
            }
            hardware(&mut packet, asked.flags, asked.l2_len.into(), asked.l3_len.into());
            assert_eq!(packet, good, "offloads {can:#x}, asked {asked:?}");
        }
    }
}

#[test]
fn the_family_is_that_of_the_packet() {
    let flags = |packet: &[u8]| {
        let asked = all_but_offloads(&mut packet.to_vec(), u32::MAX).unwrap();
        (asked.flags, asked.l2_len, asked.l3_len)
    };
    let packets = packets();
    assert_eq!(flags(&packets[0]), (tx_flags::IPV4 | tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM, 22, 28));
    // Behind extension headers, and behind AH, a port would take the wrong protocol.
    assert_eq!(flags(&packets[1]).0, 0);
    assert_eq!(flags(&packets[5]), (tx_flags::IPV4 | tx_flags::IP_CHECKSUM, 14, 20));
    assert_eq!(flags(&packet::<Direct6>(5, |_| ())), (tx_flags::IPV6 | tx_flags::TCP_CHECKSUM, 14, 40));
    assert_eq!(flags(&packets[2]), (tx_flags::IPV4 | tx_flags::IP_CHECKSUM, 14, 20));
    assert_eq!(flags(&packets[3]).0, 0);
}

#[test]
fn udp_without_checksum_is_right_over_ipv4_only() {
    let mut four = packets().remove(0);
    let udp = Udp4::LEN - 2;
    four[udp..udp + 2].fill(0);
    assert_eq!(check(&four), Ok(()));
    let mut six = packets().remove(6);
    six[60..62].fill(0);
    assert_eq!(check(&six).map_err(|place| String::from(place.name())), Err("UDP".into()));
}

#[test]
fn a_malformed_packet_is_said_to_be_one() {
    let mut cut = packets().remove(0);
    cut.truncate(40);
    assert_eq!(fill(&mut cut), Err(Error));
    assert_eq!(all_but_offloads(&mut cut, u32::MAX), Err(Error));
    let before = cut.clone();
    assert!(all_but_offloads(&mut cut, 0).is_err());
    assert_eq!(cut, before);
}

#[test]
fn prepared_checksums_are_those_of_the_whole_packet() {
    let mut random = crate::Lcg64::new(1);
    let mut prepared = 0;
    for good in packets() {
        let places: Places = Layers::new(&good).collect();
        // What may change without making the packet another one: the lower half of the addresses, ports, the payload.
        let network = places.iter().rfind(|place| place.is_network()).unwrap();
        let last = good.len() - 1;
        for changing in
            [vec![], vec![network.header().end - 1, last - 2], vec![last, last - 3, network.header().end - 1]]
        {
            let sums = Prepared::new(&good, &places, &|byte| changing.contains(&byte));
            prepared += u32::from(sums.is_some());
            for _ in 0..8 {
                let mut whole = good.clone();
                for &at in &changing {
                    whole[at] = random.below(256).to_le_bytes()[0];
                }
                let mut quick = whole.clone();
                fill_places(&mut whole, &places);
                assert_eq!(check(&whole), Ok(()));
                if let Some(sums) = &sums {
                    sums.fill(&mut quick);
                    assert_eq!(quick, whole);
                }
            }
        }
    }
    // SCTP never, and no last byte of an odd number.
    assert!((12..18).contains(&prepared), "{prepared}");
}

#[test]
fn known_places_are_left_where_the_packet_ends_before_them() {
    for good in packets() {
        let places: Places = Layers::new(&good).collect();
        let sums = Prepared::new(&good, &places, &|byte| byte == 30);
        for len in 0..good.len() {
            let mut cut = good[..len].to_vec();
            fill_places(&mut cut, &places);
            if let Some(sums) = &sums {
                sums.fill(&mut cut);
            }
            assert!(Prepared::new(&cut, &places, &|_| false).is_none());
        }
    }
}

#[test]
fn headers_follow_a_packet_of_another_length() {
    for good in packets() {
        let before: Places = Layers::new(&good).collect();
        let headers = before.last().unwrap().header().end;
        for len in [headers, good.len() - 1, good.len() + 1, 1500] {
            let (mut places, mut other) = (before, good.clone());
            other.resize(len, 7);
            places.set_len(&mut other).unwrap();
            fill_places(&mut other, &places);
            let found: Places = Layers::new(&other).collect();
            assert_eq!(check(&other), Ok(()));
            let of = |places: &Places| places.iter().map(|place| (place.name(), place.whole())).collect::<Vec<_>>();
            assert_eq!(of(&found), of(&places));
            assert!(found.iter().all(|place| place.whole().end == len));
        }
        assert_eq!({ before }.set_len(&mut good.clone()[..headers - 1]), Err(Error));
        assert_eq!({ before }.set_len(&mut vec![0; 65_536]), Err(Error));
    }
}

#[test]
fn no_checksum_stays_none() {
    let good = packet::<Tunnel>(11, |_| ());
    let absent = |bytes: &[u8]| Layers::new(bytes).collect::<Places>().without_absent_checksums(bytes);
    // IPv6 cannot do without.
    let mut none = good.clone();
    none[60..62].fill(0);
    let places = absent(&none);
    fill_places(&mut none, &places);
    assert_eq!(none, good);
    let good = packet::<Udp4>(11, |_| ());
    let mut none = good.clone();
    none[56..58].fill(0);
    let places = absent(&none);
    fill_places(&mut none, &places);
    assert_eq!(none[56..58], [0, 0]);
    assert_eq!(none[..56], good[..56]);
}
