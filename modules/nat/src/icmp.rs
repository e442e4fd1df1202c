//! Errors of ICMP, which quote a packet: what they quote must be what the receiver has sent (RFC 5508, section 4).
//!
//! They neither make sessions nor keep them alive, nor end them (REQ-6).

use crate::made::Complaint;
use crate::outcome::{Count, Drop};
use crate::rewrite::{
    Endpoint, ICMP_CHECKSUM, ICMP_IDENTIFIER, Ip, Side, ports, set_address, set_endpoint, set_word, word,
};
use crate::session::Engine;
use crate::translate::{Fate, Kind, kind_of};
use perigee_guest::wire::checksum::{Change, finish, sum, verify};
use perigee_guest::wire::{Header as _, Ipv4, protocol};

/// Header of an error, in front of what it quotes.
const HEADER: usize = 8;
/// Bytes of a quote that translation can change: the longest IPv4 header, and the checksum of TCP.
const CHANGED_MAX: usize = 60 + 18;

/// What an error quotes: the packet, and the endpoint of it that translation looks for.
struct Quoted {
    ip: Ip,
    source: Endpoint,
    destination: Endpoint,
}

impl Engine<'_> {
    /// An error from outside, about a packet that a host inside has sent.
    #[inline(never)]
    pub(crate) fn inbound_error(&mut self, packet: &mut [u8], ip: &Ip, count: Count) -> Result<Fate, Drop> {
        let quoted = quoted(packet, ip, Side::Source)?;
        let mapping = self.mapping_outside(quoted.ip.protocol, quoted.source);
        if mapping == 0 {
            return self.other_owner(quoted.source).map(Fate::Owner).ok_or(Drop::Icmp);
        }
        // Who has never sent there cannot have caused it. The quote's source is ours, so its destination is the remote endpoint.
        if self.by_outside(quoted.ip.protocol, quoted.source, quoted.destination) == 0 {
            return Err(Drop::Icmp);
        }
        let mapping = *self.tables.mappings.at(mapping);
        replace_quoted(packet, ip, &quoted, Side::Source, (mapping.inside, mapping.inside_port));
        let _ = set_address(packet, Side::Destination, mapping.inside);
        Count::IcmpErrors.add(1);
        Ok(Fate::Translated(count))
    }

    /// An error from inside, about a packet that has come from outside: from its receiver, or a router on the way there (REQ-5).
    #[inline(never)]
    pub(crate) fn outbound_error(&mut self, packet: &mut [u8], ip: &Ip) -> Result<(), Drop> {
        let quoted = quoted(packet, ip, Side::Destination)?;
        let place = self.by_inside(quoted.ip.protocol, quoted.destination, quoted.source);
        if place == 0 {
            return Err(Drop::Icmp);
        }
        let session = *self.tables.sessions.at(place);
        replace_quoted(packet, ip, &quoted, Side::Destination, (session.outside, session.outside_port));
        let _ = set_address(packet, Side::Source, session.outside);
        Count::IcmpErrors.add(1);
        Ok(())
    }
}

/// What an error quotes. Its checksum must be right (REQ-3), it must be whole, about no error, and go to the quote's sender.
/// `ours`: the end of the quote that is inside.
fn quoted(packet: &[u8], ip: &Ip, ours: Side) -> Result<Quoted, Drop> {
    let message = packet.get(ip.header_len..ip.len).ok_or(Drop::Malformed)?;
    let quote = message.get(HEADER..).ok_or(Drop::Malformed)?;
    if ip.is_fragment() || !verify(sum(message)) {
        return Err(Drop::Malformed);
    }
    let about = Ip::read_quoted(quote).ok_or(Drop::Malformed)?;
    let transport = quote.get(about.header_len..).ok_or(Drop::Malformed)?;
    if about.offset != 0 || about.source != ip.destination {
        return Err(Drop::Icmp);
    }
    let (from, to) = match about.protocol {
        protocol::TCP | protocol::UDP => ports(transport).ok_or(Drop::Malformed)?,
        protocol::ICMP => {
            let kind = transport.first().and_then(|number| kind_of(*number));
            let identifier = word(transport, ICMP_IDENTIFIER).ok_or(Drop::Malformed)?;
            // An identifier is the port of the end that is ours.
            match (kind, ours) {
                (Some(Kind::Request | Kind::Reply), Side::Source) => (identifier, 0),
                (Some(Kind::Request | Kind::Reply), Side::Destination) => (0, identifier),
                _ => return Err(Drop::Icmp),
            }
        }
        _ => return Err(Drop::Icmp),
    };
    Ok(Quoted { ip: about, source: (about.source, from), destination: (about.destination, to) })
}

/// The endpoint outside whose packet an error from outside quotes.
pub(crate) fn quoted_source(packet: &[u8], ip: &Ip) -> Result<Endpoint, Drop> {
    quoted(packet, ip, Side::Source).map(|quoted| quoted.source)
}

/// Puts another endpoint into the quoted packet, with its checksums as far as they are there, and that of the error.
fn replace_quoted(packet: &mut [u8], ip: &Ip, quoted: &Quoted, side: Side, to: Endpoint) {
    let Some(message) = packet.get_mut(ip.header_len..ip.len) else { return };
    let Some(quote) = message.get_mut(HEADER..) else { return };
    let mut before = [0; CHANGED_MAX];
    let len = quote.len().min(CHANGED_MAX);
    before[..len].copy_from_slice(&quote[..len]);
    set_endpoint(quote, &quoted.ip, side, to);
    let change = Change::new().bytes(HEADER, &before[..len], &quote[..len]);
    let Some(checksum) = word(message, ICMP_CHECKSUM) else { return };
    set_word(message, ICMP_CHECKSUM, change.apply(checksum));
}

/// Bytes of a packet that an error quotes at most: with its headers 576 (RFC 1812, section 4.3.2.3).
const QUOTE_MAX: usize = 576 - Ipv4::LEN - HEADER;

/// Writes an error about a packet, as IPv4 packet, and says how long it is. Nothing where there must be none: about an error,
/// or about a fragment that is not the first (RFC 1122, section 3.2.2).
pub(crate) fn write_error(to: &mut [u8], about: &[u8], from: u32, what: Complaint) -> Option<usize> {
    let ip = Ip::read(about)?;
    let number = about.get(ip.header_len).copied();
    let is_error = ip.protocol == protocol::ICMP && number.and_then(kind_of).is_none_or(|kind| kind == Kind::Error);
    if ip.offset != 0 || is_error {
        return None;
    }
    let quote = &about[..ip.len.min(QUOTE_MAX)];
    let len = Ipv4::LEN + HEADER + quote.len();
    let packet = to.get_mut(..len)?;
    let (header, message) = Ipv4::split_mut(packet).ok()?;
    *header = Ipv4::default();
    header.set_lengths(0, HEADER + quote.len());
    header.set_protocol(protocol::ICMP);
    header.set_source(from.into());
    header.set_destination(ip.source.into());
    header.fill_checksum(&[]);
    let [high, low] = what.mtu.to_be_bytes();
    message[..HEADER].copy_from_slice(&[what.kind, what.code, 0, 0, 0, 0, high, low]);
    message[HEADER..].copy_from_slice(quote);
    let checksum = finish(sum(message));
    set_word(message, ICMP_CHECKSUM, checksum);
    Some(len)
}
