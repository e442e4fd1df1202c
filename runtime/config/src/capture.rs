//! Points of captures as they are written; and captures that a run makes from its first packet to its last: `[[capture]]`.

use crate::values;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A point of a chain or a port at which packets are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point<'a> {
    /// What a port gives and takes; or only what comes from it, or goes to it.
    Port(&'a str, Option<Way>),
    /// What comes into a chain.
    Rx(&'a str),
    /// What leaves it.
    Tx(&'a str),
    /// What it drops.
    Drops(&'a str),
    /// What comes to a stage, which is said by its module's name or its number.
    Before(&'a str, &'a str),
    /// What that passes on.
    After(&'a str, &'a str),
}

/// Whether packets come or leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// They come.
    In,
    /// They leave.
    Out,
    /// Neither.
    Within,
}

/// How points are written.
pub const POINTS: &str =
    "CHAIN:rx, CHAIN:tx, CHAIN:drops, CHAIN:before:STAGE, CHAIN:after:STAGE, port:NAME, port:NAME:rx or port:NAME:tx";

impl<'a> Point<'a> {
    /// Reads a point. Names may have colons themselves: what a point is, its end says.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        if let Some(port) = text.strip_prefix("port:") {
            let one_way = |end, way| port.strip_suffix(end).map(|port| Self::Port(port, Some(way)));
            return Ok(one_way(":rx", Way::In).or_else(|| one_way(":tx", Way::Out)).unwrap_or(Self::Port(port, None)));
        }
        let chain = |end| text.strip_suffix(end);
        let stage = |word| text.rsplit_once(word);
        let simple = chain(":rx").map(Self::Rx).or_else(|| chain(":tx").map(Self::Tx));
        let simple = simple.or_else(|| chain(":drops").map(Self::Drops));
        let of_stage = || stage(":before:").map(|(chain, stage)| Self::Before(chain, stage));
        let point = simple.or_else(of_stage).or_else(|| stage(":after:").map(|(c, s)| Self::After(c, s)));
        point.ok_or_else(|| format!("{text:?} is no point: write {POINTS}"))
    }
}

/// A file or files that packets are captured into from the run's start on: `[[capture]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// The points.
    pub at: Vec<String>,
    /// The file, relative to the configuration's directory; with `rotate_...` the pattern of their names.
    pub file: String,
    /// In libpcap's language, which packets; `None`: all.
    #[serde(default)]
    pub filter: Option<String>,
    /// Bytes of each packet, at most.
    #[serde(default = "whole")]
    pub snaplen: u32,
    /// How the files are written.
    #[serde(default)]
    pub format: Format,
    /// Bytes of memory between the lcores and the process that writes; `None`: 16 MiB, or what is left.
    #[serde(default, deserialize_with = "values::some_size")]
    pub memory: Option<u64>,
    /// Another file begins when one has so many bytes.
    #[serde(default, deserialize_with = "values::some_size")]
    pub rotate_size: Option<u64>,
    /// After this time.
    #[serde(default, deserialize_with = "values::some_duration")]
    pub rotate_time: Option<Duration>,
    /// After so many packets.
    #[serde(default)]
    pub rotate_count: Option<u64>,
    /// The last so many files are kept.
    #[serde(default)]
    pub keep: Option<u64>,
    /// Files that are there are written over.
    #[serde(default)]
    pub overwrite: bool,
}

/// How files are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// With points, comments and counts.
    #[default]
    Pcapng,
    /// The old one.
    Pcap,
}

fn whole() -> u32 {
    262_144
}

impl Capture {
    /// Files follow each other.
    #[must_use]
    pub fn rotates(&self) -> bool {
        self.rotate_size.is_some() || self.rotate_time.is_some() || self.rotate_count.is_some()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn points_are_told_by_their_ends() {
        assert_eq!(Point::parse("fwd:rx"), Ok(Point::Rx("fwd")));
        assert_eq!(Point::parse("a:b:tx"), Ok(Point::Tx("a:b")));
        assert_eq!(Point::parse("fwd:after:acl"), Ok(Point::After("fwd", "acl")));
        assert_eq!(Point::parse("fwd:before:1"), Ok(Point::Before("fwd", "1")));
        assert_eq!(Point::parse("fwd:drops"), Ok(Point::Drops("fwd")));
        assert_eq!(Point::parse("port:eth0"), Ok(Point::Port("eth0", None)));
        assert_eq!(Point::parse("port:eth0:tx"), Ok(Point::Port("eth0", Some(Way::Out))));
        for wrong in ["", "fwd", "fwd:", "fwd:around", "rx"] {
            assert!(Point::parse(wrong).expect_err(wrong).contains("is no point"), "{wrong}");
        }
    }
}
