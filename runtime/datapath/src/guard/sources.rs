//! Which source addresses a frame has, and whether they are granted. What cannot be read to its end is not.

use crate::offload::Checksums;
use etherparse::{ArpHardwareId, ArpPacketSlice, EtherType, Ipv4HeaderSlice, Ipv6HeaderSlice};
use ipnet::IpNet;
use perigee_config::{Grants, Mac};
use std::net::{IpAddr, Ipv4Addr};

/// Bytes of a frame that are enough to judge it: Ethernet, four tags, the longest IPv4 header.
pub(super) const HEAD: usize = 14 + 4 * MAX_TAGS + 60;
/// A frame with more tags is not let go.
const MAX_TAGS: usize = 4;
/// 802.1Q, 802.1ad, and what was used before it.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// The beginning of a frame that has no tag, with an IPv4 header without options.
pub(super) const PLAIN: usize = 14 + 20;

/// The addresses that packets may have as their source. Of an empty list: any.
#[derive(Clone, Debug)]
pub struct Sources {
    macs: Box<[Mac]>,
    networks: Box<[IpNet]>,
    /// Those of IPv4 once more: mask, and what an address is under it.
    plain: Box<[(u32, u32)]>,
}

impl Sources {
    /// `None` where any address is granted.
    pub fn new(grants: &Grants) -> Option<Self> {
        let (macs, networks) = (grants.source_mac.clone().into(), grants.source_ip.clone().into());
        let plain = grants.source_ip.iter().filter_map(|network| match network {
            IpNet::V4(v4) => Some((v4.netmask().to_bits(), v4.network().to_bits())),
            IpNet::V6(_) => None,
        });
        grants.limits_sources().then(|| Self { macs, networks, plain: plain.collect() })
    }

    /// What [`Self::allow`] says of a frame that begins as most do, and asks for no checksum; `None` of any other, which it has to be asked.
    #[inline]
    pub(super) fn allow_plain(&self, head: &[u8; PLAIN], len: usize) -> Option<bool> {
        if head[12..15] != [0x08, 0x00, 0x45] {
            return None;
        }
        let [total, high, low] = [16, 26, 28].map(|at| u16::from_be_bytes([head[at], head[at + 1]]));
        let source = u32::from(high) << 16 | u32::from(low);
        let fits = (PLAIN - 14..=len.saturating_sub(14)).contains(&usize::from(total));
        let mac = self.macs.is_empty() || self.macs.iter().any(|mac| mac.0 == head[6..12]);
        let network = self.networks.is_empty() || self.plain.iter().any(|(mask, network)| source & mask == *network);
        Some(fits && mac && network)
    }

    /// Whether a frame of `len` bytes may go, of which `head` are the first. `checksums` are where the port, or we, will write
    /// into it: only where checksums are, or a module could have an address written there.
    pub fn allow(&self, head: &[u8], len: usize, checksums: Option<Checksums>) -> bool {
        let Some((source, ether_type, l3)) = ethernet(head) else { return false };
        if !self.macs.is_empty() && !self.macs.contains(&source) {
            return false;
        }
        let (packet, len) = (&head[l3..], len.saturating_sub(l3));
        let l3_len = match ether_type {
            EtherType::IPV4 => self.ipv4(packet, len).map(Some),
            EtherType::IPV6 => self.ipv6(packet, len).map(Some),
            EtherType::ARP => self.arp(packet).then_some(None),
            _ => self.networks.is_empty().then_some(None),
        };
        match (l3_len, checksums) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(None), Some(_)) => false,
            // IPv6: extension headers count to layer 3.
            (Some(Some(header)), Some(at)) => {
                let exact = ether_type == EtherType::IPV4;
                usize::from(at.l2_len) == l3
                    && (usize::from(at.l3_len) == header || (!exact && usize::from(at.l3_len) > header))
            }
        }
    }

    fn has(&self, address: impl Into<IpAddr>) -> bool {
        let address = address.into();
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address))
    }

    /// The header's length, where its source may be. A fragment has the same header, so it is judged as any other packet.
    fn ipv4(&self, packet: &[u8], len: usize) -> Option<usize> {
        let header = Ipv4HeaderSlice::from_slice(packet).ok()?;
        let (header_len, total) = (header.slice().len(), usize::from(header.total_len()));
        ((header_len..=len).contains(&total) && self.has(header.source_addr())).then_some(header_len)
    }

    fn ipv6(&self, packet: &[u8], len: usize) -> Option<usize> {
        let header = Ipv6HeaderSlice::from_slice(packet).ok()?;
        let header_len = header.slice().len();
        let total = header_len + usize::from(header.payload_length());
        (total <= len && self.has(header.source_addr())).then_some(header_len)
    }

    /// ARP of Ethernet and IPv4: who it says that it comes from.
    fn arp(&self, packet: &[u8]) -> bool {
        let Ok(arp) = ArpPacketSlice::from_slice(packet) else { return false };
        let is_usual = arp.hw_addr_type() == ArpHardwareId::ETHERNET && arp.proto_addr_type() == EtherType::IPV4;
        let mac = arp.sender_hw_addr().try_into().map(Mac);
        let address = <[u8; 4]>::try_from(arp.sender_protocol_addr()).map(Ipv4Addr::from);
        let (Ok(mac), Ok(address), true) = (mac, address, is_usual) else { return false };
        (self.macs.is_empty() || self.macs.contains(&mac)) && self.has(address)
    }
}

/// Source address, the type behind the last tag, and where what is of that type begins.
fn ethernet(head: &[u8]) -> Option<(Mac, EtherType, usize)> {
    let source = head.get(6..12)?.try_into().ok()?;
    let kind = |tags: usize| head.get(12 + 4 * tags..14 + 4 * tags)?.try_into().ok().map(u16::from_be_bytes);
    for tags in 0..=MAX_TAGS {
        let kind = kind(tags)?;
        if !TAGS.contains(&kind) {
            return Some((Mac(source), EtherType(kind), 14 + 4 * tags));
        }
    }
    None
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The short look says what the long one says, of whatever it says anything.
        #[test]
        fn a_plain_frame_is_judged_as_any_other(
            head in prop::collection::vec(any::<u8>(), PLAIN),
            (version, total) in (prop_oneof![Just(0x45_u8), any::<u8>()], prop_oneof![0_u16..90, any::<u16>()]),
            (mac, address) in (prop_oneof![Just([2_u8, 0, 0, 0, 0, 1]), any::<[u8; 6]>()], 0_u8..4),
            len in 34_usize..100,
            grants in (any::<bool>(), any::<bool>(), any::<bool>()),
        ) {
            let mut head: [u8; PLAIN] = head.try_into().unwrap();
            head[6..12].copy_from_slice(&mac);
            head[12..15].copy_from_slice(&[0x08, 0x00, version]);
            head[16..18].copy_from_slice(&total.to_be_bytes());
            head[26..30].copy_from_slice(&[10, address, 0, 1]);
            let networks = ["10.1.0.0/16", "2001:db8::/32"].map(|network| network.parse().unwrap());
            let chosen = networks.into_iter().zip([grants.1, grants.2]).filter_map(|(network, is)| is.then_some(network));
            let source_mac = if grants.0 { vec![Mac([2, 0, 0, 0, 0, 1])] } else { Vec::new() };
            let granted = Grants { source_mac, source_ip: chosen.collect(), ..Grants::default() };
            let Some(sources) = Sources::new(&granted) else { return Ok(()) };
            let mut frame = head.to_vec();
            frame.resize(len.min(HEAD), 0);
            if let Some(plain) = sources.allow_plain(&head, len) {
                prop_assert_eq!(plain, sources.allow(&frame, len, None));
            }
        }
    }
}
