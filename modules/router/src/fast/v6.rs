//! IPv6: RFC 8200.

use super::{IP, Reason, Way, flow_hash, write_macs};
use crate::Tables;
use crate::counts::Count;
use crate::fib::Target;
use crate::interfaces::is_host6;
use perigee_guest::Packet;
use perigee_guest::wire::{Header as _, Ipv6};

#[inline(always)]
pub(super) fn forward(tables: &mut Tables, packet: &mut Packet<'_>, to_group: bool, now: u64) -> Result<u16, Reason> {
    let bytes = packet.bytes().get(IP..).unwrap_or_default();
    let ip = Ipv6::parse(bytes).map_err(|_| Reason::Drop(Count::Malformed))?;
    let (source, destination) = (ip.source(), ip.destination());
    // Groups of the link, neighbour discovery among them, and addresses that only the link knows, are never passed on.
    if destination.is_multicast() || destination.is_unicast_link_local() {
        return Err(Reason::Local6);
    }
    if to_group {
        return Err(Reason::Drop(Count::Group));
    }
    if !is_host6(source) || !is_host6(destination) {
        return Err(Reason::Drop(Count::Martian));
    }
    let target = tables.fib.v6.lookup(destination).map(Target::from_number);
    tables.fib.catch_up();
    let way = tables.way(target, destination.into(), || flow_hash(tables.seed, bytes, tables.ecmp))?;
    if source.is_unicast_link_local() {
        return Err(Reason::BeyondScope);
    }
    if ip.hop_limit() <= 1 {
        return Err(Reason::Expired);
    }
    let (len, mtu) = (Ipv6::LEN + usize::from(ip.payload_length()), tables.mtu(&way));
    if len > usize::from(mtu) {
        return Err(Reason::TooBig(way, mtu));
    }
    leave(tables, packet, &way, now)
}

/// Takes a hop off a packet and sends it its way.
#[inline]
fn leave(tables: &mut Tables, packet: &mut Packet<'_>, way: &Way, now: u64) -> Result<u16, Reason> {
    let macs = tables.macs(way, now).ok_or(Reason::Unresolved(*way))?;
    take_hop(packet.bytes_mut());
    write_macs(packet.bytes_mut(), macs);
    Ok(way.place.port)
}

/// One hop less.
#[inline]
pub(super) fn take_hop(frame: &mut [u8]) {
    if let Ok((ip, _)) = Ipv6::split_mut(frame.get_mut(IP..).unwrap_or_default()) {
        ip.set_hop_limit(ip.hop_limit().saturating_sub(1));
    }
}
