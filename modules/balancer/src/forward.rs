//! The way to a backend: another MAC address, or a header before the packet.

use crate::seen::Ip;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::Packet;
use perigee_guest::wire::checksum::{Sum, for_udp};
use perigee_guest::wire::{Ethernet, Fields as _, Geneve, Header as _, Ipv4, Ipv6, Mac, Udp, ether_type, protocol};

/// How packets reach the backends of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tunnel {
    /// As they are: the backend has the service's address, and is a neighbour.
    None,
    /// IP in IP (RFC 2003, 2473, 4213).
    Ipip,
    /// GENEVE (RFC 8926) with IP right behind it, in this virtual network.
    Geneve(u32),
}

/// Where tunnels begin: the balancer's own addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
}

/// The room before a packet is too small for the headers of its tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// First of the 16,384 ports that a sender may take as it likes (RFC 6335, section 6). From them GENEVE's source port is taken, so
/// that routers spread flows (RFC 8926, section 3.3).
const FIRST_PORT: u16 = 0xc000;
/// How far a packet to a backend may go.
const TTL: u8 = 64;

impl Tunnel {
    /// Bytes that come before an IP packet on the way to this address.
    #[inline]
    pub(crate) fn overhead(self, to: Option<IpAddr>) -> u16 {
        let ip = match to {
            _ if self == Self::None => return 0,
            Some(IpAddr::V6(_)) => Ipv6::LEN,
            _ => Ipv4::LEN,
        };
        let behind = if matches!(self, Self::Geneve(_)) { Udp::LEN + Geneve::LEN } else { 0 };
        #[allow(clippy::cast_possible_truncation, reason = "56 at most")]
        let overhead = (ip + behind) as u16;
        overhead
    }

    /// Puts the headers before a packet, behind Ethernet and its tags. `hash` is the flow's.
    pub(crate) fn wrap(
        self,
        packet: &mut Packet<'_>,
        ip: &Ip,
        to: IpAddr,
        sources: Sources,
        hash: u64,
    ) -> Result<(), NoRoom> {
        let overhead = self.overhead(Some(to));
        #[allow(clippy::cast_possible_truncation, reason = "a frame has 65,535 bytes at most")]
        let len = ip.start as u16 + ip.len;
        // What pads a short frame is no part of the packet.
        if u32::from(overhead) > packet.headroom() || !packet.set_len(len) {
            return Err(NoRoom);
        }
        let bytes = packet.prepend(overhead).ok_or(NoRoom)?;
        let overhead = usize::from(overhead);
        bytes.copy_within(overhead..overhead + ip.start, 0);
        let outer_type = if to.is_ipv6() { ether_type::IPV6 } else { ether_type::IPV4 };
        bytes[ip.start - 2..ip.start].copy_from_slice(&outer_type.to_be_bytes());
        let (outer, inner) = bytes[ip.start..].split_at_mut(overhead);
        match to {
            IpAddr::V4(to) => self.write_v4(outer, ip, (sources.v4.unwrap_or(Ipv4Addr::UNSPECIFIED), to), hash),
            IpAddr::V6(to) => {
                let from = sources.v6.unwrap_or(Ipv6Addr::UNSPECIFIED);
                self.write_v6(outer, inner, ip, (from, to), hash);
            }
        }
        Ok(())
    }

    /// The number under which the outer IP header carries what is behind it.
    fn carried(self, ip: &Ip) -> u8 {
        match self {
            Self::Geneve(_) => protocol::UDP,
            _ if ip.is_v6 => protocol::IPV6,
            _ => protocol::IPV4,
        }
    }

    /// IPv4 before the packet. It may not be fragmented: whether it fits was looked at, and its identification says nothing (RFC
    /// 6864). DSCP and ECN are the packet's (RFC 2983, RFC 6040).
    #[allow(clippy::cast_possible_truncation, reason = "56 more than a packet that fits its room")]
    fn write_v4(self, outer: &mut [u8], ip: &Ip, (from, to): (Ipv4Addr, Ipv4Addr), hash: u64) {
        let total = outer.len() as u16 + ip.len;
        let Ok((header, behind)) = Ipv4::split_mut(outer) else { return };
        *header = Ipv4::default();
        header.set_dscp(ip.class >> 2);
        header.set_ecn(ip.class & 3);
        header.set_total_length(total);
        header.set_dont_fragment(true);
        header.set_ttl(TTL);
        header.set_protocol(self.carried(ip));
        header.set_source(from);
        header.set_destination(to);
        header.fill_checksum(&[]);
        // Over IPv4 there need not be a checksum (RFC 8926, section 3.3): the packet has its own.
        self.write_geneve(behind, ip, hash);
    }

    /// As [`Self::write_v4`]; the flow label is of the flow (RFC 6438).
    #[allow(clippy::cast_possible_truncation, reason = "56 more than a packet that fits its room")]
    fn write_v6(self, outer: &mut [u8], inner: &[u8], ip: &Ip, (from, to): (Ipv6Addr, Ipv6Addr), hash: u64) {
        let payload = (outer.len() - Ipv6::LEN) as u16 + ip.len;
        let Ok((header, behind)) = Ipv6::split_mut(outer) else { return };
        *header = Ipv6::default();
        header.set_dscp(ip.class >> 2);
        header.set_ecn(ip.class & 3);
        header.set_flow_label((hash & 0xf_ffff) as u32);
        header.set_payload_length(payload);
        header.set_next_header(self.carried(ip));
        header.set_hop_limit(TTL);
        header.set_source(from);
        header.set_destination(to);
        self.write_geneve(behind, ip, hash);
        if matches!(self, Self::Geneve(_)) {
            // IPv6 asks for one (RFC 8200, section 8.1).
            let sum = Sum::from_pseudo_header(&from.octets(), &to.octets(), protocol::UDP, payload.into());
            let checksum = for_udp(sum.add(behind).add(inner).finish());
            if let Ok((udp, _)) = Udp::split_mut(behind) {
                udp.set_checksum(checksum);
            }
        }
    }

    /// UDP and GENEVE behind the outer IP header, for this kind of tunnel.
    #[allow(clippy::cast_possible_truncation, reason = "56 more than a packet that fits its room")]
    fn write_geneve(self, behind: &mut [u8], ip: &Ip, hash: u64) {
        let Self::Geneve(network) = self else { return };
        let len = behind.len() as u16 + ip.len;
        let Ok((udp, behind)) = Udp::split_mut(behind) else { return };
        *udp = Udp::default();
        udp.set_source_port(FIRST_PORT | (hash & 0x3fff) as u16);
        udp.set_destination_port(Geneve::FORMAT.udp_ports[0]);
        udp.set_length(len);
        let Ok((geneve, _)) = Geneve::split_mut(behind) else { return };
        *geneve = Geneve::default();
        geneve.set_protocol(if ip.is_v6 { ether_type::IPV6 } else { ether_type::IPV4 });
        geneve.set_vni(network);
    }
}

/// Writes who sends a frame to whom.
#[inline]
pub(crate) fn address(packet: &mut Packet<'_>, source: Mac, destination: Mac) {
    if let Ok((frame, _)) = Ethernet::split_mut(packet.bytes_mut()) {
        frame.set_source(source);
        frame.set_destination(destination);
    }
}
