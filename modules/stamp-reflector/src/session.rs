//! What a stateful reflector knows of its sessions.

use core::net::IpAddr;
use perigee_guest::Refusal;
use perigee_guest::state::{FlowLimits, FlowTable};
use stamp_wire::Place;

/// Sessions that are forgotten in one call, at most.
const AT_ONCE: usize = 64;

/// A session: addresses, port and the sender's number for it (RFC 8972, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    source: IpAddr,
    destination: IpAddr,
    source_port: u16,
    ssid: u16,
}

impl Key {
    pub(crate) fn new(place: &Place, ssid: u16) -> Self {
        Self { source: place.source, destination: place.destination, source_port: place.source_port, ssid }
    }
}

/// What is known of a session before one of its packets is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// Answers so far: the number of the next one.
    pub(crate) answers: u32,
    /// When the last answer left, by the run's clock.
    pub(crate) last: u64,
}

/// The sessions.
pub(crate) struct Sessions {
    table: FlowTable<Key, Session>,
}

/// A session that was found, and what that changed.
pub(crate) struct Found {
    pub(crate) before: Session,
    pub(crate) is_new: bool,
    pub(crate) has_evicted: bool,
}

impl Sessions {
    pub(crate) fn new(limits: FlowLimits) -> Result<Self, Refusal> {
        Ok(Self { table: FlowTable::new(limits)? })
    }

    /// Notes an answer at `now`, and gives the session as it was before.
    pub(crate) fn answer(&mut self, key: Key, now: u64) -> Option<Found> {
        let found = self.table.find_or_insert(key, now, Session::default)?;
        let before = *found.value;
        *found.value = Session { answers: before.answers.wrapping_add(1), last: now };
        Some(Found { before, is_new: found.is_new, has_evicted: found.evicted.is_some() })
    }

    /// Forgets sessions that have been silent for too long.
    pub(crate) fn expire(&mut self, now: u64) {
        self.table.expire(now, AT_ONCE, |_, _| ());
    }
}
