//! A firewall: ordered rules say what passes, and connections are followed.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod classify;
mod config;
mod counters;
mod fragments;
mod known;
mod line;
mod pattern;
mod plain;
mod reject;
mod report;
mod rule;
mod saved;
mod seen;
#[cfg(test)]
mod tests;
mod track;

use alloc::vec::Vec;
use classify::Classifier;
use config::{Config, Fragmented, Known, NonIp, Policy, Unknown};
use counters::{Cause, EXPIRED, NEW, OUSTED, PACKETS, UNLOGGED};
use fragments::{Fate, Fragments};
use pattern::state;
use perigee_guest::abi::MAX_PORTS;
use perigee_guest::state::TokenBucket;
use perigee_guest::wire::{Icmpv6, protocol};
use perigee_guest::{Batch, Buffer, Module, Packet, Refusal, Setup, Text, Verdict};
use reject::Told;
use rule::{Action, Answer, Rule};
use seen::{Addresses, Seen, Unseen};
use track::{Begun, Place, Tracker};

perigee_guest::module!(
    Firewall: process, tick, message, state;
    heap = 64 * MIB, mailbox = 4 * MIB, region = 36 * MIB, state_version = 1
);

/// Packets of neighbour discovery come from the same link (RFC 4861, section 11.2).
const ON_LINK: u8 = 255;

/// The firewall.
pub struct Firewall {
    rules: Vec<Rule>,
    /// Which rule a pattern is of.
    rule_of: Vec<u32>,
    classifier: Classifier,
    buckets: Vec<TokenBucket>,
    prefixes: Vec<Text<24>>,
    policy: Policy,
    non_ip: NonIp,
    neighbours: bool,
    established: Known,
    invalid: Unknown,
    tracker: Option<Tracker>,
    fragments: Option<Fragments>,
    answers: TokenBucket,
    lines: TokenBucket,
    /// By which port packets leave that come in by each one.
    ways: [Option<u16>; MAX_PORTS],
    next_port: Option<u16>,
    /// What the rules said of packets that came lately; none where connections are followed.
    known: Option<known::Known>,
    burst: plain::Burst,
    now: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fall {
    /// It passes.
    Pass(Cause),
    /// It does not.
    Drop(Cause),
    /// It does not, and its sender is told.
    Reject(Answer),
}

impl Module for Firewall {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config<'_> = setup.json()?;
        counters::name(setup);
        let compiled = config.compile(setup)?;
        let classifier = Classifier::new(&compiled.patterns)?;
        report::tell(&compiled, &classifier);
        let now = setup.now_ns();
        let follows = config.fragments == Fragmented::Follow;
        Ok(Self {
            classifier,
            rule_of: compiled.patterns.iter().map(|pattern| pattern.rule).collect(),
            rules: compiled.rules,
            buckets: compiled.buckets,
            prefixes: compiled.prefixes,
            policy: config.policy,
            non_ip: config.non_ip,
            neighbours: config.neighbours,
            established: config.established,
            invalid: config.invalid,
            tracker: if config.stateful { Some(Tracker::new(&config, setup)?) } else { None },
            fragments: if follows { Some(Fragments::new(setup.seed())?) } else { None },
            answers: config.reject_bucket(now)?,
            lines: config.log_bucket(now)?,
            ways: config.bridge(setup)?,
            next_port: setup.next_port(),
            known: if config.stateful { None } else { Some(known::Known::new(setup.seed())?) },
            burst: plain::Burst::new(),
            now,
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        self.now = batch.time_ns();
        PACKETS.add(batch.len() as u64);
        let Some(known) = &self.known else {
            for mut packet in batch {
                let verdict = self.judge(&mut packet);
                packet.finish(verdict);
            }
            return;
        };
        self.burst.prepare(known, batch);
        let mut judged = plain::Judged::default();
        for (at, packet) in batch.packets().enumerate() {
            match self.judge_plain(&packet, at, &mut judged) {
                Some(verdict) => packet.finish(verdict),
                None => self.judge_any(packet),
            }
        }
        judged.count(self.policy);
    }

    fn tick(&mut self, batch: &mut Batch<'_>) {
        self.now = batch.time_ns();
        if let Some(tracker) = &mut self.tracker {
            EXPIRED.add(tracker.expire(self.now));
        }
        if let Some(fragments) = &mut self.fragments {
            fragments.expire(self.now);
        }
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        report::answer(self, request, reply)
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        saved::save(self.tracker.as_mut(), state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        saved::restore(self.tracker.as_mut(), state)
    }
}

impl Firewall {
    #[inline(never)]
    fn judge_any(&mut self, mut packet: Packet<'_>) {
        let verdict = self.judge(&mut packet);
        packet.finish(verdict);
    }

    /// The verdict for a packet that passes.
    #[inline]
    fn verdict_for(&self, packet: &Packet<'_>) -> Verdict {
        self.ways.get(usize::from(packet.port())).copied().flatten().map_or(Verdict::NEXT, Verdict::tx)
    }

    /// What becomes of a packet, counted.
    #[inline]
    fn judge(&mut self, packet: &mut Packet<'_>) -> Verdict {
        let fall = match Seen::look(packet) {
            Ok(mut seen) => {
                seen.out_port = self.way(seen.in_port).unwrap_or(u16::MAX);
                let fall = self.fall(packet, &mut seen);
                if let Fall::Reject(answer) = fall {
                    return self.reject(packet, &seen, answer);
                }
                fall
            }
            Err(unseen) => self.unseen(unseen),
        };
        match fall {
            Fall::Pass(cause) => {
                cause.counter().add(1);
                self.verdict_for(packet)
            }
            Fall::Drop(cause) => {
                cause.counter().add(1);
                Verdict::DROP
            }
            Fall::Reject(_) => Verdict::DROP,
        }
    }

    /// The port by which a packet leaves.
    #[inline]
    fn way(&self, in_port: u16) -> Option<u16> {
        self.ways.get(usize::from(in_port)).copied().flatten().or(self.next_port)
    }

    fn unseen(&self, unseen: Unseen) -> Fall {
        match (unseen, self.non_ip) {
            (Unseen::Malformed, _) => Fall::Drop(Cause::Malformed),
            (Unseen::Arp, NonIp::Arp | NonIp::Accept) | (Unseen::Other, NonIp::Accept) => Fall::Pass(Cause::NonIp),
            _ => Fall::Drop(Cause::NonIpDropped),
        }
    }

    /// What becomes of an IP packet.
    fn fall(&mut self, packet: &mut Packet<'_>, seen: &mut Seen) -> Fall {
        if self.neighbours && is_neighbour_discovery(packet.bytes(), seen) {
            return Fall::Pass(Cause::Neighbours);
        }
        let Some(part) = seen.part else { return self.fall_whole(packet, seen) };
        let Some(fragments) = &mut self.fragments else { return Fall::Drop(Cause::Fragment) };
        match fragments.take(seen, part, self.now) {
            Fate::Judge => {
                let fall = self.fall_whole(packet, seen);
                if let (Fall::Pass(_), Some(fragments)) = (fall, &mut self.fragments) {
                    fragments.pass(seen, part, Some(packet.mark()), self.now);
                }
                fall
            }
            Fate::Pass(mark) => {
                if let Some(mark) = mark {
                    packet.set_mark(mark);
                }
                Fall::Pass(Cause::Followed)
            }
            Fate::Lost => Fall::Drop(Cause::Fragment),
            Fate::Bad => Fall::Drop(Cause::FragmentBad),
        }
    }

    /// What becomes of a packet, or of the first part of one.
    #[inline]
    fn fall_whole(&mut self, packet: &mut Packet<'_>, seen: &mut Seen) -> Fall {
        let Some(tracker) = &mut self.tracker else {
            seen.state = state::UNTRACKED;
            return self.by_rules(packet, seen);
        };
        let place = tracker.place(seen, packet.bytes(), self.now);
        seen.state = place.state;
        match (place.state, self.established, self.invalid) {
            (state::ESTABLISHED, Known::Accept, _) => return Fall::Pass(Cause::Established),
            (state::RELATED, Known::Accept, _) => return Fall::Pass(Cause::Related),
            (state::INVALID, _, Unknown::Drop) => return Fall::Drop(Cause::Invalid),
            _ => {}
        }
        let fall = self.by_rules(packet, seen);
        if matches!(fall, Fall::Pass(_)) { self.begin(&place, seen, fall) } else { fall }
    }

    /// A packet passes: its connection is known from now on, if there is room.
    fn begin(&mut self, place: &Place, seen: &Seen, fall: Fall) -> Fall {
        let Some(tracker) = &mut self.tracker else { return fall };
        match tracker.pass(place, seen, self.now) {
            Begun::Known => {}
            Begun::New => NEW.add(1),
            Begun::Instead => {
                NEW.add(1);
                OUSTED.add(1);
            }
            Begun::Full => return Fall::Drop(Cause::Full),
            Begun::Limited => return Fall::Drop(Cause::Limited),
        }
        fall
    }

    /// What the rules say.
    fn by_rules(&mut self, packet: &mut Packet<'_>, seen: &Seen) -> Fall {
        let mut from = 0;
        while let Some(found) = self.classifier.find(seen, from) {
            let number = self.rule_of.get(found as usize).copied().unwrap_or(0);
            let Some(rule) = self.rules.get(number as usize).copied() else { break };
            from = rule.end;
            if !self.is_within(&rule) {
                continue;
            }
            if let Some(counter) = rule.count {
                counter.add(1);
            }
            if let Some(mark) = rule.mark {
                packet.set_mark(mark);
            }
            if let Some(prefix) = rule.log {
                self.log(number, prefix, rule.action, seen);
            }
            match rule.action {
                Action::Accept => return Fall::Pass(Cause::Accepted),
                Action::Drop => return Fall::Drop(Cause::Dropped),
                Action::Reject(answer) => return Fall::Reject(answer),
                Action::Next => {}
            }
        }
        match self.policy {
            Policy::Accept => Fall::Pass(Cause::PolicyAccepted),
            Policy::Drop => Fall::Drop(Cause::PolicyDropped),
        }
    }

    /// Whether a rule's rate lets it be met.
    fn is_within(&mut self, rule: &Rule) -> bool {
        let Some(limit) = rule.limit else { return true };
        let Some(bucket) = self.buckets.get_mut(usize::from(limit.bucket)) else { return true };
        bucket.take(limit.tokens, self.now) != limit.over
    }

    fn log(&mut self, number: u32, prefix: u16, action: Action, seen: &Seen) {
        if self.lines.take(1, self.now) {
            let prefix = self.prefixes.get(usize::from(prefix)).map_or("", Text::as_str);
            line::write(number, prefix, action, seen);
        } else {
            UNLOGGED.add(1);
        }
    }

    /// A packet does not pass, and its sender is told where it may be.
    fn reject(&mut self, packet: &mut Packet<'_>, seen: &Seen, answer: Answer) -> Verdict {
        if !reject::is_answerable(packet.bytes(), seen) {
            Cause::Unanswered.counter().add(1);
            return Verdict::DROP;
        }
        if !self.answers.take(1, self.now) {
            Cause::AnswerLimited.counter().add(1);
            return Verdict::DROP;
        }
        let cause = match reject::answer(packet, seen, answer) {
            Some(Told::Reset) => Cause::Reset,
            Some(Told::Unreachable) => Cause::Unreachable,
            None => {
                Cause::Unanswered.counter().add(1);
                return Verdict::DROP;
            }
        };
        cause.counter().add(1);
        Verdict::tx(packet.port())
    }
}

/// Whether this is neighbour discovery of this link, without which IPv6 does not work.
fn is_neighbour_discovery(bytes: &[u8], seen: &Seen) -> bool {
    let kinds = Icmpv6::ROUTER_SOLICITATION..=Icmpv6::REDIRECT;
    seen.protocol == protocol::ICMPV6
        && matches!(seen.addresses, Addresses::V6(..))
        && seen.part.is_none()
        && seen.icmp_type().is_some_and(|kind| kinds.contains(&kind))
        && bytes.get(usize::from(seen.network) + 7) == Some(&ON_LINK)
}
