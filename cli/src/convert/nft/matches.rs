//! What a rule is met by, from its expressions.

use super::address::Family;
use super::fields::{ALL_FLAGS, Fields, Ranges, complement, sorted};
use super::names::{FLAGS, ICMP, ICMP_CODES, ICMPV6, ICMPV6_CODES, PROTOCOLS, STATES, number, shown};
use super::ruleset::{Chain, Ruleset};
use serde_json::Value;
use std::collections::BTreeSet;

/// What is looked at in a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Source(Family),
    Destination(Family),
    /// The protocol; of one family where that says so.
    Protocol(Option<Family>),
    SourcePort(Option<u8>),
    DestinationPort(Option<u8>),
    Flags,
    IcmpType(Family),
    IcmpCode(Family),
    Vlan,
    Input,
    Output,
    State,
    Family,
}

/// What a `match` is met by: one of these.
pub(super) fn read(ruleset: &Ruleset, chain: &Chain, expression: &Value) -> Result<Vec<Fields>, String> {
    let (left, right) = (&expression["left"], &expression["right"]);
    let operation = expression["op"].as_str().unwrap_or("==");
    if let Some(parts) = left["concat"].as_array() {
        let values = values(ruleset, chain, right)?;
        if !matches!(operation, "==" | "in") {
            return Err(format!("a concatenation with {operation}"));
        }
        return values.iter().map(|value| together(parts, value)).collect();
    }
    if let Some(masked) = left["&"].as_array() {
        return masked_flags(masked, operation, right).map(|fields| vec![fields]);
    }
    let field = field(left)?;
    if field == Field::Flags {
        return plain_flags(operation, right).map(|fields| vec![fields]);
    }
    let is_negated = match operation {
        "==" | "in" => false,
        "!=" => true,
        other => return Err(format!("the operator {other}")),
    };
    let fields = constrain(field, &values(ruleset, chain, right)?, is_negated)?;
    // A set may be empty, and a range all that there is: then no packet is left that meets it.
    Ok(if fields.is_never() { Vec::new() } else { vec![fields] })
}

/// What the key of a verdict map is met by, with one element as its value.
pub(super) fn element(key: &Value, value: &Value) -> Result<Fields, String> {
    match key["concat"].as_array() {
        Some(parts) => together(parts, value),
        None => match field(key)? {
            Field::Flags => plain_flags("==", value),
            field => constrain(field, core::slice::from_ref(value), false),
        },
    }
}

/// Fields that stand together have the values of one element.
fn together(parts: &[Value], value: &Value) -> Result<Fields, String> {
    let values = value["concat"].as_array().filter(|values| values.len() == parts.len());
    let values = values.ok_or_else(|| format!("the element {} of a concatenation", shown(value)))?;
    let mut fields = Fields::default();
    for (part, value) in parts.iter().zip(values) {
        let one = constrain(field(part)?, core::slice::from_ref(value), false)?;
        fields = fields.and(&one).map_err(|_| "a concatenation that no packet meets".to_owned())?;
    }
    Ok(fields)
}

/// The values on the right: one, a list, a set, or a set's name.
fn values(ruleset: &Ruleset, chain: &Chain, right: &Value) -> Result<Vec<Value>, String> {
    let all = |values: &[Value]| values.iter().map(|value| bare(value).clone()).collect();
    if let Some(name) = right.as_str().and_then(|text| text.strip_prefix('@')) {
        return Ok(all(&ruleset.elements(chain, "set", name)?));
    }
    let list = right["set"].as_array().or(right.as_array());
    Ok(list.map_or_else(|| vec![right.clone()], |list| all(list)))
}

/// An element without its comment, counter or timeout.
pub(super) fn bare(element: &Value) -> &Value {
    if element["elem"].is_object() { &element["elem"]["val"] } else { element }
}

fn field(left: &Value) -> Result<Field, String> {
    let unknown = || format!("{} has no counterpart", shown(left));
    let named = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
    if left["meta"].is_object() {
        return Ok(match named(&left["meta"], "key").as_str() {
            "iifname" | "iif" => Field::Input,
            "oifname" | "oif" => Field::Output,
            "l4proto" => Field::Protocol(None),
            "nfproto" | "protocol" => Field::Family,
            _ => return Err(unknown()),
        });
    }
    if left["ct"].is_object() {
        return if named(&left["ct"], "key") == "state" { Ok(Field::State) } else { Err(unknown()) };
    }
    let payload = &left["payload"];
    let (protocol, name) = (named(payload, "protocol"), named(payload, "field"));
    Ok(match (protocol.as_str(), name.as_str()) {
        ("ip", "saddr") => Field::Source(Family::V4),
        ("ip", "daddr") => Field::Destination(Family::V4),
        ("ip", "protocol") => Field::Protocol(Some(Family::V4)),
        ("ip6", "saddr") => Field::Source(Family::V6),
        ("ip6", "daddr") => Field::Destination(Family::V6),
        ("ip6", "nexthdr") => Field::Protocol(Some(Family::V6)),
        ("tcp", "flags") => Field::Flags,
        ("icmp", "type") => Field::IcmpType(Family::V4),
        ("icmp", "code") => Field::IcmpCode(Family::V4),
        ("icmpv6", "type") => Field::IcmpType(Family::V6),
        ("icmpv6", "code") => Field::IcmpCode(Family::V6),
        ("vlan", "id") => Field::Vlan,
        ("th", "sport") => Field::SourcePort(None),
        ("th", "dport") => Field::DestinationPort(None),
        (protocol @ ("tcp" | "udp" | "sctp"), "sport") => Field::SourcePort(transport(protocol)),
        (protocol @ ("tcp" | "udp" | "sctp"), "dport") => Field::DestinationPort(transport(protocol)),
        _ => return Err(unknown()),
    })
}

fn transport(name: &str) -> Option<u8> {
    PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// What a packet must have whose field is one of these, or none of them.
fn constrain(field: Field, values: &[Value], is_negated: bool) -> Result<Fields, String> {
    let mut fields = Fields::default();
    let ranges = |known: &[(&str, u8)], most: u128| ranges(values, is_negated, most, |value| number(value, known));
    match field {
        Field::Source(family) => {
            (fields.family, fields.source) = (Some(family), Some(addresses(family, values, is_negated)?));
        }
        Field::Destination(family) => {
            (fields.family, fields.destination) = (Some(family), Some(addresses(family, values, is_negated)?));
        }
        Field::Protocol(family) => {
            let all = ranges(&PROTOCOLS, 255)?.into_iter().flat_map(|(from, to)| from..=to);
            (fields.family, fields.protocols) =
                (family, Some(all.filter_map(|number| u8::try_from(number).ok()).collect()));
        }
        Field::SourcePort(protocol) => {
            (fields.protocols, fields.source_port) = (with_ports(protocol), Some(ranges(&[], 65_535)?));
        }
        Field::DestinationPort(protocol) => {
            (fields.protocols, fields.destination_port) = (with_ports(protocol), Some(ranges(&[], 65_535)?));
        }
        Field::IcmpType(family) => {
            let known: &[_] = if family == Family::V4 { &ICMP } else { &ICMPV6 };
            (fields.protocols, fields.icmp_type) = (icmp(family), Some(ranges(known, 255)?));
        }
        Field::IcmpCode(family) => {
            let known: &[_] = if family == Family::V4 { &ICMP_CODES } else { &ICMPV6_CODES };
            (fields.protocols, fields.icmp_code) = (icmp(family), Some(ranges(known, 255)?));
        }
        Field::Vlan => fields.vlan = Some(ranges(&[], 4_095)?),
        Field::Input => fields.input = Some(links(values, is_negated)?),
        Field::Output => fields.output = Some(links(values, is_negated)?),
        Field::State => fields.states = Some(states(values, is_negated)?),
        Field::Family => {
            let is =
                |names: &[&str]| values.iter().all(|value| value.as_str().is_some_and(|name| names.contains(&name)));
            fields.family = Some(match (is(&["ipv4", "ip"]), is(&["ipv6", "ip6"])) {
                (true, _) if !is_negated => Family::V4,
                (_, true) if !is_negated => Family::V6,
                _ => return Err("a family that is not ip or ip6".to_owned()),
            });
        }
        Field::Flags => return Err("flags of TCP in a set".to_owned()),
    }
    Ok(fields)
}

fn with_ports(protocol: Option<u8>) -> Option<BTreeSet<u8>> {
    Some(protocol.map_or_else(|| BTreeSet::from([6, 17, 132]), |protocol| BTreeSet::from([protocol])))
}

fn icmp(family: Family) -> Option<BTreeSet<u8>> {
    Some(BTreeSet::from([if family == Family::V4 { 1 } else { 58 }]))
}

/// Numbers up to `most`, each by itself or with another one as a range.
fn ranges(
    values: &[Value],
    is_negated: bool,
    most: u128,
    one: impl Fn(&Value) -> Option<u128>,
) -> Result<Ranges, String> {
    let mut all = Vec::new();
    for value in values {
        let ends = match value["range"].as_array().map(Vec::as_slice) {
            Some([from, to]) => one(from).zip(one(to)),
            _ => one(value).map(|number| (number, number)),
        };
        all.push(ends.filter(|(_, to)| *to <= most).ok_or_else(|| format!("the value {}", shown(value)))?);
    }
    let all = sorted(all);
    Ok(if is_negated { complement(&all, most) } else { all })
}

fn addresses(family: Family, values: &[Value], is_negated: bool) -> Result<Ranges, String> {
    let mut all = Vec::new();
    for value in values {
        let prefix = &value["prefix"];
        if let (Some(address), Some(len)) = (prefix["addr"].as_str(), prefix["len"].as_u64()) {
            all.push(family.prefix(address, len).ok_or_else(|| format!("the prefix {}", shown(value)))?);
        } else {
            let one = |value: &Value| value.as_str().and_then(|text| family.number(text));
            all.extend(ranges(core::slice::from_ref(value), false, family.last(), one)?);
        }
    }
    let all = sorted(all);
    Ok(if is_negated { complement(&all, family.last()) } else { all })
}

fn links(values: &[Value], is_negated: bool) -> Result<BTreeSet<String>, String> {
    if is_negated {
        return Err("all interfaces but one: name those that are meant".to_owned());
    }
    let name = |value: &Value| value.as_str().filter(|name| !name.ends_with('*')).map(str::to_owned);
    values.iter().map(|value| name(value).ok_or_else(|| format!("the interface {}", shown(value)))).collect()
}

fn states(values: &[Value], is_negated: bool) -> Result<BTreeSet<&'static str>, String> {
    let known = |value: &Value| STATES.iter().find(|known| value.as_str() == Some(**known)).copied();
    let all = values.iter().map(|value| known(value).ok_or_else(|| format!("the state {}", shown(value))));
    let all: BTreeSet<_> = all.collect::<Result<_, _>>()?;
    Ok(if is_negated { STATES.into_iter().filter(|state| !all.contains(state)).collect() } else { all })
}

/// Flags as bits: a name, a list of names, or names with `|` between them.
fn bits(value: &Value) -> Result<u8, String> {
    let list = value.as_array().or(value["|"].as_array()).or(value["set"].as_array());
    match (value.as_str(), value.as_u64(), list) {
        (Some(name), ..) => {
            let at = FLAGS.iter().position(|known| *known == name).ok_or_else(|| format!("the flag {name}"))?;
            Ok(1 << at)
        }
        (_, Some(number), _) => u8::try_from(number).map_err(|_| format!("the flags {number}")),
        (_, _, Some(list)) => list.iter().try_fold(0, |all, one| Ok(all | bits(one)?)),
        _ => Err(format!("the flags {}", shown(value))),
    }
}

fn with_flags(flags: impl IntoIterator<Item = (u8, u8)>) -> Fields {
    Fields { protocols: Some(BTreeSet::from([6])), flags: Some(flags.into_iter().collect()), ..Fields::default() }
}

/// Each flag of these by itself.
fn each(flags: u8) -> impl Iterator<Item = u8> {
    (0..8).map(|bit| 1 << bit).filter(move |bit| flags & bit != 0)
}

/// Without a mask: `in` asks whether one of them is set, `==` whether these are and no others are.
fn plain_flags(operation: &str, right: &Value) -> Result<Fields, String> {
    match (operation, right["set"].as_array()) {
        ("in", _) => Ok(with_flags(each(bits(right)?).map(|bit| (bit, bit)))),
        ("==", Some(elements)) => {
            let all: Result<Vec<_>, _> = elements.iter().map(|element| Ok((bits(element)?, ALL_FLAGS))).collect();
            all.map(with_flags)
        }
        ("==", None) => Ok(with_flags([(bits(right)?, ALL_FLAGS)])),
        _ => Err(format!("flags of TCP with {operation}")),
    }
}

/// With a mask.
fn masked_flags(left: &[Value], operation: &str, right: &Value) -> Result<Fields, String> {
    let [what, mask] = left else { return Err("a mask of this form".to_owned()) };
    if field(what)? != Field::Flags {
        return Err(format!("a mask over {}", shown(what)));
    }
    let (mask, flags) = (bits(mask)?, bits(right)?);
    match operation {
        "==" if flags & !mask == 0 => Ok(with_flags([(flags, mask)])),
        "!=" if flags == 0 => Ok(with_flags(each(mask).map(|bit| (bit, bit)))),
        _ => Err(format!("flags of TCP with {operation} {}", shown(right))),
    }
}
