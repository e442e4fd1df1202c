//! Timestamps and how far they may be wrong.

use perigee_guest::wire::NtpTime;

const SECOND: u64 = 1_000_000_000;

/// How a timestamp is written (RFC 8762, section 4.2.1; RFC 8186).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// NTP's: seconds since 1900 and fractions of 2^-32 seconds.
    #[default]
    Ntp,
    /// PTPv2's, truncated: seconds since 1970 by atomic time, and nanoseconds.
    Ptp,
}

/// The time of day, as timestamps have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Unix time when the run began, in nanoseconds.
    pub start: u64,
    /// Seconds by which atomic time, which PTP counts, is ahead of UTC.
    pub tai_offset: u64,
}

impl Clock {
    /// The timestamp of a time of the run's clock.
    #[must_use]
    pub fn stamp(&self, format: Format, time: u64) -> u64 {
        let unix = self.start.wrapping_add(time);
        match format {
            Format::Ntp => NtpTime::from_unix_nanos(unix).0,
            Format::Ptp => ((unix / SECOND).wrapping_add(self.tai_offset) << 32) | (unix % SECOND),
        }
    }

    /// The time of the run's clock that a timestamp says; negative before the run began. Nothing where a timestamp of PTP has more
    /// nanoseconds than a second.
    #[must_use]
    pub fn time(&self, format: Format, stamp: u64) -> Option<i64> {
        let unix = match format {
            Format::Ntp => NtpTime(stamp).unix_nanos(),
            Format::Ptp => {
                let nanos = Some(stamp & 0xffff_ffff).filter(|nanos| *nanos < SECOND)?;
                (stamp >> 32).wrapping_sub(self.tai_offset).wrapping_mul(SECOND).wrapping_add(nanos)
            }
        };
        Some(unix.wrapping_sub(self.start).cast_signed())
    }
}

/// How far a clock may be wrong (RFC 4656, section 4.1.2; RFC 8186, section 2.3):
///
/// ```text
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
/// |S|Z|   Scale   |   Multiplier  |
/// ```
///
/// S: the clock is set by an external source. Z: timestamps are in PTPv2's format. Multiplier · 2^(Scale − 32) seconds is the error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorEstimate(pub u16);

impl ErrorEstimate {
    const S: u16 = 1 << 15;
    const Z: u16 = 1 << 14;

    /// The estimate of an error of at most so many nanoseconds, rounded up. A multiplier of 0 would say nothing, and is never written.
    #[must_use]
    pub fn new(nanos: u64, is_synchronized: bool, format: Format) -> Self {
        let units = (u128::from(nanos) << 32).div_ceil(u128::from(SECOND)).max(1);
        let scale = (0..64).find(|scale| units.div_ceil(1 << scale) <= 255).unwrap_or(63_u16);
        let multiplier = u16::try_from(units.div_ceil(1 << scale)).unwrap_or(255);
        let synchronized = if is_synchronized { Self::S } else { 0 };
        let format = if format == Format::Ptp { Self::Z } else { 0 };
        Self(synchronized | format | scale << 8 | multiplier)
    }

    /// The format of the timestamps beside it.
    #[must_use]
    pub const fn format(self) -> Format {
        if self.0 & Self::Z == 0 { Format::Ntp } else { Format::Ptp }
    }

    /// Whether the clock is set by an external source.
    #[must_use]
    pub const fn is_synchronized(self) -> bool {
        self.0 & Self::S != 0
    }

    /// The error in nanoseconds, at most 2^64 - 1.
    #[must_use]
    pub fn nanos(self) -> u64 {
        let units = u128::from(self.0 & 0xff) << (self.0 >> 8 & 0x3f);
        u64::try_from((units * u128::from(SECOND)) >> 32).unwrap_or(u64::MAX)
    }
}

impl From<u16> for ErrorEstimate {
    fn from(bits: u16) -> Self {
        Self(bits)
    }
}

impl From<ErrorEstimate> for u16 {
    fn from(estimate: ErrorEstimate) -> Self {
        estimate.0
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const CLOCK: Clock = Clock { start: 1_700_000_000_000_000_000, tai_offset: 37 };

    #[test]
    fn times_come_back_in_both_formats() {
        for format in [Format::Ntp, Format::Ptp] {
            for time in [0, 1, 999_999_999, 123_456_789_012] {
                let stamp = CLOCK.stamp(format, time);
                assert_eq!(CLOCK.time(format, stamp), Some(time.cast_signed()));
            }
        }
        assert_eq!(CLOCK.stamp(Format::Ptp, 5), 1_700_000_037 << 32 | 5);
        assert_eq!(CLOCK.stamp(Format::Ntp, 500_000_000), (1_700_000_000 + 2_208_988_800) << 32 | 1 << 31);
        assert_eq!(CLOCK.time(Format::Ptp, 1_000_000_000), None);
        for stamp in [0, 1, u64::MAX, 1 << 63, 0xffff_ffff_3b9a_c9ff] {
            let _ = (CLOCK.time(Format::Ntp, stamp), CLOCK.time(Format::Ptp, stamp));
        }
    }

    #[test]
    fn an_error_is_never_said_to_be_smaller() {
        for nanos in [0, 1, 59, 60, 1_000, 1_000_000, 3_600_000_000_000, u64::MAX] {
            let estimate = ErrorEstimate::new(nanos, false, Format::Ntp);
            assert!(estimate.nanos() >= nanos - nanos / (1 << 32), "{nanos}: {}", estimate.nanos());
            assert!(estimate.0 & 0xff != 0);
        }
        // 1 ms = 4294967.3 units = 132 · 2^15.
        assert_eq!(ErrorEstimate::new(1_000_000, true, Format::Ptp).0, 0xc000 | 15 << 8 | 132);
        assert_eq!(ErrorEstimate(0x4000).format(), Format::Ptp);
        assert!(ErrorEstimate(0x8001).is_synchronized());
        assert_eq!(ErrorEstimate(0x3fff).nanos(), u64::MAX);
    }
}
