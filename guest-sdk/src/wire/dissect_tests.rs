//! What dissecting believes, and where it ends.

use super::*;
use std::vec;
use std::vec::Vec;

crate::stack! { struct Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
crate::stack! { struct Udp6 { eth: Ethernet, ip: Ipv6, udp: Udp } }
crate::stack! { struct Inner4 { ip: Ipv4, udp: Udp } }
crate::stack! { struct Inner6 { ip: Ipv6, udp: Udp } }
crate::stack! { struct Frame4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
crate::stack! { struct Label { eth: Ethernet, outer: Mpls, inner: Mpls } }

/// The names of a packet's headers, and whether it is malformed.
fn seen(packet: &[u8]) -> (Vec<&'static str>, bool) {
    let mut layers = Layers::new(packet);
    let names = layers.by_ref().map(|place| place.name()).collect();
    (names, layers.is_malformed())
}

/// A stack with these bytes behind it.
fn around<S: Stack>(payload: &[u8], set: impl FnOnce(&mut S)) -> Vec<u8> {
    let mut packet = vec![0; S::LEN];
    packet.extend(payload);
    S::fill(&mut packet, set).unwrap();
    packet
}

/// Packets in which nobody announces what follows, around these bytes: labels, and GTP-U in all its forms.
fn unannounced(payload: &[u8]) -> Vec<Vec<u8>> {
    let gtp = |flags: u8, more: &[u8]| {
        let len = u16::try_from(more.len() + payload.len()).unwrap().to_be_bytes();
        let message = [&[flags, 255][..], &len, &[0, 0, 0, 9], more, payload].concat();
        around::<Udp4>(&message, |p| p.udp.set_destination_port(2152))
    };
    vec![
        around::<Label>(payload, |p| p.inner.set_label(77)),
        gtp(0x30, &[]),
        gtp(0x32, &[0, 1, 0, 0]),
        gtp(0x34, &[0, 1, 0, 0]),
        gtp(0x34, &[0, 1, 0, 0x85, 1, 0, 9, 0]),
        gtp(0x34, &[0, 1, 0, 0x85, 2, 0, 9, 0, 0, 0, 0, 0]),
        gtp(0x34, &[0, 1, 0, 0x40, 1, 8, 0x68, 0x85, 1, 0, 9, 0]),
        gtp(0x34, &[0, 1, 0, 0x20, 2, 0, 0, 0, 0, 0, 0, 0x03, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0]),
    ]
}

/// Every kind of checksum in it is spoilt, and mended by `fill`, which changes nothing else.
fn assert_inner_is_filled(packet: &[u8], inner: usize) {
    let mut spoilt = packet.to_vec();
    let checksum = packet.len() - inner + if packet[packet.len() - inner] >> 4 == 4 { 26 } else { 46 };
    spoilt[checksum] ^= 0x5a;
    assert!(checksum::check(&spoilt).is_err());
    checksum::fill(&mut spoilt).unwrap();
    assert_eq!(spoilt, packet);
}

#[test]
fn ip_that_nobody_announced_is_found() {
    let four = around::<Inner4>(b"hello", |p| p.ip.set_ttl(9));
    let six = around::<Inner6>(b"hello", |p| p.ip.set_hop_limit(9));
    for inner in [four, six] {
        for mut packet in unannounced(&inner) {
            checksum::fill(&mut packet).unwrap();
            let (names, malformed) = seen(&packet);
            assert!(names.ends_with(&[if inner[0] >> 4 == 4 { "IPv4" } else { "IPv6" }, "UDP"]), "{names:?}");
            assert!(!malformed);
            assert_inner_is_filled(&packet, inner.len());
        }
    }
}

#[test]
fn what_only_begins_like_ip_is_data() {
    let mut random = crate::Lcg64::new(3);
    for first in 0x40..0x70_u8 {
        for round in 0..40_u64 {
            // The frame of a pseudowire: a MAC address that begins so, zeros in it, an IP packet with a wrong checksum.
            let mut frame = around::<Frame4>(b"a frame of a pseudowire", |p| p.udp.set_source_port(9));
            frame[0] = first;
            for byte in &mut frame[1..12] {
                *byte = if round % 2 == 0 { 0 } else { random.next_u64().to_be_bytes()[0] };
            }
            let at = 4 + usize::try_from(round % 4).unwrap();
            frame[at] = u8::try_from(round).unwrap();
            frame[24] ^= 0x11;
            for packet in unannounced(&frame) {
                let mut filled = packet.clone();
                assert_eq!(checksum::fill(&mut filled), Ok(()), "{frame:02x?}");
                assert!(filled == packet, "bytes of {frame:02x?} changed");
                assert!(!seen(&packet).0.contains(&"IPv6"));
            }
        }
    }
}

#[test]
fn a_guess_needs_all_of_the_packet_and_a_right_checksum() {
    let inner = around::<Inner4>(b"hello", |p| p.ip.set_ttl(9));
    for packet in unannounced(&inner) {
        let start = packet.len() - inner.len();
        let outer = seen(&packet).0.len() - 2;
        for bit in 0..20 * 8 {
            let mut other = packet.clone();
            other[start + bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(seen(&other), (seen(&packet).0[..outer].to_vec(), false), "bit {bit}");
        }
    }
    // With a byte less, behind labels: nothing else says how long it is.
    let packet = &unannounced(&inner)[0];
    assert_eq!(seen(&packet[..packet.len() - 1]), (vec!["Ethernet", "MPLS", "MPLS"], false));
    // Padding is no part of IPv4, which says its length and proves it.
    assert_eq!(seen(&[packet, &[7; 9][..]].concat()).0.len(), 5);
}

#[test]
fn a_template_may_have_checksums_to_be() {
    let mut inner = around::<Inner4>(b"hello", |p| p.ip.set_ttl(9));
    inner[10..12].fill(0);
    for packet in unannounced(&inner) {
        let template: Places = Layers::new(&packet).of_template().collect();
        assert_eq!((template.last().unwrap().name(), seen(&packet).0.len()), ("UDP", template.len() - 2));
        assert!(Layers::new(&[&packet[..], &[0]].concat()).of_template().count() <= template.len());
    }
}

#[test]
fn the_senders_port_does_not_make_a_tunnel() {
    let vxlan = [&[8, 0, 0, 0, 0, 0, 7, 0][..], &around::<Frame4>(b"hello", |_| ())].concat();
    let geneve = [&[0, 0, 0x65, 0x58, 0, 0, 7, 0][..], &around::<Frame4>(b"hello", |_| ())].concat();
    let gtp = [&[0x30, 255, 0, 33, 0, 0, 0, 9][..], &around::<Inner4>(b"hello", |_| ())].concat();
    let mpls = [&[0, 7, 0x11, 64][..], &around::<Inner4>(b"hello", |_| ())].concat();
    for (port, payload) in [(4789, vxlan), (6081, geneve), (2152, gtp), (6635, mpls)] {
        let to = around::<Udp6>(&payload, |p| p.udp.set_destination_port(port));
        assert!(seen(&to).0.len() >= 6, "{port}: {:?}", seen(&to));
        let from = around::<Udp6>(&payload, |p| {
            p.udp.set_source_port(port);
            p.udp.set_destination_port(40_000);
        });
        assert_eq!(seen(&from), (vec!["Ethernet", "IPv6", "UDP"], false), "{port}");
        let mut other = from;
        let last = other.len() - 1;
        other[last] ^= 1;
        let mut filled = other.clone();
        checksum::fill(&mut filled).unwrap();
        assert_eq!(filled[62..], other[62..], "{port}");
    }
    // What is no tunnel answers from its port.
    let answer = around::<Udp4>(&[0, 7, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0], |p| p.udp.set_source_port(53));
    assert_eq!(seen(&answer).0[3..], ["DNS"]);
}

/// A frame of this EtherType, and an IPv4 packet of this protocol, around these bytes.
fn frame(number: u16, payload: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &number.to_be_bytes(), payload].concat()
}

fn ip4(number: u8, payload: &[u8]) -> Vec<u8> {
    crate::stack! { struct Ip { eth: Ethernet, ip: Ipv4 } }
    around::<Ip>(payload, |p| p.ip.set_protocol(number))
}

#[test]
fn another_version_under_the_same_number_is_no_error() {
    let others = [
        // GRE of PPTP, with routing (RFC 1701); PPPoE 2; ESP with a reserved association.
        ip4(47, &[0x30, 0x81, 0x88, 0x0b, 0, 4, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4]),
        ip4(47, &[0x40, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        frame(0x8864, &[0x21, 0, 0, 1, 0, 2, 0, 0x21]),
        ip4(50, &[0; 16]),
        // ARP for IEEE 802 networks, for a serial line and for InfiniBand, of any length; for another protocol.
        frame(0x0806, &[[0, 6, 8, 0, 6, 4, 0, 1], [1; 8]].concat()),
        frame(0x0806, &[0, 7, 8, 0, 1, 4, 0, 1]),
        frame(0x0806, &[[0, 32, 8, 0, 20, 4, 0, 1], [2; 8], [2; 8], [2; 8], [2; 8], [2; 8], [2; 8]].concat()),
        frame(0x0806, &[[0, 1, 0x86, 0xdd, 6, 16, 0, 1], [2; 8], [2; 8], [2; 8], [2; 8], [2; 8], [2; 8]].concat()),
    ];
    for packet in others {
        let mut filled = packet.clone();
        assert_eq!((checksum::fill(&mut filled), seen(&packet).1), (Ok(()), false), "{packet:02x?}");
        assert!(seen(&packet).0.len() <= 2 && checksum::check(&filled) == Ok(()));
    }
    // What is cut off, or contradicts itself, is.
    let cut = [
        frame(0x0806, &[0, 1, 8, 0, 6, 4, 0, 1, 2, 2]),
        frame(0x0806, &[0, 1]),
        ip4(47, &[0x20, 0, 8, 0, 1, 2]),
        frame(0x8864, &[0x11, 0, 0, 1, 0, 9, 0, 0x21]),
        frame(0x0800, &[0x65; 40]),
        frame(0x86dd, &[0x45; 60]),
    ];
    for packet in cut {
        assert!(seen(&packet).1 && checksum::fill(&mut packet.clone()).is_err(), "{packet:02x?}");
    }
}

#[test]
fn the_walk_says_that_there_are_more_headers() {
    for tags in 0..40 {
        // Tags, and ARP behind them.
        let mut packet = frame(0x8100, &[0, 1, 0x81, 0].repeat(tags));
        let end = packet.len();
        packet[end - 2..].copy_from_slice(&[8, 6]);
        packet.extend([0, 1, 8, 0, 6, 4, 0, 1]);
        packet.extend([2; 20]);
        let mut layers = Layers::new(&packet);
        let found = layers.by_ref().count();
        let headers = tags + 2;
        assert_eq!((found, layers.is_too_deep()), (headers.min(MAX_LAYERS), headers > MAX_LAYERS), "{tags} tags");
        assert_eq!(checksum::fill(&mut packet.clone()).is_ok(), headers <= MAX_LAYERS);
        assert!(!layers.is_malformed());
        // Data behind the last one is no header.
        let mut data = packet.clone();
        data[end - 2..end].copy_from_slice(&[0x88, 0xb5]);
        let mut layers = Layers::new(&data);
        layers.by_ref().for_each(drop);
        assert_eq!(layers.is_too_deep(), tags + 1 > MAX_LAYERS, "{tags} tags before data");
    }
}

#[test]
fn extension_headers_of_unknown_type_are_walked_over() {
    let inner = around::<Inner4>(b"hello", |p| p.ip.set_ttl(9));
    // GTP-U: whatever the type, and however long.
    for (kind, words) in (1..=255).flat_map(|kind| [1, 2, 3, 9].map(|words| (kind, words))) {
        let mut extension = vec![7; usize::from(words) * 4];
        extension[0] = words;
        *extension.last_mut().unwrap() = 0;
        let len = u16::try_from(4 + extension.len() + inner.len()).unwrap().to_be_bytes();
        let message = [&[0x34, 255][..], &len, &[0, 0, 0, 9], &[0, 1, 0, kind], &extension, &inner].concat();
        let packet = around::<Udp4>(&message, |p| p.udp.set_destination_port(2152));
        assert!(seen(&packet).0.ends_with(&["IPv4", "UDP"]), "type {kind}, {words} words: {:?}", seen(&packet));
        assert_inner_is_filled(&packet, inner.len());
        // A length of 0 cannot be, nor one that leads out.
        for wrong in [0, 200] {
            let mut other = packet.clone();
            other[Udp4::LEN + 12] = wrong;
            assert!(seen(&other).1, "type {kind}, {wrong} words");
        }
    }
    // IPv6, and only IPv6.
    for number in [135, 139, 140, 253, 254] {
        for words in [0, 1, 5] {
            let mut extension = vec![7; 8 + 8 * usize::from(words)];
            (extension[0], extension[1]) = (17, words);
            let plain = around::<Udp6>(b"hello", |_| ());
            let len = u16::try_from(plain.len() - 54 + extension.len()).unwrap();
            let mut packet = [&plain[..54], &extension, &plain[54..]].concat();
            packet[18..20].copy_from_slice(&len.to_be_bytes());
            packet[20] = number;
            assert_eq!(seen(&packet), (vec!["Ethernet", "IPv6", "extension", "UDP"], false));
            assert_eq!(checksum::check(&packet), Ok(()));
            packet[55] = 200;
            assert_eq!(seen(&packet), (vec!["Ethernet", "IPv6"], number < 253), "{number}, cut off");
            assert_eq!(seen(&ip4(number, &packet[54..])), (vec!["Ethernet", "IPv4"], false));
        }
    }
}

#[test]
fn a_length_of_0_is_malformed_in_both_versions() {
    let mut four = around::<Udp4>(b"hello", |_| ());
    four[16..18].fill(0);
    let mut six = around::<Udp6>(b"hello", |_| ());
    six[18..20].fill(0);
    for packet in [four, six] {
        let before = packet.clone();
        let mut packet = packet;
        assert_eq!((seen(&packet), checksum::fill(&mut packet)), ((vec!["Ethernet"], true), Err(Error)));
        assert_eq!(packet, before);
    }
}
