//! ICMP errors: RFC 1812, section 4.3.2, and RFC 4443, section 2.4.

use super::{Call, Slow};
use crate::counts::Count;
use crate::fast::IP;
use crate::fib::Target;
use crate::interfaces::{is_host4, is_host6};
use perigee_guest::wire::{
    Ethernet, Header as _, Icmp, IcmpUnreachable, Icmpv6, Icmpv6Error, Ipv4, Ipv6, Stack as _, protocol,
};

/// Longest error, from the IP header on (RFC 1812, section 4.3.2.3; RFC 4443, section 2.4 (c)).
const LONGEST4: usize = 576;
const LONGEST6: usize = 1280;
/// Internetwork control (RFC 1812, section 4.3.2.5), as a code point.
const INTERNETWORK_CONTROL: u8 = 0x30;

/// Why a packet did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Expired,
    NoRoute,
    /// The host, or the next hop, does not answer; or a route says that it is not there.
    Host,
    /// It may not leave the link of its source.
    BeyondScope,
    /// The next link takes packets of so many bytes.
    TooBig(u16),
    /// Nobody in the router listens to this port, or speaks this protocol.
    Port,
    Protocol,
}

perigee_guest::stack! {
    struct Error4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, body: IcmpUnreachable }
}

perigee_guest::stack! {
    struct Error6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, body: Icmpv6Error }
}

impl Slow {
    /// Tells the sender of a frame that came from a port why its packet did not arrive, unless that may not be told.
    pub(super) fn complain(&mut self, call: &mut Call<'_, '_>, port: u16, frame: &[u8], trouble: Trouble) {
        let is_to_group = Ethernet::parse(frame).is_ok_and(|frame| frame.destination().is_multicast());
        let packet = frame.get(IP..).unwrap_or_default();
        let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
        let may = !is_to_group && if is_v4 { may_answer4(packet) } else { may_answer6(packet) };
        if !may {
            return Count::IcmpSuppressed.add(1);
        }
        if !self.errors.as_mut().is_some_and(|errors| errors.take(1, call.now)) {
            return Count::IcmpLimited.add(1);
        }
        let sent = if is_v4 { self.error4(call, port, packet, trouble) } else { error6(call, port, packet, trouble) };
        (if sent.is_some() { Count::IcmpSent } else { Count::IcmpLost }).add(1);
    }

    fn error4(&mut self, call: &mut Call<'_, '_>, port: u16, packet: &[u8], trouble: Trouble) -> Option<()> {
        let ip = Ipv4::parse(packet).ok()?;
        let to = ip.source();
        let source = call.tables.interfaces.get(port)?.source4(to)?;
        let target = call.tables.fib.v4.lookup(to).map(Target::from_number);
        let way = call.tables.way(target, to.into(), || 0).ok()?;
        let macs = call.tables.macs(&way, call.now)?;
        let quote = &packet[..usize::from(ip.total_length()).min(LONGEST4 - Error4::LEN + IP)];
        let (kind, code, mtu) = code4(trouble)?;
        let identification = self.next_identification();
        let sent = call.send_new(way.place.port, Error4::LEN + quote.len(), |frame| {
            frame[Error4::LEN..].copy_from_slice(quote);
            let _ = Error4::fill(frame, |error| {
                error.eth.set_destination(macs.0);
                error.eth.set_source(macs.1);
                error.ip.set_dscp(INTERNETWORK_CONTROL);
                error.ip.set_identification(identification);
                error.ip.set_source(source);
                error.ip.set_destination(to);
                error.icmp.set_kind(kind);
                error.icmp.set_code(code);
                error.body.set_mtu(mtu);
            });
        });
        sent.then_some(())
    }
}

fn error6(call: &mut Call<'_, '_>, port: u16, packet: &[u8], trouble: Trouble) -> Option<()> {
    let ip = Ipv6::parse(packet).ok()?;
    let to = ip.source();
    let source = call.tables.interfaces.get(port)?.source6(to);
    let way = call.tables.way_back6(port, to).ok()?;
    let macs = call.tables.macs(&way, call.now)?;
    let whole = Ipv6::LEN + ip.payload.len();
    let quote = &packet[..whole.min(LONGEST6 - Error6::LEN + IP)];
    let (kind, code, parameter) = code6(trouble)?;
    let sent = call.send_new(way.place.port, Error6::LEN + quote.len(), |frame| {
        frame[Error6::LEN..].copy_from_slice(quote);
        let _ = Error6::fill(frame, |error| {
            error.eth.set_destination(macs.0);
            error.eth.set_source(macs.1);
            error.ip.set_source(source);
            error.ip.set_destination(to);
            error.icmp.set_kind(kind);
            error.icmp.set_code(code);
            error.body.set_parameter(parameter);
        });
    });
    sent.then_some(())
}

/// RFC 1812, section 4.3.2.7: not about errors, to groups, about later fragments, nor to who is no single host.
fn may_answer4(packet: &[u8]) -> bool {
    let Ok(ip) = Ipv4::parse(packet) else { return false };
    let is_error = ip.protocol() == protocol::ICMP
        && !ip
            .payload
            .first()
            .is_some_and(|kind| matches!(*kind, Icmp::ECHO_REPLY | Icmp::ECHO_REQUEST | 9 | 10 | 13..=18));
    ip.fragment_offset() == 0 && !is_error && is_host4(ip.source()) && is_host4(ip.destination())
}

/// RFC 4443, section 2.4 (e). About what is hidden behind extension headers, too, and not where they cannot be read.
fn may_answer6(packet: &[u8]) -> bool {
    let Ok(ip) = Ipv6::parse(packet) else { return false };
    let Ok(carried) = ip.carried(ip.payload) else { return false };
    // Of a later fragment it cannot be seen whether it is an error.
    let is_error = carried.protocol == protocol::ICMPV6
        && (carried.is_fragment
            || carried.payload.first().is_none_or(|kind| *kind < Icmpv6::ECHO_REQUEST || *kind == Icmpv6::REDIRECT));
    !is_error && is_host6(ip.source()) && !ip.destination().is_multicast()
}

fn code4(trouble: Trouble) -> Option<(u8, u8, u16)> {
    Some(match trouble {
        Trouble::Expired => (Icmp::TIME_EXCEEDED, 0, 0),
        Trouble::NoRoute => (Icmp::UNREACHABLE, 0, 0),
        Trouble::Host => (Icmp::UNREACHABLE, 1, 0),
        Trouble::Protocol => (Icmp::UNREACHABLE, 2, 0),
        Trouble::Port => (Icmp::UNREACHABLE, 3, 0),
        Trouble::TooBig(mtu) => (Icmp::UNREACHABLE, 4, mtu),
        Trouble::BeyondScope => return None,
    })
}

fn code6(trouble: Trouble) -> Option<(u8, u8, u32)> {
    Some(match trouble {
        Trouble::Expired => (Icmpv6::TIME_EXCEEDED, 0, 0),
        Trouble::NoRoute => (Icmpv6::UNREACHABLE, 0, 0),
        Trouble::BeyondScope => (Icmpv6::UNREACHABLE, 2, 0),
        Trouble::Host => (Icmpv6::UNREACHABLE, 3, 0),
        Trouble::Port => (Icmpv6::UNREACHABLE, 4, 0),
        Trouble::TooBig(mtu) => (Icmpv6::TOO_BIG, 0, mtu.into()),
        Trouble::Protocol => return None,
    })
}
