//! The plain packets of a burst: IPv4 without options, to a neighbour that is known.
//!
//! A burst is gone through in steps: first the destinations of all of its packets, then all routes, then each packet's new header. So one
//! packet waits for memory while the others do. What is not plain, and all that is not just sent on, is [`super::forward`]'s, which
//! would do the same with a plain packet.

use super::Way;
use crate::Tables;
use crate::fib::{Link, Target};
use crate::interfaces::is_host4;
use core::net::Ipv4Addr;
use perigee_guest::abi::{MAX_BATCH, rx_flags};
use perigee_guest::wire::{PlainIpv4, next_hop};
use perigee_guest::{Batch, Packet};

/// There is no route, or the packet is not plain. No number of a route to a next hop.
const NOTHING: u32 = u32::MAX;
/// An address of nobody, which stands for packets that are not plain.
const NOBODY: u32 = 0;

#[cfg(test)]
std::thread_local! {
    /// No packet is plain: what the general path does is what this one has to do.
    pub(crate) static NONE_IS_PLAIN: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

/// What was found for the packets of a burst.
pub(crate) struct Burst {
    to: [u32; MAX_BATCH],
    found: [u32; MAX_BATCH],
    len: usize,
}

impl Burst {
    pub(crate) const fn new() -> Self {
        Self { to: [NOBODY; MAX_BATCH], found: [NOTHING; MAX_BATCH], len: 0 }
    }

    /// Looks up the routes of all packets that are plain.
    pub(crate) fn look_up(&mut self, tables: &mut Tables, batch: &mut Batch<'_>) {
        self.len = batch.len().min(MAX_BATCH);
        for (packet, to) in batch.packets().zip(&mut self.to) {
            *to = destination(tables, &packet).unwrap_or(NOBODY);
        }
        #[cfg(test)]
        if NONE_IS_PLAIN.get() {
            self.to.fill(NOBODY);
        }
        tables.fib.v4.lookup_each(&self.to[..self.len], &mut self.found[..self.len], NOTHING);
        tables.fib.catch_up();
    }

    /// For each packet the number of its route, or [`NOTHING`].
    #[inline(always)]
    pub(crate) fn found(&self) -> impl Iterator<Item = u32> {
        // A default route has an answer for nobody as well.
        self.to.iter().zip(&self.found).map(|(to, found)| if *to == NOBODY { NOTHING } else { *found })
    }
}

/// Where a plain packet goes: one that [`super::forward`] would look up a route for.
#[inline(always)]
fn destination(tables: &Tables, packet: &Packet<'_>) -> Option<u32> {
    let plain = PlainIpv4::of(packet.bytes())?;
    let flags = packet.rx_flags();
    if flags & rx_flags::IP_CHECKSUM_GOOD == 0 && !plain.checksum_is_good() {
        return None;
    }
    let own = tables.interfaces.mac_number(packet.port());
    let nobody = |address: u32| NO_HOST[(address >> 24) as usize];
    // One branch for all: what is not 0 is a reason to look closer.
    let wrong = plain.destination_mac() ^ own
        | u64::from(flags & rx_flags::VLAN_STRIPPED)
        | u64::from(nobody(plain.source()) | nobody(plain.destination()))
        | u64::from(u32::from(plain.ttl()).wrapping_sub(2) >> 31);
    (wrong == 0).then(|| plain.destination())
}

/// 1 for the first byte of an address that no host has.
const NO_HOST: [u8; 256] = {
    let mut all = [0; 256];
    let mut first = 0_u8;
    loop {
        all[first as usize] = !is_host4(Ipv4Addr::new(first, 0, 0, 0)) as u8;
        if first == u8::MAX {
            break all;
        }
        first += 1;
    }
};

/// Sends a packet by the route that was found for it, if that leads to one next hop whose neighbour is known, and says by which port it
/// leaves. Nothing: the packet is as it was.
#[inline(always)]
pub(crate) fn leave_plain(tables: &mut Tables, packet: &mut Packet<'_>, found: u32, now: u64) -> Option<u16> {
    let number = Target::hop_of(found)?;
    let changes = tables.neighbours.changes();
    let mut link = &tables.fib.hops.get(usize::from(number))?.link;
    if link.changes != changes {
        link = read(tables, number, now)?;
    }
    let (macs, port, at) = (link.macs, link.port, link.at);
    let head = packet.head_mut::<34>()?;
    if u16::from_be_bytes([head[16], head[17]]) > link.mtu {
        return None;
    }
    next_hop(head, macs);
    tables.neighbours.use_again(at, now);
    Some(port)
}

/// Reads what there is of a next hop's link and neighbour.
#[cold]
#[inline(never)]
fn read(tables: &mut Tables, number: u16, now: u64) -> Option<&Link> {
    let place = tables.fib.hops.get(usize::from(number))?.place;
    let way = Way { place, hop: Some(number) };
    let (to, from) = tables.macs(&way, now)?;
    let (changes, mtu) = (tables.neighbours.changes(), tables.mtu(&way));
    let hop = tables.fib.hops.get_mut(usize::from(number))?;
    let mut macs = [0; 12];
    macs[..6].copy_from_slice(&to.0);
    macs[6..].copy_from_slice(&from.0);
    hop.link = Link { changes, macs, port: place.port, mtu, at: hop.seen_at };
    Some(&hop.link)
}
