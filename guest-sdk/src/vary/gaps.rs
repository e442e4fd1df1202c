//! Time between packets.

use super::Draw;
use super::uniform::fraction;
use crate::{Lcg64, Refusal};

/// What a frame takes on the wire beside its bytes: frame check sequence 4, preamble 8, gap 12 (IEEE 802.3).
const WIRE_OVERHEAD: u32 = 24;

/// How gaps are spread around their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// All the same.
    Constant,
    /// Exponential: the packets are a Poisson process.
    Poisson,
    /// Pareto's, with a shape larger than 1: most gaps short, some very long. Less than 2 is without bounds in its
    /// variance, as the traffic of many sources on and off is.
    Pareto(f64),
    /// So many packets without a gap, then one gap for all of them.
    Bursts(u32),
}

/// Gaps in nanoseconds from a rate. What is cut off to whole nanoseconds is added to the next gap, so the rate is exact
/// over time.
///
/// ```
/// use perigee_guest::vary::{Gaps, Shape};
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let mut random = perigee_guest::Lcg64::new(1);
/// // 60 bytes take 84 on the wire: 67.2 ns at 10 Gbit/s.
/// let mut gaps = Gaps::by_megabits(10_000.0, Shape::Constant)?;
/// assert_eq!([(); 5].map(|()| gaps.after(60, &mut random)), [67, 67, 67, 67, 68]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gaps {
    shape: Shape,
    /// Nanoseconds for each packet.
    each: f64,
    /// Nanoseconds for each byte on the wire.
    byte: f64,
    rest: f64,
    /// Packets of the burst still to come, and the time that the burst takes so far.
    left: u32,
    saved: f64,
}

impl Gaps {
    /// `rate` packets per second.
    ///
    /// # Errors
    ///
    /// The rate is not above 0, or a shape's number is not what it must be.
    pub fn by_packets(rate: f64, shape: Shape) -> Result<Self, Refusal> {
        Self::new(rate, 1e9, 0.0, shape)
    }

    /// `rate` megabits per second on the wire, with frame check sequence, preamble and the smallest gap.
    ///
    /// # Errors
    ///
    /// As [`Self::by_packets`].
    pub fn by_megabits(rate: f64, shape: Shape) -> Result<Self, Refusal> {
        Self::new(rate, 0.0, 8e3, shape)
    }

    fn new(rate: f64, each: f64, byte: f64, shape: Shape) -> Result<Self, Refusal> {
        // A rate that is no number fails here too.
        if !(rate > 1e-9 && rate < 1e15) {
            return Err(Refusal::new("gaps: the rate must be larger than 0"));
        }
        match shape {
            Shape::Pareto(alpha) if !(alpha > 1.0 && alpha < 1e3) => {
                return Err(Refusal::new("gaps: the shape of a Pareto distribution must be larger than 1"));
            }
            Shape::Bursts(0) => return Err(Refusal::new("gaps: a burst has at least one packet")),
            _ => {}
        }
        Ok(Self { shape, each: each / rate, byte: byte / rate, rest: 0.0, left: 0, saved: 0.0 })
    }

    /// The gap that follows a packet of `len` bytes, without frame check sequence: from its start to the start of the next
    /// one, in nanoseconds.
    #[inline]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and it saturates")]
    pub fn after(&mut self, len: u32, random: &mut Lcg64) -> u64 {
        let mean = self.each + self.byte * f64::from(len.saturating_add(WIRE_OVERHEAD));
        let exact = self.rest + self.spread(mean, random);
        let whole = exact as u64;
        // At most 1, even where the gap was longer than its number can say.
        self.rest = (exact - whole as f64).min(1.0);
        whole
    }

    fn spread(&mut self, mean: f64, random: &mut Lcg64) -> f64 {
        match self.shape {
            Shape::Constant => mean,
            Shape::Poisson => exponential(mean, random),
            Shape::Pareto(alpha) => pareto(mean, alpha, random),
            Shape::Bursts(packets) => {
                if self.left == 0 {
                    self.left = packets;
                    self.saved = 0.0;
                }
                self.left -= 1;
                self.saved += mean;
                if self.left == 0 { self.saved } else { 0.0 }
            }
        }
    }
}

/// The gaps in the host's words, and what goes on from gap to gap.
#[cfg(feature = "config")]
impl Gaps {
    pub(super) fn plan(&self, plan: &mut perigee_abi::fields::Head) {
        use super::called;
        use perigee_abi::fields::gap;
        (plan.gap_each, plan.gap_byte) = (self.each.to_bits(), self.byte.to_bits());
        plan.gap_beside = WIRE_OVERHEAD.into();
        (plan.gap, plan.gap_kind, plan.gap_arg) = match self.shape {
            Shape::Constant => (gap::CONSTANT, 0, 0),
            Shape::Bursts(packets) => (gap::BURSTS, packets.into(), 0),
            Shape::Poisson => (gap::CALLED, called::POISSON, 0),
            Shape::Pareto(alpha) => (gap::CALLED, called::PARETO, alpha.to_bits()),
        };
    }

    pub(super) fn state(&self) -> [u64; 3] {
        [self.rest.to_bits(), self.left.into(), self.saved.to_bits()]
    }

    pub(super) fn set_state(&mut self, [rest, left, saved]: [u64; 3]) {
        (self.rest, self.saved) = (f64::from_bits(rest), f64::from_bits(saved));
        self.left = u32::try_from(left).unwrap_or_default();
    }
}

/// A number of Pareto's distribution with this mean.
pub(super) fn pareto(mean: f64, alpha: f64, random: &mut Lcg64) -> f64 {
    let least = mean * (alpha - 1.0) / alpha;
    least * libm::exp(-libm::log(fraction(random)) / alpha)
}

/// A number of the exponential distribution.
pub(super) fn exponential(mean: f64, random: &mut Lcg64) -> f64 {
    -libm::log(fraction(random)) * mean
}

/// Numbers of the exponential distribution: waiting times, sizes of objects.
#[derive(Clone, Copy, Debug)]
pub struct Exponential {
    mean: f64,
}

impl Exponential {
    /// Numbers with this mean.
    ///
    /// # Errors
    ///
    /// The mean is not above 0.
    pub fn new(mean: f64) -> Result<Self, Refusal> {
        if mean > 0.0 && mean < f64::INFINITY {
            Ok(Self { mean })
        } else {
            Err(Refusal::new("mean: must be larger than 0"))
        }
    }
}

impl Draw for Exponential {
    type Value = f64;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> f64 {
        exponential(self.mean, random)
    }
}

/// Numbers of the normal distribution (Marsaglia's polar method).
#[derive(Clone, Copy, Debug)]
pub struct Normal {
    mean: f64,
    deviation: f64,
}

impl Normal {
    /// Numbers with this mean and standard deviation.
    ///
    /// # Errors
    ///
    /// The deviation is negative, or one of them is no finite number.
    pub fn new(mean: f64, deviation: f64) -> Result<Self, Refusal> {
        if mean.is_finite() && (0.0..f64::INFINITY).contains(&deviation) {
            Ok(Self { mean, deviation })
        } else {
            Err(Refusal::new("deviation: must not be negative"))
        }
    }
}

#[cfg(feature = "config")]
impl Normal {
    /// Its numbers, as those of the host's words: see [`Self::of_bits`].
    pub(super) fn to_bits(self) -> [u64; 2] {
        [self.mean, self.deviation].map(f64::to_bits)
    }

    /// Of what [`Self::to_bits`] gave.
    pub(super) fn of_bits(bits: [u64; 2]) -> Self {
        let [mean, deviation] = bits.map(f64::from_bits);
        Self { mean, deviation }
    }
}

impl Draw for Normal {
    type Value = f64;

    #[inline(never)]
    fn next(&mut self, random: &mut Lcg64) -> f64 {
        loop {
            let (x, y) = (2.0 * fraction(random) - 1.0, 2.0 * fraction(random) - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                return self.mean + self.deviation * x * libm::sqrt(-2.0 * libm::log(square) / square);
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// The sum of many gaps is what the rate says.
    fn total(mut gaps: Gaps, count: u32, len: u32) -> u64 {
        let mut random = Lcg64::new(11);
        (0..count).map(|_| gaps.after(len, &mut random)).sum()
    }

    #[test]
    fn rates_are_exact_over_time() {
        // Three packets per second do not divide a second.
        let third = Gaps::by_packets(3.0, Shape::Constant).unwrap();
        assert!((999_999_999_999..=1_000_000_000_000).contains(&total(third, 3_000, 60)));
        let bursts = Gaps::by_packets(1e6, Shape::Bursts(32)).unwrap();
        assert_eq!(total(bursts, 3_200, 60), 3_200_000);
        let line = Gaps::by_megabits(10_000.0, Shape::Constant).unwrap();
        assert!((123_040_000 - 1..=123_040_000).contains(&total(line, 100_000, 1514)));
    }

    #[test]
    fn gaps_follow_the_asked_rate_at_any_link_speed() {
        // MoonGen's Poisson gaps are for 10 Gbit/s alone.
        for megabits in [10.0, 1_000.0, 2_500.0, 10_000.0, 40_000.0, 100_000.0, 400_000.0] {
            for len in [60, 590, 1514] {
                let on_wire = f64::from(len + 24) * 8.0;
                for shape in [Shape::Constant, Shape::Poisson, Shape::Bursts(16)] {
                    let (count, mean) = (160_000, on_wire * 1e3 / megabits);
                    let seen = total(Gaps::by_megabits(megabits, shape).unwrap(), count, len) as f64 / f64::from(count);
                    // The mean of so many exponential gaps is within 1 % (four standard deviations).
                    assert!((seen / mean - 1.0).abs() < 0.01, "{megabits} {len} {shape:?}: {seen} instead of {mean}");
                    let by_packets = Gaps::by_packets(megabits * 1e6 / on_wire, shape).unwrap();
                    let seen = total(by_packets, count, len) as f64 / f64::from(count);
                    assert!((seen / mean - 1.0).abs() < 0.01, "{megabits} {len} {shape:?}: {seen} instead of {mean}");
                }
            }
        }
    }

    #[test]
    fn a_burst_has_one_gap() {
        let (mut gaps, mut random) = (Gaps::by_packets(1e9, Shape::Bursts(3)).unwrap(), Lcg64::new(1));
        assert_eq!([(); 7].map(|()| gaps.after(60, &mut random)), [0, 0, 3, 0, 0, 3, 0]);
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Gaps::by_packets(rate, Shape::Constant).is_err());
        }
        assert!(Gaps::by_packets(1.0, Shape::Pareto(1.0)).is_err());
        assert!(Gaps::by_packets(1.0, Shape::Bursts(0)).is_err());
        assert!(Exponential::new(0.0).is_err() && Exponential::new(f64::NAN).is_err());
        assert!(Normal::new(0.0, -1.0).is_err() && Normal::new(f64::NAN, 1.0).is_err());
    }
}
