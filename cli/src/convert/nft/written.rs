//! The module's part of a configuration.

use super::Rule;
use super::address::Family;
use super::fields::{Fields, Ranges};
use super::names::{FLAGS, PROTOCOLS};
use super::ruleset::Chain;
use super::statements::Verdict;
use std::collections::BTreeSet;
use toml::Value;

/// Most counters that the module's rules may name.
const COUNTS: usize = 39;
/// What nft's connections have by default (nf_conntrack_*_timeout*), and the module has otherwise.
const TIMEOUTS: &str = "{ tcp_opening = 60, tcp_established = 432000, tcp_closing = 120, udp = 30, udp_answered = 120, icmp = 30, other = 600 }";

/// The text.
pub(super) fn text(chain: &Chain, rules: &[Rule], told: &mut Vec<String>) -> String {
    let named = rules.iter().flat_map(|rule| [&rule.fields.input, &rule.fields.output]).flatten().flatten();
    let ports: Vec<&str> = named.map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect();
    let list = |names: &[&str]| Value::from(names.iter().map(|name| Value::from(*name)).collect::<Vec<_>>());
    let mut text = format!(
        "# From the chain {} {} of nftables, by `perigee convert`.\n# `ports` must be the names of the run's ports, of all of them and in their order: here are those that the rules name, by the alphabet.\n\
         [[module]]\nname = \"firewall\"\nfile = \"firewall.wasm\"\n\
         grants = {{ tx = {}, hostcalls = [\"log\", \"counter\", \"time\"] }}\n\n[module.config]\npolicy = \"{}\"\n",
        chain.table,
        chain.name,
        list(&ports),
        if chain.policy.as_deref() == Some("drop") { "drop" } else { "accept" },
    );
    if !ports.is_empty() {
        text += &format!("ports = {}\n", list(&ports));
    }
    if ports.len() == 2 {
        text += &format!("bridge = {}\n", list(&ports));
    }
    if rules.iter().any(|rule| rule.fields.states.is_some()) {
        text += "# nft asks its rules also for packets of known connections, and takes up those that it did not see begin.\n";
        text += &format!(
            "stateful = true\nestablished = \"rules\"\ninvalid = \"rules\"\nloose = true\ntimeouts = {TIMEOUTS}\n"
        );
        told.push(
            "packets outside a connection's windows are invalid to nft, and established to the module".to_owned(),
        );
    }
    if chain.family == "bridge" {
        text += "non_ip = \"accept\"\nneighbours = false\n";
        told.push("a bridge's chain has ARP and other protocols as well: here they pass".to_owned());
    }
    text += "rules = [\n";
    if let ("ip" | "ip6", Some("drop")) = (chain.family.as_str(), chain.policy.as_deref()) {
        let other = if chain.family == "ip" { "ipv6" } else { "ipv4" };
        text += &format!(
            "    # A table {} does not see the other family, nor does its policy.\n    {{ family = \"{other}\", action = \"accept\" }},\n",
            chain.family
        );
    }
    let mut counts = 0;
    for rule in rules {
        if let Some(keys) = keys(rule, &mut counts, told) {
            text += &format!("    # {}\n    {{ {} }},\n", rule.comment, keys.join(", "));
        }
    }
    text + "]\n"
}

/// A rule's keys; nothing where it would do nothing.
fn keys(rule: &Rule, counts: &mut usize, told: &mut Vec<String>) -> Option<Vec<String>> {
    let deed = &rule.deed;
    let mut keys = met_by(&rule.fields);
    if let Some(rate) = deed.rate {
        let over = if rate.is_over { ", over = true" } else { "" };
        keys.push(format!(
            "rate = {{ packets = {}, seconds = {}, burst = {}{over} }}",
            rate.packets, rate.seconds, rate.burst
        ));
    }
    let (action, with) = match deed.verdict {
        Verdict::Accept => ("accept", None),
        Verdict::Drop => ("drop", None),
        Verdict::Next => ("next", None),
        Verdict::Reject(with) => ("reject", Some(with)),
    };
    let is_counted = deed.is_counted && *counts < COUNTS;
    if is_counted {
        *counts += 1;
        keys.push(format!("count = \"nft.{counts}\""));
    } else if deed.is_counted {
        told.push(format!("{}: its counter is left out, there may be {COUNTS}", rule.comment));
    }
    keys.extend(deed.mark.map(|mark| format!("mark = {mark}")));
    keys.extend(deed.log.as_ref().map(|prefix| format!("log = {}", Value::from(prefix.as_str()))));
    keys.push(format!("action = \"{action}\""));
    keys.extend(with.map(|with| format!("with = \"{with}\"")));
    // One whose counter had no room.
    let does_nothing = action == "next" && deed.log.is_none() && deed.mark.is_none() && !is_counted;
    (!does_nothing).then_some(keys)
}

/// What it is met by.
fn met_by(fields: &Fields) -> Vec<String> {
    let mut keys = Vec::new();
    let mut add = |key: &str, values: Vec<Value>| match values.as_slice() {
        [] => {}
        [one] => keys.push(format!("{key} = {one}")),
        _ => keys.push(format!("{key} = {}", Value::from(values))),
    };
    let family = fields.family.unwrap_or(Family::V4);
    if fields.source.is_none() && fields.destination.is_none() {
        let name = |family| Value::from(if family == Family::V4 { "ipv4" } else { "ipv6" });
        add("family", fields.family.map(name).into_iter().collect());
    }
    let prefixes = |ranges: &Option<Ranges>| {
        ranges.iter().flatten().flat_map(|range| family.prefixes(*range)).map(Value::from).collect::<Vec<_>>()
    };
    add("src", prefixes(&fields.source));
    add("dst", prefixes(&fields.destination));
    add("proto", fields.protocols.iter().flatten().map(|number| protocol(*number)).collect());
    add("sport", numbers(&fields.source_port));
    add("dport", numbers(&fields.destination_port));
    add("icmp", icmp(fields));
    add("flags", fields.flags.iter().flatten().map(|(set, mask)| Value::from(flags(*set, *mask))).collect());
    add("vlan", numbers(&fields.vlan));
    let names =
        |names: &Option<BTreeSet<String>>| names.iter().flatten().map(|name| Value::from(name.as_str())).collect();
    add("in", names(&fields.input));
    add("out", names(&fields.output));
    add("state", fields.states.iter().flatten().map(|state| Value::from(*state)).collect());
    keys
}

fn protocol(number: u8) -> Value {
    let name = PROTOCOLS.iter().find(|(name, known)| *known == number && !name.starts_with("ipv6-"));
    // The module knows these by name.
    let name = name.filter(|(name, _)| ["tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp", "ah"].contains(name));
    name.map_or_else(|| Value::from(i64::from(number)), |(name, _)| Value::from(*name))
}

fn number(number: u128) -> Value {
    Value::from(i64::try_from(number).unwrap_or(i64::MAX))
}

fn numbers(ranges: &Option<Ranges>) -> Vec<Value> {
    let one = |(from, to): &(u128, u128)| if from == to { number(*from) } else { Value::from(format!("{from}-{to}")) };
    ranges.iter().flatten().map(one).collect()
}

/// Types, with each code where codes are asked for.
fn icmp(fields: &Fields) -> Vec<Value> {
    let any = vec![(0, 255)];
    if fields.icmp_type.is_none() && fields.icmp_code.is_none() {
        return Vec::new();
    }
    let types = fields.icmp_type.as_ref().unwrap_or(&any).iter().flat_map(|(from, to)| *from..=*to);
    let codes: Vec<u128> = fields.icmp_code.iter().flatten().flat_map(|(from, to)| *from..=*to).collect();
    let with_codes = |kind: u128| match codes.as_slice() {
        [] => vec![number(kind)],
        codes => codes.iter().map(|code| Value::from(format!("{kind}/{code}"))).collect(),
    };
    types.flat_map(with_codes).collect()
}

/// Flags in the module's words.
fn flags(set: u8, mask: u8) -> String {
    let names = |bits: u8| {
        let named = FLAGS.iter().enumerate().filter(|(bit, _)| bits & 1 << bit != 0);
        named.map(|(_, name)| if *name == "ecn" { "ece" } else { name }).collect::<Vec<_>>().join(",")
    };
    format!("{}/{}", names(set), names(mask))
}
