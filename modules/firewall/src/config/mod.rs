//! The configuration; README.md has the table.

mod rules;
mod values;
mod words;

use crate::pattern::Pattern;
use crate::rule::Rule;
use alloc::vec::Vec;
use perigee_guest::abi::MAX_PORTS;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::{BadRate, TokenBucket};
use perigee_guest::{Refusal, Setup, Text};
use rules::Words;
use values::Items;

/// Longest name of a port.
const NAME_MAX: usize = 32;

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config<'a> {
    pub(crate) policy: Policy,
    pub(crate) non_ip: NonIp,
    pub(crate) neighbours: bool,
    pub(crate) fragments: Fragmented,
    pub(crate) stateful: bool,
    pub(crate) established: Known,
    pub(crate) invalid: Unknown,
    pub(crate) loose: bool,
    pub(crate) connections: u32,
    pub(crate) timeouts: Timeouts,
    pub(crate) new_rate: Option<NewRate>,
    reject_rate: Rate,
    log_rate: Rate,
    ports: List<Text<NAME_MAX>, MAX_PORTS>,
    bridge: List<Text<NAME_MAX>, 2>,
    #[serde(borrow)]
    rules: Items<Words<'a>>,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self {
            policy: Policy::Drop,
            non_ip: NonIp::Arp,
            neighbours: true,
            fragments: Fragmented::Follow,
            stateful: false,
            established: Known::Accept,
            invalid: Unknown::Drop,
            loose: false,
            connections: 65_536,
            timeouts: Timeouts::default(),
            new_rate: None,
            reject_rate: Rate { per_second: 1_000, burst: 100 },
            log_rate: Rate { per_second: 10, burst: 10 },
            ports: List::default(),
            bridge: List::default(),
            rules: Items::default(),
        }
    }
}

/// What becomes of packets that no rule decides.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Policy {
    Drop,
    Accept,
}

/// Which packets pass that are not IP.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum NonIp {
    Arp,
    Accept,
    Drop,
}

/// What becomes of parts of packets.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Fragmented {
    /// The first one is judged, and the others follow it.
    Follow,
    Drop,
}

/// What becomes of packets of known connections, and of errors about them.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Known {
    /// They pass before the rules.
    Accept,
    /// The rules say.
    Rules,
}

/// What becomes of packets that fit no connection.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Unknown {
    Drop,
    /// The rules say.
    Rules,
}

/// Seconds after which a connection without packets is forgotten.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    pub(crate) tcp_opening: u32,
    pub(crate) tcp_established: u32,
    pub(crate) tcp_closing: u32,
    pub(crate) udp: u32,
    pub(crate) udp_answered: u32,
    pub(crate) icmp: u32,
    pub(crate) other: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        // Established: RFC 5382, REQ-5; UDP: RFC 4787, REQ-5; ICMP: RFC 5508, REQ-1 wants 60 s for a NAT, Linux has 30.
        Self {
            tcp_opening: 60,
            tcp_established: 7_440,
            tcp_closing: 60,
            udp: 30,
            udp_answered: 120,
            icmp: 30,
            other: 600,
        }
    }
}

/// How many connections a source prefix may begin.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct NewRate {
    pub(crate) per_second: u64,
    pub(crate) burst: u64,
    #[serde(default = "host4")]
    pub(crate) v4: u8,
    #[serde(default = "net6")]
    pub(crate) v6: u8,
}

fn host4() -> u8 {
    32
}

fn net6() -> u8 {
    64
}

impl NewRate {
    /// Says what is wrong with it.
    pub(crate) fn check(self) -> Result<Self, Refusal> {
        if self.v4 > 32 || self.v6 > 128 {
            return Err(Refusal::new("new_rate: a prefix of IPv4 has 0 to 32 bits (v4), one of IPv6 0 to 128 (v6)"));
        }
        TokenBucket::new(self.per_second, self.burst, 0).map_err(|error| wrong("new_rate", error))?;
        Ok(self)
    }
}

/// Packets or lines in a second.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Rate {
    per_second: u64,
    burst: u64,
}

fn wrong(key: &str, error: BadRate) -> Refusal {
    Refusal::from_parts(&[key, ": ", error.text()])
}

/// Rules, what they are met by, and the token buckets that they name.
pub(crate) struct Compiled {
    pub(crate) rules: Vec<Rule>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) buckets: Vec<TokenBucket>,
    pub(crate) prefixes: Vec<Text<24>>,
}

impl Config<'_> {
    /// The bucket of answers to rejected packets.
    pub(crate) fn reject_bucket(&self, now: u64) -> Result<TokenBucket, Refusal> {
        TokenBucket::new(self.reject_rate.per_second, self.reject_rate.burst, now)
            .map_err(|error| wrong("reject_rate", error))
    }

    /// The bucket of log lines.
    pub(crate) fn log_bucket(&self, now: u64) -> Result<TokenBucket, Refusal> {
        TokenBucket::new(self.log_rate.per_second, self.log_rate.burst, now).map_err(|error| wrong("log_rate", error))
    }

    /// The rules, compiled.
    pub(crate) fn compile(&self, setup: &Setup<'_>) -> Result<Compiled, Refusal> {
        rules::compile(self, setup)
    }

    /// By which port packets leave that come in by each one; nothing where the chain says.
    pub(crate) fn bridge(&self, setup: &Setup<'_>) -> Result<[Option<u16>; MAX_PORTS], Refusal> {
        let mut ways = [None; MAX_PORTS];
        let mut ends = self.bridge.iter();
        match (ends.next(), ends.next()) {
            (None, _) => {}
            (Some(_), Some(_)) if self.stateful && setup.instance().1 > 1 => {
                return Err(Refusal::new(
                    "bridge: a chain on several lcores reads one of both ports, so no instance sees both directions of a connection: \
                     give each lcore a chain behind a ring, and put `spread` in front (modules/spread)",
                ));
            }
            (Some(one), Some(other)) => {
                let (one, other) = (self.port(one.as_str(), setup)?, self.port(other.as_str(), setup)?);
                if one == other {
                    return Err(Refusal::new("bridge: two different ports"));
                }
                ways[usize::from(one)] = Some(other.into());
                ways[usize::from(other)] = Some(one.into());
            }
            (Some(_), None) => return Err(Refusal::new("bridge: two ports, such as [\"a\", \"b\"]")),
        }
        Ok(ways)
    }

    /// The number of a port: its place in `ports`, or digits.
    fn port(&self, name: &str, setup: &Setup<'_>) -> Result<u8, Refusal> {
        let named = self.ports.iter().position(|known| known.as_str() == name);
        let number = named.or_else(|| name.parse().ok()).filter(|number| *number < setup.ports().len());
        number.and_then(|number| u8::try_from(number).ok()).ok_or_else(|| {
            Refusal::from_parts(&[
                "there is no port \"",
                name,
                "\": `ports` lists the names of the run's ports in their order, such as [\"a\", \"b\"]",
            ])
        })
    }
}
