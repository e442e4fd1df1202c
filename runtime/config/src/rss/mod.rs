//! How a port spreads flows over its rx queues: `[port.rss]`.

#[doc(hidden)]
pub mod bits;

use super::validate::closest;
use bits as rss;
use serde::de::{Deserialize, Deserializer, Error as _};

/// How a port spreads flows over its rx queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rss {
    /// What the hash is made of, as DPDK's testpmd calls it; `None`: IP, TCP, UDP and SCTP, as far as the port can.
    pub functions: Option<Vec<RssFunction>>,
    /// The key of the hash; `None`: the driver's own.
    pub key: Option<RssKey>,
}

/// One function of RSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RssFunction {
    name: &'static str,
    /// DPDK's bits.
    pub bits: u64,
    /// It stands for several: a port is asked for those that it has.
    pub is_group: bool,
}

/// The key of a Toeplitz hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RssKey {
    /// 0x6d5a again and again: both directions of a flow have one hash (Woo and Park, "Scalable TCP Session Monitoring with
    /// Symmetric Receive-side Scaling", 2012).
    Symmetric,
    /// These bytes: as many as the port wants.
    Bytes(Vec<u8>),
}

const IP4: u64 = rss::IPV4 | rss::FRAG_IPV4 | rss::IPV4_OTHER;
const IP6: u64 = rss::IPV6 | rss::FRAG_IPV6 | rss::IPV6_OTHER | rss::IPV6_EX;

const fn group(name: &'static str, bits: u64) -> RssFunction {
    RssFunction { name, bits, is_group: true }
}

const fn one(name: &'static str, bits: u64) -> RssFunction {
    RssFunction { name, bits, is_group: false }
}

/// All functions that a configuration may name, by testpmd's words.
pub const FUNCTIONS: [RssFunction; 32] = [
    group("ip", IP4 | IP6),
    group("tcp", rss::IPV4_TCP | rss::IPV6_TCP | rss::IPV6_TCP_EX),
    group("udp", rss::IPV4_UDP | rss::IPV6_UDP | rss::IPV6_UDP_EX),
    group("sctp", rss::IPV4_SCTP | rss::IPV6_SCTP),
    group("vlan", rss::VLAN),
    one("ipv4", rss::IPV4),
    one("ipv4-frag", rss::FRAG_IPV4),
    one("ipv4-tcp", rss::IPV4_TCP),
    one("ipv4-udp", rss::IPV4_UDP),
    one("ipv4-sctp", rss::IPV4_SCTP),
    one("ipv4-other", rss::IPV4_OTHER),
    one("ipv6", rss::IPV6),
    one("ipv6-frag", rss::FRAG_IPV6),
    one("ipv6-tcp", rss::IPV6_TCP),
    one("ipv6-udp", rss::IPV6_UDP),
    one("ipv6-sctp", rss::IPV6_SCTP),
    one("ipv6-other", rss::IPV6_OTHER),
    one("ipv6-ex", rss::IPV6_EX),
    one("ipv6-tcp-ex", rss::IPV6_TCP_EX),
    one("ipv6-udp-ex", rss::IPV6_UDP_EX),
    one("l2-payload", rss::L2_PAYLOAD),
    one("port", rss::PORT),
    one("vxlan", rss::VXLAN),
    one("geneve", rss::GENEVE),
    one("nvgre", rss::NVGRE),
    one("gtpu", rss::GTPU),
    one("eth", rss::ETH),
    one("mpls", rss::MPLS),
    one("l3-src-only", rss::L3_SRC_ONLY),
    one("l3-dst-only", rss::L3_DST_ONLY),
    one("l4-src-only", rss::L4_SRC_ONLY),
    one("l4-dst-only", rss::L4_DST_ONLY),
];

impl RssFunction {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The function of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FUNCTIONS.into_iter().find(|function| function.name == name)
    }
}

impl<'de> Deserialize<'de> for RssFunction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            let known = FUNCTIONS.map(|function| function.name);
            let meant = closest(&name, known.into_iter()).map(|meant| format!("did you mean {meant:?}? "));
            let (meant, known) = (meant.unwrap_or_default(), known.join(", "));
            D::Error::custom(format!("{name:?} is no function of RSS; {meant}known functions: {known}"))
        })
    }
}

impl<'de> Deserialize<'de> for RssKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "symmetric" {
            return Ok(Self::Symmetric);
        }
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        let bytes = bytes.filter(|bytes| !bytes.is_empty() && bytes.len() <= usize::from(u8::MAX));
        bytes.map(Self::Bytes).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no key; write \"symmetric\", or bytes in hex (two digits each)"))
        })
    }
}
