//! Values as people write them: times, rates, sizes and parts of the whole.

use perigee_guest::Text;
use perigee_guest::serde::{Deserialize, Deserializer, de};

/// A time in nanoseconds, as `5us`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) u64);

/// Bits per second, as `10G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) u64);

/// What a queue holds: packets, as `100`, or bytes of frames, as `64KB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// So many packets.
    Packets(u64),
    /// So many bytes of frames.
    Bytes(u64),
}

/// A probability, in units of 2^-32: `0.1%`, or `0.001`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Chance(pub(crate) u64);

/// A line that is good or bad, by Gilbert and Elliott: `1%/25%`, or with the loss while bad and while good behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bursts {
    pub(crate) to_bad: Chance,
    pub(crate) to_good: Chance,
    pub(crate) in_bad: Chance,
    pub(crate) in_good: Chance,
}

impl Chance {
    /// Always.
    pub(crate) const CERTAIN: Self = Self(1 << 32);

    /// Whether it may happen at all.
    pub(crate) fn is_possible(self) -> bool {
        self.0 > 0
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, percent) = text.strip_suffix('%').map_or((text, 0), |number| (number, 2));
        let (digits, places) = decimal(number.trim())?;
        // At most 10^11 parts: 2^32 of them fit 128 bits, and need no more than that.
        let whole = 10_u128.pow(places + percent);
        let part = (u128::from(digits) << 32) / whole;
        u64::try_from(part).ok().map(Self).filter(|chance| *chance <= Self::CERTAIN)
    }
}

impl PartialOrd for Chance {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

impl Time {
    fn parse(text: &str) -> Option<Self> {
        const UNITS: [(&str, u64); 6] = [
            ("ns", 1),
            ("us", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("min", 60_000_000_000),
            ("", 1_000_000_000),
        ];
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(split)?;
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        scaled(number.trim(), *unit).map(Self)
    }
}

impl Rate {
    fn parse(text: &str) -> Option<Self> {
        const UNITS: [(char, u64); 5] =
            [('k', 1_000), ('K', 1_000), ('M', 1_000_000), ('G', 1_000_000_000), ('T', 1_000_000_000_000)];
        let bare = ["bit/s", "bps"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text).trim();
        let unit = UNITS.iter().find_map(|(unit, by)| Some((bare.strip_suffix(*unit)?, *by)));
        let (number, by) = unit.unwrap_or((bare, 1));
        scaled(number.trim(), by).filter(|rate| *rate > 0).map(Self)
    }
}

impl Limit {
    fn parse(text: &str) -> Option<Self> {
        const UNITS: [(&str, u64); 5] =
            [("KiB", 1 << 10), ("KB", 1 << 10), ("K", 1 << 10), ("MB", 1 << 20), ("M", 1 << 20)];
        let limit = match UNITS.iter().find_map(|(unit, by)| Some((text.strip_suffix(unit)?, *by))) {
            Some((number, by)) => Self::Bytes(scaled(number.trim(), by)?),
            None => match text.strip_suffix('B') {
                Some(number) => Self::Bytes(scaled(number.trim(), 1)?),
                None => Self::Packets(scaled(text, 1)?),
            },
        };
        (!matches!(limit, Self::Packets(0) | Self::Bytes(0))).then_some(limit)
    }
}

impl Bursts {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(Chance::parse);
        let (to_bad, to_good) = (parts.next()??, parts.next()??);
        let (in_bad, in_good) = match (parts.next(), parts.next()) {
            (None, None) => (Chance::CERTAIN, Chance::default()),
            (Some(in_bad), Some(in_good)) => (in_bad?, in_good?),
            _ => return None,
        };
        parts.next().is_none().then_some(Self { to_bad, to_good, in_bad, in_good })
    }
}

/// The digits of a number, and how many of them stand behind the point: at most 18 digits, nine of them there.
fn decimal(text: &str) -> Option<(u64, u32)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || whole.len() + part.len() > 18 || part.len() > 9 {
        return None;
    }
    let digits = whole
        .bytes()
        .chain(part.bytes())
        .try_fold(0, |number: u64, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))?;
    Some((digits, u32::try_from(part.len()).ok()?))
}

/// A number times a unit; nothing where that is no whole number of 63 bits.
fn scaled(text: &str, unit: u64) -> Option<u64> {
    let (digits, places) = decimal(text)?;
    let (product, whole) = (u128::from(digits) * u128::from(unit), 10_u128.pow(places));
    let value = u64::try_from(product / whole).ok().filter(|value| *value <= u64::MAX >> 1)?;
    (product % whole == 0).then_some(value)
}

macro_rules! from_text {
    ($($type:ty: $expected:literal),+ $(,)?) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Text::<48>::deserialize(deserializer)?;
                let wrong = || de::Error::invalid_value(de::Unexpected::Str(text.as_str()), &$expected);
                Self::parse(text.as_str()).ok_or_else(wrong)
            }
        }
    )+};
}

from_text! {
    Time: "a time such as \"5us\"",
    Rate: "bits per second such as \"10G\"",
    Limit: "packets such as \"100\", or bytes such as \"64KB\"",
    Chance: "a part of the packets such as \"0.1%\"",
    Bursts: "two or four parts such as \"1%/25%\": good to bad, bad to good, then the loss while bad and while good",
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn values_are_read_as_those_of_wires() {
        assert_eq!(Time::parse("5us"), Some(Time(5_000)));
        assert_eq!(Time::parse("1.5 ms"), Some(Time(1_500_000)));
        assert_eq!(Time::parse("2"), Some(Time(2_000_000_000)));
        assert_eq!(Rate::parse("2.5Gbit/s"), Some(Rate(2_500_000_000)));
        assert_eq!(Rate::parse("10G"), Some(Rate(10_000_000_000)));
        assert_eq!(Limit::parse("100"), Some(Limit::Packets(100)));
        assert_eq!(Limit::parse("64KB"), Some(Limit::Bytes(65_536)));
        assert_eq!(Limit::parse("1500B"), Some(Limit::Bytes(1_500)));
        assert_eq!(Chance::parse("50%"), Some(Chance(1 << 31)));
        assert_eq!(Chance::parse("0.5"), Some(Chance(1 << 31)));
        assert_eq!(Chance::parse("100%"), Some(Chance::CERTAIN));
        assert_eq!(Chance::parse("0.0000001%"), Some(Chance(4)));
        let bursts = Bursts::parse("50%/100%").unwrap();
        assert_eq!((bursts.to_bad, bursts.in_bad, bursts.in_good), (Chance(1 << 31), Chance::CERTAIN, Chance(0)));
        assert_eq!(Bursts::parse("1%/2%/50%/0%").unwrap().in_bad, Chance(1 << 31));
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "s", "5 parsecs", "-1s", "1e3s", "0.5ns", "99999999999999999s", "é5s", "1.0000000001s"] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
        for text in ["", "0", "G", "0.1", "1.5", "10Q"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
        for text in ["101%", "1.1", "%", "x", "-1%"] {
            assert_eq!(Chance::parse(text), None, "{text}");
        }
        for text in ["", "0", "0KB", "1.5", "KB"] {
            assert_eq!(Limit::parse(text), None, "{text}");
        }
        for text in ["1%", "1%/2%/3%", "1%/2%/3%/4%/5%", "/"] {
            assert_eq!(Bursts::parse(text), None, "{text}");
        }
    }
}
