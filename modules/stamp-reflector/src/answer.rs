//! Writing an answer over its question.

use crate::extensions::{self, Facts};
use crate::integrity::{self, Integrity};
use crate::session::{Key, Session};
use crate::{BAD_INTEGRITY, EVICTED, Outcome, PORT_TIME, SESSIONS, StampReflector, TWAMP};
use core::net::IpAddr;
use perigee_guest::Packet;
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, Mac, Udp};
use stamp_wire::{BASE, Format, NoPacket, Place, Reflected, Sent, TTL, TWAMP_MIN};

/// What an answer takes of its question.
struct Question {
    sent: Sent,
    /// When it came, by the run's clock.
    received: u64,
}

impl StampReflector {
    /// Turns a test packet into its answer; an error says why there is none, and leaves the packet as it was.
    pub(crate) fn answer(&mut self, packet: &mut Packet<'_>, now: u64) -> Result<(), Outcome> {
        let mut place = Place::find(packet.bytes(), self.port, packet.rx_flags())?;
        if !self.is_ours(place.destination) {
            return Err(Outcome::Other);
        }
        // Two reflectors that answer each other would never end.
        if place.source_port == self.port && !self.same_port {
            return Err(Outcome::FromReflector);
        }
        let question = self.read(packet, &place, now)?;
        // Only TWAMP Light's, which has no authenticated mode.
        let is_short = place.payload().len() < BASE;
        if is_short {
            // The answer is a whole packet all the same (RFC 8762, section 4.6).
            place.end = place.payload().start + BASE;
        }
        let source = Ethernet::parse(packet.bytes()).map(|eth| eth.source()).map_err(|_| Outcome::Malformed)?;
        if !u16::try_from(place.end).is_ok_and(|end| packet.set_len(end)) {
            return Err(Outcome::NoRoom);
        }
        if is_short {
            TWAMP.add(1);
        }
        let session = self.session(&place, question.sent.ssid(), now);
        self.write(packet.bytes_mut(), &place, &question, session, source, now).ok_or(Outcome::Malformed)
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        self.addresses[0].is_none() || self.addresses.iter().flatten().any(|ours| *ours == address)
    }

    /// Reads the sender's part of a test packet.
    fn read(&self, packet: &Packet<'_>, place: &Place, now: u64) -> Result<Question, Outcome> {
        let payload = packet.bytes().get(place.payload()).unwrap_or_default();
        let sent = match self.mode.read_sent(payload) {
            Err(NoPacket::Short) if self.mode.key().is_none() => read_twamp(payload)?,
            read => read?,
        };
        if packet.rx_time().is_some() {
            PORT_TIME.add(1);
        }
        // No packet comes after it has been seen; a port's clock and the host's may differ by that much.
        Ok(Question { sent, received: packet.rx_time().unwrap_or(now).min(now) })
    }

    /// The session that an answer belongs to, as it was before.
    fn session(&mut self, place: &Place, ssid: u16, now: u64) -> Option<Session> {
        let found = self.sessions.as_mut()?.answer(Key::new(place, ssid), now)?;
        SESSIONS.add(found.is_new.into());
        EVICTED.add(found.has_evicted.into());
        Some(found.before)
    }

    /// Writes the answer; nothing where the frame is shorter than `place` says.
    fn write(
        &self,
        frame: &mut [u8],
        place: &Place,
        question: &Question,
        session: Option<Session>,
        source: Mac,
        now: u64,
    ) -> Option<()> {
        let sent = &question.sent;
        let format = self.timestamps.format(sent.error());
        let payload = frame.get_mut(place.payload())?;
        let (base, rest) = payload.split_at_mut_checked(self.mode.base())?;
        let mut answer = Reflected::default();
        answer.set_sequence(session.map_or(sent.sequence(), |session| session.answers));
        answer.set_timestamp(self.clock.stamp(format, now));
        answer.set_error(self.estimates[usize::from(format == Format::Ptp)]);
        answer.set_ssid(sent.ssid());
        answer.set_receive_timestamp(self.clock.stamp(format, question.received));
        answer.set_sender_sequence(sent.sequence());
        answer.set_sender_timestamp(sent.timestamp());
        answer.set_sender_error(sent.error());
        answer.set_sender_ttl(place.ttl);
        self.mode.write_reflected(base, &answer)?;
        let mut dscp = place.dscp;
        if self.extensions {
            let last = session.filter(|session| session.answers > 0);
            let facts = Facts {
                place,
                source,
                port: self.port,
                sync: self.sync,
                session,
                is_proven: false,
                follow_up: last.map(|last| (last.answers.wrapping_sub(1), self.clock.stamp(format, last.last))),
            };
            dscp = self.extend(rest, facts, sent.sequence(), answer.sequence()).unwrap_or(dscp);
        }
        turn(frame, place, dscp)
    }
}

/// Extensions.
impl StampReflector {
    /// Answers them, and in authenticated mode only where they are the sender's word. Gives the code point that they ask for.
    fn extend(&self, rest: &mut [u8], facts: Facts<'_>, asked: u32, answered: u32) -> Option<u8> {
        let Some(key) = self.mode.key() else { return extensions::process(rest, &facts) };
        match integrity::check(key, asked, rest) {
            Integrity::NotNeeded => extensions::process(rest, &facts),
            Integrity::Proven(place) => {
                let dscp = extensions::process(rest, &Facts { is_proven: true, ..facts });
                integrity::prove(key, answered, rest, place)?;
                dscp
            }
            Integrity::Failed => {
                BAD_INTEGRITY.add(1);
                integrity::mark(rest);
                None
            }
        }
    }
}

/// Reads a test packet of TWAMP Light, which may be no more than 14 bytes.
fn read_twamp(payload: &[u8]) -> Result<Sent, Outcome> {
    if payload.len() < TWAMP_MIN {
        return Err(Outcome::Short);
    }
    let mut bytes = [0; BASE];
    for (to, from) in bytes.iter_mut().zip(payload) {
        *to = *from;
    }
    let (sent, _) = Sent::split_mut(&mut bytes).map_err(|_| Outcome::Short)?;
    let mut sent = *sent;
    // What would be the session's number is padding.
    sent.set_ssid(0);
    Ok(sent)
}

/// Turns the headers round, and completes them.
fn turn(frame: &mut [u8], place: &Place, dscp: u8) -> Option<()> {
    Ethernet::swap_addresses_of(frame).ok()?;
    let (head, datagram) = frame.split_at_mut_checked(place.udp)?;
    let head = head.get_mut(place.ip..)?;
    match (place.source, place.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let (ip, _) = Ipv4::split_mut(head).ok()?;
            ip.set_source(destination);
            ip.set_destination(source);
            ip.set_ttl(TTL);
            ip.set_dscp(dscp);
            ip.set_ecn(0);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let (ip, _) = Ipv6::split_mut(head).ok()?;
            ip.set_source(destination);
            ip.set_destination(source);
            ip.set_hop_limit(TTL);
            ip.set_dscp(dscp);
            ip.set_ecn(0);
        }
        _ => return None,
    }
    let (udp, _) = Udp::split_mut(datagram).ok()?;
    let (from, to) = (udp.source_port(), udp.destination_port());
    udp.set_source_port(to);
    udp.set_destination_port(from);
    place.complete(frame)
}
