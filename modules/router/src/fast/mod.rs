//! The fast path: a packet in, the port by which it leaves out; or the reason why somebody else has to look at it.
//!
//! It looks up and rewrites, and never makes, holds or answers anything.

mod burst;
mod ecmp;
mod v4;
mod v6;

use crate::Tables;
use crate::counts::Count;
use crate::fib::{Place, Target};
#[cfg(test)]
pub(crate) use burst::NONE_IS_PLAIN;
pub(crate) use burst::{Burst, leave_plain};
use core::net::IpAddr;
pub(crate) use ecmp::flow_hash;
use perigee_guest::Packet;
use perigee_guest::wire::{Ethernet, Header as _, Mac, ether_type};
pub(crate) use v4::leave as leave4;

/// Where IP begins: behind an Ethernet header without tags.
pub(crate) const IP: usize = 14;

/// Why a packet does not just go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is dropped, and nobody is told.
    Drop(Count),
    /// It is ARP.
    Arp,
    /// It is for the router itself.
    Local4,
    Local6,
    /// It has options that a router looks at; then it goes this way.
    Options(Way),
    /// Its time to live is over.
    Expired,
    /// There is no route.
    NoRoute,
    /// There is one that says no.
    Unreachable,
    /// It may not leave the link that its source is on.
    BeyondScope,
    /// It is too long for the link, of this MTU, on its way.
    TooBig(Way, u16),
    /// The neighbour on its way is not known.
    Unresolved(Way),
}

/// The next step of a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The neighbour to which it goes.
    pub(crate) place: Place,
    /// The next hop through which that was found.
    hop: Option<u16>,
}

/// Forwards a packet, which gets the MAC addresses of the next link and one hop less: by this port, and as what it counts.
#[inline(always)]
pub(crate) fn forward(tables: &mut Tables, packet: &mut Packet<'_>, now: u64) -> Result<(u16, Count), Reason> {
    let port = packet.port();
    let Some(interface) = tables.interfaces.get(port) else { return Err(Reason::Drop(Count::OtherProtocol)) };
    let frame = Ethernet::parse(packet.bytes()).map_err(|_| Reason::Drop(Count::Malformed))?;
    if packet.vlan().is_some() || ether_type::is_tag(frame.ether_type()) {
        return Err(Reason::Drop(Count::Tagged));
    }
    let (to, kind) = (frame.destination(), frame.ether_type());
    let to_group = to.is_multicast();
    if to != interface.mac && !to_group {
        return Err(Reason::Drop(Count::OtherStation));
    }
    match kind {
        ether_type::IPV4 => v4::forward(tables, packet, to_group, now).map(|port| (port, Count::Forwarded4)),
        ether_type::IPV6 => v6::forward(tables, packet, to_group, now).map(|port| (port, Count::Forwarded6)),
        ether_type::ARP => Err(Reason::Arp),
        _ => Err(Reason::Drop(Count::OtherProtocol)),
    }
}

impl Tables {
    /// The way to a destination on whose route this stands.
    #[inline(always)]
    pub(crate) fn way(&self, target: Option<Target>, to: IpAddr, hash: impl FnOnce() -> u32) -> Result<Way, Reason> {
        let hop = match target {
            Some(Target::Hop(hop)) => hop,
            Some(Target::Group(group)) => self.fib.member(group, hash()).ok_or(Reason::NoRoute)?,
            Some(Target::Link(port)) => return Ok(Way { place: Place::new(port, to), hop: None }),
            Some(Target::Local(_)) => return Err(if to.is_ipv4() { Reason::Local4 } else { Reason::Local6 }),
            Some(Target::Broadcast) => return Err(Reason::Drop(Count::Group)),
            Some(Target::Blackhole) => return Err(Reason::Drop(Count::Blackhole)),
            Some(Target::Unreachable) => return Err(Reason::Unreachable),
            None => return Err(Reason::NoRoute),
        };
        let place = self.fib.hops.get(usize::from(hop)).ok_or(Reason::NoRoute)?.place;
        Ok(Way { place, hop: Some(hop) })
    }

    /// The way to a place on a link.
    pub(crate) const fn way_on_link(place: Place) -> Way {
        Way { place, hop: None }
    }

    /// The MTU of the link on a way.
    #[inline]
    pub(crate) fn mtu(&self, way: &Way) -> u16 {
        self.interfaces.get(way.place.port).map_or(0, |interface| interface.mtu)
    }

    /// The MAC addresses for a way: of the neighbour, and the router's own. Nothing where the neighbour is not known.
    #[inline(always)]
    pub(crate) fn macs(&mut self, way: &Way, now: u64) -> Option<(Mac, Mac)> {
        let own = self.interfaces.get(way.place.port)?.mac;
        // Where it stood the last time, it mostly still stands.
        if let Some(hop) = way.hop
            && let Some(mac) = self.neighbours.use_at(self.fib.hops.get(usize::from(hop))?.seen_at, way.place, now)
        {
            return Some((mac, own));
        }
        let at = self.neighbours.find(way.place)?;
        if let Some(hop) = way.hop.and_then(|hop| self.fib.hops.get_mut(usize::from(hop))) {
            hop.seen_at = at;
        }
        self.neighbours.use_at(at, way.place, now).map(|mac| (mac, own))
    }
}

/// Takes a hop off a packet of either family.
pub(crate) fn take_hop(frame: &mut [u8]) {
    if frame.get(IP).is_some_and(|first| first >> 4 == 4) { v4::take_hop(frame) } else { v6::take_hop(frame) }
}

/// Writes the MAC addresses of a frame.
#[inline]
pub(crate) fn write_macs(frame: &mut [u8], (to, from): (Mac, Mac)) {
    if let Ok((header, _)) = Ethernet::split_mut(frame) {
        header.set_destination(to);
        header.set_source(from);
    }
}
