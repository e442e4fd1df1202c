//! Sessions and mappings are made.

use crate::config::Filtering;
use crate::log::Event;
use crate::outcome::{Count, Drop};
use crate::ports::Wish;
use crate::rewrite::Endpoint;
use crate::session::{Engine, Own, hash};
use crate::table::{Class, Mapping};
use perigee_guest::wire::protocol;

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
        self.make_room(self.places_for(number))?;
        let host = self.host_with_room(own.0, class)?;
        let opened = self.mapping_for(number, own, host).and_then(|mapping| self.open(mapping, host, remote, class));
        self.drop_idle_host(host);
        opened
    }

    /// A session for a remote endpoint that may send to a mapping.
    #[inline(never)]
    pub(crate) fn open_inbound(&mut self, mapping: u32, remote: Endpoint, class: Class) -> Result<u32, Drop> {
        let before = *self.tables.mappings.at(mapping);
        self.make_room(self.places_for(before.protocol))?;
        let host = self.host_with_room(before.inside, class)?;
        // What had to go may have been the mapping's last session.
        let mapping = self.mapping_outside(before.protocol, (before.outside, before.outside_port));
        let opened = if mapping == 0 { Err(Drop::NoMapping) } else { self.open(mapping, host, remote, class) };
        self.drop_idle_host(host);
        opened
    }

    /// Places that a session may take: one of TCP may need a permit.
    const fn places_for(&self, number: u8) -> u32 {
        if number == protocol::TCP && matches!(self.rules.filtering, Filtering::AddressDependent) { 2 } else { 1 }
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
    pub(crate) fn needs_permit(&self, of: &Mapping) -> bool {
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
