//! What is done with a packet: to which side it goes, by which session, with which endpoint in place of which.

use crate::outcome::{Count, Drop};
use crate::rewrite::{Endpoint, ICMP_IDENTIFIER, Ip, Side, ports, set_endpoint, word};
use crate::session::Engine;
use crate::table::Class;
use crate::tcp::{self, From};
use perigee_guest::wire::{Header as _, Icmp, Tcp, Udp, protocol};
use zerocopy::FromBytes as _;

/// What became of a packet that was not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Translated: how that is counted.
    Translated(Count),
    /// It belongs to another instance, of this number; as it was, or translated on the side that is ours.
    Owner(u32),
}

/// A kind of ICMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asks; has an identifier.
    Request,
    /// Answers; has an identifier.
    Reply,
    /// Quotes the packet that it is about.
    Error,
}

/// What a message of ICMP is, as far as it is translated (RFC 5508): not redirects, which are for one link alone.
#[inline]
pub(crate) const fn kind_of(icmp: u8) -> Option<Kind> {
    match icmp {
        Icmp::ECHO_REQUEST | Icmp::TIMESTAMP | 15 | 17 => Some(Kind::Request),
        Icmp::ECHO_REPLY | Icmp::TIMESTAMP_REPLY | 16 | 18 => Some(Kind::Reply),
        Icmp::UNREACHABLE | 4 | Icmp::TIME_EXCEEDED | Icmp::PARAMETER_PROBLEM => Some(Kind::Error),
        _ => None,
    }
}

/// What sessions look at: the ports of both ends. Of a query of ICMP its identifier, which is the port of the end that is ours.
#[derive(Clone, Copy)]
struct Ends {
    source: Endpoint,
    destination: Endpoint,
}

impl Engine<'_> {
    /// Translates a packet that is whole, or a first fragment: one that [`Rules::concerns`](crate::config::Rules::concerns).
    #[inline]
    pub(crate) fn translate(&mut self, packet: &mut [u8], ip: &Ip) -> Result<Fate, Drop> {
        if !self.rules.is_inside(ip.source) {
            return self.inbound(packet, ip, Count::Inbound);
        }
        self.outbound(packet, ip)?;
        if !self.rules.pool.contains(ip.destination) {
            return Ok(Fate::Translated(Count::Outbound));
        }
        let ip = Ip::read(packet).ok_or(Drop::Malformed)?;
        self.inbound(packet, &ip, Count::Hairpinned)
    }

    /// Puts an endpoint outside in place of the source.
    #[inline]
    fn outbound(&mut self, packet: &mut [u8], ip: &Ip) -> Result<(), Drop> {
        let transport = packet.get(ip.header_len..ip.len).ok_or(Drop::Malformed)?;
        let place = match ip.protocol {
            protocol::UDP => {
                let ends = ends_of(ip, transport, Udp::LEN)?;
                let place = self.by_inside(protocol::UDP, ends.source, ends.destination);
                self.use_or_open(place, protocol::UDP, ends, Class::OneWay)?
            }
            protocol::TCP => self.outbound_tcp(ip, transport)?,
            protocol::ICMP => {
                let (kind, identifier) = icmp(transport)?;
                if kind == Kind::Error {
                    return self.outbound_error(packet, ip);
                }
                let ends = Ends { source: (ip.source, identifier), destination: (ip.destination, 0) };
                let place = self.by_inside(protocol::ICMP, ends.source, ends.destination);
                if place == 0 && kind == Kind::Reply {
                    return Err(Drop::Icmp);
                }
                self.use_or_open(place, protocol::ICMP, ends, Class::Icmp)?
            }
            _ => return Err(Drop::Protocol),
        };
        let session = self.tables.sessions.at(place);
        let to = (session.outside, session.outside_port);
        set_endpoint(packet, ip, Side::Source, to);
        Ok(())
    }

    /// Notes that a session from inside is used; makes it where there is none.
    #[inline]
    fn use_or_open(&mut self, place: u32, number: u8, ends: Ends, class: Class) -> Result<u32, Drop> {
        if place == 0 {
            return self.open_outbound(number, ends.source, ends.destination, class);
        }
        let class = Class::of(self.tables.sessions.at(place).class);
        self.touch(place, class);
        Ok(place)
    }

    #[inline]
    fn outbound_tcp(&mut self, ip: &Ip, transport: &[u8]) -> Result<u32, Drop> {
        let segment = segment(ip, transport)?;
        let ends = ends_of(ip, transport, Tcp::LEN)?;
        let mut place = self.by_inside(protocol::TCP, ends.source, ends.destination);
        if place == 0 {
            let begins = segment.syn() && !segment.rst();
            if segment.rst() || !begins && !self.rules.loose {
                return Err(Drop::NoSession);
            }
            place = self.open_outbound(protocol::TCP, ends.source, ends.destination, Class::HalfOpen)?;
            self.tables.sessions.at_mut(place).flags = if begins { 0 } else { tcp::FOUND_OPEN };
        }
        self.follow(place, From::Inside, segment);
        Ok(place)
    }

    /// Puts the endpoint inside in place of the destination.
    #[inline]
    fn inbound(&mut self, packet: &mut [u8], ip: &Ip, count: Count) -> Result<Fate, Drop> {
        let transport = packet.get(ip.header_len..ip.len).ok_or(Drop::Malformed)?;
        let (place, ends) = match ip.protocol {
            protocol::UDP => {
                let ends = ends_of(ip, transport, Udp::LEN)?;
                (self.by_outside(protocol::UDP, ends.destination, ends.source), ends)
            }
            protocol::TCP => {
                let ends = ends_of(ip, transport, Tcp::LEN)?;
                (self.by_outside(protocol::TCP, ends.destination, ends.source), ends)
            }
            protocol::ICMP => {
                let (kind, identifier) = icmp(transport)?;
                if kind == Kind::Error {
                    return self.inbound_error(packet, ip, count);
                }
                let ends = Ends { source: (ip.source, 0), destination: (ip.destination, identifier) };
                (self.by_outside(protocol::ICMP, ends.destination, ends.source), ends)
            }
            _ => return Err(Drop::Protocol),
        };
        let is_new = place == 0;
        let place = if is_new {
            if let Some(owner) = self.other_owner(ends.destination) {
                return Ok(Fate::Owner(owner));
            }
            self.admit(ip, transport, ends)?
        } else {
            place
        };
        self.answer(place, ip, transport)?;
        let session = self.tables.sessions.at(place);
        let to = (session.inside, session.inside_port);
        set_endpoint(packet, ip, Side::Destination, to);
        Ok(Fate::Translated(count))
    }

    /// Makes a session for a packet from outside, if its mapping lets it in.
    #[inline(never)]
    fn admit(&mut self, ip: &Ip, transport: &[u8], ends: Ends) -> Result<u32, Drop> {
        let is_syn = ip.protocol == protocol::TCP && begins(segment(ip, transport)?);
        let mapping = self.mapping_outside(ip.protocol, ends.destination);
        if mapping == 0 {
            return Err(if is_syn { Drop::UnsolicitedSyn } else { Drop::NoMapping });
        }
        if !self.admits(ip.protocol, mapping, ends.source) {
            return Err(if is_syn { Drop::UnsolicitedSyn } else { Drop::Filtered });
        }
        let class = match ip.protocol {
            protocol::TCP if !is_syn => return Err(Drop::NoSession),
            protocol::TCP => Class::HalfOpen,
            protocol::UDP => Class::OneWay,
            _ => Class::Icmp,
        };
        self.open_inbound(mapping, ends.source, class)
    }

    /// Notes that a session is used from outside.
    #[inline]
    fn answer(&mut self, place: u32, ip: &Ip, transport: &[u8]) -> Result<(), Drop> {
        match ip.protocol {
            protocol::TCP => self.follow(place, From::Outside, segment(ip, transport)?),
            protocol::UDP => self.touch(place, Class::Udp),
            _ => self.touch(place, Class::Icmp),
        }
        Ok(())
    }

    /// Follows a connection of TCP by one segment.
    #[inline]
    pub(crate) fn follow(&mut self, place: u32, from: From, segment: &Tcp) {
        let session = self.tables.sessions.at(place);
        let (flags, class) = tcp::after(session.flags, Class::of(session.class), from, segment);
        if flags != session.flags {
            self.tables.sessions.at_mut(place).flags = flags;
        }
        self.touch(place, class);
    }

    /// The instance that gives away a port outside, where that is not this one.
    #[inline]
    pub(crate) fn other_owner(&self, own: Endpoint) -> Option<u32> {
        let slice = self.rules.pool.slice();
        if slice.of == 1 {
            return None;
        }
        self.rules.pool.owner(own.0, own.1).filter(|owner| *owner != slice.index)
    }
}

/// Both ends of a segment or datagram whose header has so many bytes. Ports of 0 are nobody's.
#[inline]
fn ends_of(ip: &Ip, transport: &[u8], header: usize) -> Result<Ends, Drop> {
    let (from, to) = ports(transport).filter(|_| transport.len() >= header).ok_or(Drop::Malformed)?;
    if from == 0 || to == 0 {
        return Err(Drop::Malformed);
    }
    Ok(Ends { source: (ip.source, from), destination: (ip.destination, to) })
}

/// A segment's header. Of a first fragment options may be missing, but nothing of the fixed part.
#[inline]
fn segment<'a>(ip: &Ip, transport: &'a [u8]) -> Result<&'a Tcp, Drop> {
    if ip.more {
        Tcp::ref_from_prefix(transport).map(|(header, _)| header).map_err(|_| Drop::Malformed)
    } else {
        Tcp::parse(transport).map(|segment| segment.header).map_err(|_| Drop::Malformed)
    }
}

/// Whether a segment is the first of a connection.
#[inline]
fn begins(segment: &Tcp) -> bool {
    segment.syn() && !segment.ack() && !segment.rst()
}

/// The kind and the identifier of a message of ICMP.
#[inline]
pub(crate) fn icmp(message: &[u8]) -> Result<(Kind, u16), Drop> {
    let &[number, _, _, _, _, _, _, _, ..] = message else { return Err(Drop::Malformed) };
    let kind = kind_of(number).ok_or(Drop::Icmp)?;
    Ok((kind, word(message, ICMP_IDENTIFIER).ok_or(Drop::Malformed)?))
}
