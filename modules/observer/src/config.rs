//! What the operator writes; README.md has the table.

use core::net::{IpAddr, SocketAddr};
use perigee_guest::config::{List, Many};
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::Mac;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config<'a> {
    pub(crate) mode: Mode,
    #[serde(default)]
    pub(crate) hosts: Many<Host>,
    #[serde(default)]
    pub(crate) answers: bool,
    #[serde(default)]
    pub(crate) stray: u32,
    /// Each so many packets that leave go in parts.
    #[serde(default)]
    pub(crate) parts: u32,
    /// Hops that the function takes: 1 of a router, 0 of others.
    #[serde(default)]
    pub(crate) hops: Option<u8>,
    #[serde(default)]
    pub(crate) order: bool,
    #[serde(default)]
    pub(crate) strangers: bool,
    /// From when to when nothing may be missing, in milliseconds.
    #[serde(default)]
    pub(crate) whole: Option<(u64, u64)>,
    #[serde(default)]
    pub(crate) flows: usize,
    #[serde(default = "second")]
    pub(crate) quiet: u64,
    #[serde(default)]
    pub(crate) stale: u64,
    #[serde(default)]
    pub(crate) errors: Option<Errors>,
    #[serde(default, borrow)]
    pub(crate) routes: Many<&'a str>,
    #[serde(default, borrow)]
    pub(crate) pools: Many<&'a str>,
    #[serde(default, borrow)]
    pub(crate) inside: Many<&'a str>,
    #[serde(default)]
    pub(crate) forwards: Many<Forward>,
    #[serde(default)]
    pub(crate) idle: u64,
    #[serde(default, borrow)]
    pub(crate) rules: Many<Rule<'a>>,
    #[serde(default, borrow)]
    pub(crate) from: &'a str,
    #[serde(default, borrow)]
    pub(crate) backends: Many<Backend<'a>>,
    #[serde(default, borrow)]
    pub(crate) classes: Many<Class<'a>>,
    #[serde(default)]
    pub(crate) fault: Option<Fault>,
}

/// What it is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Stands behind a generator, and writes into packets what they are.
    Stamp,
    Router,
    Nat,
    Firewall,
    Balancer,
    Policer,
    /// Spoils some packets, to see that it is found.
    Fault,
}

/// A host at this end of the wire.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Host {
    pub(crate) address: IpAddr,
    pub(crate) mac: Mac,
}

/// Errors that may come: as many at once, and in a second; and that must have come at the end.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Errors {
    pub(crate) rate: u64,
    pub(crate) burst: u64,
    #[serde(default)]
    pub(crate) least: u64,
}

/// A rule, in the firewall's words.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Rule<'a> {
    #[serde(default, rename = "in", borrow)]
    pub(crate) port: Option<&'a str>,
    #[serde(default, borrow)]
    pub(crate) src: Option<&'a str>,
    #[serde(default, borrow)]
    pub(crate) dst: Option<&'a str>,
    #[serde(default, borrow)]
    pub(crate) proto: Option<&'a str>,
    #[serde(default)]
    pub(crate) dport: List<u16, 8>,
    #[serde(default)]
    pub(crate) sport: List<u16, 8>,
    #[serde(borrow)]
    pub(crate) action: &'a str,
}

/// An endpoint outside of a translator, and who is there inside.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Forward {
    pub(crate) outside: SocketAddr,
    pub(crate) inside: SocketAddr,
}

/// What a policer lets through of a prefix: bits in a second, bytes at once beside them, and bytes that must have come at the end.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Class<'a> {
    #[serde(borrow)]
    pub(crate) prefix: &'a str,
    pub(crate) rate: u64,
    pub(crate) burst: u64,
    #[serde(default)]
    pub(crate) least: u64,
}

/// A server behind a balancer.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Backend<'a> {
    #[serde(borrow)]
    pub(crate) name: &'a str,
    pub(crate) mac: Mac,
}

/// What is done to each so many packets that have a stamp.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) what: Spoil,
    pub(crate) every: u32,
    /// For `mac`, `port` and `address`: what stands there then.
    #[serde(default)]
    pub(crate) mac: Option<Mac>,
    #[serde(default)]
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) address: Option<IpAddr>,
}

/// What is done to a packet.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Spoil {
    /// One hop more.
    Ttl,
    Checksum,
    Double,
    Lose,
    /// It goes behind those that come next.
    Order,
    /// Another MAC address of the receiver.
    Mac,
    /// Another port of the sender.
    Port,
    /// Another address of the receiver.
    Address,
}

fn second() -> u64 {
    1_000
}
