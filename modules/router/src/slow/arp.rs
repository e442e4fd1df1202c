//! ARP: RFC 826, with the conflicts and probes of RFC 5227.

use super::{Call, Slow, drop_as};
use crate::counts::Count;
use crate::fast::{IP, write_macs};
use crate::fib::Place;
use crate::interfaces::is_host4;
use crate::neighbours::Heard;
use core::net::IpAddr;
use perigee_guest::Packet;
use perigee_guest::wire::{Arp, Ethernet, Header as _, Mac};

/// What an ARP message says.
struct Said {
    from: Mac,
    sender: core::net::Ipv4Addr,
    asks_us: bool,
    answers_us: bool,
}

impl Slow {
    /// Answers for own addresses, and listens to what neighbours say.
    pub(super) fn arp(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>) {
        let port = packet.port();
        let said = match read(call, &packet, port) {
            Ok(said) => said,
            Err(count) => return drop_as(packet, count),
        };
        let Some(own) = call.tables.interfaces.get(port).map(|interface| interface.mac) else {
            return drop_as(packet, Count::OtherProtocol);
        };
        if !said.sender.is_unspecified() {
            let place = Place::v4(port, said.sender);
            let heard = if said.answers_us { Heard::Answer } else { Heard::Unasked };
            // Who neither asks us nor answers us is no reason to remember him.
            if said.asks_us || call.tables.neighbours.find(place).is_some() {
                let learnt = call.tables.neighbours.hear(place, said.from, heard, call.now);
                self.after_hearing(call, learnt);
            }
        }
        if !said.asks_us {
            return drop_as(packet, Count::ArpHeard);
        }
        if let Ok((arp, _)) = Arp::split_mut(&mut packet.bytes_mut()[IP..]) {
            arp.answer(own);
        }
        write_macs(packet.bytes_mut(), (said.from, own));
        Count::Arp.add(1);
        packet.tx_back();
    }
}

fn read(call: &Call<'_, '_>, packet: &Packet<'_>, port: u16) -> Result<Said, Count> {
    let frame = Ethernet::parse(packet.bytes()).map_err(|_| Count::Malformed)?;
    let arp = Arp::parse(packet.bytes().get(IP..).unwrap_or_default()).map_err(|_| Count::Malformed)?;
    let interface = call.tables.interfaces.get(port).ok_or(Count::OtherProtocol)?;
    let (from, sender, target) = (arp.sender_mac(), arp.sender(), arp.target());
    if from.is_multicast() || from.is_zero() || !matches!(arp.operation(), Arp::REQUEST | Arp::REPLY) {
        return Err(Count::Malformed);
    }
    if interface.has_v4(sender) {
        return Err(if from == interface.mac { Count::ArpHeard } else { Count::Conflict });
    }
    // A sender without an address asks whether one is free.
    let is_probe = sender.is_unspecified() && arp.operation() == Arp::REQUEST;
    if !is_probe && (!is_host4(sender) || !interface.reaches(IpAddr::V4(sender))) {
        return Err(Count::ArpHeard);
    }
    let is_for_us = interface.has_v4(target);
    Ok(Said {
        from,
        sender,
        asks_us: is_for_us && arp.operation() == Arp::REQUEST,
        answers_us: is_for_us && arp.operation() == Arp::REPLY && frame.destination() == interface.mac,
    })
}
