//! A firewall: each packet is one that a rule lets through, or answers one.

use crate::config::{Config, Rule};
use crate::nets::Net;
use crate::seen::{TCP, UDP};
use crate::stamp::{End, Kind, Stamp};
use alloc::string::String;
use alloc::vec::Vec;
use perigee_guest::{Refusal, invariant};

/// All lists of rules that there were.
pub(crate) struct Firewall {
    /// From when on; the last one is the newest.
    lists: Vec<(u64, Vec<Line>)>,
    /// For so long an answer may be behind its question.
    stale: u64,
    /// The port by which what comes to us came to the firewall.
    from: String,
}

#[derive(Clone)]
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

/// Reads `NUMBER accept` or `NUMBER drop`.
fn read_change(line: &str) -> Option<(usize, bool)> {
    let (number, action) = line.split_once(' ')?;
    let accept = match action {
        "accept" => true,
        "drop" => false,
        _ => return None,
    };
    Some((number.parse().ok()?, accept))
}

impl Firewall {
    pub(crate) fn new(config: &Config<'_>) -> Result<Self, Refusal> {
        let rules = config.rules.0.iter().map(read).collect::<Result<_, _>>()?;
        let lists = [(0, rules)].into_iter().collect();
        Ok(Self { lists, stale: config.stale * 1_000_000, from: config.from.into() })
    }

    fn newest(&self) -> &[Line] {
        self.lists.last().map_or(&[], |(_, rules)| rules)
    }

    pub(crate) fn understands(&self, line: &str) -> Result<(), Refusal> {
        let known = read_change(line).filter(|(number, _)| *number < self.newest().len());
        known.map(drop).ok_or_else(|| Refusal::from_parts(&["rule \"", line, "\": NUMBER, and accept or drop"]))
    }

    /// The firewall has acknowledged other rules. They may have been in force a little earlier, so the list before counts until now.
    pub(crate) fn told(&mut self, line: &str, now: u64) {
        let mut rules = self.newest().to_vec();
        if let Some((number, accept)) = read_change(line)
            && let Some(rule) = rules.get_mut(number)
        {
            rule.accept = accept;
            self.lists.push((now, rules));
        }
    }

    /// Whether a packet passes that nobody has asked for, and that came by the port that leads here, or by the other one. Where no
    /// rule says it, it does not.
    fn passes(&self, rules: &[Line], here: bool, (source, destination): (End, End), protocol: u8) -> bool {
        let is_met = |rule: &&Line| {
            rule.port.as_ref().is_none_or(|name| (*name == self.from) == here)
                && rule.source.is_none_or(|net| net.has(source.0))
                && rule.destination.is_none_or(|net| net.has(destination.0))
                && rule.protocol.is_none_or(|number| number == protocol)
                && (rule.from.is_empty() || rule.from.contains(&source.1))
                && (rule.to.is_empty() || rule.to.contains(&destination.1))
        };
        rules.iter().find(is_met).is_some_and(|rule| rule.accept)
    }

    pub(crate) fn check(&self, stamp: &Stamp) {
        let flow = stamp.flow;
        invariant!(
            stamp.kind != Kind::Stray,
            "{flow:?}: answer {} passes, from a port that was not asked",
            stamp.number
        );
        // An answer passes where its question does, which went the other way, a while before.
        let (here, ends) = (stamp.kind.is_forth(), (flow.source, flow.destination));
        let since = stamp.time.saturating_sub(if here { 0 } else { self.stale });
        let ended = self.lists.iter().skip(1).map(|(since, _)| *since).chain([u64::MAX]);
        let mut then = self.lists.iter().zip(ended).filter(|(_, until)| *until > since);
        let passes = then.any(|((_, rules), _)| self.passes(rules, here, ends, flow.protocol));
        invariant!(passes, "{flow:?} {:?}: packet {} passes, and no rule lets it", stamp.kind, stamp.number);
    }
}
