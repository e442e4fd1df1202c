//! Sessions and mappings: found, made, kept alive, ended.

use crate::config::{Filtering, Rules};
use crate::log::{Event, Log};
use crate::outcome::{Count, Drop};
use crate::ports::Wish;
use crate::rewrite::Endpoint;
use crate::table::{Class, Host, Mapping, Session, Tables};
use perigee_guest::Lcg64;
use perigee_guest::wire::protocol;

/// Half-open sessions that are looked at for one of a certain host.
const SEARCH: usize = 64;

/// What one call works with.
pub(crate) struct Engine<'a> {
    pub(crate) tables: Tables<'a>,
    pub(crate) rules: &'a Rules,
    pub(crate) random: &'a mut Lcg64,
    pub(crate) log: &'a mut Log,
    /// Milliseconds of a clock that goes round in 49 days.
    pub(crate) now: u32,
}

/// Which end of a session an endpoint of ours is.
#[derive(Clone, Copy)]
enum Own {
    Inside,
    Outside,
}

/// The hash of a session's key, or with remote (0, 0) of a mapping's.
#[inline]
fn hash(seed: u64, own: Own, number: u8, (address, port): Endpoint, remote: Endpoint) -> u32 {
    let first = u64::from(address) << 32 | u64::from(remote.0);
    let second = u64::from(port) << 48 | u64::from(remote.1) << 32 | u64::from(number) << 8 | u64::from(own as u8 + 1);
    crate::table::hash(seed, first, second)
}

/// Finding.
impl Engine<'_> {
    /// The remote endpoint as sessions have it: without what the filter does not look at.
    #[inline]
    fn seen(&self, number: u8, remote: Endpoint) -> Endpoint {
        match self.rules.filtering {
            _ if number == protocol::TCP => remote,
            Filtering::EndpointIndependent => (0, 0),
            Filtering::AddressDependent => (remote.0, 0),
            Filtering::AddressAndPortDependent => remote,
        }
    }

    /// The session of an endpoint inside with a remote one; 0: there is none.
    #[inline]
    pub(crate) fn by_inside(&self, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        self.find_inside(number, own, self.seen(number, remote))
    }

    fn find_inside(&self, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        let tables = &self.tables;
        let hash = hash(tables.head.seed, Own::Inside, number, own, remote);
        tables.by_inside.find(&tables.sessions, hash, |session| {
            (session.inside, session.inside_port) == own
                && (session.remote, session.remote_port) == remote
                && session.protocol == number
        })
    }

    /// The session of an endpoint outside that is ours with a remote one; 0: there is none.
    #[inline]
    pub(crate) fn by_outside(&self, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        self.find_outside(number, own, self.seen(number, remote))
    }

    fn find_outside(&self, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        let tables = &self.tables;
        let hash = hash(tables.head.seed, Own::Outside, number, own, remote);
        tables.by_outside.find(&tables.sessions, hash, |session| {
            (session.outside, session.outside_port) == own
                && (session.remote, session.remote_port) == remote
                && session.protocol == number
        })
    }

    /// The mapping of an endpoint inside; 0: there is none.
    pub(crate) fn mapping_inside(&self, number: u8, own: Endpoint) -> u32 {
        let tables = &self.tables;
        let hash = hash(tables.head.seed, Own::Inside, number, own, (0, 0));
        tables.mapped_inside.find(&tables.mappings, hash, |mapping| {
            (mapping.inside, mapping.inside_port) == own && mapping.protocol == number
        })
    }

    /// The mapping that an endpoint outside belongs to; 0: there is none.
    pub(crate) fn mapping_outside(&self, number: u8, own: Endpoint) -> u32 {
        let tables = &self.tables;
        let hash = hash(tables.head.seed, Own::Outside, number, own, (0, 0));
        tables.mapped_outside.find(&tables.mappings, hash, |mapping| {
            (mapping.outside, mapping.outside_port) == own && mapping.protocol == number
        })
    }

    /// Whether the filter lets a remote endpoint that has no session send to a mapping.
    pub(crate) fn admits(&self, number: u8, mapping: u32, remote: Endpoint) -> bool {
        let mapping = self.tables.mappings.at(mapping);
        match self.rules.filtering {
            _ if mapping.is_forward != 0 => true,
            Filtering::EndpointIndependent => true,
            // UDP and ICMP have found their session by the address alone.
            Filtering::AddressDependent if number == protocol::TCP => {
                self.find_outside(number, (mapping.outside, mapping.outside_port), (remote.0, 0)) != 0
            }
            Filtering::AddressDependent | Filtering::AddressAndPortDependent => false,
        }
    }
}

/// Making.
impl Engine<'_> {
    /// A session for an endpoint inside, with its mapping, which is the one that it has already (RFC 4787, REQ-1).
    #[inline(never)]
    pub(crate) fn open_outbound(
        &mut self,
        number: u8,
        own: Endpoint,
        remote: Endpoint,
        class: Class,
    ) -> Result<u32, Drop> {
        self.make_room(2)?;
        let host = self.host_with_room(own.0, class)?;
        let opened = self.mapping_for(number, own, host).and_then(|mapping| self.open(mapping, host, remote, class));
        self.drop_idle_host(host);
        opened
    }

    /// A session for a remote endpoint that may send to a mapping.
    #[inline(never)]
    pub(crate) fn open_inbound(&mut self, mapping: u32, remote: Endpoint, class: Class) -> Result<u32, Drop> {
        let before = *self.tables.mappings.at(mapping);
        self.make_room(2)?;
        let host = self.host_with_room(before.inside, class)?;
        // What had to go may have been the mapping's last session.
        let mapping = self.mapping_outside(before.protocol, (before.outside, before.outside_port));
        let opened = if mapping == 0 { Err(Drop::NoMapping) } else { self.open(mapping, host, remote, class) };
        self.drop_idle_host(host);
        opened
    }

    fn mapping_for(&mut self, number: u8, own: Endpoint, host: u32) -> Result<u32, Drop> {
        let known = self.mapping_inside(number, own);
        if known != 0 {
            return Ok(known);
        }
        let beside = (own.1 % 2 == 1)
            .then(|| self.mapping_inside(number, (own.0, own.1 - 1)))
            .filter(|sibling| *sibling != 0)
            .map(|sibling| self.tables.mappings.at(sibling).outside_port)
            .filter(|port| port % 2 == 0)
            .map(|port| port + 1);
        let wish = Wish { host, protocol: number, port: own.1, beside };
        let log = &mut *self.log;
        let (address, port) = self.tables.take_port(self.rules, self.random, wish, |block| {
            Count::Blocks.add(1);
            log.note(Event::Block { block, begins: true });
        })?;
        let outside = self.rules.pool.address(address);
        let mapping = self.add_mapping(number, own, (outside, port), host);
        if mapping == 0 {
            self.tables.give_port(address, number, port);
            return Err(Drop::Crowded);
        }
        Count::Mappings.add(1);
        if self.rules.pool.blocks.is_none() {
            self.log.note(Event::Mapping { protocol: number, inside: own, outside: (outside, port), begins: true });
        }
        self.tables.hosts.at_mut(host).mappings += 1;
        Ok(mapping)
    }

    /// Puts a mapping into the tables; 0: there is no room in them. `host` is 0 for a forward.
    pub(crate) fn add_mapping(&mut self, number: u8, own: Endpoint, outside: Endpoint, host: u32) -> u32 {
        let tables = &mut self.tables;
        let hash_inside = hash(tables.head.seed, Own::Inside, number, own, (0, 0));
        let hash_outside = hash(tables.head.seed, Own::Outside, number, outside, (0, 0));
        if tables.mapped_inside.is_full(&tables.mappings, hash_inside)
            || tables.mapped_outside.is_full(&tables.mappings, hash_outside)
        {
            return 0;
        }
        let Some(place) = tables.mappings.take(&mut tables.head.mappings) else { return 0 };
        let mapping = tables.mappings.at_mut(place);
        (mapping.inside, mapping.inside_port) = own;
        (mapping.outside, mapping.outside_port) = outside;
        (mapping.protocol, mapping.host, mapping.is_forward) = (number, host, (host == 0).into());
        tables.mapped_outside.insert(&mut tables.mappings, hash_outside, place);
        tables.mapped_inside.insert(&mut tables.mappings, hash_inside, place);
        place
    }

    /// Puts a session into the tables. There is room for it.
    fn open(&mut self, mapping: u32, host: u32, remote: Endpoint, class: Class) -> Result<u32, Drop> {
        let of = *self.tables.mappings.at(mapping);
        let remote = self.seen(of.protocol, remote);
        let place = self.add_session(mapping, &of, remote);
        let place = place.inspect_err(|_| self.drop_idle_mapping(mapping))?;
        if self.needs_permit(&of) {
            self.permit(mapping, &of, remote);
        }
        self.tables.mappings.at_mut(mapping).sessions += 1;
        self.tables.sessions.at_mut(place).used = self.now;
        self.tables.append(place, class);
        let entry = self.tables.hosts.at_mut(host);
        entry.sessions += 1;
        entry.half_open += u32::from(class == Class::HalfOpen);
        Count::Sessions.add(1);
        Ok(place)
    }

    /// A session in both hash tables and in no list.
    fn add_session(&mut self, mapping: u32, of: &Mapping, remote: Endpoint) -> Result<u32, Drop> {
        let (own, outside, number) = ((of.inside, of.inside_port), (of.outside, of.outside_port), of.protocol);
        if self.find_inside(number, own, remote) != 0 {
            return Err(Drop::Ambiguous);
        }
        let tables = &mut self.tables;
        let hash_inside = hash(tables.head.seed, Own::Inside, number, own, remote);
        let hash_outside = hash(tables.head.seed, Own::Outside, number, outside, remote);
        if tables.by_inside.is_full(&tables.sessions, hash_inside)
            || tables.by_outside.is_full(&tables.sessions, hash_outside)
        {
            return Err(Drop::Crowded);
        }
        let place = tables.sessions.take(&mut tables.head.sessions).ok_or(Drop::TableFull)?;
        let session = tables.sessions.at_mut(place);
        (session.inside, session.inside_port) = own;
        (session.outside, session.outside_port) = outside;
        (session.remote, session.remote_port) = remote;
        (session.protocol, session.class, session.mapping) = (number, Class::Permit.number(), mapping);
        tables.by_inside.insert(&mut tables.sessions, hash_inside, place);
        tables.by_outside.insert(&mut tables.sessions, hash_outside, place);
        Ok(place)
    }

    /// Whether sessions of this mapping leave word that their remote address may send.
    fn needs_permit(&self, of: &Mapping) -> bool {
        of.protocol == protocol::TCP && of.is_forward == 0 && self.rules.filtering == Filtering::AddressDependent
    }

    /// One session more with this remote address. Without room for the permit, others from there have no way in.
    fn permit(&mut self, mapping: u32, of: &Mapping, remote: Endpoint) {
        let known = self.find_outside(of.protocol, (of.outside, of.outside_port), (remote.0, 0));
        let place = if known == 0 { self.add_session(mapping, of, (remote.0, 0)).unwrap_or(0) } else { known };
        if place != 0 {
            self.tables.sessions.at_mut(place).used += 1;
        }
    }
}

/// Hosts inside, and what has to go.
impl Engine<'_> {
    fn find_host(&self, address: u32) -> (u32, u32) {
        let tables = &self.tables;
        let hash = crate::table::hash(tables.head.seed, address.into(), 0);
        (tables.by_host.find(&tables.hosts, hash, |host: &Host| host.address == address && address != 0), hash)
    }

    fn host(&mut self, address: u32) -> Result<u32, Drop> {
        let (known, hash) = self.find_host(address);
        if known != 0 {
            return Ok(known);
        }
        if self.tables.head.hosts.len >= self.tables.hosts.capacity() && !self.evict() {
            return Err(Drop::HostsFull);
        }
        let tables = &mut self.tables;
        if tables.by_host.is_full(&tables.hosts, hash) {
            return Err(Drop::Crowded);
        }
        let place = tables.hosts.take(&mut tables.head.hosts).ok_or(Drop::HostsFull)?;
        tables.hosts.at_mut(place).address = address;
        tables.by_host.insert(&mut tables.hosts, hash, place);
        Ok(place)
    }

    /// The host of an address, which may have another session of this class: where it has too many, its oldest half-open one goes.
    fn host_with_room(&mut self, address: u32, class: Class) -> Result<u32, Drop> {
        let place = self.host(address)?;
        let host = *self.tables.hosts.at(place);
        let too_many = host.sessions >= self.rules.host_sessions;
        if !too_many && (class != Class::HalfOpen || host.half_open < self.rules.host_half_open) {
            return Ok(place);
        }
        let mut at = self.tables.head.lists[Class::HalfOpen as usize].head;
        for _ in 0..SEARCH {
            let session = self.tables.sessions.at(at);
            if at == 0 || session.inside == address {
                break;
            }
            at = session.next;
        }
        if at == 0 || self.tables.sessions.at(at).inside != address {
            return Err(Drop::HostLimit);
        }
        Count::SessionsEvicted.add(1);
        self.remove(at);
        self.host(address)
    }

    fn drop_idle_host(&mut self, place: u32) {
        let host = *self.tables.hosts.at(place);
        if place == 0 || host.address == 0 || host.sessions > 0 || host.mappings > 0 {
            return;
        }
        let (log, pool) = (&mut *self.log, &self.rules.pool);
        self.tables.give_blocks(pool, place, |block| {
            Count::BlocksEnded.add(1);
            log.note(Event::Block { block, begins: false });
        });
        let tables = &mut self.tables;
        let hash = crate::table::hash(tables.head.seed, host.address.into(), 0);
        tables.by_host.remove(&mut tables.hosts, hash, place);
        tables.hosts.at_mut(place).address = 0;
        tables.hosts.give(&mut tables.head.hosts, place);
    }

    /// Sees to it that so many more sessions have room.
    fn make_room(&mut self, more: u32) -> Result<(), Drop> {
        let capacity = self.tables.sessions.capacity();
        for _ in 0..more {
            if self.tables.head.sessions.len + more <= capacity {
                return Ok(());
            }
            if !self.evict() {
                break;
            }
        }
        if self.tables.head.sessions.len < capacity { Ok(()) } else { Err(Drop::TableFull) }
    }

    /// Ends the session that is missed least: one that nobody has answered yet, the oldest. False where there is none.
    fn evict(&mut self) -> bool {
        let oldest = Class::EVICTABLE.map(|class| self.tables.head.lists[class as usize].head);
        let Some(place) = oldest.into_iter().find(|place| *place != 0) else { return false };
        Count::SessionsEvicted.add(1);
        self.remove(place);
        true
    }
}

/// Living and ending.
impl Engine<'_> {
    /// A session is used, and is of this class from now on. It moves in its list at most once in a 64th of its time, so that a busy
    /// session's packets write little; it ends up to so much later, never earlier.
    #[inline]
    pub(crate) fn touch(&mut self, place: u32, class: Class) {
        let session = *self.tables.sessions.at(place);
        let before = Class::of(session.class);
        let step = self.rules.timers.get(class as usize).map_or(0, |timer| timer / 64);
        if before == class && self.now.wrapping_sub(session.used) < step {
            return;
        }
        self.tables.unlink(place);
        self.tables.append(place, class);
        self.tables.sessions.at_mut(place).used = self.now;
        if (before == Class::HalfOpen) != (class == Class::HalfOpen) {
            let (host, _) = self.find_host(session.inside);
            let entry = self.tables.hosts.at_mut(host);
            let half_open =
                if class == Class::HalfOpen { entry.half_open + 1 } else { entry.half_open.saturating_sub(1) };
            entry.half_open = half_open;
        }
    }

    /// Ends sessions whose time is over, at most so many.
    pub(crate) fn expire(&mut self, limit: usize) {
        let mut left = limit;
        for class in 0..Class::LISTS {
            let timer = self.rules.timers[class];
            while left > 0 {
                let place = self.tables.head.lists[class].head;
                let used = self.tables.sessions.at(place).used;
                if place == 0 || self.now.wrapping_sub(used) < timer + timer / 64 {
                    break;
                }
                self.remove(place);
                Count::SessionsEnded.add(1);
                left -= 1;
            }
        }
    }

    fn remove(&mut self, place: u32) {
        let session = *self.tables.sessions.at(place);
        self.tables.unlink(place);
        self.remove_session(place, &session);
        let of = *self.tables.mappings.at(session.mapping);
        if self.needs_permit(&of) {
            self.take_permit_back(&of, session.remote);
        }
        let mapping = self.tables.mappings.at_mut(session.mapping);
        mapping.sessions = mapping.sessions.saturating_sub(1);
        let (host, _) = self.find_host(session.inside);
        let entry = self.tables.hosts.at_mut(host);
        entry.sessions = entry.sessions.saturating_sub(1);
        if session.class == Class::HalfOpen.number() {
            entry.half_open = entry.half_open.saturating_sub(1);
        }
        self.drop_idle_mapping(session.mapping);
        self.drop_idle_host(host);
    }

    fn remove_session(&mut self, place: u32, session: &Session) {
        let tables = &mut self.tables;
        let remote = (session.remote, session.remote_port);
        let (own, outside) = ((session.inside, session.inside_port), (session.outside, session.outside_port));
        let hash_inside = hash(tables.head.seed, Own::Inside, session.protocol, own, remote);
        let hash_outside = hash(tables.head.seed, Own::Outside, session.protocol, outside, remote);
        tables.by_inside.remove(&mut tables.sessions, hash_inside, place);
        tables.by_outside.remove(&mut tables.sessions, hash_outside, place);
        tables.sessions.give(&mut tables.head.sessions, place);
    }

    fn take_permit_back(&mut self, of: &Mapping, remote: u32) {
        let place = self.find_outside(of.protocol, (of.outside, of.outside_port), (remote, 0));
        let permit = self.tables.sessions.at_mut(place);
        permit.used = permit.used.saturating_sub(1);
        let permit = *permit;
        if place != 0 && permit.used == 0 {
            self.remove_session(place, &permit);
        }
    }

    /// Ends a mapping that no session uses, and gives its port back.
    fn drop_idle_mapping(&mut self, place: u32) {
        let of = *self.tables.mappings.at(place);
        if place == 0 || of.sessions > 0 || of.is_forward != 0 || of.protocol == 0 {
            return;
        }
        let (own, outside) = ((of.inside, of.inside_port), (of.outside, of.outside_port));
        let tables = &mut self.tables;
        let hash_inside = hash(tables.head.seed, Own::Inside, of.protocol, own, (0, 0));
        let hash_outside = hash(tables.head.seed, Own::Outside, of.protocol, outside, (0, 0));
        tables.mapped_inside.remove(&mut tables.mappings, hash_inside, place);
        tables.mapped_outside.remove(&mut tables.mappings, hash_outside, place);
        tables.mappings.at_mut(place).protocol = 0;
        tables.mappings.give(&mut tables.head.mappings, place);
        if let Some(address) = self.rules.pool.number(of.outside) {
            self.tables.give_port(address, of.protocol, of.outside_port);
        }
        let host = self.tables.hosts.at_mut(of.host);
        host.mappings = host.mappings.saturating_sub(1);
        Count::MappingsEnded.add(1);
        if self.rules.pool.blocks.is_none() {
            self.log.note(Event::Mapping { protocol: of.protocol, inside: own, outside, begins: false });
        }
    }
}
