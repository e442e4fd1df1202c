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
    /// An empty table of flows.
    pub(crate) fn flow_table<K: Copy + Eq + core::hash::Hash, V>(
        &self,
        setup: &Setup<'_>,
    ) -> Result<FlowTable<K, V>, NoMemory> {
        let or_never = |ms: u64| if ms == 0 { u64::MAX } else { ms.saturating_mul(MILLISECOND) };
        let when_full = if matches!(self.when_full, Full::Evict) { WhenFull::Evict } else { WhenFull::Refuse };
        let limits = FlowLimits::new(self.flows, setup.seed()).idle(or_never(self.idle_ms));
        FlowTable::new(limits.lifetime(or_never(self.lifetime_ms)).when_full(when_full))
    }

    /// The buckets, all full.
    pub(crate) fn limits(&self, now: u64) -> Result<Limits, Refusal> {
        let (mut v4, mut v6) = (Lpm::new(LIMITS)?, Lpm::new(LIMITS)?);
        for limit in self.limits.iter() {
            let text = limit.prefix.as_str();
            let bits = limit.burst.saturating_mul(8);
            let bucket = TokenBucket::new(limit.bps, bits, now)
                .map_err(|_| wrong(text, "its burst must be 1 to 2305843009 bytes"))?;
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

fn read<A: core::str::FromStr<Err = BadPrefix>>(text: &str) -> Result<A, Refusal> {
    text.parse().map_err(|error: BadPrefix| wrong(text, error.text()))
}

fn wrong(prefix: &str, what: &str) -> Refusal {
    Refusal::from_parts(&["limits: \"", prefix, "\": ", what])
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
