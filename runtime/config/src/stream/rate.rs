//! Rates as people write them, kept as they were written: as ratios of integers.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt;

/// Digits behind the point that a rate may have.
const DECIMALS: usize = 9;
/// More packets in a second than any link carries.
const MOST_PACKETS: u128 = 1_000_000_000_000;
/// More bits in a second than any link carries.
const MOST_BITS: u128 = 1_000_000_000_000_000;
/// Prefixes of units, with their zeros.
const PREFIXES: [(&str, u32); 5] = [("T", 12), ("G", 9), ("M", 6), ("k", 3), ("K", 3)];

/// A ratio of two integers in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    /// Reduces the two; `None` where the denominator is 0, or one of them does not fit.
    #[must_use]
    pub fn new(numerator: u128, denominator: u128) -> Option<Self> {
        let common = gcd(numerator, denominator);
        if denominator == 0 {
            return None;
        }
        let numerator = u64::try_from(numerator / common).ok()?;
        Some(Self { numerator, denominator: u64::try_from(denominator / common).ok()? })
    }

    /// What is above the line.
    #[must_use]
    pub const fn numerator(self) -> u64 {
        self.numerator
    }

    /// What is below it.
    #[must_use]
    pub const fn denominator(self) -> u64 {
        self.denominator
    }

    /// It is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// The nearest number.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "the nearest number is asked for")]
    pub fn number(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// The largest number that divides both.
#[must_use]
pub const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// How many packets leave, as a stream's `rate` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Packets per second.
    Packets(Ratio),
    /// Bits per second of frames, without preamble, gap and frame check sequence.
    FrameBits(Ratio),
    /// Bits per second on layer 1, with all of these.
    WireBits(Ratio),
    /// A part of what the link carries on layer 1; 1 is all of it.
    LinkShare(Ratio),
}

impl Rate {
    /// Reads `1 Mpps`, `2.5 Gbit/s`, `1 Gbit/s l1` or `25 %`.
    ///
    /// # Errors
    /// The text that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no rate; write packets per second as \"1 Mpps\", bits per second of frames as \"1 Gbit/s\", on layer 1 \
                 as \"1 Gbit/s l1\", or a part of the link as \"25 %\""
            )
        };
        let bare: String = text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
        if let Some(number) = bare.strip_suffix('%') {
            let share = ratio(number, 0, 100).ok_or_else(wrong)?;
            if share.numerator > share.denominator {
                return Err(format!("{text:?} is more than the whole link; 100 % is the most"));
            }
            return Ok(Self::LinkShare(share));
        }
        if let Some(number) = ["pps", "packets/s"].iter().find_map(|unit| bare.strip_suffix(unit)) {
            return Ok(Self::Packets(counted(number, MOST_PACKETS).ok_or_else(wrong)?));
        }
        let of_wire = ["l1", "L1"].iter().find_map(|layer| bare.strip_suffix(layer));
        let of_frames = ["l2", "L2"].iter().find_map(|layer| bare.strip_suffix(layer));
        let bits = of_wire.or(of_frames).unwrap_or(&bare);
        let number = ["bit/s", "bps"].iter().find_map(|unit| bits.strip_suffix(unit)).ok_or_else(wrong)?;
        let bits = counted(number, MOST_BITS).ok_or_else(wrong)?;
        Ok(if of_wire.is_some() { Self::WireBits(bits) } else { Self::FrameBits(bits) })
    }

    /// Its number, whatever it counts.
    #[must_use]
    pub const fn ratio(self) -> Ratio {
        match self {
            Self::Packets(ratio) | Self::FrameBits(ratio) | Self::WireBits(ratio) | Self::LinkShare(ratio) => ratio,
        }
    }

    /// Both count the same.
    #[must_use]
    pub fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// Nothing would leave.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.ratio().is_zero()
    }
}

/// A number with a prefix, up to `most`.
fn counted(number: &str, most: u128) -> Option<Ratio> {
    let prefix = PREFIXES.iter().find_map(|(prefix, zeros)| Some((number.strip_suffix(prefix)?, *zeros)));
    let (digits, zeros) = prefix.unwrap_or((number, 0));
    let read = ratio(digits, zeros, 1)?;
    (u128::from(read.numerator) <= most * u128::from(read.denominator)).then_some(read)
}

/// `digits`, with so many zeros, of `whole`.
fn ratio(digits: &str, zeros: u32, whole: u128) -> Option<Ratio> {
    let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = before.bytes().chain(behind.bytes()).all(|byte| byte.is_ascii_digit());
    if before.is_empty() || !all_digits || before.len() > 18 || behind.len() > DECIMALS {
        return None;
    }
    let number: u128 = format!("{before}{behind}").parse().ok()?;
    Ratio::new(number * 10_u128.pow(zeros), 10_u128.pow(u32::try_from(behind.len()).ok()?) * whole)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, layer) = match self {
            Self::Packets(_) => ("pps", ""),
            Self::FrameBits(_) => ("bit/s", ""),
            Self::WireBits(_) => ("bit/s", " l1"),
            Self::LinkShare(share) => {
                let hundredfold = u128::from(share.numerator) * 100;
                return write!(f, "{} %", decimal(hundredfold, share.denominator.into()));
            }
        };
        let (above, below) = (u128::from(self.ratio().numerator), u128::from(self.ratio().denominator));
        let fits = |zeros: u32| above >= below * 10_u128.pow(zeros);
        let (prefix, zeros) = PREFIXES.into_iter().find(|(_, zeros)| fits(*zeros)).unwrap_or(("", 0));
        write!(f, "{} {prefix}{unit}{layer}", decimal(above, below * 10_u128.pow(zeros)))
    }
}

/// As a decimal fraction, to 12 digits behind the point.
fn decimal(above: u128, below: u128) -> String {
    let behind = above % below * 1_000_000_000_000 / below;
    let text = format!("{}.{behind:012}", above / below);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn ratio(above: u128, below: u128) -> Ratio {
        Ratio::new(above, below).unwrap()
    }

    #[test]
    fn a_rate_is_read_exactly_and_written_again() {
        for (text, rate, written) in [
            ("1 Mpps", Rate::Packets(ratio(1_000_000, 1)), "1 Mpps"),
            ("500kpps", Rate::Packets(ratio(500_000, 1)), "500 kpps"),
            ("2.5 kpps", Rate::Packets(ratio(2_500, 1)), "2.5 kpps"),
            ("0.5 pps", Rate::Packets(ratio(1, 2)), "0.5 pps"),
            ("14_880_952.381 packets/s", Rate::Packets(ratio(14_880_952_381, 1_000)), "14.880952381 Mpps"),
            ("1 Gbit/s", Rate::FrameBits(ratio(1_000_000_000, 1)), "1 Gbit/s"),
            ("1 Gbit/s l2", Rate::FrameBits(ratio(1_000_000_000, 1)), "1 Gbit/s"),
            ("1.25Gbps L1", Rate::WireBits(ratio(1_250_000_000, 1)), "1.25 Gbit/s l1"),
            ("25 %", Rate::LinkShare(ratio(1, 4)), "25 %"),
            ("33.333333333%", Rate::LinkShare(ratio(33_333_333_333, 100_000_000_000)), "33.333333333 %"),
            ("0 pps", Rate::Packets(ratio(0, 1)), "0 pps"),
        ] {
            assert_eq!(Rate::parse(text), Ok(rate), "{text}");
            assert_eq!(rate.to_string(), written);
            assert_eq!(Rate::parse(written), Ok(rate), "{written}");
        }
    }

    #[test]
    fn what_is_no_rate_is_told() {
        for text in ["", "1", "1M", "pps", "-1 pps", "1e3 pps", ".5 pps", "1 Xpps", "1 pps l1", "0.0000000001 pps"] {
            let told = Rate::parse(text).expect_err(text);
            assert!(told.contains("is no rate; write packets per second as"), "{told}");
        }
        assert!(Rate::parse("2 Tpps").is_err() && Rate::parse("2000 Tbit/s").is_err());
        assert!(Rate::parse("101 %").unwrap_err().contains("more than the whole link"));
    }
}
