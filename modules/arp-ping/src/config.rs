//! What the operator can say; README.md has the table.

use crate::target::Target;
use core::net::Ipv4Addr;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, Setup, Verdict};

/// Most addresses: as many as a call has spare rooms.
pub(crate) const TARGET_MAX: usize = 64;
const MILLISECOND: u64 = 1_000_000;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config {
    targets: List<Ipv4Addr, TARGET_MAX>,
    source: Ipv4Addr,
    #[serde(default)]
    mac: Option<Mac>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    pub(crate) count: u64,
    #[serde(default)]
    interval_ms: Option<u32>,
    #[serde(default)]
    timeout_ms: Option<u32>,
    #[serde(default)]
    other: Other,
}

/// What becomes of packets that are no answers to us.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Other {
    /// They are dropped.
    #[default]
    Drop,
    /// They go on to the next stage or port of the chain.
    Next,
}

impl Config {
    pub(crate) fn targets(&self) -> Result<[Option<Target>; TARGET_MAX], Refusal> {
        let mut targets = [const { None }; TARGET_MAX];
        for (place, address) in targets.iter_mut().zip(self.targets.iter()) {
            if !is_host(*address) {
                return Err(Refusal::new("targets: only addresses of one host can be asked for"));
            }
            *place = Some(Target::new(*address));
        }
        if targets[0].is_none() {
            return Err(Refusal::new("targets: at least one, such as \"10.0.0.1\""));
        }
        let twice =
            |at: usize| self.targets.iter().skip(at + 1).any(|other| self.targets.iter().nth(at) == Some(other));
        if (0..TARGET_MAX).any(twice) {
            return Err(Refusal::new("targets: an address stands twice"));
        }
        Ok(targets)
    }

    /// Our own address. That of nobody is allowed: a probe (RFC 5227) asks without claiming one.
    pub(crate) fn source(&self) -> Result<Ipv4Addr, Refusal> {
        if self.source.is_unspecified() || is_host(self.source) {
            return Ok(self.source);
        }
        Err(Refusal::new("source: not an address of one host; \"0.0.0.0\" asks without one"))
    }

    /// The port to ask by, and the MAC address to ask from.
    pub(crate) fn port(&self, setup: &Setup<'_>) -> Result<(u16, Mac), Refusal> {
        let Some(port) = self.port.or(setup.next_port()) else {
            return Err(Refusal::new("port: the chain has no `tx`, so say which port to ask by"));
        };
        let Some(info) = setup.ports().get(usize::from(port)) else {
            return Err(Refusal::new("port: this run has no port of that number"));
        };
        let mac = self.mac.unwrap_or(Mac(info.mac));
        if mac.is_multicast() || mac.is_zero() {
            return Err(Refusal::new("mac: not the address of one station"));
        }
        Ok((port, mac))
    }

    /// Nanoseconds between two requests to a target.
    pub(crate) fn interval(&self) -> Result<u64, Refusal> {
        match self.interval_ms.unwrap_or(1_000) {
            0 => Err(Refusal::new("interval_ms: at least 1")),
            interval => Ok(u64::from(interval) * MILLISECOND),
        }
    }

    /// Nanoseconds until a request counts as lost: no more than the interval, so that it is known which one is answered.
    pub(crate) fn timeout(&self) -> Result<u64, Refusal> {
        let interval = self.interval()?;
        let timeout = self.timeout_ms.map_or(interval, |timeout| u64::from(timeout) * MILLISECOND);
        if timeout == 0 || timeout > interval {
            return Err(Refusal::new(
                "timeout_ms: at least 1, at most interval_ms: an answer does not say to which request",
            ));
        }
        Ok(timeout)
    }

    pub(crate) fn other(&self) -> Verdict {
        if self.other == Other::Next { Verdict::NEXT } else { Verdict::DROP }
    }
}

fn is_host(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..=255)
}
