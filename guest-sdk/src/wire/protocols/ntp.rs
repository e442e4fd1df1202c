//! NTP and its times.

use crate::wire::{Header, header};

/// An NTP packet of versions 1 to 4. Extension fields and a signature may follow.
#[header(name = "NTP", source = "RFC 5905", udp_port = 123)]
pub struct Ntp {
    /// Whether the last minute of the day is longer (1) or shorter (2); 3: the clock is not set.
    #[bits(2)]
    leap: u8,
    /// Version: 4.
    #[bits(3)]
    #[initial = 4]
    version: u8,
    /// [`Ntp::CLIENT`], [`Ntp::SERVER`] or another.
    #[bits(3)]
    #[initial = Self::CLIENT]
    mode: u8,
    /// How many servers lie between this one and a reference clock; 0: unknown, 1: it has one.
    stratum: u8,
    /// Time between two packets, as the power of two of seconds.
    poll: i8,
    /// Precision of the clock, as the power of two of seconds.
    precision: i8,
    /// Time to the reference clock and back, in units of 1/65,536 s.
    root_delay: u32,
    /// How far the clock may be wrong, in units of 1/65,536 s.
    root_dispersion: u32,
    /// Which reference clock: four letters, or the server's address.
    reference_id: [u8; 4],
    /// When the clock was last set.
    #[bits(64)]
    #[hex]
    reference: NtpTime,
    /// When the request left the client, by the client's clock.
    #[bits(64)]
    #[hex]
    origin: NtpTime,
    /// When the request came to the server.
    #[bits(64)]
    #[hex]
    receive: NtpTime,
    /// When this packet left.
    #[bits(64)]
    #[hex]
    transmit: NtpTime,
}

impl Header for Ntp {
    fn is_valid(&self) -> bool {
        // Modes 6 and 7 are control messages of another form.
        matches!(self.version(), 1..=4) && self.mode() < 6
    }
}

impl Ntp {
    /// Mode: two that set each other's clocks, the one that began.
    pub const SYMMETRIC_ACTIVE: u8 = 1;
    /// Mode: the other one.
    pub const SYMMETRIC_PASSIVE: u8 = 2;
    /// Mode: it asks.
    pub const CLIENT: u8 = 3;
    /// Mode: it answers.
    pub const SERVER: u8 = 4;
    /// Mode: it speaks to all.
    pub const BROADCAST: u8 = 5;
}

/// A time of NTP: seconds in the upper, fractions of a second in the lower 32 bits. Eras of 2^32 seconds follow each other:
/// era 0 began in 1900, era 1 begins in February 2036. 0 means that the time is not known.
///
/// ```
/// use perigee_guest::wire::{Ntp, NtpTime};
///
/// /// How far a client's clock is behind the server's, in nanoseconds, when the answer came at `now`.
/// fn offset(answer: &Ntp, now: NtpTime) -> i64 {
///     let there = answer.receive().nanos_since(answer.origin());
///     let back = answer.transmit().nanos_since(now);
///     (there + back) / 2
/// }
///
/// let at = |second: u64| NtpTime::from_unix_nanos((1_700_000_000 + second) * 1_000_000_000);
/// let mut answer = Ntp::default();
/// answer.set_origin(at(0));
/// answer.set_receive(at(11));
/// answer.set_transmit(at(12));
/// assert_eq!(offset(&answer, at(3)), 10_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Seconds from 1900 to 1970.
    const UNIX: u64 = 2_208_988_800;
    const NANOS: u64 = 1_000_000_000;

    /// That of nanoseconds since 1970, rounded up, so that [`Self::unix_nanos`] gives them back.
    #[must_use]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        let fraction = ((nanos % Self::NANOS) << 32).div_ceil(Self::NANOS);
        Self((nanos / Self::NANOS + Self::UNIX) << 32 | fraction)
    }

    /// Nanoseconds since 1970. A time whose highest bit is clear is one of era 1 (RFC 4330, section 3): the range goes from
    /// 1968 to 2104; times before 1970 are 0.
    #[must_use]
    pub const fn unix_nanos(self) -> u64 {
        let era = if self.0 >> 63 == 0 { 1 << 32 } else { 0 };
        let seconds = era + (self.0 >> 32);
        let nanos = ((self.0 & 0xffff_ffff) * Self::NANOS) >> 32;
        if seconds < Self::UNIX { 0 } else { (seconds - Self::UNIX) * Self::NANOS + nanos }
    }

    /// Nanoseconds from an earlier time to this one, negative where it is later, rounded towards zero; right for up
    /// to 68 years.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "2^63 / 2^32 seconds have fewer nanoseconds than 2^63")]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        let difference = self.0.wrapping_sub(earlier.0).cast_signed() as i128;
        (difference * Self::NANOS as i128 / (1 << 32)) as i64
    }
}

impl From<u64> for NtpTime {
    fn from(bits: u64) -> Self {
        Self(bits)
    }
}

impl From<NtpTime> for u64 {
    fn from(time: NtpTime) -> Self {
        time.0
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::protocols::captured::hex;

    #[test]
    fn an_answer_is_read() {
        let bytes = hex(
            "
            24 02 06 e9 0000051e 0000028f c0000201 eb1f040080000000 eb1f040140000000 eb1f040180000000 eb1f0401c0000000",
        );
        let ntp = Ntp::parse(&bytes).unwrap();
        assert_eq!((ntp.leap(), ntp.version(), ntp.mode(), ntp.stratum()), (0, 4, Ntp::SERVER, 2));
        assert_eq!((ntp.poll(), ntp.precision(), ntp.root_delay(), ntp.root_dispersion()), (6, -23, 1310, 655));
        assert_eq!((ntp.reference_id(), ntp.reference().unix_nanos()), ([192, 0, 2, 1], 1_735_689_600_500_000_000));
        assert_eq!(ntp.transmit().nanos_since(ntp.receive()), 250_000_000);
        assert_eq!(ntp.origin().nanos_since(ntp.transmit()), -500_000_000);
        for first in [0x04, 0x2c, 0x26] {
            let mut bytes = bytes.clone();
            bytes[0] = first;
            assert!(Ntp::parse(&bytes).is_err(), "{first:#x}");
        }
    }

    #[test]
    fn times_convert_both_ways_and_beyond_the_era() {
        for nanos in
            [0, 1, 999_999_999, 1_735_689_600_123_456_789, 2_085_978_495_999_999_999, 2_085_978_496_000_000_001]
        {
            assert_eq!(NtpTime::from_unix_nanos(nanos).unix_nanos(), nanos);
        }
        assert_eq!(NtpTime::from_unix_nanos(2_085_978_496_000_000_000), NtpTime(0));
        assert_eq!(NtpTime(1 << 63).unix_nanos(), 0);
        assert_eq!(NtpTime(u64::MAX).nanos_since(NtpTime(0)), 0);
        assert_eq!(NtpTime(1 << 63).nanos_since(NtpTime(0)), -(1 << 31) * 1_000_000_000);
    }
}
