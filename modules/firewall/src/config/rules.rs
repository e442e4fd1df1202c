//! From a rule's words to what it is met by and what it does.

use super::values::{Items, Value, Values};
use super::words::{self, Net};
use super::{Compiled, Config};
use crate::counters::{COUNT_FIRST, COUNT_MAX};
use crate::pattern::{ANY_PROTOCOL, Nets, Pattern, Range, Tail, state};
use crate::rule::{Action, Answer, Limit, Reason, Rule};
use crate::seen::UNTAGGED;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::{Prefix, TokenBucket};
use perigee_guest::wire::protocol;
use perigee_guest::{Counter, Refusal, Setup, Text};

/// Most rules.
pub(super) const RULE_MAX: usize = 10_000;
/// Most patterns that their lists make of them.
const PATTERN_MAX: usize = 65_536;
/// Most rules behind which a packet goes on: each costs it one more search.
const NEXT_MAX: usize = 256;

/// A rule as it is written.
#[derive(Deserialize, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(super) struct Words<'a> {
    #[serde(borrow)]
    comment: Option<&'a str>,
    family: Option<FamilyWord>,
    #[serde(borrow)]
    src: Values<'a>,
    #[serde(borrow)]
    dst: Values<'a>,
    #[serde(borrow)]
    proto: Values<'a>,
    #[serde(borrow)]
    sport: Values<'a>,
    #[serde(borrow)]
    dport: Values<'a>,
    #[serde(borrow)]
    icmp: Values<'a>,
    #[serde(borrow)]
    flags: Values<'a>,
    #[serde(borrow)]
    vlan: Values<'a>,
    #[serde(borrow)]
    r#in: Values<'a>,
    #[serde(borrow)]
    out: Values<'a>,
    #[serde(borrow)]
    state: Values<'a>,
    rate: Option<RateWords>,
    action: Option<ActionWord>,
    with: Option<WithWord>,
    #[serde(borrow)]
    log: Option<&'a str>,
    #[serde(borrow)]
    count: Option<&'a str>,
    mark: Option<u32>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum FamilyWord {
    Ipv4,
    Ipv6,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum ActionWord {
    Accept,
    Drop,
    Reject,
    Next,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum WithWord {
    TcpReset,
    NetUnreachable,
    HostUnreachable,
    PortUnreachable,
    AdminProhibited,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct RateWords {
    packets: u64,
    #[serde(default = "one")]
    seconds: u64,
    burst: u64,
    #[serde(default)]
    over: bool,
}

fn one() -> u64 {
    1
}

/// Puts a rule's number, from 1, before what is wrong with it.
fn at(rule: usize, error: Refusal) -> Refusal {
    let mut text = Text::<240>::from("rule ");
    text.push_number(rule as u64 + 1).push(": ").push(error.text().as_str());
    text.into()
}

/// All rules.
pub(super) fn compile(config: &Config<'_>, setup: &Setup<'_>) -> Result<Compiled, Refusal> {
    let Items(all) = &config.rules;
    if all.len() > RULE_MAX {
        let mut text = Text::<240>::from("rules: ");
        text.push_number(all.len() as u64).push(" of them, and there may be ").push_number(RULE_MAX as u64);
        return Err(text.into());
    }
    let mut compiled = Compiled { rules: Vec::new(), patterns: Vec::new(), buckets: Vec::new(), prefixes: Vec::new() };
    let mut compiler = Compiler { config, setup, counts: Vec::new(), goes_on: 0 };
    for (number, words) in all.iter().enumerate() {
        compiler.rule(words, number, &mut compiled).map_err(|error| at(number, error))?;
    }
    for (name, counter) in &compiler.counts {
        setup.counter(*counter, name);
    }
    Ok(compiled)
}

struct Compiler<'a, 'b> {
    config: &'b Config<'a>,
    setup: &'b Setup<'b>,
    counts: Vec<(&'a str, Counter)>,
    /// Rules behind which a packet may go on.
    goes_on: usize,
}

impl<'a> Compiler<'a, '_> {
    fn rule(&mut self, words: &Words<'a>, number: usize, compiled: &mut Compiled) -> Result<(), Refusal> {
        let tails = self.tails(words)?;
        let nets = nets(words)?;
        if compiled.patterns.len() + tails.len() * nets.len() > PATTERN_MAX {
            let mut text = Text::<240>::from("the lists of all rules up to here make more than ");
            text.push_number(PATTERN_MAX as u64).push(" combinations");
            return Err(text.into());
        }
        let rule = u32::try_from(number).unwrap_or(u32::MAX);
        for nets in &nets {
            let fit = tails.iter().filter(|tail| fits(*nets, tail.protocol));
            compiled.patterns.extend(fit.map(|tail| Pattern { rule, nets: *nets, tail: *tail }));
        }
        if compiled.patterns.last().is_none_or(|last| last.rule != rule) {
            return Err(Refusal::new("its protocol is of another family than its addresses: no packet meets that"));
        }
        let end = u32::try_from(compiled.patterns.len()).unwrap_or(u32::MAX);
        let limit = words.rate.map(|rate| self.limit(rate, compiled)).transpose()?;
        let log = words.log.map(|prefix| log(prefix, compiled)).transpose()?;
        let count = words.count.map(|name| self.count(name)).transpose()?;
        let action = action(words)?;
        if action == Action::Next && log.is_none() && count.is_none() && words.mark.is_none() {
            return Err(Refusal::new("\"next\" without log, count or mark does nothing"));
        }
        self.goes_on += usize::from(action == Action::Next || limit.is_some());
        if self.goes_on > NEXT_MAX {
            let mut text = Text::<240>::from("there may be ");
            text.push_number(NEXT_MAX as u64).push(" rules with the action \"next\" or a rate");
            return Err(text.into());
        }
        compiled.rules.push(Rule { action, log, count, mark: words.mark, limit, end });
        Ok(())
    }

    /// All that a packet may have beside its addresses.
    fn tails(&self, words: &Words<'a>) -> Result<Vec<Tail>, Refusal> {
        let Values(protocols) = &words.proto;
        let mut tails = if protocols.is_empty() { vec![Tail::ANY] } else { Vec::new() };
        for value in protocols {
            tails.push(Tail { protocol: words::protocol(value)?, ..Tail::ANY });
        }
        ports_need(words, protocols, &tails)?;
        let wide = |range: Range<u16>| Range { from: range.from.into(), to: range.to.into() };
        each(&mut tails, &words.sport, |value, tail| {
            Ok(Tail { source_port: wide(words::range("sport", value, u16::MAX)?), ..tail })
        })?;
        each(&mut tails, &words.dport, |value, tail| {
            Ok(Tail { destination_port: wide(words::range("dport", value, u16::MAX)?), ..tail })
        })?;
        each(&mut tails, &words.icmp, |value, tail| {
            let is_v6 = tail.protocol == u16::from(protocol::ICMPV6);
            Ok(Tail { destination_port: wide(words::icmp(value, is_v6)?), ..tail })
        })?;
        each(&mut tails, &words.flags, |value, tail| {
            let (flags, flags_mask) = words::flags(value)?;
            Ok(Tail { flags, flags_mask, ..tail })
        })?;
        each(&mut tails, &words.vlan, |value, tail| {
            let none = Range { from: UNTAGGED, to: UNTAGGED };
            let vlan = if *value == Value::Text("none") { none } else { words::range("vlan", value, 4_095)? };
            Ok(Tail { vlan, ..tail })
        })?;
        each(&mut tails, &words.r#in, |value, tail| Ok(Tail { in_port: self.link(value)?, ..tail }))?;
        each(&mut tails, &words.out, |value, tail| Ok(Tail { out_port: self.link(value)?, ..tail }))?;
        let states = self.states(words)?;
        tails.iter_mut().for_each(|tail| tail.states = states);
        Ok(tails)
    }

    fn link(&self, value: &Value<'_>) -> Result<u8, Refusal> {
        match value {
            Value::Text(name) => self.config.port(name, self.setup),
            Value::Number(number) => {
                let mut digits = Text::<20>::new();
                digits.push_number(*number);
                self.config.port(digits.as_str(), self.setup)
            }
        }
    }

    fn states(&self, words: &Words<'a>) -> Result<u8, Refusal> {
        let Values(values) = &words.state;
        if values.is_empty() {
            return Ok(state::ALL);
        }
        if !self.config.stateful {
            return Err(Refusal::new("state: connections are not followed without `stateful = true`"));
        }
        values.iter().try_fold(0, |states, value| Ok(states | words::state(value)?))
    }

    fn limit(&self, rate: RateWords, compiled: &mut Compiled) -> Result<Limit, Refusal> {
        let burst = rate.burst.saturating_mul(rate.seconds);
        if rate.seconds == 0 {
            return Err(Refusal::new("rate: seconds is 1 or more"));
        }
        let bucket = TokenBucket::new(rate.packets, burst, self.setup.now_ns())
            .map_err(|error| Refusal::from_parts(&["rate: ", error.text()]))?;
        compiled.buckets.push(bucket);
        let bucket = u16::try_from(compiled.buckets.len() - 1).unwrap_or(u16::MAX);
        Ok(Limit { bucket, tokens: rate.seconds, over: rate.over })
    }

    fn count(&mut self, name: &'a str) -> Result<Counter, Refusal> {
        if let Some((_, counter)) = self.counts.iter().find(|(known, _)| *known == name) {
            return Ok(*counter);
        }
        if name.is_empty() || self.counts.len() >= COUNT_MAX {
            let mut text = Text::<240>::from("count: a name, and at most ");
            text.push_number(COUNT_MAX as u64).push(" different ones");
            return Err(text.into());
        }
        let counter = Counter::at(COUNT_FIRST + self.counts.len());
        self.counts.push((name, counter));
        Ok(counter)
    }
}

/// Makes of each tail one for each value.
fn each<'a>(
    tails: &mut Vec<Tail>,
    values: &Values<'a>,
    with: impl Fn(&Value<'a>, Tail) -> Result<Tail, Refusal>,
) -> Result<(), Refusal> {
    let Values(values) = values;
    if values.is_empty() {
        return Ok(());
    }
    if tails.len().saturating_mul(values.len()) > PATTERN_MAX {
        return Err(Refusal::new("its lists make too many combinations"));
    }
    let mut all = Vec::with_capacity(tails.len() * values.len());
    for tail in tails.iter() {
        for value in values {
            all.push(with(value, *tail)?);
        }
    }
    *tails = all;
    Ok(())
}

/// Ports, types and flags mean something only with the protocols that have them.
fn ports_need(words: &Words<'_>, protocols: &[Value<'_>], tails: &[Tail]) -> Result<(), Refusal> {
    let all = |known: &[u8]| {
        !protocols.is_empty() && tails.iter().all(|tail| known.iter().any(|number| tail.protocol == u16::from(*number)))
    };
    let (Values(sport), Values(dport), Values(icmp), Values(flags)) =
        (&words.sport, &words.dport, &words.icmp, &words.flags);
    let ports = !sport.is_empty() || !dport.is_empty();
    if ports && !all(&[protocol::TCP, protocol::UDP, protocol::SCTP]) {
        return Err(Refusal::new("sport and dport need proto = \"tcp\", \"udp\" or \"sctp\""));
    }
    if !icmp.is_empty() && !all(&[protocol::ICMP, protocol::ICMPV6]) {
        return Err(Refusal::new("icmp needs proto = \"icmp\" or \"icmpv6\""));
    }
    if !flags.is_empty() && !all(&[protocol::TCP]) {
        return Err(Refusal::new("flags need proto = \"tcp\""));
    }
    Ok(())
}

/// Whether this protocol is of this family: ICMP has one for each.
fn fits(nets: Nets, number: u16) -> bool {
    match nets {
        Nets::V4(..) => number != u16::from(protocol::ICMPV6) || number == ANY_PROTOCOL,
        Nets::V6(..) => number != u16::from(protocol::ICMP) || number == ANY_PROTOCOL,
    }
}

/// All pairs of prefixes of one family.
fn nets(words: &Words<'_>) -> Result<Vec<Nets>, Refusal> {
    let sources = both(words, "src", &words.src)?;
    let destinations = both(words, "dst", &words.dst)?;
    let mut all = Vec::new();
    for source in &sources {
        for destination in &destinations {
            match (source, destination) {
                (Net::V4(source), Net::V4(destination)) => all.push(Nets::V4(*source, *destination)),
                (Net::V6(source), Net::V6(destination)) => all.push(Nets::V6(*source, *destination)),
                _ => {}
            }
        }
    }
    if all.is_empty() {
        return Err(Refusal::new("src, dst and family are not of one family: no packet meets that"));
    }
    Ok(all)
}

/// The prefixes under a key; without it all addresses.
fn both(words: &Words<'_>, key: &str, values: &Values<'_>) -> Result<Vec<Net>, Refusal> {
    let Values(values) = values;
    let any = [Prefix::new(Ipv4Addr::UNSPECIFIED, 0).map(Net::V4), Prefix::new(Ipv6Addr::UNSPECIFIED, 0).map(Net::V6)];
    let mut all: Vec<Net> = if values.is_empty() { any.into_iter().flatten().collect() } else { Vec::new() };
    for value in values {
        all.push(words::net(key, value)?);
    }
    let is_in = |net: &Net| match net {
        Net::V4(_) => words.family != Some(FamilyWord::Ipv6),
        Net::V6(_) => words.family != Some(FamilyWord::Ipv4),
    };
    all.retain(is_in);
    Ok(all)
}

fn log(prefix: &str, compiled: &mut Compiled) -> Result<u16, Refusal> {
    if prefix.len() > 24 {
        return Err(Refusal::new("log: a prefix of 24 bytes at most"));
    }
    if let Some(at) = compiled.prefixes.iter().position(|known| known.as_str() == prefix) {
        return Ok(u16::try_from(at).unwrap_or(u16::MAX));
    }
    compiled.prefixes.push(Text::from(prefix));
    Ok(u16::try_from(compiled.prefixes.len() - 1).unwrap_or(u16::MAX))
}

fn action(words: &Words<'_>) -> Result<Action, Refusal> {
    // A comment is for those who read the configuration.
    let _ = words.comment;
    let Some(action) = words.action else {
        return Err(Refusal::new("the key \"action\" is missing: accept, drop, reject or next"));
    };
    if words.with.is_some() && action != ActionWord::Reject {
        return Err(Refusal::new("with needs action = \"reject\""));
    }
    let Values(protocols) = &words.proto;
    if words.with == Some(WithWord::TcpReset) && protocols.as_slice() != [Value::Text("tcp")] {
        return Err(Refusal::new("with = \"tcp-reset\" needs proto = \"tcp\""));
    }
    Ok(match action {
        ActionWord::Accept => Action::Accept,
        ActionWord::Drop => Action::Drop,
        ActionWord::Next => Action::Next,
        ActionWord::Reject => Action::Reject(match words.with {
            None => Answer::ByProtocol,
            Some(WithWord::TcpReset) => Answer::Reset,
            Some(WithWord::NetUnreachable) => Answer::Unreachable(Reason::Net),
            Some(WithWord::HostUnreachable) => Answer::Unreachable(Reason::Host),
            Some(WithWord::PortUnreachable) => Answer::Unreachable(Reason::Port),
            Some(WithWord::AdminProhibited) => Answer::Unreachable(Reason::Prohibited),
        }),
    })
}
