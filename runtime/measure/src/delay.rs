//! Latency of a flow's probes as one lcore reads them, and how it varies.

use crate::buckets::{Buckets, Precision};
use crate::probe::Probe;
use crate::run::{Span, Timed, between};
use crate::tally::Tally;
use crate::times::{Lost, Times};
use hdrhistogram::CreationError;
use perigee_report::{Percentile, PercentileValue, Variation};

/// Added to numbers with a sign, so that they compare as such without.
const BIAS: u64 = 1 << 63;

/// Latencies of first copies. Nothing is corrected for what a late generator did not send in time (coordinated omission): the
/// latency from *intended* departure shows it as it was.
#[derive(Debug)]
pub struct Delay {
    real: Buckets,
    intended: Buckets,
    /// Sizes of differences between successive probes.
    ipdv: Buckets,
    /// Their sum with its sign.
    ipdv_sum: Tally,
    /// The least and the most of them, with their signs, from [`BIAS`].
    ipdv_min: Tally,
    ipdv_max: Tally,
    /// Sixteen times the jitter of RFC 3550.
    jitter: Tally,
    /// The latency of the last probe that came.
    last_ns: Tally,
    /// The number behind it; `u64::MAX` before the first one, which no number is.
    next: Tally,
}

impl Delay {
    /// Without probes. All memory is taken here.
    pub fn new(latency: Precision, ipdv: Precision) -> Result<Self, CreationError> {
        Ok(Self {
            real: Buckets::new(latency)?,
            intended: Buckets::new(latency)?,
            ipdv: Buckets::new(ipdv)?,
            ipdv_sum: Tally::default(),
            ipdv_min: Tally::new(BIAS),
            ipdv_max: Tally::new(BIAS),
            jitter: Tally::default(),
            last_ns: Tally::default(),
            next: Tally::new(u64::MAX),
        })
    }

    /// The first copy of a probe has come, at that time of the run's clock.
    #[inline]
    pub fn arrive(&self, probe: &Probe, arrival_ns: u64) {
        self.intended.record_between(probe.intended, arrival_ns);
        self.pass(probe.sequence, probe.real(), arrival_ns);
    }

    /// As [`Self::arrive`], of what has no intended departure: the packet of that number has come from one place to another.
    #[inline]
    pub fn pass(&self, sequence: u64, from_ns: u64, to_ns: u64) {
        let Some(ns) = self.real.record_between(from_ns, to_ns) else { return };
        let next = self.next.own();
        if next != u64::MAX {
            self.differ(ns, self.last_ns.own(), sequence == next);
        }
        self.last_ns.set(ns);
        self.next.set(sequence + 1);
    }

    /// First copies have come whose numbers follow on each other, none of them before it left or should have left.
    #[inline]
    pub(crate) fn run(&self, run: Timed<'_>) {
        let times = between(run.real, run.arrival);
        let (Some(first), Some(last)) = (times.clone().next(), times.clone().last()) else { return };
        self.intended.record_each(between(run.intended, run.arrival));
        let span = self.real.record_each(times.clone());
        let next = self.next.own();
        if next != u64::MAX {
            self.differ(first, self.last_ns.own(), run.first == next);
        }
        if span.least == span.most {
            // Stamped and read as a burst, as most are.
            self.stay(run.real.len() - 1);
        } else {
            self.differ_each(times.clone().skip(1).zip(times).map(|(ns, last)| ns.wrapping_sub(last)));
        }
        self.last_ns.set(last);
        self.next.set(run.first + run.real.len() as u64);
    }

    /// As [`Self::differ`], of so many successors that took as long as the one before.
    #[inline]
    fn stay(&self, successors: usize) {
        if successors == 0 {
            return;
        }
        self.ipdv_min.lower(BIAS);
        self.ipdv_max.raise(BIAS);
        self.jitter.set((0..successors).fold(self.jitter.own(), |jitter, _| jitter - ((jitter + 8) >> 4)));
        self.ipdv.record_all(0, successors as u64);
    }

    /// As [`Self::differ`], of successors with these differences.
    #[inline]
    fn differ_each(&self, differences: impl ExactSizeIterator<Item = u64> + Clone) {
        if differences.len() == 0 {
            return;
        }
        let span = Span::of(differences.clone().map(|difference| difference ^ BIAS));
        self.ipdv_min.lower(span.least);
        self.ipdv_max.raise(span.most);
        self.ipdv_sum.add(differences.clone().fold(0, u64::wrapping_add));
        let sizes = differences.map(|difference| difference.cast_signed().unsigned_abs());
        let jitter = sizes.clone().fold(self.jitter.own(), |jitter, size| jitter + size - ((jitter + 8) >> 4));
        self.jitter.set(jitter);
        self.ipdv.count_each(sizes);
    }

    /// The difference to the probe that came before. Where it is also the one that was sent before (RFC 5481, 4.1: both must have
    /// come), it is an IPDV; pairs that came out of order, or with others between them, are not.
    #[inline]
    fn differ(&self, ns: u64, last_ns: u64, is_successor: bool) {
        let difference = ns.wrapping_sub(last_ns).cast_signed();
        let size = difference.unsigned_abs();
        // RFC 3550, A.8: J += (|D| - J) / 16, kept sixteenfold so that whole numbers do. D is by order of arrival.
        let jitter = self.jitter.own();
        self.jitter.set(jitter + size - ((jitter + 8) >> 4));
        if is_successor {
            // No branch on the sign, which cannot be foretold.
            let biased = difference.cast_unsigned() ^ BIAS;
            self.ipdv_min.lower(biased);
            self.ipdv_max.raise(biased);
            self.ipdv_sum.add(difference.cast_unsigned());
            self.ipdv.count(size);
        }
    }

    /// What was counted so far.
    #[allow(clippy::cast_precision_loss, reason = "a mean of nanoseconds")]
    pub fn read(&self) -> Delays {
        let ipdv = self.ipdv.read();
        let [ipdv_fall_max, ipdv_rise_max] = [BIAS - self.ipdv_min.read(), self.ipdv_max.read() - BIAS];
        Delays {
            real: self.real.read(),
            intended: self.intended.read(),
            ipdv: ipdv.up_to(ipdv_fall_max.max(ipdv_rise_max)),
            ipdv_sum: self.ipdv_sum.read().cast_signed(),
            ipdv_fall_max,
            ipdv_rise_max,
            jitter_ns: self.jitter.read() as f64 / 16.0,
        }
    }
}

/// Latencies as they were read, of one or of several lcores and flows.
#[derive(Clone, Debug)]
pub struct Delays {
    /// From real departure.
    pub real: Times,
    /// From intended departure.
    pub intended: Times,
    /// Sizes of differences between successive probes.
    pub ipdv: Times,
    ipdv_sum: i64,
    ipdv_fall_max: u64,
    ipdv_rise_max: u64,
    jitter_ns: f64,
}

impl Delays {
    /// Adds what another lcore, or another flow, has counted.
    pub fn add(&mut self, other: &Self) {
        self.real.add(&other.real);
        self.intended.add(&other.intended);
        self.ipdv.add(&other.ipdv);
        self.ipdv_sum = self.ipdv_sum.wrapping_add(other.ipdv_sum);
        self.ipdv_fall_max = self.ipdv_fall_max.max(other.ipdv_fall_max);
        self.ipdv_rise_max = self.ipdv_rise_max.max(other.ipdv_rise_max);
        self.jitter_ns = self.jitter_ns.max(other.jitter_ns);
    }

    /// How the latency varies, as it is told.
    #[allow(clippy::cast_precision_loss, reason = "a mean of nanoseconds")]
    pub fn variation(&self) -> Variation {
        let pairs = self.ipdv.count();
        let min = self.real.min().unwrap_or(0);
        let above_min = |told: Percentile| match told.value {
            PercentileValue::Ns(ns) => Percentile { value: PercentileValue::Ns(ns - min.min(ns)), ..told },
            _ => told,
        };
        Variation {
            jitter_ns: self.jitter_ns,
            ipdv: self.ipdv.told(None),
            ipdv_mean_ns: (pairs > 0).then(|| self.ipdv_sum as f64 / pairs as f64),
            ipdv_fall_max_ns: self.ipdv_fall_max,
            ipdv_rise_max_ns: self.ipdv_rise_max,
            pdv: self.real.percentiles(Lost::default()).into_iter().map(above_min).collect(),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn delay() -> Delay {
        Delay::new(Precision::FINE, Precision::COARSE).unwrap()
    }

    #[test]
    fn both_latencies_are_kept_apart() {
        let delay = delay();
        for i in 0..100 {
            let (intended, real) = (i * 1_000, i * 1_000 + i * 10);
            delay.arrive(&Probe::new(0, i, intended, real), real + 500);
        }
        let read = delay.read();
        assert_eq!((read.real.min(), read.real.max(), read.real.mean()), (Some(500), Some(500), Some(500.0)));
        assert_eq!((read.intended.min(), read.intended.max()), (Some(500), Some(500 + 990)));
        assert_eq!((read.variation().jitter_ns, read.ipdv.max(), read.ipdv.count()), (0.0, Some(0), 99));
    }

    #[test]
    fn an_arrival_before_the_departure_is_counted_and_nowhere_else() {
        let delay = delay();
        delay.arrive(&Probe::new(0, 0, 1_000, 1_000), 999);
        // It left before its time, and came before it: no clock is wrong, but there is no latency from its time.
        delay.arrive(&Probe::new(0, 1, 5_000, 4_000), 4_500);
        let read = delay.read();
        assert_eq!((read.real.negative(), read.real.count(), read.real.min()), (1, 1, Some(500)));
        assert_eq!((read.intended.negative(), read.intended.count()), (2, 0));
        assert_eq!(read.real.told(None).before_departure, 1);
    }

    #[test]
    fn jitter_is_what_the_formula_says() {
        let (delay, mut exact, mut last) = (delay(), 0.0_f64, None);
        for i in 0..10_000_u64 {
            let latency = 10_000 + i * i % 7_919;
            delay.arrive(&Probe::new(0, i, i * 100_000, i * 100_000), i * 100_000 + latency);
            if let Some(last) = last.replace(latency) {
                exact += (latency.abs_diff(last) as f64 - exact) / 16.0;
            }
        }
        let jitter = delay.read().variation().jitter_ns;
        assert!((jitter - exact).abs() < 1.0, "{jitter} {exact}");
    }

    #[test]
    fn only_neighbours_differ() {
        let delay = delay();
        // 2 is lost, 4 comes before 3.
        for (sequence, latency) in [(0, 100), (1, 150), (4, 900), (3, 120), (5, 130), (6, 90)] {
            delay.arrive(&Probe::new(0, sequence, 0, 0), latency);
        }
        let told = delay.read().variation();
        assert_eq!((told.ipdv.count, told.ipdv_rise_max_ns, told.ipdv_fall_max_ns), (2, 50, 40));
        assert_eq!(told.ipdv_mean_ns, Some(5.0));
    }

    #[test]
    fn an_lcore_that_saw_nothing_changes_nothing() {
        let (one, none) = (delay(), delay());
        for (sequence, latency) in [(0, 100), (1, 150), (2, 210), (3, 11_000_000_000)] {
            one.arrive(&Probe::new(0, sequence, 0, 0), latency);
        }
        let (mut sum, alone) = (none.read(), one.read());
        sum.add(&alone);
        assert_eq!(sum.variation(), alone.variation());
        assert_eq!((sum.ipdv.min(), sum.ipdv.max()), (Some(50), Some(10_999_999_790)));
        assert_eq!((sum.real.min(), sum.real.beyond(), sum.ipdv.beyond()), (Some(100), 1, 1));
        assert_eq!(none.read().variation().ipdv.min_ns, None);
    }

    #[test]
    fn variation_begins_at_the_shortest_latency() {
        let delay = delay();
        (0..1_000).for_each(|i| delay.arrive(&Probe::new(0, i, 0, 0), 1_000 + i));
        let pdv = delay.read().variation().pdv;
        assert_eq!(pdv[3].value, PercentileValue::Ns(499));
        assert_eq!(pdv[7].to_string(), "p99.9 needs 10,000 samples, there are 1,000");
    }
}
