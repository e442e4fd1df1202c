//! What an operator writes about draws.

use super::{Gaps, Place, Shape};
use crate::Refusal;
use crate::config::List;
use crate::wire::Mac;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

/// Most values, and most weights, of a list in a configuration.
pub const LIST_MAX: usize = 16;

/// One item of a `vary` list: a draw, and where its values go. docs/field-engine.md has the table of the keys.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spec<'a> {
    /// Name of the field that values are written to.
    #[serde(borrow)]
    pub field: Option<&'a str>,
    /// First byte of the place that values are written to, instead of `field`.
    pub offset: Option<u16>,
    /// Bits between `offset` and the place.
    pub bit: u32,
    /// Width of the place in bits; 8 where it is not said.
    pub bits: Option<u32>,
    /// Name of this item, for others that use its values.
    #[serde(borrow)]
    pub name: Option<&'a str>,
    /// Name of an earlier item whose value is used, `"NAME.port"` and `"NAME.mac"` of clients, or `"length"`: the packet's.
    #[serde(borrow)]
    pub of: Option<&'a str>,
    /// Name of an earlier item: this one moves on only when that one begins anew.
    #[serde(borrow)]
    pub carry: Option<&'a str>,
    /// In what order values come.
    pub draw: Order,
    /// First value of a range; 0 where it is not said.
    pub from: Option<Value>,
    /// Last value of a range; the largest that fits the place where it is not said.
    pub to: Option<Value>,
    /// Distance of a range's values; negative to count down.
    pub step: Option<i64>,
    /// Value that a counter begins with.
    pub start: Option<Value>,
    /// Most values of a round.
    pub limit: Option<u64>,
    /// Whether a counter stays at its last value.
    pub once: bool,
    /// The values, instead of a range.
    pub values: List<Value, LIST_MAX>,
    /// How often each of the values comes, for `draw = "weighted"`.
    pub weights: List<u32, LIST_MAX>,
    /// A mix of packet sizes instead of values: see [`super::Mix::named`].
    #[serde(borrow)]
    pub imix: Option<&'a str>,
    /// Flows of clients, instead of a range.
    pub clients: Option<ClientsSpec>,
    /// How often each value is used before the next one.
    pub times: Option<u32>,
    /// Number of values after which a repeatable draw repeats.
    pub period: Option<u64>,
    /// Seed of the draws that are the same in every round.
    pub seed: u64,
    /// Exponent of a Zipf draw; 1 where it is not said.
    pub exponent: Option<f64>,
    /// Mean of a normal draw; the range's middle where it is not said.
    pub mean: Option<f64>,
    /// Standard deviation of a normal draw; a sixth of the range where it is not said.
    pub deviation: Option<f64>,
    /// Whether instances share the values; they do where it is not said.
    pub split: Option<bool>,
    /// Added to each value before it is written.
    pub add: i64,
    /// Bits that a value is shifted to the left by before it is written, or to the right where negative.
    pub shift: i8,
    /// Bits of the place that are written; all of them where it is not said.
    pub mask: Option<Value>,
    /// Whether the lowest byte is written first.
    pub little_endian: bool,
}

impl Spec<'_> {
    /// The place that the item names, if it names one.
    pub(super) fn place(&self, find: &dyn Fn(&str) -> Result<Place, Refusal>) -> Result<Option<Place>, Refusal> {
        match (self.field, self.offset) {
            (Some(_), Some(_)) => Err(Refusal::new("offset: not together with field")),
            (Some(field), None) => find(field).map(Some),
            (None, Some(offset)) => Place::bits(u32::from(offset) * 8 + self.bit.min(1 << 19), self.bits.unwrap_or(8))
                .filter(|place| place.width() <= 64)
                .map(Some)
                .ok_or_else(|| Refusal::new("bits: must be 1 to 64, and end within 65536 bytes")),
            (None, None) => Ok(None),
        }
    }
}

/// In what order a draw's values come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// One after the other.
    #[default]
    Counter,
    /// The same, said of a list.
    List,
    /// At random, each as likely.
    Random,
    /// In a random order, each once in a round.
    Shuffle,
    /// At random, and the same again after a period.
    Repeatable,
    /// At random, by weights.
    Weighted,
    /// At random, the first one most often: Zipf's law.
    Zipf,
    /// At random, around a mean.
    Normal,
}

impl Order {
    /// Whether there are rounds, so that others can carry.
    pub(super) fn has_rounds(self) -> bool {
        matches!(self, Self::Counter | Self::List | Self::Shuffle | Self::Repeatable)
    }
}

/// Clients, each with an address and ports.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientsSpec {
    /// First address.
    pub from: Value,
    /// Last address.
    pub to: Value,
    /// First and last port.
    #[serde(default)]
    pub ports: List<u16, 2>,
    /// Most flows.
    pub flows: Option<u64>,
    /// MAC address of the first client.
    pub macs: Option<Value>,
}

/// A value as operators write it: a number, or a text: a MAC address, an IPv4 or IPv6 address, `"0x1f"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// The number, or the last 64 bits of an IPv6 address.
    pub number: u64,
    /// The first 64 bits of an IPv6 address.
    pub high: Option<u64>,
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self { number, high: None }
    }
}

impl Value {
    fn of_text(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("0x") {
            return u64::from_str_radix(digits, 16).ok().map(Self::from);
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(u64::from(u32::from(address)).into());
        }
        if let Ok(Mac([a, b, c, d, e, f])) = text.parse() {
            return Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]).into());
        }
        let [high, number] = halves(text.parse().ok()?);
        Some(Self { number, high: Some(high) })
    }
}

fn halves(address: Ipv6Addr) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h] = address.segments().map(u64::from);
    [a << 48 | b << 32 | c << 16 | d, e << 48 | f << 32 | g << 16 | h]
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl Visitor<'_> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0, an address or \"0x...\"")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                Value::of_text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Gaps between packets, as operators write them.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GapsSpec {
    /// Packets per second.
    pub packets_per_second: Option<f64>,
    /// Megabits per second on the wire.
    pub megabits: Option<f64>,
    /// How gaps are spread.
    pub pattern: Pattern,
    /// Shape of the Pareto distribution; 1.5 where it is not said.
    pub alpha: Option<f64>,
    /// Packets of a burst; 32 where it is not said.
    pub burst: Option<u32>,
}

/// How gaps are spread: the words for [`Shape`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// See [`Shape::Constant`].
    #[default]
    Constant,
    /// See [`Shape::Poisson`].
    Poisson,
    /// See [`Shape::Pareto`].
    Pareto,
    /// See [`Shape::Bursts`].
    Bursts,
}

impl GapsSpec {
    /// The gaps.
    ///
    /// # Errors
    ///
    /// Not exactly one rate is there, or a number is not what it must be.
    pub fn gaps(&self) -> Result<Gaps, Refusal> {
        let shape = match self.pattern {
            Pattern::Constant => Shape::Constant,
            Pattern::Poisson => Shape::Poisson,
            Pattern::Pareto => Shape::Pareto(self.alpha.unwrap_or(1.5)),
            Pattern::Bursts => Shape::Bursts(self.burst.unwrap_or(32)),
        };
        match (self.packets_per_second, self.megabits) {
            (Some(rate), None) => Gaps::by_packets(rate, shape),
            (None, Some(rate)) => Gaps::by_megabits(rate, shape),
            _ => Err(Refusal::new("gaps: needs packets_per_second or megabits, and not both")),
        }
    }
}
