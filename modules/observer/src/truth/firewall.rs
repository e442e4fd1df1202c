//! A firewall: each packet is one that a rule lets through, or answers one.

use crate::config::{Config, Rule};
use crate::nets::Net;
use crate::seen::{TCP, UDP};
use crate::stamp::{End, Kind, Stamp};
use alloc::string::String;
use alloc::vec::Vec;
use perigee_guest::{Refusal, invariant};

/// The rules, from first to last.
pub(crate) struct Firewall {
    rules: Vec<Line>,
    /// The port by which what comes to us came to the firewall.
    from: String,
}

struct Line {
    port: Option<String>,
    source: Option<Net>,
    destination: Option<Net>,
    protocol: Option<u8>,
    from: Vec<u16>,
    to: Vec<u16>,
    accept: bool,
}

fn read(rule: &Rule<'_>) -> Result<Line, Refusal> {
    let net = |text: Option<&str>| text.map(Net::read).transpose();
    let protocol = match rule.proto {
        None => None,
        Some("tcp") => Some(TCP),
        Some("udp") => Some(UDP),
        Some(_) => return Err(Refusal::new("rules: proto is \"tcp\" or \"udp\" here")),
    };
    Ok(Line {
        port: rule.port.map(String::from),
        source: net(rule.src)?,
        destination: net(rule.dst)?,
        protocol,
        from: rule.sport.iter().copied().collect(),
        to: rule.dport.iter().copied().collect(),
        accept: rule.action == "accept",
    })
}

impl Firewall {
    pub(crate) fn new(config: &Config<'_>) -> Result<Self, Refusal> {
        let rules = config.rules.0.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { rules, from: config.from.into() })
    }

    /// Whether a packet passes that nobody has asked for, and that came by the port that leads here, or by the other one. Where no
    /// rule says it, it does not.
    fn passes(&self, here: bool, source: End, destination: End, protocol: u8) -> bool {
        let is_met = |rule: &&Line| {
            rule.port.as_ref().is_none_or(|name| (*name == self.from) == here)
                && rule.source.is_none_or(|net| net.has(source.0))
                && rule.destination.is_none_or(|net| net.has(destination.0))
                && rule.protocol.is_none_or(|number| number == protocol)
                && (rule.from.is_empty() || rule.from.contains(&source.1))
                && (rule.to.is_empty() || rule.to.contains(&destination.1))
        };
        self.rules.iter().find(is_met).is_some_and(|rule| rule.accept)
    }

    pub(crate) fn check(&self, stamp: &Stamp) {
        let flow = stamp.flow;
        invariant!(
            stamp.kind != Kind::Stray,
            "{flow:?}: answer {} passes, from a port that was not asked",
            stamp.number
        );
        // An answer passes where its question does, which went the other way.
        let passes = self.passes(stamp.kind.is_forth(), flow.source, flow.destination, flow.protocol);
        invariant!(passes, "{flow:?} {:?}: packet {} passes, and no rule lets it", stamp.kind, stamp.number);
    }
}
