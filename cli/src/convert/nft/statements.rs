//! What a rule does, from its expressions.

use super::address::Family;
use super::fields::Fields;
use super::names::shown;
use super::ruleset::{Chain, Line, Ruleset};
use super::{matches, names};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a rule does beside its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Deed {
    pub(super) verdict: Verdict,
    pub(super) log: Option<String>,
    pub(super) is_counted: bool,
    pub(super) mark: Option<u32>,
    pub(super) rate: Option<Rate>,
}

/// Packets in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    pub(super) packets: u64,
    pub(super) seconds: u64,
    pub(super) burst: u64,
    pub(super) is_over: bool,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    /// With this word of the module.
    Reject(&'static str),
    #[default]
    Next,
}

/// Where a rule ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    /// At its verdict, or at none.
    Here,
    Jump(String),
    Goto(String),
    Return,
    /// It depends.
    Map(Vec<(Fields, Verdict, End)>),
}

/// A rule that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// It is met by each of these.
    pub(super) met_by: Vec<Fields>,
    pub(super) deed: Deed,
    pub(super) end: End,
}

/// What a rule consists of, by kind. What nft has no JSON for it writes as text (`jump { ... }` is such).
fn parts(line: &Line) -> Result<Vec<(&String, &Value)>, String> {
    let mut all = Vec::new();
    for part in &line.expr {
        let part = part.as_object().ok_or_else(|| format!("nft has no JSON for {}", shown(part)))?;
        all.extend(part);
    }
    Ok(all)
}

/// Reads a rule.
pub(super) fn read(ruleset: &Ruleset, chain: &Chain, line: &Line, told: &mut Vec<String>) -> Result<Read, String> {
    let mut read = Read { met_by: vec![Fields::default()], deed: Deed::default(), end: End::Here };
    for (kind, value) in parts(line)? {
        let is_asking = matches!(kind.as_str(), "match" | "limit" | "vmap");
        if is_asking && read.deed != Deed::default() {
            return Err(format!("a {kind} behind a statement: in the module's rules all that is asked comes first"));
        }
        match kind.as_str() {
            "match" => read.meet(&matches::read(ruleset, chain, value)?),
            "limit" => read.deed.rate = Some(rate(value)?),
            "counter" => read.deed.is_counted = true,
            "log" => read.deed.log = Some(log(value, &names::place(chain, line), told)?),
            "mangle" => read.deed.mark = Some(mark(value)?),
            "reject" => read.reject(value)?,
            "vmap" => read.end = End::Map(map(ruleset, chain, value)?),
            "accept" | "drop" | "jump" | "goto" | "return" | "continue" => {
                (read.deed.verdict, read.end) = end(kind, value)?;
            }
            other => return Err(format!("the statement {other}")),
        }
    }
    Ok(read)
}

impl Read {
    /// It is met by what meets one of these, too.
    fn meet(&mut self, others: &[Fields]) {
        let pairs = self.met_by.iter().flat_map(|one| others.iter().map(move |other| one.and(other)));
        self.met_by = pairs.flatten().collect();
    }

    fn reject(&mut self, value: &Value) -> Result<(), String> {
        let with = value["expr"].as_str().unwrap_or("port-unreachable");
        let unknown = || format!("reject with {}", shown(value));
        let (family, word) = match (value["type"].as_str().unwrap_or("icmpx"), with) {
            ("tcp reset", _) => {
                self.meet(&[Fields { protocols: Some(BTreeSet::from([6])), ..Fields::default() }]);
                self.deed.verdict = Verdict::Reject("tcp-reset");
                return Ok(());
            }
            ("icmpx", "port-unreachable") => (None, "port-unreachable"),
            ("icmpx", "no-route") => (None, "net-unreachable"),
            ("icmpx", "host-unreachable") => (None, "host-unreachable"),
            ("icmpx", "admin-prohibited") => (None, "admin-prohibited"),
            ("icmp", "net-unreachable") => (Some(Family::V4), "net-unreachable"),
            ("icmp", "host-unreachable") => (Some(Family::V4), "host-unreachable"),
            ("icmp", "port-unreachable") => (Some(Family::V4), "port-unreachable"),
            ("icmp", "admin-prohibited") => (Some(Family::V4), "admin-prohibited"),
            ("icmpv6", "no-route") => (Some(Family::V6), "net-unreachable"),
            ("icmpv6", "addr-unreachable") => (Some(Family::V6), "host-unreachable"),
            ("icmpv6", "port-unreachable") => (Some(Family::V6), "port-unreachable"),
            ("icmpv6", "admin-prohibited") => (Some(Family::V6), "admin-prohibited"),
            _ => return Err(unknown()),
        };
        if family.is_some() {
            self.meet(&[Fields { family, ..Fields::default() }]);
        }
        self.deed.verdict = Verdict::Reject(word);
        Ok(())
    }
}

/// A verdict.
fn end(kind: &str, value: &Value) -> Result<(Verdict, End), String> {
    let target = || value["target"].as_str().map(str::to_owned).ok_or_else(|| format!("{kind} to nowhere"));
    Ok(match kind {
        "accept" => (Verdict::Accept, End::Here),
        "drop" => (Verdict::Drop, End::Here),
        "continue" => (Verdict::Next, End::Here),
        "return" => (Verdict::Next, End::Return),
        "jump" => (Verdict::Next, End::Jump(target()?)),
        "goto" => (Verdict::Next, End::Goto(target()?)),
        other => return Err(format!("the verdict {other}")),
    })
}

/// A verdict map.
fn map(ruleset: &Ruleset, chain: &Chain, value: &Value) -> Result<Vec<(Fields, Verdict, End)>, String> {
    let data = &value["data"];
    let elements = match data.as_str().and_then(|text| text.strip_prefix('@')) {
        Some(name) => ruleset.elements(chain, "map", name)?,
        None => data["set"].as_array().cloned().unwrap_or_default(),
    };
    let mut all = Vec::new();
    for element in &elements {
        let pair = element.as_array().filter(|pair| pair.len() == 2);
        let verdict = pair.and_then(|pair| pair[1].as_object()?.iter().next());
        let (Some(pair), Some((kind, target))) = (pair, verdict) else {
            return Err(format!("the element {} of a verdict map", shown(element)));
        };
        let (verdict, end) = end(kind, target)?;
        all.push((matches::element(&value["key"], matches::bare(&pair[0]))?, verdict, end));
    }
    Ok(all)
}

fn rate(value: &Value) -> Result<Rate, String> {
    let number = |key: &str| value[key].as_u64();
    let seconds = match value["per"].as_str() {
        Some("second") => 1,
        Some("minute") => 60,
        Some("hour") => 3_600,
        Some("day") => 86_400,
        Some("week") => 604_800,
        _ => return Err(format!("the limit {}", shown(value))),
    };
    let is_packets = value["rate_unit"].as_str().is_none_or(|unit| unit == "packets");
    let packets = number("rate").filter(|_| is_packets).ok_or_else(|| format!("the limit {}", shown(value)))?;
    // nft's default.
    let burst = number("burst").filter(|burst| *burst != 0).unwrap_or(5);
    Ok(Rate { packets, seconds, burst, is_over: value["inv"] == true })
}

fn log(value: &Value, place: &str, told: &mut Vec<String>) -> Result<String, String> {
    if !value["group"].is_null() || !value["queue-threshold"].is_null() {
        return Err("log to a group".to_owned());
    }
    let prefix = value["prefix"].as_str().unwrap_or_default();
    let short: String = prefix
        .chars()
        .filter(char::is_ascii)
        .filter(|c| !c.is_ascii_control() && *c != '"' && *c != '\\')
        .take(24)
        .collect();
    if short != prefix {
        told.push(format!("{place}: the prefix of its log lines becomes {short:?}"));
    }
    Ok(short)
}

fn mark(value: &Value) -> Result<u32, String> {
    let is_mark = value["key"]["meta"]["key"] == "mark";
    let number = value["value"].as_u64().filter(|_| is_mark).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| format!("the change {}", shown(value)))
}
