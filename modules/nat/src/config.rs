//! What the operator can say; README.md has the table.

use crate::check;
use crate::fragments::Limits as FragmentLimits;
use crate::link::LinkConfig;
use crate::log::LogConfig;
use crate::pool::{Blocks, Pool, Range, number_in};
use crate::rewrite::Ip;
use crate::table::{Class, Sizes};
use alloc::vec::Vec;
use core::net::SocketAddrV4;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::protocol;
use perigee_guest::{Refusal, Setup, Text, Verdict, seed_mix};

/// Most prefixes of either side.
pub(crate) const PREFIXES_MAX: usize = 16;
/// Most forwards.
pub(crate) const FORWARDS_MAX: usize = 64;
/// Most instances between which ports are divided.
pub(crate) const SLICES_MAX: usize = 16;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) inside: List<Text<18>, PREFIXES_MAX>,
    pub(crate) pools: List<Text<18>, PREFIXES_MAX>,
    pub(crate) ports: [u16; 2],
    pub(crate) sessions: u32,
    pub(crate) hosts: u32,
    filtering: Filtering,
    preserve: bool,
    parity: bool,
    contiguity: bool,
    loose: bool,
    pub(crate) blocks: Option<BlockConfig>,
    pub(crate) forwards: List<ForwardConfig, FORWARDS_MAX>,
    pub(crate) timers: Timers,
    limits: Limits,
    pub(crate) fragments: FragmentLimits,
    pub(crate) slice: Option<SliceConfig>,
    pub(crate) rings: List<u16, SLICES_MAX>,
    pub(crate) steer: bool,
    other: Option<Other>,
    pub(crate) log: Option<LogConfig>,
    pub(crate) link: Option<LinkConfig>,
}

impl Config {
    /// What becomes of packets that are not for us. Where nobody stands behind us, "next" would lead to a port of the other network.
    fn other(&self) -> Verdict {
        let is_last = self.link.is_some() || self.steer;
        match self.other {
            Some(Other::Next) => Verdict::NEXT,
            None if !is_last => Verdict::NEXT,
            Some(Other::Drop) | None => Verdict::DROP,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            inside: List::default(),
            pools: List::default(),
            ports: [1_024, 65_535],
            sessions: 65_536,
            hosts: 4_096,
            filtering: Filtering::AddressAndPortDependent,
            preserve: true,
            parity: true,
            contiguity: true,
            loose: true,
            blocks: None,
            forwards: List::default(),
            timers: Timers::default(),
            limits: Limits::default(),
            fragments: FragmentLimits::default(),
            slice: None,
            rings: List::default(),
            steer: false,
            other: None,
            log: None,
            link: None,
        }
    }
}

/// Who outside may send to a mapping (RFC 4787, section 5).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Filtering {
    /// Everybody.
    EndpointIndependent,
    /// From an address to which the endpoint inside has sent.
    AddressDependent,
    /// From an address and port to which it has sent.
    AddressAndPortDependent,
}

/// What becomes of packets that are neither from inside nor for an address outside of ours.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Other {
    /// They go on as they are.
    Next,
    /// They are dropped.
    Drop,
}

/// Ports in blocks.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct BlockConfig {
    pub(crate) size: u16,
    #[serde(default = "one")]
    pub(crate) most: u16,
    #[serde(default)]
    pub(crate) deterministic: bool,
}

const fn one() -> u16 {
    1
}

/// A port outside that always stands for an endpoint inside.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct ForwardConfig {
    pub(crate) protocol: Transport,
    pub(crate) outside: SocketAddrV4,
    pub(crate) inside: SocketAddrV4,
}

/// A protocol whose ports can be forwarded.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Tcp => protocol::TCP,
            Self::Udp => protocol::UDP,
        }
    }
}

/// Seconds without packets after which a session ends.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Timers {
    pub(crate) udp: u32,
    pub(crate) icmp: u32,
    pub(crate) tcp_transitory: u32,
    pub(crate) tcp_established: u32,
}

impl Default for Timers {
    /// What RFC 4787 (REQ-5), 5508 (REQ-2) and 5382 (REQ-5) ask for.
    fn default() -> Self {
        Self { udp: 300, icmp: 60, tcp_transitory: 240, tcp_established: 7_440 }
    }
}

/// What one host inside may have.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Limits {
    sessions: u32,
    half_open: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 16_384, half_open: 1_024 }
    }
}

/// Which part of the ports is this instance's.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct SliceConfig {
    pub(crate) index: u32,
    pub(crate) of: u32,
}

/// A forward, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) protocol: u8,
    pub(crate) outside: (u32, u16),
    pub(crate) inside: (u32, u16),
}

/// What translation follows.
pub(crate) struct Rules {
    pub(crate) inside: Vec<Range>,
    pub(crate) pool: Pool,
    pub(crate) filtering: Filtering,
    pub(crate) preserve: bool,
    pub(crate) parity: bool,
    pub(crate) contiguity: bool,
    pub(crate) loose: bool,
    /// Milliseconds, by class.
    pub(crate) timers: [u32; Class::LISTS],
    pub(crate) host_sessions: u32,
    pub(crate) host_half_open: u32,
    pub(crate) forwards: Vec<Forward>,
    /// The ring of each instance.
    pub(crate) rings: Vec<u16>,
    /// What becomes of packets that are not for us.
    pub(crate) other: Verdict,
    seed: u64,
}

impl Rules {
    pub(crate) fn new(config: &Config, setup: &Setup<'_>) -> Result<Self, Refusal> {
        let inside = check::prefixes("inside", &config.inside)?;
        let ranges = check::prefixes("pools", &config.pools)?;
        check::apart(&inside, &ranges)?;
        let slice = check::slice(config, setup)?;
        let all = check::ports(config.ports, slice)?;
        let forwards = check::forwards(&config.forwards, &inside, &ranges, all)?;
        let mut extra: Vec<u32> = forwards.iter().map(|forward| forward.outside.0).collect();
        extra.sort_unstable();
        extra.dedup();
        if slice.of > 1 && config.link.is_some() {
            return Err(Refusal::new("link: needs one instance that has all ports: leave `link` away, or the others"));
        }
        let blocks = config.blocks.map(|blocks| Blocks {
            size: blocks.size,
            most: blocks.most,
            deterministic: blocks.deterministic,
        });
        let pool = Pool::new(ranges, extra, all, slice, blocks);
        check::blocks(&pool, &inside)?;
        check::timers(config.timers)?;
        let Limits { sessions, half_open } = config.limits;
        if sessions == 0 || half_open == 0 {
            return Err(Refusal::new("limits: sessions and half_open must be at least 1"));
        }
        Ok(Self {
            inside,
            pool,
            filtering: config.filtering,
            preserve: config.preserve,
            parity: config.parity,
            contiguity: config.contiguity,
            loose: config.loose,
            timers: by_class(config.timers),
            host_sessions: sessions,
            host_half_open: half_open,
            forwards,
            rings: check::rings(config, slice, setup)?,
            other: config.other(),
            seed: setup.seed(),
        })
    }

    #[inline]
    pub(crate) fn is_inside(&self, address: u32) -> bool {
        // Mostly there is one, which needs no loop.
        match *self.inside {
            [only] => only.contains(address),
            _ => self.inside.iter().any(|range| range.contains(address)),
        }
    }

    /// Whether a packet is to be translated: from inside to outside, or to an address of ours.
    #[inline]
    pub(crate) fn concerns(&self, ip: &Ip) -> bool {
        let to_us = self.pool.contains(ip.destination);
        let out = self.is_inside(ip.source) && !self.is_inside(ip.destination);
        (to_us || out) && Self::are_hosts(ip.source, ip.destination)
    }

    /// Whether both addresses are those of single hosts.
    #[inline]
    pub(crate) const fn are_hosts(source: u32, destination: u32) -> bool {
        is_host(source) && is_host(destination)
    }

    /// The number of an address inside, counted through all prefixes.
    pub(crate) fn inside_number(&self, address: u32) -> Option<u64> {
        number_in(&self.inside, address)
    }

    /// A number that spreads hosts over addresses outside.
    #[allow(clippy::cast_possible_truncation, reason = "the lower half of a hash is a hash")]
    pub(crate) fn spread(&self, address: u32) -> u32 {
        seed_mix(self.seed ^ u64::from(address)) as u32
    }

    /// What the tables depend on. Where it differs, tables that are handed over do not fit; never 0.
    pub(crate) fn shape(&self, sizes: Sizes) -> u64 {
        let sizes = [sizes.sessions, sizes.hosts, sizes.addresses].map(u64::from);
        let inside = self.inside.iter().flat_map(|range| [range.first, range.last]).map(u64::from);
        let forwards = self.forwards.iter().flat_map(|forward| {
            let [out, own] = [forward.outside, forward.inside].map(|(a, p)| u64::from(a) << 16 | u64::from(p));
            [out, own, forward.protocol.into()]
        });
        let filtering = [self.filtering as u64];
        let numbers = sizes.into_iter().chain(self.pool.numbers()).chain(inside).chain(forwards).chain(filtering);
        numbers.fold(1, |shape, number| seed_mix(shape ^ number)) | 1
    }
}

/// Whether an address is one of a single host anywhere: neither "this network", loopback, link-local, multicast nor beyond
/// (RFC 1122, section 3.2.1.3; RFC 3927, section 2.6.2).
#[inline]
const fn is_host(address: u32) -> bool {
    let first = address >> 24;
    first != 0 && first != 127 && first < 224 && address >> 16 != 169 << 8 | 254
}

/// The timers of all classes, in milliseconds.
fn by_class(timers: Timers) -> [u32; Class::LISTS] {
    let mut by_class = [0; Class::LISTS];
    let of = [
        (Class::HalfOpen, timers.tcp_transitory),
        (Class::OneWay, timers.udp),
        (Class::Icmp, timers.icmp),
        (Class::Udp, timers.udp),
        (Class::Established, timers.tcp_established),
        (Class::Closing, timers.tcp_transitory),
    ];
    for (class, seconds) in of {
        by_class[class as usize] = seconds * 1_000;
    }
    by_class
}
