//! What was measured of a stream of probes. Names are those of the RFCs that define the figures.

use super::{ObservedStats, Stamps};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What was measured of one stream, over all flows and lcores.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct StreamStats {
    /// Name in the configuration.
    pub name: String,
    /// What became of its probes.
    pub probes: ProbeCounts,
    /// Packets whose turn to be a probe it was, and that are too short for one.
    pub too_short: u64,
    /// How the times of its latency were taken.
    pub stamps: Stamps,
    /// From real departure to arrival.
    pub latency: TimeStats,
    /// From intended departure to arrival: what a sender saw that keeps its times, however late the generator was.
    pub latency_intended: TimeStats,
    /// Variation of the latency.
    pub variation: Variation,
    /// Order of arrival.
    pub order: OrderStats,
    /// Times between arrivals, where they were measured.
    pub arrival_gaps: Option<GapStats>,
    /// Times between departures, by the probes' own word, where they were measured.
    pub departure_gaps: Option<GapStats>,
    /// Packets and bytes over time, where they were measured.
    pub load: Option<LoadStats>,
    /// What a second observer saw of its departures, where there was one.
    pub observed: Option<ObservedStats>,
}

/// What became of probes: `sent = in_time + late + lost + outstanding`, at each moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ProbeCounts {
    /// Stamped, and handed to a port.
    pub sent: u64,
    /// Came before the time-out.
    pub in_time: u64,
    /// Came after it, and was not forgotten yet.
    pub late: u64,
    /// Did not come before the time-out, nor later.
    pub lost: u64,
    /// May still come in time.
    pub outstanding: u64,
    /// Further copies of probes that had come.
    pub duplicated: u64,
    /// Came when the window had no place for them any more: late ones or copies, which cannot be told apart. Late ones stay lost.
    pub too_old: u64,
    /// Of those lost, those that were given up before the time-out because the window is shorter than what was under way.
    pub overrun: u64,
}

impl ProbeCounts {
    /// Adds those of another flow.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            in_time: self.in_time + other.in_time,
            late: self.late + other.late,
            lost: self.lost + other.lost,
            outstanding: self.outstanding + other.outstanding,
            duplicated: self.duplicated + other.duplicated,
            too_old: self.too_old + other.too_old,
            overrun: self.overrun + other.overrun,
        }
    }

    /// Every probe is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.sent == self.in_time + self.late + self.lost + self.outstanding
    }

    /// Part of the probes that is lost, of those whose fate is known (RFC 7680); `None` where there is none.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a ratio")]
    pub fn loss_ratio(&self) -> Option<f64> {
        let known = self.sent - self.outstanding;
        (known > 0).then(|| self.lost as f64 / known as f64)
    }
}

/// What came that is nobody's probe, by lcore or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct StrangerCounts {
    /// No probes of this run.
    pub foreign: u64,
    /// Probes of this run whose fields are not as they were sent. They are lost to their flow.
    pub corrupted: u64,
}

/// Times in nanoseconds. Least, most, mean and count are exact.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct TimeStats {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub min_ns: Option<u64>,
    /// The mean.
    pub mean_ns: Option<f64>,
    /// The longest.
    pub max_ns: Option<u64>,
    /// Percentiles of what came.
    pub percentiles: Vec<Percentile>,
    /// Percentiles in which each lost probe counts as longer than the time-out; empty where that means nothing.
    pub percentiles_with_lost: Vec<Percentile>,
    /// Longer than the histogram holds.
    pub beyond: u64,
    /// Ended before they began, and are in no other figure: a clock is wrong.
    pub before_departure: u64,
}

/// One percentile, or why it is not told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Percentile {
    /// As in `p99.9`.
    pub name: String,
    /// Its value.
    pub value: PercentileValue,
}

/// The value of a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PercentileValue {
    /// Nanoseconds: the upper end of its bucket, but never more than the longest time.
    Ns(u64),
    /// It lies among those that were lost: no less than so many nanoseconds.
    AtLeast(u64),
    /// Fewer than 10 samples lie beyond it.
    Refused {
        /// Samples that it needs.
        needs: u64,
        /// Samples that there are.
        samples: u64,
    },
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.value {
            PercentileValue::Ns(ns) => write!(f, "{name} {} ns", grouped(ns)),
            PercentileValue::AtLeast(ns) => write!(f, "{name} at least {} ns", grouped(ns)),
            PercentileValue::Refused { needs, samples } => {
                write!(f, "{name} needs {} samples, there are {}", grouped(needs), grouped(samples))
            }
        }
    }
}

/// How a stream's latencies are distributed: the buckets that percentiles are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Distribution {
    /// Buckets with something in them, the shortest first: the longest time in each, nanoseconds, and how many there are.
    pub buckets: Vec<(u64, u64)>,
    /// Longer than the last bucket that there is.
    pub beyond: u64,
    /// Probes that were lost, which are in no bucket.
    pub lost: u64,
}

/// How the latency varies, from real departures.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Variation {
    /// Interarrival jitter (RFC 3550, 6.4.1), nanoseconds: of several flows or lcores the largest.
    pub jitter_ns: f64,
    /// Size of the difference between the latencies of two successive probes (IPDV of RFC 3393, in the form of RFC 5481, 4.1). The
    /// shortest is known to its bucket.
    pub ipdv: TimeStats,
    /// The mean difference with its sign, nanoseconds.
    pub ipdv_mean_ns: Option<f64>,
    /// The most by which a probe was faster than the one before, nanoseconds.
    pub ipdv_fall_max_ns: u64,
    /// The most by which it was slower, nanoseconds.
    pub ipdv_rise_max_ns: u64,
    /// How far above the shortest latency the percentiles are (PDV of RFC 5481, 4.2).
    pub pdv: Vec<Percentile>,
}

/// In which order first copies came, by each reading lcore, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct OrderStats {
    /// First copies.
    pub arrived: u64,
    /// Type-P-Reordered (RFC 4737, 3.3): a number below the next expected one.
    pub reordered: u64,
    /// Times that numbers were left out (sequence discontinuities, RFC 4737, 3.4).
    pub discontinuities: u64,
    /// The largest reordering extent (RFC 4737, 4.2.1), in packets; one of those that could not be told is larger.
    pub extent_max: u64,
    /// Sum of all extents, for their mean.
    pub extent_sum: u64,
    /// Reordered probes whose extent is more than the history shows. They count with its length.
    pub extent_beyond: u64,
    /// By n from 1: probes that are n-reordered and not (n + 1)-reordered (RFC 4737, 5.2); the last one is `or more`.
    pub n_reordered: Vec<u64>,
    /// Reorder density (RFC 5236, 4): how many probes came so many places early (below 0) or late.
    pub density: BTreeMap<i32, u64>,
    /// Probes farther out of place than the density's threshold: RFC 5236 counts them as lost.
    pub density_beyond: u64,
}

/// Times between packets.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct GapStats {
    /// The times.
    pub gaps: TimeStats,
    /// The gap that was asked for, nanoseconds, where one was.
    pub asked_ns: Option<u64>,
    /// So many nanoseconds from it or less: the part of all gaps, and how many that are.
    pub within: Vec<GapShare>,
    /// Of a Poisson stream, whether they are distributed so.
    pub fit: Option<FitStats>,
}

/// Whether gaps are those of the Poisson process that was asked for (Kolmogorov and Smirnov).
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct FitStats {
    /// Gaps that were measured.
    pub samples: u64,
    /// Their mean, nanoseconds.
    pub mean_ns: f64,
    /// Their standard deviation, nanoseconds; that of an exponential distribution is its mean.
    pub deviation_ns: f64,
    /// Packets per second.
    pub lambda: f64,
    /// Packets per second that were asked for.
    pub asked_lambda: f64,
    /// The greatest distance of the two distribution functions.
    pub statistic: f64,
    /// What one of twenty true processes goes beyond.
    pub critical: f64,
    /// It is not beyond.
    pub fits: bool,
}

/// Gaps near the one that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct GapShare {
    /// At most so far from it, nanoseconds.
    pub ns: u64,
    /// How many.
    pub count: u64,
    /// Which part of all.
    pub share: f64,
}

/// Packets and bytes over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct LoadStats {
    /// Length of an interval, nanoseconds.
    pub interval_ns: u64,
    /// The last intervals, oldest first; those without packets are left out.
    pub intervals: Vec<Interval>,
    /// The fullest windows.
    pub bursts: Vec<BurstStats>,
}

/// What came in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Interval {
    /// When it began, nanoseconds of the run's clock.
    pub start_ns: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes, without frame check sequence.
    pub bytes: u64,
}

/// The most that came in any window of one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct BurstStats {
    /// Length of the window, nanoseconds. Windows begin at each tenth of it.
    pub window_ns: u64,
    /// The most packets.
    pub packets: u64,
    /// The most bytes, not always of the same window.
    pub bytes: u64,
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_percentile_says_its_value_or_why_there_is_none() {
        let text = |value| Percentile { name: "p99.999".into(), value }.to_string();
        assert_eq!(text(PercentileValue::Ns(1_234_567)), "p99.999 1,234,567 ns");
        assert_eq!(text(PercentileValue::AtLeast(100)), "p99.999 at least 100 ns");
        let refused = PercentileValue::Refused { needs: 1_000_000, samples: 12 };
        assert_eq!(text(refused), "p99.999 needs 1,000,000 samples, there are 12");
    }

    #[test]
    fn stats_come_back_from_json() {
        let stats = StreamStats {
            name: "a".into(),
            latency: TimeStats {
                percentiles: vec![Percentile { name: "p50".into(), value: PercentileValue::AtLeast(3) }],
                ..TimeStats::default()
            },
            order: OrderStats { density: [(-1, 2), (0, 5)].into(), ..OrderStats::default() },
            ..StreamStats::default()
        };
        let text = serde_json::to_string(&stats).unwrap();
        assert_eq!(serde_json::from_str::<StreamStats>(&text).unwrap(), stats);
    }

    #[test]
    fn loss_is_a_part_of_what_is_known() {
        let counts = ProbeCounts { sent: 110, in_time: 90, lost: 10, outstanding: 10, ..ProbeCounts::default() };
        assert!(counts.is_balanced() && counts.plus(&counts).is_balanced());
        assert_eq!(counts.loss_ratio(), Some(0.1));
        assert_eq!(ProbeCounts::default().loss_ratio(), None);
    }
}
