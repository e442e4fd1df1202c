//! A translator: no two endpoints inside behind one outside, each behind the same one as long as it lives, and what comes back comes to
//! who has asked.

use crate::config::Config;
use crate::hosts::Hosts;
use crate::nets::Net;
use crate::seen::Seen;
use crate::stamp::{End, Kind, Stamp};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use perigee_guest::{Refusal, invariant};

/// Endpoints inside and outside that were seen together.
pub(crate) struct Nat {
    pools: Vec<Net>,
    /// Whose sources are translated: without these, all.
    within: Vec<Net>,
    /// Endpoints outside, and who is there.
    forwards: Vec<(End, End)>,
    /// For so long a mapping lives at least that nobody uses.
    idle: u64,
    outside: BTreeMap<(End, u8), Use>,
    inside: BTreeMap<(End, u8), Use>,
}

/// Who is at the other side, and when the last packet was sent that showed it.
struct Use {
    other: End,
    sent: u64,
}

impl Nat {
    pub(crate) fn new(config: &Config<'_>) -> Result<Self, Refusal> {
        let nets = |texts: &[&str]| texts.iter().map(|text| Net::read(text)).collect::<Result<_, _>>();
        let end = |address: SocketAddr| (address.ip(), address.port());
        let forwards = config.forwards.0.iter().map(|forward| (end(forward.outside), end(forward.inside))).collect();
        Ok(Self {
            pools: nets(&config.pools.0)?,
            within: nets(&config.inside.0)?,
            forwards,
            idle: config.idle * 1_000_000,
            outside: BTreeMap::new(),
            inside: BTreeMap::new(),
        })
    }

    pub(crate) fn check(&mut self, seen: &Seen, stamp: &Stamp, hosts: &Hosts, now: u64) {
        let (flow, number) = (stamp.flow, stamp.number);
        let (from, to) = ((seen.source, seen.ports.0), (seen.destination, seen.ports.1));
        match stamp.kind {
            Kind::Question | Kind::Ack => {
                let forward = self.forwards.iter().find(|(outside, _)| *outside == flow.destination);
                let meant = forward.map_or(flow.destination, |(_, inside)| *inside);
                invariant!(to == meant, "{flow:?}: packet {number} goes to {to:?}");
                if !self.within.is_empty() && !self.within.iter().any(|net| net.has(flow.source.0)) {
                    // Who asks from outside is seen as it is.
                    return invariant!(from == flow.source, "{flow:?}: packet {number} comes from {from:?}");
                }
                let is_ours = self.pools.iter().any(|pool| pool.has(from.0));
                invariant!(is_ours, "{flow:?}: packet {number} comes from {from:?}, which is in no pool");
                let idle = self.idle;
                let check = |map: &mut BTreeMap<(End, u8), Use>, key: End, other: End, what: &str| {
                    let known = map.entry((key, flow.protocol)).or_insert(Use { other, sent: stamp.time });
                    if known.other == other {
                        known.sent = known.sent.max(stamp.time);
                    } else if known.sent <= stamp.time {
                        let lives = now < known.sent + idle;
                        let (was, sent) = (known.other, known.sent);
                        invariant!(!lives, "{flow:?}: {what} {key:?} is {other:?}, and {was:?} until {sent}");
                        *known = Use { other, sent: stamp.time };
                    }
                };
                check(&mut self.outside, from, flow.source, "behind");
                check(&mut self.inside, flow.source, from, "in front of");
            }
            Kind::Answer | Kind::Stray => {
                invariant!(
                    stamp.kind == Kind::Answer,
                    "{flow:?}: an answer came in from {from:?}, which was not asked"
                );
                invariant!(to == flow.source, "{flow:?}: answer {number} comes to {to:?}");
                invariant!(from == flow.destination, "{flow:?}: answer {number} comes from {from:?}");
                let host = hosts.mac(to.0).is_none_or(|mac| mac == seen.to);
                invariant!(host, "{flow:?}: answer {number} comes to the station {}", seen.to);
            }
        }
    }
}
