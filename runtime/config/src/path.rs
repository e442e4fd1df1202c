//! Paths: packets that pass by, and the two places at which the same one is seen. `[[path]]`.

use crate::{Chain, Config, values};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt;
use std::time::Duration;

/// What is measured of packets that pass by: `[[path]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredPath {
    /// What statistics call it.
    pub name: String,
    /// Where its packets are seen first.
    pub first: Sighting,
    /// And where then.
    pub then: Sighting,
    /// By what a packet is known again.
    #[serde(default)]
    pub identity: Identity,
    /// A packet that was not seen again after so long is lost; one that is seen later is late.
    #[serde(default = "timeout", deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// So many packets are remembered, each for twice the time-out; a power of two.
    #[serde(default = "places")]
    pub places: u32,
}

/// Where packets are seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawSighting")]
pub enum Sighting {
    /// As chains receive them from ports.
    Received {
        /// The chains.
        by: Vec<String>,
    },
    /// As chains hand them to a port.
    Sent {
        /// The chains.
        by: Vec<String>,
        /// The port; `None`: the only one that each of them sends to.
        to: Option<String>,
    },
}

/// A sighting as it stands in the file: one of two keys says of which kind it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSighting {
    received_by: Option<Vec<String>>,
    sent_by: Option<Vec<String>>,
    to: Option<String>,
}

impl MeasuredPath {
    /// Packets of it are seen as that chain hands them to a port.
    #[must_use]
    pub fn sees_sent_by(&self, chain: &str) -> bool {
        let sees = |at: &Sighting| matches!(at, Sighting::Sent { by, .. } if by.iter().any(|name| name == chain));
        sees(&self.first) || sees(&self.then)
    }
}

impl TryFrom<RawSighting> for Sighting {
    type Error = &'static str;

    fn try_from(raw: RawSighting) -> Result<Self, &'static str> {
        match (raw.received_by, raw.sent_by) {
            (Some(_), None) if raw.to.is_some() => {
                Err("`to` is a port that packets are sent to: it belongs to `sent_by`")
            }
            (Some(by), None) => Ok(Self::Received { by }),
            (None, Some(by)) => Ok(Self::Sent { by, to: raw.to }),
            _ => Err("where packets are seen is exactly one of: received_by, sent_by"),
        }
    }
}

impl Sighting {
    /// The chains that see them.
    #[must_use]
    pub fn chains(&self) -> &[String] {
        match self {
            Self::Received { by } | Self::Sent { by, .. } => by,
        }
    }
}

/// By what a packet is known again at another place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// What routers leave alone of an IP packet: lengths, id, fragment, protocol, addresses, and the first [`Self::BEHIND_IP`] bytes
    /// behind IP's header.
    #[default]
    Ip,
    /// All bytes behind the headers.
    Payload,
    /// The whole frame.
    Frame,
    /// Some bytes.
    Field {
        /// Where they are counted from.
        from: FieldStart,
        /// How far behind it they begin; from the end, how far before it.
        offset: u16,
        /// How many they are.
        len: u16,
    },
}

/// Where a field is counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldStart {
    /// The frame's first byte.
    #[default]
    Start,
    /// The first byte behind the headers of Ethernet, IP, UDP and TCP.
    Payload,
    /// The frame's end.
    End,
}

impl Identity {
    /// Bytes behind IP's header that belong to [`Self::Ip`]: the header of the protocol above, with its checksum, and what follows.
    pub const BEHIND_IP: u16 = 64;
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::Payload => f.write_str("payload"),
            Self::Frame => f.write_str("frame"),
            Self::Field { from, offset, len } => {
                let from = match from {
                    FieldStart::Start => "start",
                    FieldStart::Payload => "payload",
                    FieldStart::End => "end",
                };
                write!(f, "{len} bytes at {offset} from {from}")
            }
        }
    }
}

/// A field as a table says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    #[serde(default)]
    from: FieldStart,
    offset: u16,
    len: u16,
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(name) => match &*name {
                "ip" => Ok(Self::Ip),
                "payload" => Ok(Self::Payload),
                "frame" => Ok(Self::Frame),
                _ => Err(D::Error::custom(format!(
                    "{name:?} is no identity; it is \"ip\", \"payload\", \"frame\", or a field as {{ offset = 42, len = 8 }}"
                ))),
            },
            toml::Value::Table(table) => {
                let RawField { from, offset, len } = table.try_into().map_err(|error: toml::de::Error| {
                    D::Error::custom(format!(
                        "an identity's table is as {{ offset = 42, len = 8 }}: {}",
                        error.message()
                    ))
                })?;
                Ok(Self::Field { from, offset, len })
            }
            other => Err(D::Error::custom(format!(
                "an identity is a name or a table with `offset` and `len`, not of type {}",
                other.type_str()
            ))),
        }
    }
}

const fn timeout() -> Duration {
    Duration::from_millis(100)
}

const fn places() -> u32 {
    1 << 18
}

impl Config {
    /// The ports that a chain sends to: without those that play files, which take nothing.
    pub fn sends_to<'a>(&'a self, chain: &'a Chain) -> impl Iterator<Item = &'a str> {
        let takes = |name: &&str| self.ports.iter().any(|port| port.name == **name && !port.is_file());
        chain.granted_ports().map(String::as_str).filter(takes)
    }

    /// The port at which a path's packets are seen as the chain of this name sends them: the one that is named, or the chain's only
    /// one. `None` where they are seen elsewhere, or by others.
    #[must_use]
    pub fn seen_leaving_by(&self, chain: &str, sighting: &Sighting) -> Option<usize> {
        let Sighting::Sent { by, to } = sighting else { return None };
        let chain = self.chains.iter().find(|other| other.name == chain && by.contains(&other.name))?;
        let mut ports = self.sends_to(chain).filter(|port| to.as_ref().is_none_or(|to| to == port));
        self.port(ports.next()?)
    }
}
