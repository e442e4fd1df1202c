//! Times as people write them.

use perigee_runtime::config::parse_duration;
use std::time::{SystemTime, UNIX_EPOCH};

const SECOND: i128 = 1_000_000_000;

/// Nanoseconds since 1970.
pub(super) fn parse_moment(text: &str) -> Result<i128, String> {
    if let Some(seconds) = seconds(text) {
        return Ok(seconds);
    }
    // Seconds may be left away.
    let whole = if text.len() == "2026-05-04 10:00".len() { format!("{text}:00") } else { text.to_owned() };
    if let Ok(time) = humantime::parse_rfc3339_weak(&whole) {
        return Ok(since_1970(time));
    }
    let ago = parse_duration(text).map_err(|_| {
        format!("{text:?} is no time: 2026-05-04T10:00:00Z, 2026-05-04 10:00 (UTC), seconds since 1970, or how long ago (10min)")
    })?;
    Ok(since_1970(SystemTime::now()) - i128::try_from(ago.as_nanos()).unwrap_or(i128::MAX))
}

/// Seconds with up to nine digits behind the point.
fn seconds(text: &str) -> Option<i128> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(rest) || rest.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let rest: i128 = format!("{rest:0<9}").parse().ok()?;
    Some(i128::from(whole) * SECOND + rest)
}

fn since_1970(time: SystemTime) -> i128 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for text in ["2026-05-04T10:00:00Z", "2026-05-04 10:00:00", "2026-05-04 10:00", "1777888800", "1777888800.0"] {
            assert_eq!(parse_moment(text), Ok(1_777_888_800 * SECOND), "{text}");
        }
        assert_eq!(parse_moment("1777888800.000000007"), Ok(1_777_888_800 * SECOND + 7));
        assert_eq!(parse_moment("2026-05-04T10:00:00.5Z"), Ok(1_777_888_800 * SECOND + SECOND / 2));
        let ago = since_1970(SystemTime::now()) - parse_moment("10min").expect("a length of time");
        assert!((600 * SECOND - SECOND..=600 * SECOND).contains(&ago), "{ago}");
        for bad in ["", "yesterday", "1.2.3", "2026-13-40 10:00"] {
            assert!(parse_moment(bad).is_err(), "{bad}");
        }
    }
}
