//! What a driver is handed, over all layer lengths: by a packet that is in no pool, whose mbuf can be looked at afterwards.

use super::*;
use perigee_dpdk::packet::Lone;

const ALL: u32 = offloads::TX_IP_CHECKSUM | offloads::TX_UDP_CHECKSUM | offloads::TX_TCP_CHECKSUM | offloads::TX_VLAN;

#[test]
fn flags_survive_the_way_through_an_mbuf() {
    let dpdk = flags::TX_IP_CKSUM | flags::TX_UDP_CKSUM | flags::TX_IPV4 | flags::TX_VLAN;
    let abi = tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM | tx_flags::IPV4 | tx_flags::VLAN_INSERT;
    assert_eq!(tx_flags(dpdk), abi);
    assert_eq!(dpdk_flags(abi), dpdk);
    assert_eq!(tx_flags(flags::TX_TCP_CKSUM | flags::TX_IPV6), tx_flags::TCP_CHECKSUM | tx_flags::IPV6);
}

#[test]
fn a_checksum_is_good_bad_or_unknown() {
    assert_eq!(rx_flags(flags::RX_IP_CKSUM_GOOD), rx_flags::IP_CHECKSUM_GOOD);
    assert_eq!(rx_flags(flags::RX_L4_CKSUM_BAD), rx_flags::L4_CHECKSUM_BAD);
    assert_eq!(rx_flags(flags::RX_L4_CKSUM_BAD | flags::RX_L4_CKSUM_GOOD), 0);
    assert_eq!(rx_flags(0), 0);
}

/// A frame of `len` bytes that begins as one with `ip` bytes of IP header at 14, of the right total length for `end`.
fn frame(is_v4: bool, ip: u8, end: usize, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len.max(14 + 40)];
    let (at, field) = (14, if is_v4 { 16 } else { 18 });
    frame[at] = if is_v4 { 0x40 | (ip / 4) } else { 0x60 };
    let says = end.saturating_sub(if is_v4 { 14 } else { 54 });
    frame[field..field + 2].copy_from_slice(&u16::try_from(says).unwrap_or(0).to_be_bytes());
    frame.truncate(len);
    frame
}

/// What a driver may be handed, by the headers' own lengths: nothing that it touches lies behind the packet.
fn is_safe(packet: &Packet) -> bool {
    let (asked, lengths) = (packet.flags(), packet.tx_offload());
    let (l2, l3) = (lengths & 0x7f, lengths >> 7 & 0x1ff);
    let ip = if asked & flags::TX_IPV6 != 0 { 40 } else { 20 };
    let l4 = [(flags::TX_UDP_CKSUM, 8), (flags::TX_TCP_CKSUM, 20)].into_iter().find(|(f, _)| asked & TX_L4 == *f);
    asked & TX_CHECKSUM == 0
        || l2 >= 14 && l3 >= ip && l2 + l3 + l4.map_or(0, |(_, len)| len) <= u64::from(packet.len())
}

fn descriptor(asked: u32, l2_len: u8, l3_len: u8, len: u16) -> PacketDesc {
    PacketDesc { tx_flags: asked, l2_len, l3_len, len, ..PacketDesc::default() }
}

/// Leads a packet to a driver that does `hardware`; what it is handed, or `None` for a drop.
fn handed(asked: u32, (l2, l3): (u8, u8), bytes: &[u8], hardware: u32) -> Option<(Lone, bool)> {
    let mut lone = Lone::new(bytes);
    let packet = lone.packet();
    let desc = descriptor(asked, l2, l3, packet.len());
    request(packet, &desc).ok()?;
    let left = prepare(packet, hardware).ok()?;
    Some((lone, left))
}

#[test]
fn no_driver_is_handed_a_request_beyond_the_packet() {
    let families = [(tx_flags::IPV4, true), (tx_flags::IPV6, false)];
    let sums = [
        tx_flags::IP_CHECKSUM,
        tx_flags::UDP_CHECKSUM,
        tx_flags::TCP_CHECKSUM,
        tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM,
        tx_flags::IP_CHECKSUM | tx_flags::TCP_CHECKSUM,
        tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM,
    ];
    let mut handed_over = 0;
    for (family, is_v4) in families {
        for asked in sums.map(|sum| sum | family) {
            for len in [14, 21, 33, 34, 41, 42, 53, 54, 61, 62, 73, 74, 90, 138, 160] {
                for l3 in (0..=u8::MAX).filter(|l3| l3 % 4 == 0 || *l3 < 64) {
                    for l2 in [0, 1, 13, 14, 18, 20, 100, 123, 124, 127, 128, 255] {
                        let bytes = frame(is_v4, l3.min(60), len, len);
                        for tag in [0, tx_flags::VLAN_INSERT] {
                            let mut ends = Vec::new();
                            for hardware in [0, ALL, ALL & !offloads::TX_VLAN, ALL & !offloads::TX_IP_CHECKSUM] {
                                let end = handed(asked | tag, (l2, l3), &bytes, hardware);
                                if let Some((mut lone, left)) = end {
                                    let packet = lone.packet();
                                    let (what, lengths) = (packet.flags(), packet.tx_offload());
                                    assert!(is_safe(packet), "{what:#x} {lengths:#x} {len} by {asked:#x} {l2} {l3}");
                                    handed_over += u32::from(left);
                                    ends.push(true);
                                } else {
                                    ends.push(false);
                                }
                            }
                            assert!(
                                ends.iter().all(|end| *end == ends[0]),
                                "ports differ: {ends:?} for {asked:#x} {l2} {l3} {len}"
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(handed_over > 100, "{handed_over}");
}

#[test]
fn a_packet_that_was_cut_after_its_request_is_asked_again() {
    let bytes = frame(true, 20, 60, 60);
    for len in 14..60 {
        let mut lone = Lone::new(&bytes);
        let packet = lone.packet();
        let asked = tx_flags::IPV4 | tx_flags::IP_CHECKSUM | tx_flags::TCP_CHECKSUM;
        request(packet, &descriptor(asked, 14, 20, 60)).unwrap();
        packet.set_data(packet.data_off(), len);
        assert_eq!(prepare(packet, ALL), Err(()), "{len}");
    }
}

#[test]
fn what_ports_do_wrong_is_done_before() {
    let udp = tx_flags::UDP_CHECKSUM;
    // Padding behind the packet, and extension headers before UDP.
    let padded = frame(true, 20, 50, 60);
    let extended = frame(false, 0, 80, 80);
    let plain = [(frame(true, 20, 60, 60), tx_flags::IPV4, 20), (frame(false, 0, 80, 80), tx_flags::IPV6, 40)];
    for (bytes, family, l3) in plain {
        let (mut lone, left) = handed(udp | family, (14, l3), &bytes, ALL).unwrap();
        assert!(left && lone.packet().flags() & TX_L4 == flags::TX_UDP_CKSUM);
    }
    for (bytes, family, l3) in [(padded, tx_flags::IPV4, 20), (extended, tx_flags::IPV6, 48)] {
        let (mut lone, left) = handed(udp | family, (14, l3), &bytes, ALL).unwrap();
        assert!(!left && lone.packet().flags() & TX_L4 == 0);
        let at = 14 + usize::from(l3) + 6;
        assert_ne!(lone.bytes()[at..at + 2], [0, 0], "it is there already");
    }
}
