//! What the operator can say; README.md has the table.

use crate::frames::Station;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, Setup, Verdict};

/// Most groups: as many as a call has spare rooms.
pub(crate) const GROUP_MAX: usize = 64;
const MILLISECOND: u64 = 1_000_000;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    groups: List<IpAddr, GROUP_MAX>,
    source: Option<Ipv4Addr>,
    source6: Option<Ipv6Addr>,
    mac: Option<Mac>,
    port: Option<u16>,
    igmp: u8,
    mld: u8,
    robustness: u8,
    join_ms: u64,
    leave_ms: Option<u64>,
    other: Other,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            groups: List::default(),
            source: None,
            source6: None,
            mac: None,
            port: None,
            igmp: 3,
            mld: 2,
            robustness: 2,
            join_ms: 0,
            leave_ms: None,
            other: Other::Drop,
        }
    }
}

/// What becomes of packets that are neither IGMP nor MLD.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Other {
    /// They are dropped.
    Drop,
    /// They go on to the next stage or port of the chain.
    Next,
}

impl Config {
    pub(crate) fn groups(&self) -> impl Iterator<Item = &IpAddr> {
        self.groups.iter()
    }

    /// The port to speak by, and who we are.
    pub(crate) fn station(&self, setup: &Setup<'_>) -> Result<(u16, Station), Refusal> {
        for address in self.groups() {
            group(*address)?;
        }
        let Some(port) = self.port.or(setup.next_port()) else {
            return Err(Refusal::new("port: the chain has no `tx`, so say which port to speak by"));
        };
        let Some(info) = setup.ports().get(usize::from(port)) else {
            return Err(Refusal::new("port: this run has no port of that number"));
        };
        let mac = self.mac.unwrap_or(Mac(info.mac));
        if mac.is_multicast() || mac.is_zero() {
            return Err(Refusal::new("mac: not the address of one station"));
        }
        let v4 = self.source.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let v6 = self.source6.unwrap_or_else(|| link_local(mac));
        if v4.is_multicast() || v4.is_broadcast() {
            return Err(Refusal::new("source: not the address of one host"));
        }
        if !v6.is_unicast_link_local() {
            return Err(Refusal::new("source6: MLD speaks from a link-local address, such as \"fe80::2\""));
        }
        Ok((port, Station { mac, v4, v6 }))
    }

    pub(crate) fn igmp(&self) -> Result<u8, Refusal> {
        if (1..=3).contains(&self.igmp) { Ok(self.igmp) } else { Err(Refusal::new("igmp: 1, 2 or 3")) }
    }

    /// In IGMP's numbers: see `heard.rs`.
    pub(crate) fn mld(&self) -> Result<u8, Refusal> {
        if (1..=2).contains(&self.mld) { Ok(self.mld + 1) } else { Err(Refusal::new("mld: 1 or 2")) }
    }

    pub(crate) fn robustness(&self) -> Result<u8, Refusal> {
        if (1..=7).contains(&self.robustness) { Ok(self.robustness) } else { Err(Refusal::new("robustness: 1 to 7")) }
    }

    pub(crate) fn join_at(&self) -> u64 {
        self.join_ms.saturating_mul(MILLISECOND)
    }

    pub(crate) fn leave_at(&self) -> Option<u64> {
        self.leave_ms.map(|leave| leave.saturating_mul(MILLISECOND))
    }

    pub(crate) fn other(&self) -> Verdict {
        if self.other == Other::Next { Verdict::NEXT } else { Verdict::DROP }
    }
}

/// A group that is told of: all hosts are in 224.0.0.1 and ff02::1, and those of one machine concern no link.
pub(crate) fn group(address: IpAddr) -> Result<IpAddr, Refusal> {
    let is_told = match address {
        IpAddr::V4(address) => address != Ipv4Addr::new(224, 0, 0, 1),
        IpAddr::V6(address) => address.segments()[0] & 0xf > 1 && address != Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
    };
    if address.is_multicast() && is_told {
        return Ok(address);
    }
    Err(Refusal::new(
        "groups: only multicast groups, and not those of all nodes, such as \"239.1.2.3\" or \"ff05::1:3\"",
    ))
}

/// The link-local address of a MAC address (RFC 4291, appendix A).
fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
