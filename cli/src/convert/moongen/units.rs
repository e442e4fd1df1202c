//! Numbers with units, as moongen-simple reads them: `1000mbit/s`, `1mp/s`, `10m`.

use crate::convert::Refused;
use crate::convert::lua::{Kind, Value};
use crate::convert::written::decimal;

/// Ethernet's frame check sequence, which MoonGen counts.
pub(super) const FCS: f64 = 4.0;

/// A number, and the unit behind it in lower case.
fn parts(value: &Value, what: &str) -> Result<(f64, String), Refused> {
    let wrong = || Refused::new(value.line, format!("{what} is a number, or a text of a number and its unit"));
    match &value.kind {
        Kind::Number(number) if *number > 0.0 => Ok((*number, String::new())),
        Kind::Text(text) => {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
            let number = text[..end].parse().ok().filter(|number| *number > 0.0).ok_or_else(wrong)?;
            Ok((number, text[end..].to_lowercase()))
        }
        _ => Err(wrong()),
    }
}

/// Seconds of a unit.
fn seconds(unit: &str, line: usize) -> Result<f64, Refused> {
    match unit {
        "" | "s" => Ok(1.0),
        "ms" => Ok(0.001),
        "m" => Ok(60.0),
        "h" => Ok(3_600.0),
        other => Err(Refused::new(line, format!("{other:?} is no unit of time: ms, s, m, h"))),
    }
}

/// Bits of a unit, for packets of `len` bytes.
fn bits(unit: &str, len: f64, line: usize) -> Result<f64, Refused> {
    let wrong =
        || Refused::new(line, format!("{unit:?} is no unit of data: [k|m|g][i] and bit, b (bytes) or p (packets)"));
    if unit.is_empty() {
        return Ok(1e6);
    }
    let of = [("bit", 1.0), ("b", 8.0), ("p", len * 8.0)];
    let (prefix, bits) = of.iter().find_map(|(end, bits)| Some((unit.strip_suffix(end)?, *bits))).ok_or_else(wrong)?;
    let times = match prefix {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "ki" => 1024.0,
        "mi" => 1_048_576.0,
        "gi" => 1_073_741_824.0,
        _ => return Err(wrong()),
    };
    Ok(bits * times)
}

/// A rate in bits of frames per second, with check sequences; numbers are megabits.
pub(super) fn rate(value: &Value, len: f64) -> Result<f64, Refused> {
    let (number, unit) = parts(value, "a rate")?;
    let (unit, time) = unit.split_once('/').unwrap_or((&unit, ""));
    Ok(number * bits(unit, len, value.line)? / seconds(time, value.line)?)
}

/// A time as a configuration has it; numbers are seconds.
pub(super) fn duration(value: &Value) -> Result<String, Refused> {
    let (number, unit) = parts(value, "a time")?;
    let milliseconds = number * seconds(&unit, value.line)? * 1_000.0;
    Ok(if milliseconds % 1_000.0 == 0.0 {
        format!("{}s", decimal(milliseconds / 1_000.0))
    } else {
        format!("{}us", (milliseconds * 1_000.0).round())
    })
}

/// How many packets an amount of data is, rounded up; numbers are megabits.
pub(super) fn packets(value: &Value, len: f64) -> Result<u64, Refused> {
    let (number, unit) = parts(value, "an amount of data")?;
    let packets = (number * bits(&unit, len, value.line)? / (len * 8.0)).ceil();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number above 0; one beyond is the largest"
    )]
    Ok(packets as u64)
}

#[cfg(test)]
mod test {
    use super::*;

    fn text(text: &str) -> Value {
        Value { line: 7, kind: Kind::Text(text.to_owned()) }
    }

    #[test]
    fn units_are_those_of_moongen() {
        let is = |got: Result<f64, Refused>, bits: f64| assert!((got.unwrap() - bits).abs() < 1e-3);
        is(rate(&text("1000mbit/s"), 64.0), 1e9);
        is(rate(&text("1mp/s"), 64.0), 512e6);
        is(rate(&text("2kib/m"), 64.0), 16_384.0 / 60.0);
        is(rate(&Value { line: 1, kind: Kind::Number(10.0) }, 64.0), 1e7);
        assert_eq!((duration(&text("10m")), duration(&text("1.5ms"))), (Ok("600s".into()), Ok("1500us".into())));
        assert_eq!((packets(&text("1kp"), 64.0), packets(&text("65b"), 64.0)), (Ok(1_000), Ok(2)));
        assert_eq!(rate(&text("fast"), 64.0).unwrap_err().line, 7);
        assert!(rate(&text("1xbit"), 64.0).unwrap_err().what.contains("no unit of data"));
        assert!(duration(&text("1d")).unwrap_err().what.contains("no unit of time"));
    }
}
