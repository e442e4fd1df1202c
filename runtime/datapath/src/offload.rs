//! Offloads: between the ABI's flags, DPDK's flags, and the software that does what a port cannot.

use perigee_abi::{PacketDesc, offloads, rx_flags, tx_flags};
use perigee_core::judge::{IPV6, MAX_L2, has_room, makes_sense};
use perigee_dpdk::packet::Packet;
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

/// Where a frame says that its checksums are to be put, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksums {
    /// Bytes before the layer-3 header.
    pub l2_len: u8,
    /// Bytes of the layer-3 header.
    pub l3_len: u16,
}

/// Where checksums will be put into a packet, by its layer lengths; `None` where none is asked for.
pub(crate) fn checksums(packet: &Packet) -> Option<Checksums> {
    let lengths = packet.tx_offload();
    #[allow(clippy::cast_possible_truncation, reason = "takes the bits of each length")]
    let at = Checksums { l2_len: (lengths & 0x7f) as u8, l3_len: (lengths >> 7 & 0x1ff) as u16 };
    (packet.flags() & TX_CHECKSUM != 0).then_some(at)
}

/// A tag that is put in makes the first layer longer.
const TAG: u32 = 4;

/// DPDK's flags for what a module asks for.
fn dpdk_flags(asked: u32) -> u64 {
    let has = |bit: u32| asked & bit != 0;
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
    pairs.iter().filter(|(abi, _)| has(*abi)).fold(l4, |bits, (_, ours)| bits | ours)
}

/// Writes what a module asks for into the packet's header, in place of what was there. `Err` where it makes no sense.
pub(crate) fn request(packet: &mut Packet, desc: &PacketDesc) -> Result<(), ()> {
    if !makes_sense(desc) {
        return Err(());
    }
    let bits = dpdk_flags(desc.tx_flags);
    packet.set_flags(packet.flags() & !TX_ALL | bits);
    packet.set_tx_offload(u64::from(desc.l2_len & 0x7f) | u64::from(desc.l3_len) << 7);
    if bits & flags::TX_VLAN != 0 {
        packet.set_vlan(desc.vlan);
    }
    Ok(())
}

/// Does in software what the port (whose hardware does `hardware`) cannot, or would do wrong. True where something is left to
/// hardware. `Err` where a request does not fit the packet as it is now, whoever would carry it out.
pub(crate) fn prepare(packet: &mut Packet, hardware: u32) -> Result<bool, ()> {
    let asked = packet.flags();
    let lengths = packet.tx_offload();
    let (l2_len, l3_len) = ((lengths & 0x7f) as u8, ((lengths >> 7) & 0xff) as u8);
    let inserts = asked & flags::TX_VLAN != 0 && hardware & offloads::TX_VLAN == 0;
    let mut software = 0;
    if asked & TX_CHECKSUM != 0 {
        if !has_room(tx_flags(asked), l2_len, l3_len.into(), packet.len()) {
            return Err(());
        }
        software = beyond(packet, asked, (l2_len, l3_len), hardware)?;
        // With the tag the length would not fit its place in the header any more.
        if inserts && u32::from(l2_len) + TAG > MAX_L2 {
            software = asked & TX_CHECKSUM;
        }
    }
    if software != 0 {
        let family = asked & (flags::TX_IPV4 | flags::TX_IPV6);
        if !packet.checksum(software | family, l2_len, l3_len) {
            return Err(());
        }
    }
    if inserts {
        if !packet.vlan_insert(packet.vlan()) {
            return Err(());
        }
        software |= flags::TX_VLAN;
        packet.set_tx_offload(lengths & !0x7f | u64::from(l2_len + 4) & 0x7f);
    }
    let left = asked & !software & (TX_CHECKSUM | flags::TX_VLAN);
    // The family alone asks for nothing.
    let keep = if left & TX_CHECKSUM != 0 { flags::TX_IPV4 | flags::TX_IPV6 } else { 0 };
    packet.set_flags(packet.flags() & !TX_ALL | left | asked & keep);
    Ok(left != 0)
}

/// Which of the checksums asked for are beyond the port. Ports sum from the layer lengths to the end of the frame and know IPv6
/// without extension headers: padding and those headers are ours, on every port.
fn beyond(packet: &Packet, asked: u64, (l2_len, l3_len): (u8, u8), hardware: u32) -> Result<u64, ()> {
    let can = |offload: u32| hardware & offload != 0;
    let mut software = 0;
    if asked & flags::TX_IP_CKSUM != 0 && !can(offloads::TX_IP_CHECKSUM) {
        software |= flags::TX_IP_CKSUM;
    }
    let l4 = asked & TX_L4;
    if l4 != 0 {
        let l4_len = packet.l4_len(asked, l2_len, l3_len).ok_or(())?;
        let is_all = u32::from(l2_len) + u32::from(l3_len) + l4_len == u32::from(packet.len());
        let has_extensions = asked & flags::TX_IPV6 != 0 && u32::from(l3_len) != IPV6;
        let offload = if l4 == flags::TX_TCP_CKSUM { offloads::TX_TCP_CHECKSUM } else { offloads::TX_UDP_CHECKSUM };
        if !can(offload) || !is_all || has_extensions {
            software |= l4;
        }
    }
    Ok(software)
}

/// Marks a packet whose tag was stripped, so that it leaves with its tag unless a module says otherwise.
pub(crate) fn keep_tag(packet: &mut Packet) {
    if packet.flags() & flags::RX_VLAN_STRIPPED != 0 {
        packet.set_flags(packet.flags() | flags::TX_VLAN);
    }
}

#[cfg(test)]
mod tests;
