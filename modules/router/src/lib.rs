//! Forwards IPv4 and IPv6: longest prefixes, neighbours, ICMP errors, and routes that change while packets flow.
//!
//! Two paths. `fast` looks up and rewrites, or gives a reason why it cannot; `slow` does what the reason asks for. What both look
//! at are the tables: interfaces, routes, neighbours.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod board;
mod config;
mod counts;
mod fast;
mod fib;
mod interfaces;
mod message;
mod neighbours;
mod routes;
mod saved;
mod share;
mod slow;
#[cfg(test)]
mod tests;

use config::{Config, Ecmp};
use counts::Count;
use fib::Fib;
use interfaces::Interfaces;
use message::Batches;
use neighbours::Neighbours;
use perigee_guest::{Batch, Buffer, Level, Module, Refusal, Setup};
use routes::Routes;
use share::Share;
use slow::{Call, Slow};

perigee_guest::module!(
    Router: process, message, state;
    heap = 20 * MIB, mailbox = 2 * MIB, spares = 64, region = crate::fib::REGION, state_version = crate::saved::VERSION
);

/// What both paths look at.
pub(crate) struct Tables {
    pub(crate) interfaces: Interfaces,
    pub(crate) fib: Fib,
    pub(crate) neighbours: Neighbours,
    pub(crate) ecmp: Ecmp,
    /// Of all hashes.
    pub(crate) seed: u64,
}

/// The router.
pub struct Router {
    tables: Tables,
    slow: Slow,
    /// The routes of the configuration.
    configured: Routes,
    batches: Batches,
    /// What another configuration has put into the table, which goes once others see it.
    outgoing: Option<routes::Before>,
    share: Share,
    burst: fast::Burst,
    now: u64,
}

impl Module for Router {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        Count::name_all(setup);
        let seed = setup.seed();
        let mut tables = Tables {
            interfaces: config.interfaces(setup)?,
            fib: Fib::new(setup)?,
            neighbours: Neighbours::new(config.limits()?, seed)?,
            ecmp: config.ecmp,
            seed,
        };
        let now = setup.now_ns();
        let configured = Routes::read(&config, &tables.interfaces)?;
        routes::fix_neighbours(&config, &mut tables, now)?;
        let share = Share::new(&config, setup, tables.fib.is_anothers())?;
        if !share.is_fast() {
            configured.put_in(&mut tables, &[])?;
        }
        if share.is_slow() {
            tables.neighbours.tell_of_all()?;
        }
        let slow = Slow::new(config.bounds()?, seed)?;
        let (batches, burst) = (Batches::new()?, fast::Burst::new());
        Ok(Self { tables, slow, configured, batches, outgoing: None, share, burst, now })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        self.now = now;
        if let Share::Fast(follower) = &self.share {
            return follower.process(&mut self.tables, &mut self.burst, batch, now);
        }
        self.slow.waiting.set_quota(batch.hold_quota());
        if self.outgoing.is_some() {
            self.change_over();
        }
        self.batches.feeds.withdraw(&mut self.tables, &mut self.share, now);
        let mut outputs = batch.outputs();
        let mut call = Call::new(&mut self.tables, &mut outputs, 0, now);
        self.slow.run_timers(&mut call);
        self.slow.spent = call.spent;
        // Who was waited for in vain is given up before others begin to wait for him.
        self.slow.release(&mut self.tables, batch, now);
        self.burst.look_up(&mut self.tables, batch);
        let (packets, mut outputs) = batch.split();
        let mut call = Call::new(&mut self.tables, &mut outputs, self.slow.spent, now);
        let mut forwarded = 0;
        for (mut packet, found) in packets.zip(self.burst.found()) {
            if let Share::Slow(leader) = &mut self.share {
                leader.look(call.tables, &packet);
            }
            if let Some(port) = fast::leave_plain(call.tables, &mut packet, found, now) {
                forwarded += 1;
                packet.tx(port);
                continue;
            }
            self.slow.forward(&mut call, packet, now);
        }
        Count::Forwarded4.add(forwarded);
        self.slow.spent = call.spent;
        self.slow.release(&mut self.tables, batch, now);
        if let Share::Slow(leader) = &mut self.share {
            leader.tell(&mut self.tables, now);
        }
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        message::answer(self, request, reply)
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        saved::save(self, state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        saved::restore(self, saved::VERSION, state)
    }

    fn restore_from(&mut self, version: u32, state: &[u8]) -> Result<(), Refusal> {
        saved::restore(self, version, state)
    }
}

impl Router {
    /// The routes of the configuration before go, and those of this one come: once others see it.
    #[cold]
    fn change_over(&mut self) {
        if !self.tables.fib.is_open() {
            return;
        }
        let changed = self.outgoing.take().is_none_or(|before| routes::change_over(&before, self).is_ok());
        if !changed {
            Level::Error.log("a route of the configuration finds no place in the table: it is not there");
        }
    }
}
