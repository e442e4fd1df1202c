//! What the words of a rule mean.

use super::values::Value;
use crate::pattern::{ANY_PROTOCOL, Range, state};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::Refusal;
use perigee_guest::state::Prefix;
use perigee_guest::wire::protocol;

/// Protocols by name.
const PROTOCOLS: [(&str, u8); 8] = [
    ("tcp", protocol::TCP),
    ("udp", protocol::UDP),
    ("icmp", protocol::ICMP),
    ("icmpv6", protocol::ICMPV6),
    ("sctp", protocol::SCTP),
    ("gre", protocol::GRE),
    ("esp", protocol::ESP),
    ("ah", protocol::AH),
];

/// Flags of TCP by name, from the lowest bit on.
const FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];

/// States by name.
const STATES: [(&str, u8); 5] = [
    ("new", state::NEW),
    ("established", state::ESTABLISHED),
    ("related", state::RELATED),
    ("invalid", state::INVALID),
    ("untracked", state::UNTRACKED),
];

/// Types of ICMP messages by name (RFC 792), and of ICMPv6 (RFC 4443).
const ICMP: [(&str, u8); 6] = [
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("redirect", 5),
    ("echo-request", 8),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
];
const ICMPV6: [(&str, u8); 10] = [
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
];

fn named(text: &str, known: &[(&str, u8)]) -> Option<u8> {
    known.iter().find(|(name, _)| *name == text).map(|(_, number)| *number)
}

/// A number that digits alone say.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn refused(key: &str, value: &Value<'_>, what: &str) -> Refusal {
    match value {
        Value::Text(text) => Refusal::from_parts(&[key, ": \"", text, "\" ", what]),
        Value::Number(number) => {
            let mut text = perigee_guest::Text::<240>::from(key);
            text.push(": ").push_number(*number).push(" ").push(what);
            text.into()
        }
    }
}

/// A prefix of either family.
#[derive(Clone, Copy)]
pub(super) enum Net {
    V4(Prefix<Ipv4Addr>),
    V6(Prefix<Ipv6Addr>),
}

/// A prefix, or an address, which is one with all its bits.
pub(super) fn net(key: &str, value: &Value<'_>) -> Result<Net, Refusal> {
    let what = "is no prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\", and no address";
    let Value::Text(text) = value else { return Err(refused(key, value, what)) };
    if let Ok(address) = text.parse() {
        let whole = match address {
            IpAddr::V4(address) => Prefix::new(address, 32).map(Net::V4),
            IpAddr::V6(address) => Prefix::new(address, 128).map(Net::V6),
        };
        return whole.ok_or_else(|| refused(key, value, what));
    }
    let read = if text.contains(':') { text.parse().map(Net::V6) } else { text.parse().map(Net::V4) };
    read.map_err(|error| refused(key, value, error.text()))
}

/// A number of a protocol.
pub(super) fn protocol(value: &Value<'_>) -> Result<u16, Refusal> {
    let number = match value {
        Value::Number(number) => u16::try_from(*number).ok(),
        Value::Text(text) => named(text, &PROTOCOLS).map(u16::from),
    };
    number.filter(|number| *number < ANY_PROTOCOL).ok_or_else(|| {
        refused("proto", value, "is no protocol: 0 to 255, or tcp, udp, icmp, icmpv6, sctp, gre, esp, ah")
    })
}

/// Numbers up to `most`: one, or two with a dash between them.
pub(super) fn range(key: &str, value: &Value<'_>, most: u16) -> Result<Range<u16>, Refusal> {
    let what = "is no number or range such as 80 or \"8000-8999\"";
    let one = |number: Option<u64>| number.and_then(|number| u16::try_from(number).ok()).filter(|n| *n <= most);
    let (from, to) = match value {
        Value::Number(number) => (one(Some(*number)), one(Some(*number))),
        Value::Text(text) => match text.split_once('-') {
            Some((from, to)) => (one(digits(from)), one(digits(to))),
            None => (one(digits(text)), one(digits(text))),
        },
    };
    match (from, to) {
        (Some(from), Some(to)) if from <= to => Ok(Range { from, to }),
        (Some(_), Some(_)) => Err(refused(key, value, "is backwards: the smaller number comes first")),
        _ => Err(refused(key, value, what)),
    }
}

/// Type and code of ICMP as one number: a type alone is any of its codes.
pub(super) fn icmp(value: &Value<'_>, is_v6: bool) -> Result<Range<u16>, Refusal> {
    let what = "is no type such as 8 or \"echo-request\", or type and code such as \"3/4\"";
    let known: &[_] = if is_v6 { &ICMPV6 } else { &ICMP };
    let byte = |text: &str| digits(text).and_then(|number| u8::try_from(number).ok());
    let (kind, code) = match value {
        Value::Number(number) => (u8::try_from(*number).ok(), None),
        Value::Text(text) => match text.split_once('/') {
            Some((kind, code)) => {
                let code = byte(code).ok_or_else(|| refused("icmp", value, what))?;
                (named(kind, known).or_else(|| byte(kind)), Some(code))
            }
            None => (named(text, known).or_else(|| byte(text)), None),
        },
    };
    let kind = kind.ok_or_else(|| refused("icmp", value, what))?;
    let number = |code| u16::from_be_bytes([kind, code]);
    Ok(Range { from: number(code.unwrap_or(0)), to: number(code.unwrap_or(u8::MAX)) })
}

/// Flags of TCP that are set, and those that are looked at: `"syn/syn,ack"`; without a slash only those named are looked at.
pub(super) fn flags(value: &Value<'_>) -> Result<(u8, u8), Refusal> {
    let what = "are no flags such as \"syn\" or \"syn/fin,syn,rst,ack\": of those behind the slash exactly those before it are set";
    let Value::Text(text) = value else { return Err(refused("flags", value, what)) };
    let bits = |names: &str| {
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).try_fold(0_u8, |bits, name| {
            let at = FLAGS.iter().position(|known| *known == name)?;
            Some(bits | 1 << at)
        })
    };
    let (set, mask) = match text.split_once('/') {
        Some((set, mask)) => (bits(set), bits(mask)),
        None => (bits(text), bits(text)),
    };
    match (set, mask) {
        (Some(set), Some(mask)) if mask != 0 && set & !mask == 0 => Ok((set, mask)),
        _ => Err(refused("flags", value, what)),
    }
}

/// A state as a bit.
pub(super) fn state(value: &Value<'_>) -> Result<u8, Refusal> {
    let what = "is no state: new, established, related, invalid, untracked";
    let Value::Text(text) = value else { return Err(refused("state", value, what)) };
    named(text, &STATES).ok_or_else(|| refused("state", value, what))
}
