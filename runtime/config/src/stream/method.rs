//! By what the packets of a stream are let go at their times.

use super::{Pattern, Rate, Stream};
use crate::{Chain, Config, Source};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who lets packets go at their times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The lcore, which hands each packet to the port when its time has come.
    #[default]
    Software,
    /// The port, whose tx queue is kept full and sends no more than so many bits in a second.
    RateLimit,
    /// The port, which is handed packets ahead of their times and holds each until then.
    LaunchTime,
    /// The line, which is kept busy: between packets lie frames that whoever receives them drops.
    Filler,
}

impl Method {
    /// All of them, the plainest first.
    pub const ALL: [Self; 4] = [Self::Software, Self::RateLimit, Self::LaunchTime, Self::Filler];

    /// As it is written in configurations and told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::RateLimit => "rate-limit",
            Self::LaunchTime => "launch-time",
            Self::Filler => "filler",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A stream's `method`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum AskedMethod {
    /// The one that calibration has found best for the port; software where there is no calibration.
    #[default]
    Auto,
    /// This one, or none.
    Only(Method),
}

impl TryFrom<String> for AskedMethod {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if name == "auto" {
            return Ok(Self::Auto);
        }
        let names = Method::ALL.map(|method| format!("{:?}", method.name())).join(", ");
        Method::of(&name).map(Self::Only).ok_or_else(|| format!("method {name:?} is none of \"auto\", {names}"))
    }
}

impl Config {
    /// Why a method cannot pace that stream on that chain, whatever the port, and what to do; `None` where it can.
    #[must_use]
    pub fn unfit(&self, stream: &Stream, chain: &Chain, method: Method) -> Option<(&'static str, &'static str)> {
        if method == Method::Software {
            return None;
        }
        let ports: Vec<&String> = chain.granted_ports().collect();
        let [port] = ports[..] else {
            return Some(("the chain sends to several ports, or to none", "give the stream's chain one port"));
        };
        let is_made = matches!(chain.source, Source::Module { .. });
        let is_shared = || self.chains.iter().any(|other| other.name != chain.name && other.sends_to(port));
        let queues = self.port(port).map_or(1, |port| self.ports[port].tx_queues_per_lcore);
        let is_seen = || self.paths.iter().any(|path| path.sees_sent_by(&chain.name));
        match method {
            Method::Software | Method::LaunchTime => None,
            _ if !is_made => {
                Some(("its packets are not made but received", "method = \"launch-time\" or \"software\""))
            }
            Method::RateLimit if stream.pattern != Pattern::Constant => {
                Some(("a limit has one rate, and no pattern", "pattern = \"constant\", or another method"))
            }
            Method::RateLimit if !matches!(stream.rate, Some(Rate::WireBits(_) | Rate::LinkShare(_))) => Some((
                "a limit counts bits on layer 1",
                "give the rate so: \"672 Mbit/s l1\" is 1 Mpps of 60 bytes (84 with preamble, check sequence and gap), or in % of the link",
            )),
            Method::RateLimit if queues != 1 => Some((
                "the port has several tx queues for each lcore",
                "leave tx_queues_per_lcore away: a limit is a queue's",
            )),
            Method::Filler if chain.width() != 1 => {
                Some(("the chain runs on several lcores, and the line is one", "give the chain one lcore"))
            }
            Method::Filler if is_shared() => {
                Some(("another chain sends to its port, between the fillers", "give the stream a port of its own"))
            }
            Method::Filler if is_seen() => {
                Some(("a [[path]] sees what it sends, and fillers are no packets", "see them where they come in"))
            }
            Method::RateLimit | Method::Filler => None,
        }
    }
}
