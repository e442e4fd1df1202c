//! The way of a packet through one call.

use crate::fragments::{Addresses, Fragments, Way};
use crate::link::{Arrival, Link};
use crate::log::Log;
use crate::outcome::{Count, Drop};
use crate::plain::Burst;
use crate::rewrite::{Ip, Side, set_address};
use crate::session::Engine;
use crate::steer;
use crate::table::{Layout, Memory, Tables};
use crate::translate::Fate;
use crate::{Nat, config::Rules};
use perigee_guest::wire::{Ethernet, ether_type};
use perigee_guest::{Batch, Lcg64, Packet, Refusal, Verdict};

/// What becomes of a packet of this batch.
pub(crate) enum Decision {
    Verdict(Verdict),
    /// It waits for the first fragment of its packet, which has this place.
    Hold(u16),
}

/// What translation came to.
enum Translated {
    /// It is done; how that is counted.
    Now(Count),
    /// It waits for the first fragment of its packet, which has this place.
    Later(u16),
    /// It belongs to another instance, behind this ring.
    Elsewhere(u16),
}

/// What one call works with.
pub(crate) struct Work<'a> {
    pub(crate) engine: Engine<'a>,
    pub(crate) fragments: &'a mut Fragments,
    pub(crate) link: Option<&'a mut Link>,
    pub(crate) steers: bool,
}

impl Nat {
    /// What a call works with. Nothing where the tables have no room, which `init` excludes.
    pub(crate) fn work(&mut self, now_ns: u64) -> Option<(Work<'_>, &mut Burst)> {
        let Self { rules, layout, memory, fragments, link, log, random, steers, burst, .. } = self;
        let engine = engine(memory, layout, rules, random, log, now_ns)?;
        Some((Work { engine, fragments, link: link.as_mut(), steers: *steers }, burst))
    }

    /// Puts what is always there into the empty tables: their shape, and the forwards.
    pub(crate) fn begin(&mut self, seed: u64) -> Result<(), Refusal> {
        let shape = self.shape;
        let (mut work, _) = self.work(0).ok_or(Refusal::new(crate::NO_TABLES))?;
        let head = &mut work.engine.tables.head;
        (head.shape, head.seed) = (shape, seed);
        let rules = work.engine.rules;
        for forward in &rules.forwards {
            if work.engine.add_mapping(forward.protocol, forward.inside, forward.outside, 0) == 0 {
                return Err(Refusal::new("forwards: no room for them"));
            }
        }
        Ok(())
    }

    /// The tables, to look at.
    pub(crate) fn tables(&mut self) -> Option<Tables<'_>> {
        self.memory.tables(&self.layout)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "milliseconds that go round")]
fn engine<'a>(
    memory: &'a mut Memory,
    layout: &Layout,
    rules: &'a Rules,
    random: &'a mut Lcg64,
    log: &'a mut Log,
    now_ns: u64,
) -> Option<Engine<'a>> {
    Some(Engine { tables: memory.tables(layout)?, rules, random, log, now: (now_ns / 1_000_000) as u32 })
}

impl Work<'_> {
    /// Decides about a packet of any kind, counted.
    #[inline(never)]
    pub(crate) fn decide_any(&mut self, mut packet: Packet<'_>, quota: u32, now_ns: u64) {
        match self.decide(&mut packet, now_ns) {
            Ok(Decision::Verdict(verdict)) => packet.finish(verdict),
            Ok(Decision::Hold(place)) => {
                if let Err(why) = self.fragments.hold(packet, place, quota) {
                    why.counter().add(1);
                }
            }
            Err(why) => why.counter().add(1),
        }
    }

    /// What becomes of a packet.
    #[inline]
    pub(crate) fn decide(&mut self, packet: &mut Packet<'_>, now_ns: u64) -> Result<Decision, Drop> {
        let port = packet.port();
        let frame = packet.bytes_mut();
        let rules = self.engine.rules;
        if self.steers {
            return steer::verdict(rules, frame).map(Decision::Verdict);
        }
        let from = match &mut self.link {
            None => None,
            Some(link) => match link.arrive(frame, port, rules, now_ns) {
                Arrival::Packet(place) => Some(place),
                Arrival::Answer => return Ok(Decision::Verdict(Verdict::tx(port))),
                Arrival::Done => return Ok(Decision::Verdict(Verdict::DROP)),
                Arrival::NotOurs => return self.not_ours(),
            },
        };
        let (number, start) = Ethernet::untagged(frame).map_err(|_| Drop::Malformed)?;
        if number != ether_type::IPV4 {
            return self.not_ours();
        }
        let ip = frame.get(start..).and_then(Ip::read).ok_or(Drop::Malformed)?;
        if !rules.concerns(&ip) {
            return self.not_ours();
        }
        if let (Some(link), Some(from)) = (&mut self.link, from) {
            link.check(frame, start, &ip, from, rules, now_ns)?;
        }
        let translated = self.translate(&mut frame[start..], &ip);
        match translated {
            Ok(Translated::Now(count)) => {
                let verdict = self.leave(frame, start, now_ns)?;
                count.add(1);
                Ok(Decision::Verdict(verdict))
            }
            Ok(Translated::Later(place)) => Ok(Decision::Hold(place)),
            Ok(Translated::Elsewhere(ring)) => {
                Count::Steered.add(1);
                Ok(Decision::Verdict(Verdict::ring(ring)))
            }
            Err(why) => {
                if let (Some(link), Some(from)) = (&mut self.link, from) {
                    link.refuse(frame, start, from, why, now_ns);
                }
                Err(why)
            }
        }
    }

    /// Translates a packet, or a part of one.
    #[inline]
    fn translate(&mut self, packet: &mut [u8], ip: &Ip) -> Result<Translated, Drop> {
        if ip.is_fragment() {
            return self.fragment(packet, ip);
        }
        match self.engine.translate(packet, ip)? {
            Fate::Translated(count) => Ok(Translated::Now(count)),
            Fate::Owner(owner) => {
                let ring = self.engine.rules.rings.get(owner as usize).ok_or(Drop::OtherSlice)?;
                Ok(Translated::Elsewhere(*ring))
            }
        }
    }

    /// A packet that is left as it is.
    fn not_ours(&self) -> Result<Decision, Drop> {
        if self.engine.rules.other.is_drop() {
            return Err(Drop::Other);
        }
        Count::Passed.add(1);
        Ok(Decision::Verdict(self.engine.rules.other))
    }

    /// Where a translated packet goes.
    #[inline]
    fn leave(&mut self, frame: &mut [u8], start: usize, now_ns: u64) -> Result<Verdict, Drop> {
        match &mut self.link {
            None => Ok(Verdict::NEXT),
            Some(link) => link.leave(frame, start, self.engine.rules, now_ns),
        }
    }

    #[inline(never)]
    fn fragment(&mut self, packet: &mut [u8], ip: &Ip) -> Result<Translated, Drop> {
        let (place, way) = self.fragments.note(ip, self.engine.now)?;
        let count = if ip.offset == 0 {
            let translated = match self.engine.translate(packet, ip) {
                Ok(Fate::Translated(count)) => Ok(count),
                Ok(_) => Err(Drop::OtherSlice),
                Err(why) => Err(why),
            };
            let after = Ip::read(packet).ok_or(Drop::Malformed)?;
            let way = match translated {
                Ok(_) => Way::To(Addresses { source: after.source, destination: after.destination }),
                Err(why) => Way::Nowhere(why),
            };
            self.fragments.settle(place, way);
            translated?
        } else {
            match way {
                Way::To(addresses) => readdress(packet, ip, addresses),
                Way::Nowhere(why) => return Err(why),
                Way::Unknown => return Ok(Translated::Later(place)),
            }
        };
        self.fragments.close(place);
        Ok(Translated::Now(count))
    }

    /// Lets those fragments go whose first one has come, or will not come any more.
    pub(crate) fn release(&mut self, batch: &mut Batch<'_>, now_ns: u64) {
        while batch.outputs().remaining() > 0 {
            let Some((held, way)) = self.fragments.take_ready() else { break };
            let result = match way {
                Way::To(addresses) => {
                    let bytes = batch.held_bytes(&held).unwrap_or_default();
                    self.readdress_held(bytes, addresses, now_ns)
                }
                Way::Nowhere(why) => Err(why),
                Way::Unknown => Err(Drop::FragmentTimeout),
            };
            let verdict = result.unwrap_or_else(|why| {
                why.counter().add(1);
                Verdict::DROP
            });
            // The list has room, which was looked at.
            if let Err(held) = batch.outputs().give_back(held, verdict) {
                self.fragments.put_back(held, way);
                break;
            }
        }
    }

    fn readdress_held(&mut self, frame: &mut [u8], addresses: Addresses, now_ns: u64) -> Result<Verdict, Drop> {
        let (_, start) = Ethernet::untagged(frame).map_err(|_| Drop::Malformed)?;
        let ip = frame.get(start..).and_then(Ip::read).ok_or(Drop::Malformed)?;
        let count = readdress(&mut frame[start..], &ip, addresses);
        let verdict = self.leave(frame, start, now_ns)?;
        count.add(1);
        Ok(verdict)
    }
}

/// Gives a fragment behind the first one the addresses of that, and says how that is counted.
fn readdress(packet: &mut [u8], ip: &Ip, to: Addresses) -> Count {
    let _ = set_address(packet, Side::Source, to.source);
    let _ = set_address(packet, Side::Destination, to.destination);
    match (ip.source == to.source, ip.destination == to.destination) {
        (false, true) => Count::Outbound,
        (true, _) => Count::Inbound,
        (false, false) => Count::Hairpinned,
    }
}
