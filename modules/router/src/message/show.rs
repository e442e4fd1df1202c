//! What the router tells of its tables, by the page.

use super::{Feeds, told};
use crate::Router;
use crate::fib::{Entry, Fib, Net, Place, Target};
use crate::neighbours::{Neighbour, State};
use crate::routes::{read_net, wrong};
use core::fmt::{self, Write};
use core::net::IpAddr;
use perigee_guest::state::{Address, Prefix, RouteTable};
use perigee_guest::{Buffer, Refusal};

/// Most lines of an answer: it is written between two bursts of packets. A last line says how to ask for what follows.
const LINES: usize = 64;

/// `routes? [PREFIX]`: those from this prefix on, IPv4 first.
pub(super) fn routes(router: &Router, from: &str, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let fib = &router.tables.fib;
    let shown = Shown { fib, feeds: &router.batches.feeds, now: router.now };
    let (four, six) = match from {
        "" => (Some(None), Some(None)),
        from => match read_net(from, from)? {
            Net::V4(prefix) => (Some(Some(prefix)), Some(None)),
            Net::V6(prefix) => (None, Some(Some(prefix))),
        },
    };
    if from.is_empty() {
        told(writeln!(reply, "{} routes of IPv4, {} of IPv6", fib.v4.len(), fib.v6.len()))?;
    }
    let mut left = LINES;
    if let Some(from) = four
        && page(&shown, &fib.v4, from, &mut left, reply)?
    {
        return Ok(());
    }
    match six {
        Some(from) => page(&shown, &fib.v6, from, &mut left, reply).map(|_| ()),
        None => Ok(()),
    }
}

/// Shows as many as there are lines left; true: there are more.
fn page<A: Address>(
    shown: &Shown<'_>,
    table: &RouteTable<A>,
    from: Option<Prefix<A>>,
    left: &mut usize,
    reply: &mut Buffer<'_>,
) -> Result<bool, Refusal> {
    let (mut written, mut more) = (Ok(()), false);
    table.visit(from, |prefix, number| {
        more = *left == 0;
        written = if more {
            writeln!(reply, "more: routes? {prefix}")
        } else {
            *left -= 1;
            write!(reply, "{prefix} ").and_then(|()| shown.entry(Entry::from_number(number), reply))
        };
        written.is_ok() && !more
    });
    told(written).map(|()| more)
}

/// `route? ADDRESS`: the route that a packet to it takes, as if it were of no flow.
pub(super) fn route(router: &Router, address: &str, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let fib = &router.tables.fib;
    let address: IpAddr = address.parse().map_err(|_| wrong(address, "behind `route?` comes an address"))?;
    let found = match address {
        IpAddr::V4(address) => fib.v4.longest(address).map(|(prefix, number)| (Net::V4(prefix), number)),
        IpAddr::V6(address) => fib.v6.longest(address).map(|(prefix, number)| (Net::V6(prefix), number)),
    };
    let Some((net, number)) = found else { return told(writeln!(reply, "{address}: no route")) };
    let shown = Shown { fib, feeds: &router.batches.feeds, now: router.now };
    told(write!(reply, "{address}: {net} ").and_then(|()| shown.entry(Entry::from_number(number), reply)))
}

/// `neighbours? [PORT ADDRESS]`: those behind this one, in the order of the table.
pub(super) fn neighbours(router: &Router, from: &str, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let table = &router.tables.neighbours;
    let mut all = table.iter();
    if from.is_empty() {
        let (known, unresolved, waiting) = (table.len(), table.unresolved(), router.slow.waiting.iter().len());
        told(writeln!(reply, "{known} neighbours, {unresolved} of them not found yet; {waiting} packets wait"))?;
    } else {
        let place = from
            .split_once(' ')
            .and_then(|(port, address)| Some(Place::new(port.parse().ok()?, address.trim().parse::<IpAddr>().ok()?)));
        let place =
            place.ok_or_else(|| wrong(from, "behind `neighbours?` come a port's number and an address, or nothing"))?;
        if !all.any(|neighbour| neighbour.place == place) {
            return Err(wrong(from, "is no neighbour any more: begin with `neighbours?`"));
        }
    }
    let mut last = None;
    for neighbour in all.by_ref().take(LINES) {
        last = Some(neighbour.place);
        told(show_neighbour(neighbour, router.now, reply))?;
    }
    match (last, all.next()) {
        (Some(place), Some(_)) => told(writeln!(reply, "more: neighbours? {} {}", place.port, place.ip())),
        _ => Ok(()),
    }
}

pub(super) fn interfaces(router: &Router, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    for (port, interface) in router.tables.interfaces.iter() {
        let mut written = write!(reply, "{port} mac {} mtu {}", interface.mac, interface.mtu);
        for own in interface.v4() {
            written = written.and_then(|()| write!(reply, " {}/{}", own.address, own.prefix.len()));
        }
        for own in interface.v6() {
            written = written.and_then(|()| write!(reply, " {}/{}", own.address, own.prefix.len()));
        }
        told(written.and_then(|()| writeln!(reply, " {}", interface.link_local)))?;
    }
    Ok(())
}

/// What it takes to tell of a route.
struct Shown<'a> {
    fib: &'a Fib,
    feeds: &'a Feeds,
    now: u64,
}

impl Shown<'_> {
    /// Where a route leads, and whose it is where that is a feed.
    fn entry(&self, entry: Entry, reply: &mut Buffer<'_>) -> fmt::Result {
        show_target(self.fib, entry.target, reply)?;
        if let Some(feed) = self.feeds.of(entry.owner) {
            write!(reply, " feed {}", feed.name())?;
            reply.write_str(if feed.is_stale(self.now) { " stale" } else { "" })?;
        }
        reply.write_str("\n")
    }
}

fn show_target(fib: &Fib, target: Target, reply: &mut Buffer<'_>) -> fmt::Result {
    match target {
        Target::Hop(hop) => show_hop(fib, hop, reply)?,
        Target::Group(number) => {
            let group = fib.groups.get(usize::from(number)).copied().unwrap_or_default();
            for (index, hop) in group.hops.iter().take(group.count.into()).enumerate() {
                reply.write_str(if index == 0 { "" } else { " " })?;
                show_hop(fib, *hop, reply)?;
            }
        }
        Target::Link(port) => write!(reply, "dev {port}")?,
        Target::Local(port) => write!(reply, "local {port}")?,
        Target::Broadcast => reply.write_str("broadcast")?,
        Target::Blackhole => reply.write_str("blackhole")?,
        Target::Unreachable => reply.write_str("unreachable")?,
    }
    Ok(())
}

fn show_hop(fib: &Fib, hop: u16, reply: &mut Buffer<'_>) -> fmt::Result {
    match fib.hops.get(usize::from(hop)) {
        Some(hop) => write!(reply, "via {} dev {}", hop.place.ip(), hop.place.port),
        None => reply.write_str("via nobody"),
    }
}

fn show_neighbour(neighbour: &Neighbour, now: u64, reply: &mut Buffer<'_>) -> fmt::Result {
    let state = match neighbour.state {
        State::Free => "free",
        State::Incomplete => "incomplete",
        State::Reachable => "reachable",
        State::Stale => "stale",
        State::Probe => "probe",
        State::Permanent => "permanent",
    };
    let (address, port, mac) = (neighbour.place.ip(), neighbour.place.port, neighbour.mac);
    let idle = now.saturating_sub(neighbour.used) / perigee_guest::state::SECOND;
    writeln!(reply, "{address} dev {port} lladdr {mac} {state} used {idle}s ago")
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(prefix) => prefix.fmt(f),
            Self::V6(prefix) => prefix.fmt(f),
        }
    }
}
