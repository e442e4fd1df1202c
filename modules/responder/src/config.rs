//! What the operator can say.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::Refusal;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::Mac;

/// Most addresses.
const ADDRESS_MAX: usize = 32;

/// The configuration; README.md has the table.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) addresses: List<IpAddr, ADDRESS_MAX>,
    #[serde(default)]
    pub(crate) mac: Option<Mac>,
    #[serde(default)]
    pub(crate) other: Other,
}

/// What becomes of packets that are not answered.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Other {
    /// They are dropped.
    #[default]
    Drop,
    /// They go on to the next stage or port of the chain.
    Next,
}

/// The addresses that are answered for.
pub(crate) struct Addresses {
    v4: [Option<Ipv4Addr>; ADDRESS_MAX],
    v6: [Option<Ipv6Addr>; ADDRESS_MAX],
}

impl Addresses {
    pub(crate) fn new(config: &Config) -> Result<Self, Refusal> {
        let mut addresses = Self { v4: [None; ADDRESS_MAX], v6: [None; ADDRESS_MAX] };
        for (index, address) in config.addresses.iter().enumerate() {
            if address.is_multicast() || address.is_unspecified() {
                return Err(Refusal::new("addresses: only addresses of one host can be answered for"));
            }
            match address {
                IpAddr::V4(address) => addresses.v4[index] = Some(*address),
                IpAddr::V6(address) => addresses.v6[index] = Some(*address),
            }
        }
        if config.addresses.iter().next().is_none() {
            return Err(Refusal::new("addresses: at least one, such as \"10.0.0.2\" or \"fe80::2\""));
        }
        if config.mac.is_some_and(|mac| mac.is_multicast() || mac.is_zero()) {
            return Err(Refusal::new("mac: not the address of one station"));
        }
        Ok(addresses)
    }

    pub(crate) fn has_v4(&self, address: Ipv4Addr) -> bool {
        self.v4.iter().flatten().any(|known| *known == address)
    }

    pub(crate) fn has_v6(&self, address: Ipv6Addr) -> bool {
        self.v6.iter().flatten().any(|known| *known == address)
    }
}
