//! What a rate means for a packet: how long each of its units takes, as a ratio of integers.

use perigee_config::stream::{Rate, gcd};
use perigee_config::wire::{FRAME_BESIDE, SHORTEST};

const SECOND: u128 = 1_000_000_000;
/// Both numbers have no more bits: they are multiplied by the bytes of a frame, and by the packets of a burst.
const MOST_BITS: u32 = 104;
/// And those of a trace: they are multiplied by the nanoseconds of a gap.
const MOST_BITS_OF_TRACE: u32 = 84;
/// 2^32: times that are drawn are counted in this part of a nanosecond.
pub(crate) const FINE: f64 = 4_294_967_296.0;

/// What of a packet counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// That it is one.
    Packets,
    /// Its bytes.
    Frames,
    /// Its bytes, and what a frame takes on Ethernet beside them.
    Wire,
}

impl Measure {
    /// How many units a packet of this length is.
    pub(crate) fn units(self, len: u16) -> u64 {
        match self {
            Self::Packets => 1,
            Self::Frames => u64::from(len.max(1)),
            Self::Wire => u64::from(u32::from(len).max(SHORTEST) + FRAME_BESIDE),
        }
    }

    /// How many units any packet is, where its length does not matter.
    #[inline]
    pub(crate) fn fixed(self) -> Option<u64> {
        (self == Self::Packets).then_some(1)
    }

    /// Those of the shortest packet: for what is decided before there is one.
    pub(crate) fn least(self) -> u64 {
        self.units(u16::try_from(SHORTEST).unwrap_or(u16::MAX))
    }
}

/// How long each unit takes: `above / below` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tempo {
    pub(crate) measure: Measure,
    pub(crate) above: u128,
    pub(crate) below: u128,
}

impl Tempo {
    /// The tempo of a rate on a link.
    pub(crate) fn new(rate: Rate, link: Option<u64>) -> Result<Self, String> {
        let ratio = rate.ratio();
        if ratio.is_zero() {
            return Err(format!("a rate of {rate}: nothing would leave; pause the stream instead"));
        }
        let (above, below) = (u128::from(ratio.denominator()), u128::from(ratio.numerator()));
        Ok(match rate {
            Rate::Packets(_) => Self::reduced(Measure::Packets, SECOND * above, below),
            Rate::FrameBits(_) => Self::reduced(Measure::Frames, 8 * SECOND * above, below),
            Rate::WireBits(_) => Self::reduced(Measure::Wire, 8 * SECOND * above, below),
            Rate::LinkShare(_) => {
                let speed = link.filter(|speed| *speed != 0).ok_or_else(|| {
                    format!("{rate} of a link whose speed the port does not know; give the rate in bit/s or pps")
                })?;
                Self::reduced(Measure::Wire, 8 * SECOND * above, below * u128::from(speed))
            }
        })
    }

    /// That of a link which sends frames one after the other.
    pub(crate) fn of_link(speed: u64) -> Self {
        Self::reduced(Measure::Wire, 8 * SECOND, u128::from(speed.max(1)))
    }

    /// That of a trace, whose units are the nanoseconds of its gaps: they take as long as they say.
    pub(crate) const fn of_trace() -> Self {
        Self { measure: Measure::Packets, above: 1, below: 1 }
    }

    /// That of a trace of so many gaps, nanoseconds together, which are stretched to this tempo.
    pub(crate) fn stretching(self, gaps: u128, together: u128) -> Self {
        let common = gcd(gaps, together).max(1);
        let (gaps, together) = (gaps / common, together / common);
        let too_long = (u128::BITS - together.leading_zeros()).saturating_sub(62);
        let (gaps, together) = ((gaps >> too_long).max(1), together >> too_long);
        Self::shortened(Measure::Packets, self.above * gaps, self.below * together, MOST_BITS_OF_TRACE)
    }

    /// Each unit takes `above / below` times as long.
    pub(crate) fn stretched(self, above: u64, below: u64) -> Self {
        let common = gcd(above.into(), below.into()).max(1);
        let (above, below) = (u128::from(above) / common, u128::from(below) / common);
        // Both are below 2^86, and times of patterns below 2^42.
        Self::reduced(self.measure, self.above.saturating_mul(above), self.below.saturating_mul(below))
    }

    fn reduced(measure: Measure, above: u128, below: u128) -> Self {
        Self::shortened(measure, above, below, MOST_BITS)
    }

    /// In lowest terms. Numbers that are longer than any that a person writes lose their last digits.
    fn shortened(measure: Measure, above: u128, below: u128, most_bits: u32) -> Self {
        let common = gcd(above, below).max(1);
        let (above, below) = (above / common, below / common);
        let longest = u128::BITS - above.max(below).leading_zeros();
        let too_long = longest.saturating_sub(most_bits);
        Self { measure, above: above >> too_long, below: (below >> too_long).max(1) }
    }

    /// Nanoseconds for each unit, to the nearest number.
    #[allow(clippy::cast_precision_loss, reason = "the nearest number is asked for")]
    pub(crate) fn nanos(self) -> f64 {
        self.above as f64 / self.below as f64
    }

    /// Nanoseconds for a packet of this length, to the nearest number.
    #[allow(clippy::cast_precision_loss, reason = "units are few")]
    pub(crate) fn gap(self, len: u16) -> f64 {
        self.nanos() * self.measure.units(len) as f64
    }
}
