//! A router: each packet to a next hop of the longest prefix that is there, at some time while the packet was under way.

use crate::config::Config;
use crate::hosts::Hosts;
use crate::nets::Table;
use crate::seen::Seen;
use crate::stamp::Stamp;
use alloc::vec::Vec;
use core::net::IpAddr;
use perigee_guest::{Refusal, invariant};

/// All tables that there were.
pub(crate) struct Router {
    /// From when on; the last one is the newest.
    tables: Vec<(u64, Table)>,
}

impl Router {
    pub(crate) fn new(config: &Config<'_>) -> Result<Self, Refusal> {
        let mut table = Table::default();
        for line in &config.routes.0 {
            table.apply(&["add ", line].concat())?;
        }
        Ok(Self { tables: [(0, table)].into_iter().collect() })
    }

    fn newest(&self) -> Table {
        self.tables.last().map(|(_, table)| table.clone()).unwrap_or_default()
    }

    pub(crate) fn understands(&self, line: &str) -> Result<(), Refusal> {
        self.newest().apply(line)
    }

    /// The router has acknowledged a change. It may have been in force a little earlier than we hear of it, so the table before
    /// it counts until now.
    pub(crate) fn told(&mut self, line: &str, now: u64) {
        let mut table = self.newest();
        if table.apply(line).is_ok() {
            self.tables.push((now, table));
        }
    }

    pub(crate) fn check(&self, seen: &Seen, stamp: &Stamp, hosts: &Hosts, _now: u64) {
        let (address, sent) = (seen.destination, stamp.time);
        let ends = self.tables.iter().skip(1).map(|(since, _)| *since).chain([u64::MAX]);
        let mut then = self.tables.iter().zip(ends).filter(|(_, until)| *until > sent).map(|((_, table), _)| table);
        let is_at = |hop: IpAddr| hosts.may_be_at(hop, seen.to, sent);
        let is_right = if hosts.has(address) {
            is_at(address)
        } else {
            then.any(|table| table.hops(address).iter().any(|hop| is_at(*hop)))
        };
        invariant!(
            is_right,
            "{:?}: packet {}, sent at {sent} ns to {address}, came to {}, which is no next hop",
            stamp.flow,
            stamp.number,
            seen.to
        );
    }
}
