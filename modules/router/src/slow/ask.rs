//! Questions to neighbours, and what the router says of itself.

use super::{Call, Slow};
use crate::counts::Count;
use crate::fib::Place;
use crate::interfaces::Interface;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::Lcg64;
use perigee_guest::state::SECOND;
use perigee_guest::wire::{
    Arp, Ethernet, Icmpv6, Ipv6, Mac, NdMac, NdMtu, NdPrefix, NeighborSolicitation, RouterAdvertisement, Stack as _,
};

/// Hop limit of neighbour discovery: a packet that has it was forwarded by no router (RFC 4861).
pub(super) const ON_LINK: u8 = 255;
/// RFC 4861, section 6.2.1: the least and the most time between advertisements that nobody asked for.
const LEAST: u64 = 200;
const MOST: u64 = 600;

perigee_guest::stack! {
    /// Who has this IPv4 address?
    struct Request { eth: Ethernet, arp: Arp }
}

perigee_guest::stack! {
    /// Who has this IPv6 address?
    struct Solicitation { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, body: NeighborSolicitation, mac: NdMac }
}

perigee_guest::stack! {
    /// I am a router: without prefixes, which follow.
    struct Advertisement { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, body: RouterAdvertisement, mac: NdMac, mtu: NdMtu }
}

perigee_guest::stack! {
    /// A prefix of the link.
    struct LinkPrefix { option: NdPrefix }
}

impl Slow {
    /// Asks all stations of a link for a neighbour, or one whether it is still there.
    pub(super) fn ask(&mut self, call: &mut Call<'_, '_>, place: Place, one: Option<Mac>) {
        let Some(interface) = call.tables.interfaces.get(place.port).copied() else { return };
        let sent = match place.ip() {
            IpAddr::V4(target) => {
                let Some(source) = interface.source4(target) else { return };
                call.send_new(place.port, Request::LEN, |frame| {
                    write_request(frame, interface.mac, source, target, one);
                })
            }
            IpAddr::V6(target) => call.send_new(place.port, Solicitation::LEN, |frame| {
                write_solicitation(frame, &interface, target, one);
            }),
        };
        (if sent { Count::Asked } else { Count::NotAsked }).add(1);
    }

    /// Sends the advertisements that are due.
    pub(super) fn advertise(&mut self, call: &mut Call<'_, '_>) {
        self.next_advertisement = u64::MAX;
        for port in 0..u16::try_from(perigee_guest::abi::MAX_PORTS).unwrap_or(0) {
            let Some(interface) = call.tables.interfaces.get_mut(port).filter(|interface| interface.advertises) else {
                continue;
            };
            let is_due = interface.next_advertisement <= call.now;
            if is_due {
                interface.last_advertisement = call.now;
                interface.next_advertisement = call.now + pause(&mut self.random);
            }
            self.next_advertisement = self.next_advertisement.min(interface.next_advertisement);
            let interface = *interface;
            let prefixes = interface.v6().filter(|own| own.prefix.len() == 64).count();
            let len = Advertisement::LEN + prefixes * LinkPrefix::LEN;
            if is_due && call.send_new(port, len, |frame| write_advertisement(frame, &interface)) {
                Count::Advertised.add(1);
            }
        }
    }
}

/// Between two advertisements, so that routers do not fall into step.
fn pause(random: &mut Lcg64) -> u64 {
    (LEAST + u64::from(random.below(MOST - LEAST))) * SECOND
}

fn write_request(frame: &mut [u8], mac: Mac, source: Ipv4Addr, target: Ipv4Addr, one: Option<Mac>) {
    let _ = Request::fill(frame, |request| {
        request.eth.set_destination(one.unwrap_or(Mac::BROADCAST));
        request.eth.set_source(mac);
        request.arp.set_sender_mac(mac);
        request.arp.set_sender(source);
        request.arp.set_target(target);
    });
}

fn write_solicitation(frame: &mut [u8], interface: &Interface, target: Ipv6Addr, one: Option<Mac>) {
    let group = Ipv6::solicited_node(target);
    let _ = Solicitation::fill(frame, |question| {
        question.eth.set_destination(one.unwrap_or(Mac::of_ipv6_multicast(group.octets())));
        question.eth.set_source(interface.mac);
        question.ip.set_source(interface.source6(target));
        question.ip.set_destination(if one.is_some() { target } else { group });
        question.ip.set_hop_limit(ON_LINK);
        question.body.set_target(target);
        question.mac.set_kind(NdMac::SOURCE);
        question.mac.set_mac(interface.mac);
    });
}

/// Behind the headers of `Advertisement` there is room for the prefixes: those of 64 bits, of which hosts make addresses (RFC
/// 4862, section 5.5.3).
fn write_advertisement(frame: &mut [u8], interface: &Interface) {
    let own = interface.v6().filter(|own| own.prefix.len() == 64);
    for (place, own) in frame[Advertisement::LEN..].chunks_exact_mut(LinkPrefix::LEN).zip(own) {
        let _ = LinkPrefix::fill(place, |link| link.option.set_prefix(own.prefix.address()));
    }
    let _ = Advertisement::fill(frame, |answer| {
        answer.eth.set_destination(Mac::of_ipv6_multicast(Ipv6::ALL_NODES.octets()));
        answer.eth.set_source(interface.mac);
        answer.ip.set_source(interface.link_local);
        answer.ip.set_destination(Ipv6::ALL_NODES);
        answer.ip.set_hop_limit(ON_LINK);
        answer.mac.set_kind(NdMac::SOURCE);
        answer.mac.set_mac(interface.mac);
        answer.mtu.set_mtu(interface.mtu.into());
    });
}
