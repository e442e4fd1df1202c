//! IPv4 for the router itself.

use super::{Call, Slow, Trouble, drop_as, options};
use crate::counts::Count;
use crate::fast::IP;
use crate::fib::Target;
use core::net::Ipv4Addr;
use perigee_guest::Packet;
use perigee_guest::wire::{Header as _, Icmp, IcmpEcho, Ipv4, checksum, protocol};

/// What a packet for the router is.
enum What {
    Echo {
        from: Ipv4Addr,
    },
    /// UDP, to whose port nobody listens; or a protocol that nobody speaks.
    Udp,
    Unknown,
}

impl Slow {
    pub(super) fn local4(&mut self, call: &mut Call<'_, '_>, mut packet: Packet<'_>) {
        match read(packet.bytes().get(IP..).unwrap_or_default()) {
            Ok(What::Echo { from }) => {
                write_reply(&mut packet.bytes_mut()[IP..]);
                let target = call.tables.fib.v4.lookup(from).map(Target::from_number);
                match call.tables.way(target, from.into(), || 0) {
                    Ok(way) => self.send_answer(call, packet, way, Count::Echo),
                    Err(_) => drop_as(packet, Count::NoRoute),
                }
            }
            Ok(What::Udp) => self.refuse(call, packet, Trouble::Port, Count::LocalOther),
            Ok(What::Unknown) => self.refuse(call, packet, Trouble::Protocol, Count::LocalOther),
            Err(count) => drop_as(packet, count),
        }
    }
}

/// Lengths and the header's checksum are right: the fast path has seen to it.
fn read(bytes: &[u8]) -> Result<What, Count> {
    let ip = Ipv4::parse(bytes).map_err(|_| Count::Malformed)?;
    // Parts are not put together.
    if ip.is_fragment() {
        return Err(Count::LocalOther);
    }
    match ip.protocol() {
        protocol::ICMP => {}
        protocol::UDP => return Ok(What::Udp),
        // A reset would be the answer.
        protocol::TCP => return Err(Count::LocalOther),
        _ => return Ok(What::Unknown),
    }
    options::check_local(ip.variable)?;
    let icmp = Icmp::parse(ip.payload).map_err(|_| Count::Malformed)?;
    IcmpEcho::parse(icmp.payload).map_err(|_| Count::Malformed)?;
    if !checksum::verify(checksum::sum(ip.payload)) {
        return Err(Count::BadChecksum);
    }
    if icmp.kind() != Icmp::ECHO_REQUEST || icmp.code() != 0 {
        return Err(Count::LocalOther);
    }
    Ok(What::Echo { from: ip.source() })
}

/// Turns an echo request into its reply, with its options (RFC 1812, section 4.3.3.6), in which the router's address is
/// recorded where they ask for it.
fn write_reply(bytes: &mut [u8]) {
    let Ok(ip) = Ipv4::parse_mut(bytes) else { return };
    let (asker, own) = (ip.source(), ip.destination());
    options::record(ip.variable, own);
    if let Ok(icmp) = Icmp::parse_mut(ip.payload) {
        icmp.header.change_kind(Icmp::ECHO_REPLY);
    }
    ip.header.set_source(own);
    ip.header.set_destination(asker);
    ip.header.set_ttl(64);
    ip.header.fill_checksum(ip.variable);
}
