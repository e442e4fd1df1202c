//! What the operator can say.

use crate::direction::{DIRECTION_MAX, Direction};
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize, Deserializer, de};
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, Setup, Text, Verdict};

/// The configuration; README.md has the table.
#[derive(Deserialize, Default)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) table: List<Entry, { DIRECTION_MAX - 1 }>,
    pub(crate) other: Other,
    pub(crate) src_mac: Option<SourceMac>,
    pub(crate) dst_mac: Option<Mac>,
}

/// A line of the table.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) from: u16,
    pub(crate) to: u16,
    #[serde(default)]
    pub(crate) src_mac: Option<SourceMac>,
    #[serde(default)]
    pub(crate) dst_mac: Option<Mac>,
}

/// What becomes of packets from ports that the table does not name.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Other {
    /// They go on to the next stage or port of the chain.
    #[default]
    Next,
    /// They are dropped.
    Drop,
}

/// The source address to write.
#[derive(Clone, Copy)]
pub(crate) enum SourceMac {
    /// That of the port by which the packet leaves.
    Port,
    /// This one.
    Fixed(Mac),
}

impl SourceMac {
    /// The address, for packets that leave by this port. Nothing where the port is not known.
    pub(crate) fn resolve(self, setup: &Setup<'_>, port: Option<usize>) -> Option<Mac> {
        match self {
            Self::Fixed(mac) => Some(mac),
            Self::Port => setup.ports().get(port?).map(|port| Mac(port.mac)),
        }
    }
}

impl<'de> Deserialize<'de> for SourceMac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::<17>::deserialize(deserializer)?;
        if text.as_str() == "port" {
            return Ok(Self::Port);
        }
        let wrong = || de::Error::invalid_value(de::Unexpected::Str(text.as_str()), &"\"port\" or a MAC address");
        text.as_str().parse().map(Self::Fixed).map_err(|_| wrong())
    }
}

impl Config {
    /// Where packets go that the table does not send elsewhere.
    pub(crate) fn default_direction(&self, setup: &Setup<'_>) -> Direction {
        let mut direction = Direction::new(0, if self.other == Other::Drop { Verdict::DROP } else { Verdict::NEXT });
        if self.other == Other::Next {
            direction.source = self.src_mac.and_then(|mac| mac.resolve(setup, setup.next_port().map(usize::from)));
            direction.destination = self.dst_mac;
        }
        direction
    }
}

/// The number of a port that is there.
pub(crate) fn port(setup: &Setup<'_>, number: u16) -> Result<usize, Refusal> {
    if usize::from(number) < setup.ports().len() {
        return Ok(number.into());
    }
    let mut text = Text::<240>::new();
    text.push("table: this run has no port ").push_number(number.into());
    Err(text.into())
}
