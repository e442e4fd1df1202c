//! Sessions and mappings: found, kept alive, ended. How they are made is in `open`.

use crate::config::{Filtering, Rules};
use crate::log::{Event, Log};
use crate::outcome::Count;
use crate::rewrite::Endpoint;
use crate::table::{Class, Mapping, Session, Tables};
use perigee_guest::Lcg64;
use perigee_guest::wire::protocol;

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
pub(crate) enum Own {
    Inside,
    Outside,
}

/// The hash of a session's key, or with remote (0, 0) of a mapping's.
#[inline(always)]
pub(crate) fn hash(seed: u64, own: Own, number: u8, (address, port): Endpoint, remote: Endpoint) -> u32 {
    let first = u64::from(address) << 32 | u64::from(remote.0);
    let second = u64::from(port) << 48 | u64::from(remote.1) << 32 | u64::from(number) << 8 | u64::from(own as u8 + 1);
    crate::table::hash(seed, first, second)
}

/// Finding.
impl Engine<'_> {
    /// The remote endpoint as sessions have it: without what the filter does not look at.
    #[inline]
    pub(crate) fn seen(&self, number: u8, remote: Endpoint) -> Endpoint {
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

    pub(crate) fn find_inside(&self, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        self.find_inside_at(hash(self.tables.head.seed, Own::Inside, number, own, remote), number, own, remote)
    }

    /// The same, by its hash.
    #[inline]
    pub(crate) fn find_inside_at(&self, hash: u32, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        let tables = &self.tables;
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

    pub(crate) fn find_outside(&self, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        self.find_outside_at(hash(self.tables.head.seed, Own::Outside, number, own, remote), number, own, remote)
    }

    /// The same, by its hash.
    #[inline]
    pub(crate) fn find_outside_at(&self, hash: u32, number: u8, own: Endpoint, remote: Endpoint) -> u32 {
        let tables = &self.tables;
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

/// Living and ending.
impl Engine<'_> {
    /// A session is used, and is of this class from now on. It moves in its list at most once in a 64th of its time, so that a busy
    /// session's packets write little; it ends up to so much later, never earlier.
    #[inline(always)]
    pub(crate) fn touch(&mut self, place: u32, class: Class) {
        let session = self.tables.sessions.at(place);
        let step = self.rules.timers.get(class as usize).map_or(0, |timer| timer / 64);
        if session.class != class.number() || self.now.wrapping_sub(session.used) >= step {
            self.move_back(place, class);
        }
    }

    /// Moves a session to the end of the list of its class.
    #[inline(never)]
    fn move_back(&mut self, place: u32, class: Class) {
        let session = *self.tables.sessions.at(place);
        let before = Class::of(session.class);
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

    pub(crate) fn remove(&mut self, place: u32) {
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

    pub(crate) fn remove_session(&mut self, place: u32, session: &Session) {
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
    pub(crate) fn drop_idle_mapping(&mut self, place: u32) {
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
