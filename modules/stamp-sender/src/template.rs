//! Writing test packets.

use crate::config::Session;
use core::net::IpAddr;
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, Udp, Vlan, ether_type, protocol};
use stamp_wire::{Mode, Place, Sent, TTL, tlv};

/// Where the parts of a packet lie.
pub(crate) struct Template {
    place: Place,
    pub(crate) mode: Mode,
    pub(crate) session: Session,
}

impl Template {
    pub(crate) fn new(session: Session, mode: Mode) -> Self {
        let ip = Ethernet::LEN + Vlan::LEN * session.vlans.iter().flatten().count();
        let udp = ip + if session.source.is_ipv4() { Ipv4::LEN } else { Ipv6::LEN };
        let padding = if session.padding == 0 { 0 } else { tlv::HEADER + usize::from(session.padding) };
        let place = Place {
            ip,
            udp,
            end: udp + Udp::LEN + mode.base() + padding,
            source: session.source,
            destination: session.destination,
            source_port: session.source_port,
            ttl: TTL,
            dscp: session.dscp,
            ecn: 0,
        };
        Self { place, mode, session }
    }

    /// Length of a packet.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "padding has at most 1,380 bytes with what authenticated mode adds, headers 70"
    )]
    pub(crate) fn len(&self) -> u16 {
        self.place.end as u16
    }

    /// Where the host may write the time of departure: in the padding, if that is long enough for it.
    #[allow(clippy::cast_possible_truncation, reason = "lies in the packet")]
    pub(crate) fn stamp(&self) -> Option<u16> {
        (self.session.padding >= 10).then_some((self.place.payload().start + self.mode.base() + tlv::HEADER) as u16)
    }

    /// Writes the packet of that number. Nothing where `frame` is too short.
    pub(crate) fn write(&self, frame: &mut [u8], sequence: u32, timestamp: u64) -> Option<()> {
        let (session, place) = (&self.session, &self.place);
        frame.fill(0);
        self.write_link(frame)?;
        let head = frame.get_mut(place.ip..)?;
        match (session.source, session.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (ip, _) = Ipv4::split_mut(head).ok()?;
                *ip = Ipv4::default();
                ip.set_dont_fragment(true);
                ip.set_protocol(protocol::UDP);
                ip.set_ttl(TTL);
                ip.set_dscp(session.dscp);
                ip.set_source(source);
                ip.set_destination(destination);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let (ip, _) = Ipv6::split_mut(head).ok()?;
                *ip = Ipv6::default();
                ip.set_next_header(protocol::UDP);
                ip.set_hop_limit(TTL);
                ip.set_dscp(session.dscp);
                ip.set_source(source);
                ip.set_destination(destination);
            }
            _ => return None,
        }
        let (udp, payload) = Udp::split_mut(frame.get_mut(place.udp..)?).ok()?;
        udp.set_source_port(session.source_port);
        udp.set_destination_port(session.destination_port);
        let (base, rest) = payload.split_at_mut_checked(self.mode.base())?;
        let mut sent = Sent::default();
        sent.set_sequence(sequence);
        sent.set_timestamp(timestamp);
        sent.set_error(session.estimate);
        sent.set_ssid(session.ssid);
        self.mode.write_sent(base, &sent)?;
        if let [flags, kind, high, low, ..] = rest {
            (*flags, *kind) = (tlv::UNRECOGNIZED, tlv::EXTRA_PADDING);
            [*high, *low] = session.padding.to_be_bytes();
        }
        place.complete(frame)
    }

    /// Ethernet's header and tags; the outer one of two is that of a provider.
    fn write_link(&self, frame: &mut [u8]) -> Option<()> {
        let session = &self.session;
        let inner = if session.source.is_ipv4() { ether_type::IPV4 } else { ether_type::IPV6 };
        let tags = session.vlans.iter().flatten().count();
        let tag = if tags == 2 { 0x88a8 } else { 0x8100 };
        let (eth, mut rest) = Ethernet::split_mut(frame).ok()?;
        eth.set_destination(session.destination_mac);
        eth.set_source(session.mac);
        eth.set_ether_type(if tags == 0 { inner } else { tag });
        for (at, tci) in session.vlans.iter().flatten().enumerate() {
            let (vlan, behind) = Vlan::split_mut(rest).ok()?;
            vlan.set_pcp(u8::try_from(tci >> 13).unwrap_or(0));
            vlan.set_dei(tci >> 12 & 1 != 0);
            vlan.set_vid(tci & 0xfff);
            vlan.set_ether_type(if at + 1 < tags { 0x8100 } else { inner });
            rest = behind;
        }
        Some(())
    }
}
