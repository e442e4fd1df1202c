//! Flow rules of a port: `[[port.flow]]`.

pub mod key;
mod rule;

pub use rule::Rule;

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error as _};
use std::fmt;
use std::ops::RangeInclusive;

/// Places in the inbox of a queue: some bursts, so that an lcore that is held up for a moment loses nothing.
pub const INBOX: u32 = 1_024;

/// A flow rule: what its packets look like, and what becomes of them. Of a port's rules the first one that a packet meets
/// decides.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRule {
    /// What a packet must look like.
    #[serde(default, rename = "match")]
    pub matches: FlowMatch,
    /// What becomes of it.
    pub action: FlowAction,
}

/// What a packet must look like: all that is named. Nothing: any packet.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowMatch {
    /// The EtherType, behind the VLAN tag where [`Self::vlan`] asks for one.
    pub ether_type: Option<u16>,
    /// The VLAN that its one tag names, 0 to 4094. Without this key a packet must have no tag, unless no key is there at all.
    pub vlan: Option<u16>,
    /// Network of its IPv4 or IPv6 source address.
    pub src: Option<IpNet>,
    /// Network of its IPv4 or IPv6 destination address.
    pub dst: Option<IpNet>,
    /// The IP protocol: of IPv6 the one that the first header names.
    pub protocol: Option<FlowProtocol>,
    /// Source ports of TCP, UDP or SCTP.
    pub src_port: Option<PortRange>,
    /// Destination ports of TCP, UDP or SCTP.
    pub dst_port: Option<PortRange>,
}

/// What becomes of a packet that meets a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowAction {
    /// It goes to the chain that reads this rx queue of the port.
    Queue(u16),
    /// It gets this mark, which modules find in its descriptor.
    Mark(u32),
    /// It is dropped.
    Drop,
}

/// An IP protocol's number, written as a name or as the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowProtocol(pub u8);

/// Ports of a transport protocol, written `53` or `"8000-8999"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

/// Names of protocols, by IANA's numbers.
const PROTOCOLS: [(&str, u8); 8] =
    [("icmp", 1), ("igmp", 2), ("tcp", 6), ("udp", 17), ("gre", 47), ("esp", 50), ("icmp6", 58), ("sctp", 132)];

impl FlowProtocol {
    /// It has ports in the first four bytes.
    pub fn has_ports(self) -> bool {
        matches!(self.0, 6 | 17 | 132)
    }
}

/// A number or a text.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a number or a text")]
enum Written {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for FlowProtocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = match Written::deserialize(deserializer)? {
            Written::Number(number) => u8::try_from(number).map_err(|_| number.to_string()),
            Written::Text(name) => {
                PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number).ok_or(format!("{name:?}"))
            }
        };
        found.map(Self).map_err(|wrong| {
            let names: Vec<&str> = PROTOCOLS.iter().map(|(name, _)| *name).collect();
            D::Error::custom(format!(
                "{wrong} is no IP protocol; write a number from 0 to 255, or {}",
                names.join(", ")
            ))
        })
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (text, range) = match Written::deserialize(deserializer)? {
            Written::Number(number) => (number.to_string(), u16::try_from(number).ok().map(|port| port..=port)),
            Written::Text(text) => {
                let ends = text.split_once('-').unwrap_or((&text, &text));
                let ends = ends.0.trim().parse().ok().zip(ends.1.trim().parse().ok());
                let range = ends.map(|(first, last): (u16, u16)| first..=last);
                (format!("{text:?}"), range)
            }
        };
        let range = range.filter(|range| !range.is_empty()).map(Self);
        range.ok_or_else(|| D::Error::custom(format!("{text} are no ports; write for example 53 or \"8000-8999\"")))
    }
}

impl fmt::Display for FlowProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOLS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last { first.fmt(f) } else { write!(f, "{first}-{last}") }
    }
}

impl fmt::Display for FlowMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.vlan.map(|vlan| format!("vlan {vlan}")),
            self.ether_type.map(|ether_type| format!("ether_type {ether_type:#06x}")),
            self.src.map(|net| format!("src {net}")),
            self.dst.map(|net| format!("dst {net}")),
            self.protocol.map(|protocol| format!("protocol {protocol}")),
            self.src_port.as_ref().map(|range| format!("src_port {range}")),
            self.dst_port.as_ref().map(|range| format!("dst_port {range}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "every packet" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for FlowAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => write!(f, "queue {queue}"),
            Self::Mark(mark) => write!(f, "mark {mark}"),
            Self::Drop => f.write_str("drop"),
        }
    }
}
