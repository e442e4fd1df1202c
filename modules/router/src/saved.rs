//! The state that goes from an instance to the one that takes its place.
//!
//! Routes lie in the state region, and go over as they are. The rest, little-endian: the number of the last batch; next hops;
//! groups; how many routes are whose, and feeds; the prefixes of the interfaces and the routes of the configuration that are in the table, which the new one
//! changes where it has others; neighbours; packets that wait; what the instance knows of others. When this layout changes, `state_version` in
//! `module!` is counted up.

use crate::config::LINES;
use crate::fib::{Fib, Group, HOPS, Hop, MEMBERS, Net, Place, Target, room};
use crate::message::Feeds;
use crate::neighbours::State;
use crate::routes::{Before, Route, To};
use crate::share::{Share, Version};
use crate::{Router, routes};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::state::Prefix;
use perigee_guest::wire::Mac;
use perigee_guest::{Buffer, Held, Refusal};

const STATES: [State; 6] =
    [State::Free, State::Incomplete, State::Reachable, State::Stale, State::Probe, State::Permanent];

/// Of this layout.
pub(crate) const VERSION: u32 = 3;

/// Where a route of the configuration has fewer next hops than it may.
const NOBODY: Place = Place { port: u16::MAX, address: 0 };

/// Roles, as they are saved.
const ALONE: u8 = 0;
const FAST: u8 = 1;
const SLOW: u8 = 2;

pub(crate) fn save(router: &Router, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    let tables = &router.tables;
    state.push(&router.batches.last.to_le_bytes())?;
    push_count(state, tables.fib.hops.len())?;
    for hop in &tables.fib.hops {
        push_place(state, hop.place)?;
        state.push(&hop.users.to_le_bytes())?;
    }
    push_count(state, tables.fib.groups.len())?;
    for group in &tables.fib.groups {
        group.hops.iter().try_for_each(|hop| state.push(&hop.to_le_bytes()))?;
        state.push(&[group.count])?;
        state.push(&group.users.to_le_bytes())?;
    }
    tables.fib.owned.iter().try_for_each(|count| state.push(&count.to_le_bytes()))?;
    router.batches.feeds.save(state)?;
    let own = tables.fib.own_nets(&tables.interfaces);
    // Until the table is its own to change, it has what the configuration before has put there.
    let (own, routes) = match &router.outgoing {
        Some(before) => (&before.own, &before.routes[..]),
        None => (&own, router.configured.all()),
    };
    push_count(state, own.len())?;
    own.iter().try_for_each(|net| push_net(state, *net))?;
    push_count(state, routes.len())?;
    routes.iter().try_for_each(|route| push_route(state, route))?;
    push_count(state, tables.neighbours.len())?;
    for neighbour in tables.neighbours.iter() {
        push_place(state, neighbour.place)?;
        state.push(&neighbour.mac.0)?;
        let number = STATES.iter().position(|state| *state == neighbour.state);
        state.push(&[u8::try_from(number.unwrap_or(0)).unwrap_or(0), neighbour.tries])?;
    }
    push_count(state, router.slow.waiting.iter().len())?;
    for (place, held) in router.slow.waiting.iter() {
        push_place(state, *place)?;
        held.to_words().iter().try_for_each(|word| state.push(&word.to_le_bytes()))?;
    }
    save_share(router, state)
}

/// The role; whether a fast instance knows the tables, or the slow one has told them all; its version; of whom to tell.
fn save_share(router: &Router, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    let tables = &router.tables;
    let (role, is_current, version) = match &router.share {
        Share::Alone => return Ok(state.push(&[ALONE])?),
        Share::Fast(follower) => {
            let reached = follower.reached(tables);
            (FAST, reached.is_some(), reached)
        }
        Share::Slow(leader) => (SLOW, !leader.is_telling(), Some(leader.version)),
    };
    let Version { epoch, number } = version.unwrap_or_default();
    state.push(&[role, is_current.into()])?;
    state.push(&epoch.to_le_bytes())?;
    state.push(&number.to_le_bytes())?;
    let untold = router.tables.neighbours.untold();
    push_count(state, untold.len())?;
    untold.iter().try_for_each(|place| push_place(state, *place))
}

fn restore_share(router: &mut Router, reader: &mut Reader<'_>) -> Option<()> {
    let [role] = reader.array()?;
    if role == ALONE {
        return Some(());
    }
    let ([is_current], version) = (reader.array()?, Version { epoch: reader.u64()?, number: reader.u64()? });
    for _ in 0..reader.u32()? {
        let place = reader.place()?;
        router.tables.neighbours.note(place);
    }
    match &mut router.share {
        Share::Fast(follower) if role == FAST => follower.go_on((is_current != 0).then_some(version.epoch)),
        Share::Slow(leader) if role == SLOW => leader.go_on(version, is_current == 0),
        _ => {}
    }
    Some(())
}

/// Takes over a state of this version.
pub(crate) fn restore(router: &mut Router, version: u32, state: &[u8]) -> Result<(), Refusal> {
    if version != VERSION {
        return Err(Refusal::new("the state is of a version that this module does not know"));
    }
    let mut reader = Reader(state);
    let taken = take_over(router, &mut reader);
    let taken = taken.and_then(|()| restore_share(router, &mut reader));
    taken.filter(|()| reader.0.is_empty()).ok_or(Refusal::new("the state is not one that this module saves"))?;
    if router.share.is_fast() {
        // All that it knows of routes it reads of the slow one.
        router.tables.fib.forget();
        return Ok(());
    }
    let Router { tables, configured, outgoing, .. } = router;
    let going = outgoing.as_ref().map(|before| before.going(configured, tables));
    let going = going_users(going.into_iter().flatten(), &tables.fib);
    let is_lost = |(hop, going): (&Hop, u32)| {
        let link = tables.interfaces.get(hop.place.port);
        hop.users > going && !link.is_some_and(|link| link.reaches(hop.place.ip()))
    };
    if tables.fib.hops.iter().zip(going).any(is_lost) {
        return Err(Refusal::new(
            "a route of a message has a next hop that is on no interface of the new configuration: take the route out first",
        ));
    }
    // The routes of the old configuration go; those of the new one come.
    match router.outgoing.take() {
        Some(before) if router.tables.fib.is_open() => routes::change_over(&before, router),
        before => {
            router.outgoing = before;
            Ok(())
        }
    }
}

/// For each next hop how many users go with these routes.
fn going_users(nets: impl Iterator<Item = Net>, fib: &Fib) -> Vec<u32> {
    let mut going = alloc::vec![0; fib.hops.len()];
    let mut one = |hop: u16| going.get_mut(usize::from(hop)).into_iter().for_each(|going| *going += 1);
    for entry in nets.filter_map(|net| fib.get(net)) {
        match entry.target {
            Target::Hop(hop) => one(hop),
            Target::Group(number) => {
                let group = fib.groups.get(usize::from(number)).copied().unwrap_or_default();
                group.hops.iter().take(group.count.into()).for_each(|hop| one(*hop));
            }
            _ => {}
        }
    }
    going
}

fn take_over(router: &mut Router, reader: &mut Reader<'_>) -> Option<()> {
    let (tables, now) = (&mut router.tables, router.now);
    if !router.share.is_fast() {
        tables.fib.adopt()?;
    }
    router.batches.last = reader.u64()?;
    tables.fib.hops.clear();
    for _ in 0..reader.count(HOPS)? {
        let (place, users) = (reader.place()?, reader.u32()?);
        tables.fib.hops.push(Hop { users, ..Hop::new(place) });
    }
    tables.fib.groups.clear();
    for _ in 0..reader.count(crate::fib::GROUPS)? {
        let mut group = Group::default();
        for hop in &mut group.hops {
            *hop = reader.u16()?;
        }
        (group.count, group.users) = (reader.u8()?, reader.u32()?);
        if usize::from(group.count) > MEMBERS {
            return None;
        }
        tables.fib.groups.push(group);
    }
    for owned in &mut tables.fib.owned {
        *owned = reader.u32()?;
    }
    router.batches.feeds = Feeds::read(reader)?;
    let (mut own, mut routes) = (Vec::new(), room(LINES).ok()?);
    for _ in 0..reader.u32()? {
        own.push(reader.net()?);
    }
    for _ in 0..reader.count(LINES)? {
        routes.push(read_route(reader)?);
    }
    router.outgoing = Some(Before { own, routes });
    for _ in 0..reader.u32()? {
        let (place, mac, [number, tries]) = (reader.place()?, Mac(reader.array()?), reader.array()?);
        let state = *STATES.get(usize::from(number))?;
        if tables.interfaces.get(place.port).is_some_and(|link| link.reaches(place.ip())) {
            if router.share.is_fast() && state == State::Permanent {
                tables.neighbours.fix(place, mac, now);
            }
            // Where the new table is smaller, the last ones are asked for again.
            tables.neighbours.put_back(place, mac, (state, tries), now);
        }
    }
    for _ in 0..reader.u32()? {
        let place = reader.place()?;
        let mut words = [0; 7];
        for word in &mut words {
            *word = reader.u32()?;
        }
        // What finds no place is freed by the host when its time is over.
        if router.slow.waiting.put_back(place, Held::from_words(words)).is_ok() {
            router.tables.neighbours.add_waiting(place);
        }
    }
    Some(())
}

fn push_count(state: &mut Buffer<'_>, count: usize) -> Result<(), Refusal> {
    Ok(state.push(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes())?)
}

fn push_place(state: &mut Buffer<'_>, place: Place) -> Result<(), Refusal> {
    state.push(&place.port.to_le_bytes())?;
    Ok(state.push(&place.address.to_le_bytes())?)
}

fn push_net(state: &mut Buffer<'_>, net: Net) -> Result<(), Refusal> {
    let (family, len, bits) = match net {
        Net::V4(prefix) => (4, prefix.len(), prefix.address().to_bits().into()),
        Net::V6(prefix) => (6, prefix.len(), prefix.address().to_bits()),
    };
    state.push(&[family, len])?;
    Ok(state.push(&u128::to_le_bytes(bits))?)
}

/// A route of the configuration; all are as long.
fn push_route(state: &mut Buffer<'_>, route: &Route) -> Result<(), Refusal> {
    push_net(state, route.net)?;
    let (kind, port, hops) = match route.to {
        To::Blackhole => (0, 0, [None; MEMBERS]),
        To::Unreachable => (1, 0, [None; MEMBERS]),
        To::Link(port) => (2, port, [None; MEMBERS]),
        To::Hops(hops) => (3, 0, hops),
    };
    state.push(&[kind])?;
    state.push(&u16::to_le_bytes(port))?;
    hops.iter().try_for_each(|hop| push_place(state, hop.unwrap_or(NOBODY)))
}

fn read_route(reader: &mut Reader<'_>) -> Option<Route> {
    let (net, kind, port) = (reader.net()?, reader.u8()?, reader.u16()?);
    let mut hops = [None; MEMBERS];
    for hop in &mut hops {
        *hop = Some(reader.place()?).filter(|place| *place != NOBODY);
    }
    let to = match kind {
        0 => To::Blackhole,
        1 => To::Unreachable,
        2 => To::Link(port),
        3 => To::Hops(hops),
        _ => return None,
    };
    Some(Route { net, to })
}

/// What is left to be read.
pub(crate) struct Reader<'s>(pub(crate) &'s [u8]);

impl Reader<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn count(&mut self, most: usize) -> Option<u32> {
        self.u32().filter(|count| usize::try_from(*count).is_ok_and(|count| count <= most))
    }

    pub(crate) fn place(&mut self) -> Option<Place> {
        Some(Place { port: self.u16()?, address: self.array().map(u128::from_le_bytes)? })
    }

    pub(crate) fn net(&mut self) -> Option<Net> {
        let (family, len, bits) = (self.u8()?, self.u8()?, self.array().map(u128::from_le_bytes)?);
        match family {
            4 => Prefix::new(Ipv4Addr::from_bits(u32::try_from(bits).ok()?), len).map(Net::V4),
            6 => Prefix::new(Ipv6Addr::from_bits(bits), len).map(Net::V6),
            _ => None,
        }
    }
}
