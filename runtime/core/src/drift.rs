//! How fast a clock runs beside another one, by readings of both, and how sure that is.

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The clock that is compared with, nanoseconds.
    pub reference_ns: u64,
    /// The clock that is looked at, in its own units.
    pub says: u64,
    /// How far apart both may have been read, nanoseconds, either way.
    pub unsure_ns: u64,
}

/// A rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Units of the clock in a nanosecond of the other one.
    pub units_per_ns: f64,
    /// Millionths by which that may be wrong: two standard deviations.
    pub unsure_ppm: f64,
    /// The farthest that a reading is from an even rate, nanoseconds.
    pub worst_ns: f64,
}

/// The rate that fits the readings best, by least squares; `None` for fewer than three, for those of one moment, and for a clock that
/// goes back or stands still.
#[allow(clippy::cast_precision_loss, reason = "differences of times, far below 2^53 ns")]
pub fn rate(readings: &[Reading]) -> Option<Rate> {
    let first = readings.first().filter(|_| readings.len() >= 3)?;
    let differences = readings.iter().map(|one| {
        let x = one.reference_ns.checked_sub(first.reference_ns)?;
        Some((x as f64, one.says.checked_sub(first.says)? as f64))
    });
    let points: Vec<(f64, f64)> = differences.collect::<Option<_>>()?;
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let units_per_ns = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
    if !(units_per_ns.is_finite() && units_per_ns > 0.0) {
        return None;
    }
    let off = |(x, y): &(f64, f64)| ((y - mean_y) / units_per_ns - (x - mean_x)).abs();
    let squares: f64 = points.iter().map(|point| off(point).powi(2)).sum();
    // What is read so evenly that nothing is left over is still not known better than the moments of reading are.
    let unsure = readings.iter().map(|one| one.unsure_ns as f64).sum::<f64>() / count;
    let each = (squares / (count - 2.0)).sqrt().max(unsure);
    let worst_ns = points.iter().map(off).fold(0.0, f64::max);
    Some(Rate { units_per_ns, unsure_ppm: 2.0 * each / spread.sqrt() * 1e6, worst_ns })
}

impl Rate {
    /// Of a clock in nanoseconds: by how much it is faster than the other one, in millionths; below 0: slower.
    pub fn ppm(&self) -> f64 {
        (self.units_per_ns - 1.0) * 1e6
    }

    /// The difference of a clock in nanoseconds is no larger than what it may be wrong by.
    pub fn is_none(&self) -> bool {
        self.ppm().abs() <= self.unsure_ppm
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// Readings each 10 ms of a clock that is so many millionths fast, each off by what is given for its number.
    fn readings(ppm: f64, off: impl Fn(u64) -> i64) -> Vec<Reading> {
        let one = |n: u64| {
            let ns = n * 10_000_000;
            #[allow(clippy::cast_possible_truncation, reason = "a test's times")]
            let fast = (ns as f64 * ppm / 1e6).round() as i64;
            let says = (7_000_000_000 + ns).checked_add_signed(fast + off(n)).unwrap();
            Reading { reference_ns: 1_000 + ns, says, unsure_ns: 50 }
        };
        (0..1_000).map(one).collect()
    }

    #[test]
    fn a_drift_is_found_within_what_it_says_of_itself() {
        for ppm in [-35.0, -0.4, 0.0, 0.02, 120.0] {
            let rate = rate(&readings(ppm, |n| i64::from(n.wrapping_mul(0x9e37_79b9) as u8) - 128)).unwrap();
            assert!((rate.ppm() - ppm).abs() <= rate.unsure_ppm, "{ppm}: {rate:?}");
            assert!(rate.unsure_ppm < 0.005 && rate.worst_ns < 140.0, "{rate:?}");
            assert_eq!(rate.is_none(), ppm == 0.0, "{ppm}: {rate:?}");
        }
    }

    #[test]
    fn an_even_clock_is_not_surer_than_its_readings() {
        let few: Vec<_> = readings(0.0, |_| 0).into_iter().take(3).collect();
        let rate = rate(&few).unwrap();
        // 50 ns at both ends of 20 ms, and twice that.
        assert!((rate.unsure_ppm - 2.0 * 50.0 / 14.142e6 * 1e6).abs() < 0.1, "{rate:?}");
    }

    #[test]
    fn of_ticks_the_rate_is_told_and_of_a_clock_that_stands_nothing() {
        let all: Vec<_> = readings(0.0, |_| 0).iter().map(|one| Reading { says: one.says / 8, ..*one }).collect();
        assert!((rate(&all).unwrap().units_per_ns - 0.125).abs() < 1e-9);
        let stands: Vec<_> = all.iter().map(|one| Reading { says: 5, ..*one }).collect();
        assert_eq!(rate(&stands), None);
        assert_eq!(
            (rate(&all[..2]), rate(&[all[5], all[5], all[5]]), rate(&[all[5], all[4], all[3]])),
            (None, None, None)
        );
    }
}
