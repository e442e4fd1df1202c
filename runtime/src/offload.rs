//! Offloads: between the ABI's flags, DPDK's flags, and the software that does what a port cannot.

use crate::dpdk::packet::Packet;
use crate::grants::Checksums;
use perigee_abi::{PacketDesc, offloads, rx_flags, tx_flags};
use perigee_dpdk_sys::flags;

const TX_L4: u64 = flags::TX_UDP_CKSUM;
const TX_CHECKSUM: u64 = TX_L4 | flags::TX_IP_CKSUM;
const TX_ALL: u64 = TX_CHECKSUM | flags::TX_IPV4 | flags::TX_IPV6 | flags::TX_VLAN;
const RX_INTERESTING: u64 = flags::RX_VLAN_STRIPPED
    | flags::RX_RSS_HASH
    | flags::RX_L4_CKSUM_BAD
    | flags::RX_L4_CKSUM_GOOD
    | flags::RX_IP_CKSUM_BAD
    | flags::RX_IP_CKSUM_GOOD;

/// Some offload is asked for.
#[inline]
pub(crate) fn has_tx_flags(ol_flags: u64) -> bool {
    ol_flags & TX_ALL != 0
}

/// There is something to tell a module beside address and length. `timestamp` is the port's flag for it, or 0.
#[inline]
pub(crate) fn has_metadata(ol_flags: u64, timestamp: u64) -> bool {
    ol_flags & (RX_INTERESTING | TX_ALL | timestamp) != 0
}

/// DPDK's flags as the ABI's rx flags, without the timestamp's.
pub(crate) fn rx_flags(ol_flags: u64) -> u32 {
    // Both bits of a pair mean that nothing was found out.
    let one_of = |bad: u64, good: u64, abi_bad: u32, abi_good: u32| match ol_flags & (bad | good) {
        bits if bits == bad => abi_bad,
        bits if bits == good => abi_good,
        _ => 0,
    };
    let ip =
        one_of(flags::RX_IP_CKSUM_BAD, flags::RX_IP_CKSUM_GOOD, rx_flags::IP_CHECKSUM_BAD, rx_flags::IP_CHECKSUM_GOOD);
    let l4 =
        one_of(flags::RX_L4_CKSUM_BAD, flags::RX_L4_CKSUM_GOOD, rx_flags::L4_CHECKSUM_BAD, rx_flags::L4_CHECKSUM_GOOD);
    let vlan = if ol_flags & flags::RX_VLAN_STRIPPED != 0 { rx_flags::VLAN_STRIPPED } else { 0 };
    let hash = if ol_flags & flags::RX_RSS_HASH != 0 { rx_flags::HASH } else { 0 };
    ip | l4 | vlan | hash
}

/// The tx flags that a packet has now: asked for by an earlier stage, or the tag that was stripped.
pub(crate) fn tx_flags(ol_flags: u64) -> u32 {
    let l4 = match ol_flags & TX_L4 {
        flags::TX_UDP_CKSUM => tx_flags::UDP_CHECKSUM,
        flags::TX_TCP_CKSUM => tx_flags::TCP_CHECKSUM,
        _ => 0,
    };
    let pairs = [
        (flags::TX_IP_CKSUM, tx_flags::IP_CHECKSUM),
        (flags::TX_IPV4, tx_flags::IPV4),
        (flags::TX_IPV6, tx_flags::IPV6),
        (flags::TX_VLAN, tx_flags::VLAN_INSERT),
    ];
    pairs.iter().filter(|(ours, _)| ol_flags & ours != 0).fold(l4, |bits, (_, abi)| bits | abi)
}

/// Where checksums will be put into a packet, by its layer lengths; `None` where none is asked for.
pub(crate) fn checksums(packet: &Packet) -> Option<Checksums> {
    let lengths = packet.tx_offload();
    #[allow(clippy::cast_possible_truncation, reason = "takes the bits of each length")]
    let at = Checksums { l2_len: (lengths & 0x7f) as u8, l3_len: (lengths >> 7 & 0x1ff) as u16 };
    (packet.flags() & TX_CHECKSUM != 0).then_some(at)
}

/// What a module asks for is known, contradicts nothing, and fits the packet.
#[inline]
pub(crate) fn makes_sense(desc: &PacketDesc) -> bool {
    let has = |bit: u32| desc.tx_flags & bit != 0;
    let checksum = has(tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM);
    let both_l4 = has(tx_flags::UDP_CHECKSUM) && has(tx_flags::TCP_CHECKSUM);
    let one_ip = has(tx_flags::IPV4) != has(tx_flags::IPV6);
    let ip6_header = has(tx_flags::IP_CHECKSUM) && has(tx_flags::IPV6);
    // DPDK keeps the first length in seven bits.
    let fit = desc.l2_len < 128 && u32::from(desc.l2_len) + u32::from(desc.l3_len) <= desc.len.into();
    !(has(!tx_flags::ALL) || both_l4 || ip6_header || (checksum && !(one_ip && fit)))
}

/// Writes what a module asks for into the packet's header, in place of what was there. `Err` where it makes no sense.
pub(crate) fn request(packet: &mut Packet, desc: &PacketDesc) -> Result<(), ()> {
    if !makes_sense(desc) {
        return Err(());
    }
    let has = |bit: u32| desc.tx_flags & bit != 0;
    let l4 = match (has(tx_flags::UDP_CHECKSUM), has(tx_flags::TCP_CHECKSUM)) {
        (true, _) => flags::TX_UDP_CKSUM,
        (_, true) => flags::TX_TCP_CKSUM,
        _ => 0,
    };
    let pairs = [
        (tx_flags::IP_CHECKSUM, flags::TX_IP_CKSUM),
        (tx_flags::IPV4, flags::TX_IPV4),
        (tx_flags::IPV6, flags::TX_IPV6),
        (tx_flags::VLAN_INSERT, flags::TX_VLAN),
    ];
    let bits = pairs.iter().filter(|(abi, _)| has(*abi)).fold(l4, |bits, (_, ours)| bits | ours);
    packet.set_flags(packet.flags() & !TX_ALL | bits);
    packet.set_tx_offload(u64::from(desc.l2_len & 0x7f) | u64::from(desc.l3_len) << 7);
    if has(tx_flags::VLAN_INSERT) {
        packet.set_vlan(desc.vlan);
    }
    Ok(())
}

/// Does in software what the port (whose hardware does `hardware`) cannot. True where something is left to hardware.
pub(crate) fn prepare(packet: &mut Packet, hardware: u32) -> Result<bool, ()> {
    let asked = packet.flags();
    let can = |offload: u32| hardware & offload != 0;
    let mut software = 0;
    if asked & flags::TX_IP_CKSUM != 0 && !can(offloads::TX_IP_CHECKSUM) {
        software |= flags::TX_IP_CKSUM;
    }
    let l4_offload =
        if asked & TX_L4 == flags::TX_TCP_CKSUM { offloads::TX_TCP_CHECKSUM } else { offloads::TX_UDP_CHECKSUM };
    if asked & TX_L4 != 0 && !can(l4_offload) {
        software |= asked & TX_L4;
    }
    let lengths = packet.tx_offload();
    let (l2_len, l3_len) = ((lengths & 0x7f) as u8, ((lengths >> 7) & 0xff) as u8);
    if software != 0 {
        let family = asked & (flags::TX_IPV4 | flags::TX_IPV6);
        if !packet.checksum(software | family, l2_len, l3_len) {
            return Err(());
        }
    }
    if asked & flags::TX_VLAN != 0 && !can(offloads::TX_VLAN) {
        if !packet.vlan_insert(packet.vlan()) {
            return Err(());
        }
        software |= flags::TX_VLAN;
        packet.set_tx_offload(lengths & !0x7f | u64::from(l2_len + 4));
    }
    let left = asked & !software & (TX_CHECKSUM | flags::TX_VLAN);
    // The family alone asks for nothing.
    let keep = if left & TX_CHECKSUM != 0 { flags::TX_IPV4 | flags::TX_IPV6 } else { 0 };
    packet.set_flags(packet.flags() & !TX_ALL | left | asked & keep);
    Ok(left != 0)
}

/// Marks a packet whose tag was stripped, so that it leaves with its tag unless a module says otherwise.
pub(crate) fn keep_tag(packet: &mut Packet) {
    if packet.flags() & flags::RX_VLAN_STRIPPED != 0 {
        packet.set_flags(packet.flags() | flags::TX_VLAN);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn flags_survive_the_way_through_an_mbuf() {
        let dpdk = flags::TX_IP_CKSUM | flags::TX_UDP_CKSUM | flags::TX_IPV4 | flags::TX_VLAN;
        let abi = tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM | tx_flags::IPV4 | tx_flags::VLAN_INSERT;
        assert_eq!(tx_flags(dpdk), abi);
        assert_eq!(tx_flags(flags::TX_TCP_CKSUM | flags::TX_IPV6), tx_flags::TCP_CHECKSUM | tx_flags::IPV6);
    }

    #[test]
    fn a_checksum_is_good_bad_or_unknown() {
        assert_eq!(rx_flags(flags::RX_IP_CKSUM_GOOD), rx_flags::IP_CHECKSUM_GOOD);
        assert_eq!(rx_flags(flags::RX_L4_CKSUM_BAD), rx_flags::L4_CHECKSUM_BAD);
        assert_eq!(rx_flags(flags::RX_L4_CKSUM_BAD | flags::RX_L4_CKSUM_GOOD), 0);
        assert_eq!(rx_flags(0), 0);
    }
}
