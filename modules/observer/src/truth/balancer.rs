//! A balancer: a flow stays with its server, until that is down; who is drained gets nothing new.

use crate::config::Config;
use crate::seen::Seen;
use crate::stamp::{Flow, Stamp};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, invariant};

/// Servers, and who is with which.
pub(crate) struct Balancer {
    servers: Vec<Server>,
    flows: BTreeMap<Flow, Place>,
    /// A flow that nobody has used for so long may be forgotten.
    idle: u64,
}

struct Server {
    name: String,
    mac: Mac,
    /// What it was, and from when on; the last one is the newest.
    health: Vec<(u64, Health)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Up,
    Drain,
    Down,
}

/// Where a flow is, and when its newest packet was sent; and where it was before.
struct Place {
    server: usize,
    sent: u64,
    before: usize,
}

impl Server {
    /// Whether it was so at any time since `sent`.
    fn was(&self, what: impl Fn(Health) -> bool, sent: u64) -> bool {
        let ends = self.health.iter().skip(1).map(|(since, _)| *since).chain([u64::MAX]);
        self.health.iter().zip(ends).any(|((_, health), until)| until > sent && what(*health))
    }
}

fn read(line: &str) -> Result<(&str, Health), Refusal> {
    match line.split_once(' ') {
        Some((name, "up")) => Ok((name, Health::Up)),
        Some((name, "drain")) => Ok((name, Health::Drain)),
        Some((name, "down")) => Ok((name, Health::Down)),
        _ => Err(Refusal::from_parts(&["backend \"", line, "\": NAME, and up, drain or down"])),
    }
}

impl Balancer {
    pub(crate) fn new(config: &Config<'_>) -> Self {
        let server = |backend: &crate::config::Backend<'_>| Server {
            name: backend.name.into(),
            mac: backend.mac,
            health: [(0, Health::Up)].into_iter().collect(),
        };
        let servers = config.backends.0.iter().map(server).collect();
        Self { servers, flows: BTreeMap::new(), idle: config.idle * 1_000_000 }
    }

    pub(crate) fn understands(&self, line: &str) -> Result<(), Refusal> {
        let (name, _) = read(line)?;
        let known = self.servers.iter().any(|server| server.name == name);
        if known { Ok(()) } else { Err(Refusal::from_parts(&["there is no backend \"", name, "\""])) }
    }

    pub(crate) fn told(&mut self, line: &str, now: u64) {
        let Ok((name, health)) = read(line) else { return };
        self.servers
            .iter_mut()
            .filter(|server| server.name == name)
            .for_each(|server| server.health.push((now, health)));
    }

    pub(crate) fn check(&mut self, seen: &Seen, stamp: &Stamp, now: u64) {
        let (flow, number, sent) = (stamp.flow, stamp.number, stamp.time);
        let Some(server) = self.servers.iter().position(|server| server.mac == seen.to) else {
            return invariant!(false, "{flow:?}: packet {number} goes to {}, which is no server", seen.to);
        };
        let name = |server: usize| self.servers[server].name.as_str();
        let down = |server: usize, since: u64| self.servers[server].was(|health| health == Health::Down, since);
        let works = self.servers[server].was(|health| health != Health::Down, sent);
        invariant!(works, "{flow:?}: packet {number} goes to {:?}, which is down", name(server));
        match self.flows.get_mut(&flow) {
            None => {
                // The first packet of all: nobody knows this flow from before.
                let takes = number > 1 || self.servers[server].was(|health| health == Health::Up, sent);
                invariant!(takes, "{flow:?}: begins at {:?}, which takes no new ones", name(server));
                self.flows.insert(flow, Place { server, sent, before: server });
            }
            Some(place) if sent < place.sent => {
                let was_there = server == place.server || server == place.before;
                invariant!(was_there, "{flow:?}: packet {number} went to {:?}, where it never was", name(server));
            }
            Some(place) => {
                let is_old = now >= place.sent + self.idle;
                let may = is_old || server == place.server || down(place.server, place.sent);
                let (to, of, before) = (name(server), name(place.server), place.sent);
                invariant!(may, "{flow:?}: packet {number}, sent at {sent}, goes to {to:?}, not {of:?} as at {before}");
                let before = if server == place.server { place.before } else { place.server };
                *place = Place { server, sent, before };
            }
        }
    }
}
