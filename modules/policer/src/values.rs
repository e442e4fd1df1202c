//! Values as people write them: rates, and what becomes of a colour.

use perigee_guest::Text;
use perigee_guest::serde::{Deserialize, Deserializer, de};

/// Bits per second, as `2.5M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) u64);

/// What becomes of packets of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pass,
    Drop,
    /// They pass with this code point.
    Remark(u8),
}

impl Rate {
    /// Reads `250000`, `64k`, `2.5M`, `10G`; a fraction of a bit is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const UNITS: [(char, u32); 4] = [('k', 3), ('M', 6), ('G', 9), ('T', 12)];
        let unit = UNITS.iter().find_map(|(unit, places)| Some((text.strip_suffix(*unit)?, *places)));
        let (number, places) = unit.unwrap_or((text, 0));
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let behind = u32::try_from(part.len()).ok().filter(|behind| *behind <= places)?;
        if whole.is_empty() || !are_digits(whole) || !are_digits(part) {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let part: u64 = if part.is_empty() { 0 } else { part.parse().ok()? };
        whole.checked_mul(10_u64.pow(places))?.checked_add(part.checked_mul(10_u64.pow(places - behind))?).map(Self)
    }
}

/// A code point of DSCP by its number or name: RFC 2474 (CS0 to CS7), RFC 2597 (AF11 to AF43), RFC 3246 (EF).
pub(crate) fn dscp(text: &str) -> Option<u8> {
    let digit = |byte: u8, range: core::ops::RangeInclusive<u8>| Some(byte - b'0').filter(|_| range.contains(&byte));
    match *text.as_bytes() {
        [b'e' | b'E', b'f' | b'F'] => Some(46),
        [b'c' | b'C', b's' | b'S', class] => Some(digit(class, b'0'..=b'7')? * 8),
        [b'a' | b'A', b'f' | b'F', class, precedence] => {
            Some(digit(class, b'1'..=b'4')? * 8 + digit(precedence, b'1'..=b'3')? * 2)
        }
        _ => text.parse().ok().filter(|number| *number < 64 && !text.starts_with('+')),
    }
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "pass" => Some(Self::Pass),
            "drop" => Some(Self::Drop),
            _ => dscp(text.strip_prefix("dscp ")?).map(Self::Remark),
        }
    }
}

macro_rules! by_text {
    ($type:ty, $parse:expr, $expected:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Text::<24>::deserialize(deserializer)?;
                let wrong = || de::Error::invalid_value(de::Unexpected::Str(text.as_str()), &$expected);
                $parse(text.as_str()).ok_or_else(wrong)
            }
        }
    };
}

by_text!(Rate, Rate::parse, "bits per second, as \"2.5M\"");
by_text!(Action, Action::parse, "\"pass\", \"drop\", or \"dscp \" and a code point, as \"dscp af12\"");

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        let read = |text| Rate::parse(text).map(|rate| rate.0);
        assert_eq!((read("250000"), read("64k"), read("2.5M")), (Some(250_000), Some(64_000), Some(2_500_000)));
        assert_eq!((read("10G"), read("1.000001M"), read("0")), (Some(10_000_000_000), Some(1_000_001), Some(0)));
        for wrong in ["", "M", ".5M", "1.0000001M", "1.5", "-1", "+1", "1 M", "99999999999T", "1..5M"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn code_points_have_numbers_and_names() {
        assert_eq!((dscp("0"), dscp("63"), dscp("cs6"), dscp("EF")), (Some(0), Some(63), Some(48), Some(46)));
        assert_eq!((dscp("af11"), dscp("AF12"), dscp("af43")), (Some(10), Some(12), Some(38)));
        for wrong in ["64", "af51", "af14", "af10", "cs8", "", "+1", "af1", "be"] {
            assert_eq!(dscp(wrong), None, "{wrong}");
        }
        assert_eq!(Action::parse("dscp af13"), Some(Action::Remark(14)));
        assert_eq!(
            (Action::parse("pass"), Action::parse("dscp"), Action::parse("remark 3")),
            (Some(Action::Pass), None, None)
        );
    }
}
