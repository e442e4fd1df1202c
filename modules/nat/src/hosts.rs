//! Hosts inside, what each may have, and who goes when there is no room.

use crate::log::Event;
use crate::outcome::{Count, Drop};
use crate::session::Engine;
use crate::table::{Class, Host};

/// Half-open sessions that are looked at for one of a certain host.
const SEARCH: usize = 64;
/// Sessions that may go for one host.
const EVICTIONS: usize = 4;

impl Engine<'_> {
    pub(crate) fn find_host(&self, address: u32) -> (u32, u32) {
        let tables = &self.tables;
        let hash = crate::table::hash(tables.head.seed, address.into(), 0);
        (tables.by_host.find(&tables.hosts, hash, |host: &Host| host.address == address && address != 0), hash)
    }

    fn host(&mut self, address: u32) -> Result<u32, Drop> {
        let (known, hash) = self.find_host(address);
        if known != 0 {
            return Ok(known);
        }
        // A session that goes need not have been its host's last one.
        for _ in 0..EVICTIONS {
            if self.tables.head.hosts.len < self.tables.hosts.capacity() || !self.evict() {
                break;
            }
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
    pub(crate) fn host_with_room(&mut self, address: u32, class: Class) -> Result<u32, Drop> {
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

    pub(crate) fn drop_idle_host(&mut self, place: u32) {
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
    pub(crate) fn make_room(&mut self, more: u32) -> Result<(), Drop> {
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
