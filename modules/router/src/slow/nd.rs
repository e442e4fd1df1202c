//! Neighbour discovery: RFC 4861, sections 6.2 and 7.2.

use super::ask::ON_LINK;
use super::local6::Message;
use super::{Call, Slow, drop_as};
use crate::counts::Count;
use crate::fast::{IP, write_macs};
use crate::fib::Place;
use crate::interfaces::is_host6;
use crate::neighbours::Heard;
use core::net::Ipv6Addr;
use perigee_guest::Packet;
use perigee_guest::wire::{
    Ethernet, Header as _, Icmpv6, Ipv6, Mac, NdMac, NeighborAdvertisement, NeighborSolicitation, Stack as _,
    TlvFormat, Tlvs,
};

perigee_guest::stack! {
    /// The answer to a solicitation, behind Ethernet.
    struct Answer { ip: Ipv6, icmp: Icmpv6, body: NeighborAdvertisement, mac: NdMac }
}

/// What a neighbour solicitation asks.
struct Question {
    target: Ipv6Addr,
    /// The MAC address of who asks, where it says so.
    source_mac: Option<Mac>,
}

impl Slow {
    /// A neighbour asks: who it is is remembered, and the answer written over the question (section 7.2.4).
    pub(super) fn solicited(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>, message: &Message) {
        let (port, from) = (packet.port(), sender_of(&packet));
        let Some(interface) = call.tables.interfaces.get(port) else {
            return drop_as(packet, Count::OtherProtocol);
        };
        let own = interface.mac;
        let question = read_question(body(&packet, message)).filter(|question| is_valid(question, message));
        let Some(Question { target, source_mac }) = question else { return drop_as(packet, Count::Malformed) };
        // Who detects whether an address is taken has none yet: all nodes are told.
        let detection = message.source.is_unspecified();
        if interface.has_v6(message.source) {
            return drop_as(packet, if from == own { Count::NdHeard } else { Count::Conflict });
        }
        if !interface.has_v6(target) || !detection && !interface.reaches(message.source.into()) {
            return drop_as(packet, Count::NdHeard);
        }
        if !detection && let Some(mac) = source_mac {
            let place = Place::v6(port, message.source);
            let learnt = call.tables.neighbours.hear(place, mac, Heard::Unasked, call.now);
            self.after_hearing(call, learnt);
        }
        let (to_address, to) = if detection {
            (Ipv6::ALL_NODES, Mac::of_ipv6_multicast(Ipv6::ALL_NODES.octets()))
        } else {
            (message.source, source_mac.unwrap_or(from))
        };
        if write_answer(&mut packet, !detection, (target, to_address), own).is_none() {
            return drop_as(packet, Count::Malformed);
        }
        write_macs(packet.bytes_mut(), (to, own));
        Count::Nd.add(1);
        packet.tx_back();
    }

    /// A neighbour says where it is (section 7.2.5).
    pub(super) fn advertised(&mut self, call: &mut Call<'_, '_>, packet: Packet<'_>, message: &Message) {
        let port = packet.port();
        let bytes = body(&packet, message);
        let (Ok(said), Some(interface)) = (NeighborAdvertisement::parse(bytes), call.tables.interfaces.get(port))
        else {
            return drop_as(packet, Count::Malformed);
        };
        let (target, is_answer) = (said.target(), said.solicited());
        let is_whole = Tlvs::new(said.payload, TlvFormat::ND).all(|option| option.is_ok());
        // A solicited one goes to who asked.
        if !is_whole || target.is_multicast() || message.destination.is_multicast() && is_answer {
            return drop_as(packet, Count::Malformed);
        }
        let mac = NdMac::find(said.payload, NdMac::TARGET).unwrap_or(sender_of(&packet));
        if interface.has_v6(target) {
            let count = if sender_of(&packet) == interface.mac { Count::NdHeard } else { Count::Conflict };
            return drop_as(packet, count);
        }
        let place = Place::v6(port, target);
        if is_station(mac) && call.tables.neighbours.find(place).is_some() {
            let heard = if is_answer { Heard::Answer } else { Heard::Unasked };
            let learnt = call.tables.neighbours.hear(place, mac, heard, call.now);
            self.after_hearing(call, learnt);
        }
        drop_as(packet, Count::NdHeard);
    }

    /// A host looks for routers: the next advertisement is due now (section 6.2.6), to all nodes, and no sooner than three
    /// seconds behind the last one.
    pub(super) fn router_wanted(&mut self, call: &mut Call<'_, '_>, packet: Packet<'_>) {
        let port = packet.port();
        if let Some(interface) = call.tables.interfaces.get_mut(port) {
            interface.hasten(call.now);
        }
        drop_as(packet, Count::NdHeard);
        self.advertise(call);
    }
}

fn is_station(mac: Mac) -> bool {
    !mac.is_multicast() && !mac.is_zero()
}

fn sender_of(packet: &Packet<'_>) -> Mac {
    Ethernet::parse(packet.bytes()).map_or(Mac([0; 6]), |frame| frame.source())
}

fn body<'p>(packet: &'p Packet<'_>, message: &Message) -> &'p [u8] {
    packet.bytes().get(message.at.start + Icmpv6::LEN..message.at.end).unwrap_or_default()
}

/// The question in the body of a solicitation; nothing where it is cut off or an option has no length.
fn read_question(body: &[u8]) -> Option<Question> {
    let body = NeighborSolicitation::parse(body).ok()?;
    Tlvs::new(body.payload, TlvFormat::ND)
        .all(|option| option.is_ok())
        .then(|| Question { target: body.target(), source_mac: NdMac::find(body.payload, NdMac::SOURCE) })
}

/// The checks of section 7.1.1.
fn is_valid(question: &Question, message: &Message) -> bool {
    let Question { target, source_mac } = *question;
    if target.is_multicast() || !source_mac.is_none_or(is_station) {
        return false;
    }
    if message.source.is_unspecified() {
        return source_mac.is_none() && message.destination == Ipv6::solicited_node(target);
    }
    is_host6(message.source)
}

/// Makes the packet the advertisement that `target` has `mac`. Nothing where it does not fit the packet's room.
fn write_answer(packet: &mut Packet<'_>, asked: bool, (target, to): (Ipv6Addr, Ipv6Addr), mac: Mac) -> Option<()> {
    if !packet.set_len(u16::try_from(IP + Answer::LEN).ok()?) {
        return None;
    }
    let filled = Answer::fill(&mut packet.bytes_mut()[IP..], |answer| {
        answer.ip.set_source(target);
        answer.ip.set_destination(to);
        answer.ip.set_hop_limit(ON_LINK);
        answer.body.set_router(true);
        answer.body.set_solicited(asked);
        answer.body.set_override_known(true);
        answer.body.set_target(target);
        answer.mac.set_kind(NdMac::TARGET);
        answer.mac.set_mac(mac);
    });
    filled.ok()
}
