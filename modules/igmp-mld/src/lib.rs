//! Listens to multicast groups as a host does: joins and leaves, and answers queries, by IGMP versions 1 to 3 and MLD versions
//! 1 and 2.
//!
//! It is a stage of the chain that reads the port: messages are made in spare rooms when their time has come, queries are found
//! among what the port receives.
#![cfg_attr(not(test), no_std)]

mod config;
mod frames;
mod group;
mod heard;
mod querier;
#[cfg(test)]
mod tests;

use config::{Config, GROUP_MAX};
use core::net::IpAddr;
use frames::Station;
use group::{Group, What};
use heard::{Heard, hear};
use perigee_guest::{Batch, Buffer, Lcg64, Module, Outputs, Refusal, Setup, Verdict};
use querier::Querier;

perigee_guest::module!(Listener: process, tick, message; mailbox = 4 * KIB, spares = 64);

perigee_guest::counters! {
    /// Queries heard.
    QUERIES = "queries",
    /// Answers to queries.
    ANSWERS = "answers",
    /// Messages that tell of a group that is listened to from now on.
    JOINS = "joins",
    /// Messages that tell of one that is listened to no more.
    LEAVES = "leaves",
    /// Reports of others.
    REPORTS = "reports_heard",
    /// Answers that were not needed: another host has given them.
    SPARED = "spared",
    /// Messages of IGMP and MLD that cannot be, or have a wrong checksum.
    MALFORMED = "malformed",
    /// Messages that had to wait because no room was free.
    NO_ROOM = "no_room",
    /// Packets that are neither IGMP nor MLD.
    OTHER = "other",
}

/// In nanoseconds.
const MICROSECOND: u64 = 1_000;

/// The host.
pub struct Listener {
    groups: [Option<Group>; GROUP_MAX],
    station: Station,
    port: u16,
    igmp: Querier,
    mld: Querier,
    robustness: u8,
    /// When all groups are left.
    leave_at: Option<u64>,
    other: Verdict,
    random: Lcg64,
}

impl Module for Listener {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let (port, station) = config.station(setup)?;
        let mut listener = Self {
            groups: [const { None }; GROUP_MAX],
            station,
            port,
            igmp: Querier::new(config.igmp()?),
            mld: Querier::new(config.mld()?),
            robustness: config.robustness()?,
            leave_at: config.leave_at(),
            other: config.other(),
            random: Lcg64::new(setup.seed()),
        };
        for address in config.groups() {
            listener.join(*address, config.join_at())?;
        }
        Ok(listener)
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        for packet in batch {
            if let Some(heard) = hear(packet.bytes()) {
                self.take(&heard, now);
                packet.drop();
            } else {
                OTHER.add(1);
                packet.finish(self.other);
            }
        }
    }

    fn tick(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        let is_last = batch.is_draining();
        if is_last || self.leave_at.is_some_and(|at| now >= at) {
            self.leave_at = None;
            for group in self.groups.iter_mut().flatten() {
                group.leave(now, self.robustness);
            }
        }
        let mut outputs = batch.outputs();
        for at in 0..GROUP_MAX {
            if !self.speak(at, now, &mut outputs) {
                NO_ROOM.add(1);
                return;
            }
        }
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        let known = || Refusal::new("known messages: join ADDRESS, leave ADDRESS");
        let text = core::str::from_utf8(request).map_err(|_| known())?.trim();
        let (verb, address) = text.split_once(' ').ok_or_else(known)?;
        let address: IpAddr = address.trim().parse().map_err(|_| known())?;
        match verb {
            "join" => self.join(config::group(address)?, 0)?,
            "leave" => {
                let group =
                    self.groups.iter_mut().flatten().find(|group| group.address == address && group.is_wanted());
                group.ok_or_else(|| Refusal::new("leave: not a group that is listened to"))?.leave(0, self.robustness);
            }
            _ => return Err(known()),
        }
        Ok(reply.push(b"ok")?)
    }
}

impl Listener {
    /// Listens to a group from a time on.
    fn join(&mut self, address: IpAddr, at: u64) -> Result<(), Refusal> {
        if let Some(group) = self.groups.iter_mut().flatten().find(|group| group.address == address) {
            group.join(at, self.robustness);
            return Ok(());
        }
        let free = self.groups.iter_mut().find(|group| group.is_none());
        let free = free.ok_or_else(|| Refusal::new("join: 64 groups are the limit"))?;
        let mut group = Group::new(address);
        group.join(at, self.robustness);
        *free = Some(group);
        Ok(())
    }

    fn take(&mut self, heard: &Heard, now: u64) {
        match heard {
            Heard::Malformed => MALFORMED.add(1),
            Heard::Report(address) => {
                REPORTS.add(1);
                // Who speaks the newest version answers in any case (RFC 9776, section 5.2).
                if !self.querier(address).is_newest(now) {
                    for group in self.groups.iter_mut().flatten().filter(|group| group.address == *address) {
                        SPARED.add(group.spare_answer().into());
                    }
                }
            }
            Heard::Query(query) => {
                QUERIES.add(1);
                self.querier_mut(&query.group).heard(query.version, now);
                for group in self.groups.iter_mut().flatten() {
                    if query.asks_for(&group.address) {
                        // Up to 2^32 of them, which is more than an hour.
                        let span = (query.within / MICROSECOND).min(1 << 32);
                        let wait = u64::from(self.random.below(span)) * MICROSECOND;
                        group.asked(now.saturating_add(wait));
                    }
                }
            }
            Heard::Nothing => {}
        }
    }

    /// Says what is due of one group. False where there is no room for it.
    fn speak(&mut self, at: usize, now: u64, outputs: &mut Outputs<'_>) -> bool {
        let Some(place) = self.groups.get_mut(at) else { return true };
        if place.is_some_and(|group| group.is_over()) {
            *place = None;
        }
        let Some(mut group) = *place else { return true };
        let Some(what) = group.due(now) else { return true };
        let version = self.querier(&group.address).version(now);
        if let Some(message) = frames::message(&group.address, what, version) {
            let Some(mut spare) = outputs.spare() else { return false };
            if frames::write(&mut spare, &message, &self.station).is_none()
                || !outputs.send(spare, Verdict::tx(self.port))
            {
                return false;
            }
            match what {
                What::Answer => ANSWERS.add(1),
                What::Join => JOINS.add(1),
                What::Leave => LEAVES.add(1),
            }
        }
        let wait = u64::from(self.random.below(querier::unsolicited(version) / MICROSECOND)) * MICROSECOND;
        group.said(what, now.saturating_add(wait));
        self.groups[at] = Some(group);
        true
    }

    fn querier(&self, of: &IpAddr) -> &Querier {
        if of.is_ipv4() { &self.igmp } else { &self.mld }
    }

    fn querier_mut(&mut self, of: &IpAddr) -> &mut Querier {
        if of.is_ipv4() { &mut self.igmp } else { &mut self.mld }
    }
}
