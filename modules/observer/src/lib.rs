//! Stands at the ends of wires in simulations, and checks what network functions must keep to: README.md tells how.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod config;
mod errors;
mod fault;
mod hosts;
mod nets;
mod parts;
mod seen;
mod stamp;
#[cfg(test)]
mod tests;
mod tracks;
mod truth;

use alloc::string::String;
use alloc::vec::Vec;
use config::{Config, Mode};
use core::net::IpAddr;
use errors::Bucket;
use fault::Spoiler;
use hosts::{Change, Hosts};
use parts::{Cutter, Gathered, Gatherer};
use perigee_guest::{Batch, Buffer, Module, Outputs, Packet, Refusal, Setup, Verdict, invariant};
use seen::Seen;
use stamp::{Kind, Stamp, Stamper};
use tracks::Tracks;
use truth::Truth;

perigee_guest::module!(Observer: process, message; heap = 16 * MIB, spares = 64);

perigee_guest::counters! {
    /// Packets that were stamped.
    STAMPED = "stamped",
    /// Questions that came, answers that came, and those of a port that was not asked.
    QUESTIONS = "questions",
    ANSWERS = "answers",
    STRAYS = "strays",
    /// Connections of TCP that were acknowledged.
    ACKNOWLEDGED = "acknowledged",
    /// Packets that were answered.
    ANSWERED = "answered",
    /// Questions of ARP and neighbour discovery that were answered.
    NEIGHBOURS = "neighbours",
    /// Resets and errors of ICMP.
    ERRORS = "errors",
    /// TCP, UDP or ICMP without a stamp.
    STRANGERS = "strangers",
    /// Packets that came to a host where it was before.
    LATE = "late",
    /// Parts of packets that came; packets that left in parts.
    PARTS = "parts",
    CUT = "cut",
    /// Everything else.
    OTHER = "other",
}

/// What it is.
#[allow(clippy::large_enum_variant, reason = "an instance has one of it")]
enum Work {
    Stamp(Stamper, Cutter),
    Fault(Spoiler),
    Watch(Watch),
}

/// The observer.
pub struct Observer(Work);

/// What checks.
struct Watch {
    truth: Truth,
    tracks: Tracks,
    hosts: Hosts,
    errors: Option<Bucket>,
    strangers: bool,
    hops: u8,
    cutter: Cutter,
    gatherer: Gatherer,
    /// Messages that the next call applies, because it knows the time.
    told: Vec<String>,
}

impl Module for Observer {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        name_counters(setup);
        let config: Config<'_> = setup.json()?;
        let fault = config.fault.ok_or_else(|| Refusal::new("fault: what, and each how many packets (`every`)"));
        Ok(Self(match Truth::new(&config)? {
            Some(truth) => Work::Watch(Watch {
                truth,
                tracks: Tracks::new(&config),
                hosts: Hosts::new(&config),
                errors: config.errors.map(Bucket::new),
                strangers: config.strangers,
                hops: config.hops.unwrap_or(u8::from(config.mode == Mode::Router)),
                cutter: Cutter::new(config.parts, 1 << 15),
                gatherer: Gatherer::default(),
                told: Vec::new(),
            }),
            None if config.mode == Mode::Stamp => Work::Stamp(Stamper::default(), Cutter::new(config.parts, 0)),
            None => Work::Fault(Spoiler::new(fault?)),
        }))
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let now = batch.time_ns();
        match &mut self.0 {
            Work::Stamp(stamper, cutter) => {
                let (packets, mut outputs) = batch.split();
                for mut packet in packets {
                    STAMPED.add(u64::from(stamper.stamp(packet.bytes_mut(), now)));
                    send(packet, Verdict::NEXT, cutter, &mut outputs);
                }
            }
            Work::Fault(spoiler) => spoiler.process(batch),
            Work::Watch(watch) => {
                watch.hear(now);
                let (packets, mut outputs) = batch.split();
                packets.for_each(|packet| watch.look(packet, &mut outputs, now));
            }
        }
    }

    fn message(&mut self, request: &[u8], _reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        let Work::Watch(watch) = &mut self.0 else { return Err(Refusal::new("only who checks takes messages")) };
        let text = core::str::from_utf8(request).map_err(|_| Refusal::new("a message is text in UTF-8"))?.trim();
        if text == "end" {
            watch.end();
            return Ok(());
        }
        match text.strip_prefix("host ") {
            Some(rest) => watch.hosts.known(read_host(rest)?.0)?,
            None => watch.truth.understands(text)?,
        }
        watch.told.push(text.into());
        Ok(())
    }
}

/// Sends a packet, some in parts.
fn send(packet: Packet<'_>, verdict: Verdict, cutter: &mut Cutter, outputs: &mut Outputs<'_>) {
    if cutter.cut(packet.bytes(), verdict, outputs) {
        CUT.add(1);
        return packet.drop();
    }
    packet.finish(verdict);
}

/// Reads `ADDRESS lladdr MAC`, `ADDRESS silent` or `ADDRESS back`.
fn read_host(text: &str) -> Result<(IpAddr, Change), Refusal> {
    let wrong = || Refusal::from_parts(&["host \"", text, "\": ADDRESS, and lladdr MAC, silent or back"]);
    let (address, what) = text.split_once(' ').ok_or_else(wrong)?;
    let change = match what.split_once(' ') {
        Some(("lladdr", mac)) => Change::Mac(mac.parse().map_err(|_| wrong())?),
        None if what == "silent" => Change::Silent,
        None if what == "back" => Change::Back,
        _ => return Err(wrong()),
    };
    Ok((address.parse().map_err(|_| wrong())?, change))
}

impl Watch {
    /// Applies what messages said since the last call.
    fn hear(&mut self, now: u64) {
        for text in core::mem::take(&mut self.told) {
            match text.strip_prefix("host ").map(read_host) {
                Some(Ok((address, change))) => self.hosts.change(address, change, now),
                _ => self.truth.told(&text, now),
            }
        }
    }

    fn look(&mut self, mut packet: Packet<'_>, outputs: &mut Outputs<'_>, now: u64) {
        match self.gatherer.gather(packet.bytes()) {
            Gathered::Whole => {}
            Gathered::Part => {
                PARTS.add(1);
                return packet.drop();
            }
            Gathered::Packet(frame) => {
                PARTS.add(1);
                let fits = u16::try_from(frame.len()).is_ok_and(|len| packet.set_len(len));
                invariant!(fits, "a packet of {} bytes came in parts, and has no room here", frame.len());
                packet.bytes_mut().copy_from_slice(&frame);
            }
        }
        let bytes = packet.bytes_mut();
        if self.hosts.answer_neighbour(bytes) {
            NEIGHBOURS.add(1);
            return packet.tx_back();
        }
        let Some(seen) = Seen::read(bytes).filter(|seen| !seen.is_discovery(bytes)) else {
            OTHER.add(1);
            return packet.drop();
        };
        let bad = seen.bad_checksum(bytes);
        invariant!(bad.is_none(), "the checksum of {} is wrong: {seen:?}", bad.unwrap_or_default());
        let Some(stamp) = Stamp::read(bytes, &seen) else { return self.look_at_stranger(packet, &seen, now) };
        match stamp.kind {
            Kind::Question => QUESTIONS.add(1),
            Kind::Answer => ANSWERS.add(1),
            Kind::Stray => STRAYS.add(1),
            Kind::Ack => ACKNOWLEDGED.add(1),
        }
        let (flow, number, hops) = (stamp.flow, stamp.number, self.hops);
        let is_right = stamp.ttl > hops && seen.ttl == stamp.ttl - hops;
        invariant!(is_right, "{flow:?}: packet {number} had {} hops left and has {}", stamp.ttl, seen.ttl);
        self.truth.check(&seen, &stamp, &self.hosts, now);
        // Who has another card by now does not get it.
        if !self.hosts.is_now_at(&seen) {
            LATE.add(1);
            return packet.drop();
        }
        if stamp.kind != Kind::Ack {
            self.tracks.came(&stamp);
        }
        if self.hosts.answer(bytes, &seen, &stamp, now) {
            ANSWERED.add(1);
            let verdict = Verdict::tx(packet.port());
            return send(packet, verdict, &mut self.cutter, outputs);
        }
        packet.drop();
    }

    fn look_at_stranger(&mut self, packet: Packet<'_>, seen: &Seen, now: u64) {
        if seen.is_error(packet.bytes()) {
            ERRORS.add(1);
            if let Some(bucket) = &mut self.errors {
                bucket.take(now);
            }
        } else {
            STRANGERS.add(1);
            invariant!(self.strangers, "a packet came that nobody here has sent: {seen:?}");
        }
        packet.drop();
    }

    fn end(&self) {
        self.truth.end();
        self.tracks.end();
        if let Some(bucket) = &self.errors {
            bucket.end();
        }
    }
}
