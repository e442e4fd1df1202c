//! IPv4: RFC 1812, section 5.2.

use super::{IP, Reason, Way, flow_hash, write_macs};
use crate::Tables;
use crate::counts::Count;
use crate::fib::Target;
use crate::interfaces::is_host4;
use perigee_guest::Packet;
use perigee_guest::abi::rx_flags;
use perigee_guest::wire::{Header as _, Ipv4, checksum};

#[inline(always)]
pub(super) fn forward(tables: &mut Tables, packet: &mut Packet<'_>, to_group: bool, now: u64) -> Result<u16, Reason> {
    let known_good = packet.rx_flags() & rx_flags::IP_CHECKSUM_GOOD != 0;
    let bytes = packet.bytes().get(IP..).unwrap_or_default();
    // RFC 1812, section 5.2.2: version, lengths and checksum.
    let ip = Ipv4::parse(bytes).map_err(|_| Reason::Drop(Count::Malformed))?;
    if !known_good && !ip.checksum_is_good(ip.variable) {
        return Err(Reason::Drop(Count::BadChecksum));
    }
    let (source, destination) = (ip.source(), ip.destination());
    if destination.is_multicast() || destination.is_broadcast() || to_group {
        return Err(Reason::Drop(Count::Group));
    }
    // Section 5.3.7.
    if !is_host4(source) || !is_host4(destination) {
        return Err(Reason::Drop(Count::Martian));
    }
    let target = tables.fib.v4.lookup(destination).map(Target::from_number);
    tables.fib.catch_up();
    let way = tables.way(target, destination.into(), || flow_hash(tables.seed, bytes, tables.ecmp))?;
    if ip.ttl() <= 1 {
        return Err(Reason::Expired);
    }
    if !ip.variable.is_empty() {
        return Err(Reason::Options(way));
    }
    let (len, mtu) = (ip.total_length(), tables.mtu(&way));
    if len > mtu {
        return Err(Reason::TooBig(way, mtu));
    }
    leave(tables, packet, &way, now)
}

/// Takes a hop off a packet and sends it its way.
#[inline]
pub(crate) fn leave(tables: &mut Tables, packet: &mut Packet<'_>, way: &Way, now: u64) -> Result<u16, Reason> {
    let macs = tables.macs(way, now).ok_or(Reason::Unresolved(*way))?;
    take_hop(packet.bytes_mut());
    write_macs(packet.bytes_mut(), macs);
    Ok(way.place.port)
}

/// One hop less, and the checksum changed by as much.
#[inline]
pub(super) fn take_hop(frame: &mut [u8]) {
    if let Ok((ip, _)) = Ipv4::split_mut(frame.get_mut(IP..).unwrap_or_default()) {
        let word = |ttl| u16::from_be_bytes([ttl, ip.protocol()]);
        let (before, after) = (ip.ttl(), ip.ttl().saturating_sub(1));
        let sum = checksum::update(ip.checksum(), word(before), word(after));
        ip.set_ttl(after);
        ip.set_checksum(sum);
    }
}
