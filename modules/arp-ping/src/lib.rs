//! Asks for IPv4 addresses by ARP, counts the answers and logs how long they took.
//!
//! It is a stage of the chain that reads the port: requests are made in spare rooms when their time has come, answers are
//! found among what the port receives.
#![cfg_attr(not(test), no_std)]

mod config;
mod target;
#[cfg(test)]
mod tests;

use config::{Config, TARGET_MAX};
use core::net::Ipv4Addr;
use perigee_guest::wire::{Arp, Ethernet, Header as _, Mac, Stack as _, ether_type};
use perigee_guest::{Batch, Level, Module, Refusal, Setup, Spare, Verdict, log};
use target::{Answer, Target, Times};

perigee_guest::module!(ArpPing: process, tick; mailbox = 4 * KIB, spares = 64);

perigee_guest::counters! {
    /// Requests sent.
    REQUESTS = "requests",
    /// Requests that were answered in time.
    ANSWERS = "answers",
    /// Requests that were not.
    LOST = "lost",
    /// Answers that came after their time.
    LATE = "late",
    /// Further answers to a request.
    DUPLICATES = "duplicates",
    /// Answers of another station than the last one: two have the address, or it has moved.
    MOVED = "moved",
    /// Times from a request to its answer, all together, in nanoseconds.
    RTT = "rtt_ns",
    /// Requests that had to wait because no room was free.
    NO_ROOM = "no_room",
    /// Packets that are no answers to us.
    OTHER = "other",
}

perigee_guest::stack! { struct Request { eth: Ethernet, arp: Arp } }

/// The shortest frame, without its check sequence.
const FRAME: u16 = 60;

/// The asker.
pub struct ArpPing {
    targets: [Option<Target>; TARGET_MAX],
    us: Ipv4Addr,
    mac: Mac,
    port: u16,
    interval: u64,
    timeout: u64,
    /// Requests to each target; 0: no end.
    count: u64,
    other: Verdict,
    times: Times,
    is_over: bool,
}

impl Module for ArpPing {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let (port, mac) = config.port(setup)?;
        Ok(Self {
            targets: config.targets()?,
            us: config.source()?,
            mac,
            port,
            interval: config.interval()?,
            timeout: config.timeout()?,
            count: config.count,
            other: config.other(),
            times: Times::default(),
            is_over: false,
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        for packet in batch {
            if self.read(packet.bytes(), now).is_some() {
                packet.drop();
            } else {
                OTHER.add(1);
                packet.finish(self.other);
            }
        }
    }

    fn tick(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        for target in self.targets.iter_mut().flatten() {
            LOST.add(target.expire(now, self.timeout).into());
        }
        if batch.is_draining() {
            self.sum_up();
            return;
        }
        let mut outputs = batch.outputs();
        for at in 0..TARGET_MAX {
            let Some(target) = self.targets.get(at).and_then(Option::as_ref) else { break };
            if !target.is_due(now, self.count) {
                continue;
            }
            let address = target.address;
            let Some(mut spare) = outputs.spare() else {
                NO_ROOM.add(1);
                break;
            };
            if self.write(&mut spare, address).is_some() && outputs.send(spare, Verdict::tx(self.port)) {
                REQUESTS.add(1);
                self.asked(at, now);
            }
        }
    }
}

impl ArpPing {
    /// Writes a request; nothing where a room is too short for one.
    fn write(&self, spare: &mut Spare<'_>, address: Ipv4Addr) -> Option<()> {
        let bytes = spare.bytes_mut(FRAME)?;
        bytes.fill(0);
        Request::fill(bytes, |request| {
            request.eth.set_destination(Mac::BROADCAST);
            request.eth.set_source(self.mac);
            request.arp.set_sender_mac(self.mac);
            request.arp.set_sender(self.us);
            request.arp.set_target(address);
        })
        .ok()
    }

    fn asked(&mut self, at: usize, now: u64) {
        let interval = self.interval;
        if let Some(target) = self.targets.get_mut(at).and_then(Option::as_mut) {
            target.asked(now, interval);
        }
    }

    /// Reads a frame; something where it is an answer to us.
    fn read(&mut self, frame: &[u8], now: u64) -> Option<()> {
        let (number, start) = Ethernet::untagged(frame).ok()?;
        if number != ether_type::ARP {
            return None;
        }
        let arp = Arp::parse(frame.get(start..)?).ok()?;
        let from = arp.sender_mac();
        let is_ours = arp.operation() == Arp::REPLY && arp.target_mac() == self.mac && arp.target() == self.us;
        if !is_ours || from.is_multicast() || from.is_zero() {
            return None;
        }
        let address = arp.sender();
        let target = self.targets.iter_mut().flatten().find(|target| target.address == address)?;
        let (answer, moved) = target.answered(from, now);
        MOVED.add(moved.into());
        match answer {
            Answer::InTime(rtt) => {
                ANSWERS.add(1);
                RTT.add(rtt);
                self.times.add(rtt);
                log!(Level::Info, "{address} is at {from}: {}.{:03} us", rtt / 1_000, rtt % 1_000);
            }
            Answer::Late => LATE.add(1),
            Answer::Again => DUPLICATES.add(1),
        }
        Some(())
    }

    /// Says how it went, once.
    fn sum_up(&mut self) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        for target in self.targets.iter().flatten() {
            let (address, sent, answered) = (target.address, target.sent, target.answers);
            log!(Level::Info, "{address}: {sent} requests, {answered} answers");
        }
        let times = &self.times;
        if let Some(mean) = times.mean() {
            log!(
                Level::Info,
                "round trips in ns: {} at least, {mean} in the mean, {} at most",
                times.least,
                times.most
            );
        }
    }
}
