//! The configuration; README.md has the table.

use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::{
    BadPrefix, FiveTuple, FlowLimits, FlowTable, Lpm, MILLISECOND, NoMemory, TokenBucket, WhenFull,
};
use perigee_guest::{Refusal, Setup, Text};

/// Most limits that a configuration can name.
const LIMITS: usize = 64;
/// What a frame has before the packet that a port's MTU counts, without frame check sequence.
const ETHERNET: u64 = 14;

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    flows: u32,
    idle_ms: u64,
    lifetime_ms: u64,
    when_full: Full,
    pub(crate) both_ways: bool,
    limits: List<Limit, LIMITS>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flows: 65_536,
            idle_ms: 30_000,
            lifetime_ms: 0,
            when_full: Full::Evict,
            both_ways: false,
            limits: List::default(),
        }
    }
}

/// What becomes of a new flow where there is no room.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Full {
    /// The one that was not used for longest goes.
    Evict,
    /// It is not counted.
    Refuse,
}

/// The rate of all sources in a prefix together.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Limit {
    prefix: Text<43>,
    /// Bits per second.
    bps: u64,
    /// Bytes.
    burst: u64,
}

/// A bucket for each prefix.
pub(crate) struct Limits {
    pub(crate) v4: Lpm<Ipv4Addr, TokenBucket>,
    pub(crate) v6: Lpm<Ipv6Addr, TokenBucket>,
}

impl Config {
    /// Nanoseconds without packets after which a flow is forgotten.
    pub(crate) fn idle(&self) -> u64 {
        or_never(self.idle_ms)
    }

    /// Nanoseconds after which a flow is forgotten.
    pub(crate) fn lifetime(&self) -> u64 {
        or_never(self.lifetime_ms)
    }

    /// An empty table of flows.
    pub(crate) fn flow_table<K: Copy + Eq + core::hash::Hash, V>(
        &self,
        setup: &Setup<'_>,
    ) -> Result<FlowTable<K, V>, NoMemory> {
        let when_full = if matches!(self.when_full, Full::Evict) { WhenFull::Evict } else { WhenFull::Refuse };
        let limits = FlowLimits::new(self.flows, setup.seed()).idle(self.idle());
        FlowTable::new(limits.lifetime(self.lifetime()).when_full(when_full))
    }

    /// The buckets, all full. Each holds the longest packet that the ports' MTU allows: one that never fits would never pass.
    pub(crate) fn limits(&self, setup: &Setup<'_>) -> Result<Limits, Refusal> {
        let (mut v4, mut v6) = (Lpm::new(LIMITS)?, Lpm::new(LIMITS)?);
        let (now, mtu) = (setup.now_ns(), setup.ports().iter().map(|port| port.mtu).max());
        let longest = mtu.map_or(0, |mtu| u64::from(mtu) + ETHERNET);
        for limit in self.limits.iter() {
            let text = limit.prefix.as_str();
            let bits = limit.burst.saturating_mul(8);
            let bucket = TokenBucket::new(limit.bps, bits, now)
                .map_err(|_| wrong(text, "its burst must be 1 to 2305843009 bytes"))?;
            if limit.burst < longest {
                return Err(too_short(text, limit.burst, longest));
            }
            let is_double = if text.contains(':') {
                v6.insert(read(text)?, bucket)?.is_some()
            } else {
                v4.insert(read(text)?, bucket)?.is_some()
            };
            if is_double {
                return Err(wrong(text, "stands twice"));
            }
        }
        Ok(Limits { v4, v6 })
    }
}

/// Milliseconds in nanoseconds; 0 means never.
fn or_never(ms: u64) -> u64 {
    if ms == 0 { u64::MAX } else { ms.saturating_mul(MILLISECOND) }
}

fn read<A: core::str::FromStr<Err = BadPrefix>>(text: &str) -> Result<A, Refusal> {
    text.parse().map_err(|error: BadPrefix| wrong(text, error.text()))
}

fn wrong(prefix: &str, what: &str) -> Refusal {
    Refusal::from_parts(&["limits: \"", prefix, "\": ", what])
}

/// Says that a burst is shorter than a packet.
fn too_short(prefix: &str, burst: u64, longest: u64) -> Refusal {
    let mut text = Text::<240>::from("limits: \"");
    text.push(prefix).push("\": a burst of ").push_number(burst).push(" bytes lets no packet of ").push_number(longest);
    text.push(" bytes pass, which the ports' MTU allows: make it ").push_number(longest).push(" or more");
    text.into()
}

impl Limits {
    /// Whether a packet of so many bytes may pass: its source's prefix has no limit, or keeps to it.
    #[inline]
    pub(crate) fn pass(&mut self, flow: &FiveTuple, bytes: u64, now: u64) -> bool {
        let bucket = match flow {
            FiveTuple::V4(flow) => self.v4.lookup_mut(flow.source),
            FiveTuple::V6(flow) => self.v6.lookup_mut(flow.source),
        };
        bucket.is_none_or(|bucket| bucket.take(bytes * 8, now))
    }
}
