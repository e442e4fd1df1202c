//! Translates addresses and ports between an inside and an outside IPv4 network (NAPT, RFC 3022): sources of what goes out,
//! destinations of what comes in, by sessions or by forwards.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod check;
mod config;
mod fragments;
mod hosts;
mod icmp;
mod link;
mod log;
mod made;
mod neighbours;
mod open;
mod outcome;
mod plain;
mod pool;
mod ports;
mod report;
mod rewrite;
mod session;
mod steer;
mod strangers;
mod table;
mod tcp;
#[cfg(test)]
mod tests;
mod translate;
mod work;

use config::{Config, Rules};
use fragments::Fragments;
use link::Link;
use log::Log;
use neighbours::Neighbours;
use perigee_guest::{Batch, Buffer, Lcg64, Module, Refusal, Setup};
use table::{Layout, Memory, Sizes};

perigee_guest::module!(
    Nat: process, message, state;
    heap = 8 * MIB, region = 128 * MIB, mailbox = MIB, spares = 16, state_version = 1
);

/// Sessions that are ended in a call, so that each bears a part of the work.
const EXPIRE: usize = 128;

/// The translator.
pub struct Nat {
    rules: Rules,
    layout: Layout,
    memory: Memory,
    shape: u64,
    fragments: Fragments,
    link: Option<Link>,
    log: Log,
    random: Lcg64,
    /// All packets go to the instance whose they are.
    steers: bool,
    burst: plain::Burst,
}

impl Module for Nat {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        outcome::name_counters(setup);
        let config: Config = setup.json()?;
        let rules = Rules::new(&config, setup)?;
        let sizes = Sizes {
            sessions: check::count("sessions", config.sessions)?,
            hosts: check::count("hosts", config.hosts)?,
            addresses: rules.pool.len(),
        };
        let layout = Layout::new(sizes);
        let mut nat = Self {
            shape: rules.shape(sizes),
            memory: layout.memory(setup)?,
            layout,
            fragments: Fragments::new(config.fragments, setup.seed())?,
            link: config.link.as_ref().map(|link| Link::new(link, setup)).transpose()?,
            log: Log::new(config.log.as_ref(), setup)?,
            random: Lcg64::new(setup.seed()),
            steers: config.steer,
            burst: plain::Burst::new(),
            rules,
        };
        nat.begin(setup.seed())?;
        Ok(nat)
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        self.log.set_time(batch.unix_ns());
        let (now_ns, quota) = (batch.time_ns(), batch.hold_quota());
        let Some((mut work, burst)) = self.work(now_ns) else { return };
        work.engine.tables.head.now = now_ns;
        work.engine.expire(EXPIRE);
        work.fragments.begin(work.engine.now);
        burst.prepare(&work, batch);
        let mut translated = plain::Translated::default();
        for (mut packet, plan) in batch.packets().zip(burst.iter()) {
            if plan != 0 && work.engine.translate_plain(&mut packet, plan, &mut translated) {
                packet.next();
            } else {
                work.decide_any(packet, quota, now_ns);
            }
        }
        translated.count();
        work.release(batch, now_ns);
        let mut outputs = batch.outputs();
        if let Some(link) = work.link {
            link.tend(&work.engine, now_ns);
            link.made.flush(&mut outputs);
        }
        self.log.flush(&mut outputs);
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        self.tell(request, reply)
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        state.push(&self.log.sequence.to_le_bytes())?;
        self.log.save(state)?;
        Neighbours::save(self.link.as_ref().map(|link| &link.neighbours), state)?;
        self.fragments.save(state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        let shape = self.shape;
        let tables = self.memory.tables(&self.layout).ok_or(Refusal::new(NO_TABLES))?;
        if tables.head.shape != shape {
            return Err(Refusal::new(
                "the sessions that are handed over do not fit: inside, pools, ports, blocks, forwards, filtering, sessions, hosts \
                 and slice must stay as they were; or swap with a fresh state",
            ));
        }
        let now = tables.head.now;
        let Some((sequence, rest)) = state.split_first_chunk() else { return Ok(()) };
        self.log.sequence = u32::from_le_bytes(*sequence);
        let rest = self.log.restore(rest)?;
        let rest = Neighbours::restore(self.link.as_mut().map(|link| &mut link.neighbours), rest, now)?;
        self.fragments.restore(rest)
    }
}

const NO_TABLES: &str = "the memory of the tables is too small";
