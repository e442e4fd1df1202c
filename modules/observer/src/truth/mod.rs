//! What each function must keep to: as few lines as can be, which look at all that is known from first to last.

mod balancer;
mod firewall;
mod nat;
mod policer;
mod router;

use crate::config::{Config, Mode};
use crate::hosts::Hosts;
use crate::seen::Seen;
use crate::stamp::{Kind, Stamp};
use balancer::Balancer;
use firewall::Firewall;
use nat::Nat;
use perigee_guest::{Refusal, invariant};
use policer::Policer;
use router::Router;

/// What is known of the function that packets came through.
pub(crate) enum Truth {
    Router(Router),
    Nat(Nat),
    Firewall(Firewall),
    Balancer(Balancer),
    Policer(Policer),
}

impl Truth {
    /// Nothing where the mode is none that checks.
    pub(crate) fn new(config: &Config<'_>) -> Result<Option<Self>, Refusal> {
        Ok(Some(match config.mode {
            Mode::Router => Self::Router(Router::new(config)?),
            Mode::Nat => Self::Nat(Nat::new(config)?),
            Mode::Firewall => Self::Firewall(Firewall::new(config)?),
            Mode::Balancer => Self::Balancer(Balancer::new(config)),
            Mode::Policer => Self::Policer(Policer::new(config)?),
            Mode::Stamp | Mode::Fault => return Ok(None),
        }))
    }

    /// A packet has come through: `now` is the time of the call.
    pub(crate) fn check(&mut self, seen: &Seen, stamp: &Stamp, hosts: &Hosts, now: u64) {
        let (flow, number) = (stamp.flow, stamp.number);
        if !matches!(self, Self::Nat(_)) {
            let (source, destination) = ((seen.source, seen.ports.0), (seen.destination, seen.ports.1));
            // A stray answer's own port is not the one that was asked.
            let back =
                || (destination, (source.0, if stamp.kind == Kind::Stray { flow.destination.1 } else { source.1 }));
            let (from, to) = if stamp.kind.is_forth() { (source, destination) } else { back() };
            invariant!(
                (from, to) == (flow.source, flow.destination),
                "{flow:?}: packet {number} is another now: {seen:?}"
            );
        }
        match self {
            Self::Router(truth) => truth.check(seen, stamp, hosts, now),
            Self::Nat(truth) => truth.check(seen, stamp, hosts, now),
            Self::Firewall(truth) => truth.check(stamp),
            Self::Balancer(truth) => truth.check(seen, stamp, now),
            Self::Policer(truth) => truth.check(seen, now),
        }
    }

    /// Looks whether a message makes sense here; it is applied with the next call, which knows the time.
    pub(crate) fn understands(&self, line: &str) -> Result<(), Refusal> {
        match (self, line.split_once(' ')) {
            (Self::Router(truth), Some(("route", rest))) => truth.understands(rest),
            (Self::Firewall(truth), Some(("rule", rest))) => truth.understands(rest),
            (Self::Policer(truth), Some(("class", rest))) => truth.understands(rest),
            (Self::Balancer(truth), Some(("backend", rest))) => truth.understands(rest),
            _ => Err(Refusal::from_parts(&["\"", line, "\": what is that? route, rule, backend, class, host, or end"])),
        }
    }

    /// It is over.
    pub(crate) fn end(&self) {
        if let Self::Policer(truth) = self {
            truth.end();
        }
    }

    /// Applies a message that was understood.
    pub(crate) fn told(&mut self, line: &str, now: u64) {
        match (self, line.split_once(' ')) {
            (Self::Router(truth), Some(("route", rest))) => truth.told(rest, now),
            (Self::Firewall(truth), Some(("rule", rest))) => truth.told(rest, now),
            (Self::Policer(truth), Some(("class", rest))) => truth.told(rest, now),
            (Self::Balancer(truth), Some(("backend", rest))) => truth.told(rest, now),
            _ => {}
        }
    }
}
