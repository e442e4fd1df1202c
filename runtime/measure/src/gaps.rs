//! Times between packets, and how many of them are near the one that was asked for.

use crate::buckets::{Buckets, Precision};
use crate::run::between;
use crate::tally::Tally;
use crate::times::Times;
use hdrhistogram::CreationError;
use perigee_report::{GapShare, GapStats};

/// How near to the asked gap, nanoseconds: the distances of MoonGen's table.
pub const NEAR_NS: [u64; 4] = [64, 128, 256, 512];

/// Times between packets of one flow or port.
#[derive(Debug)]
pub struct Gaps {
    times: Buckets,
    asked_ns: Option<u64>,
    /// Gaps by the nearest of [`NEAR_NS`] that they are within.
    near: [Tally; NEAR_NS.len() + 1],
    /// When the last packet was; `u64::MAX` before the first.
    last_ns: Tally,
}

impl Gaps {
    /// Without packets; `asked_ns` is the gap that shares are told of. All memory is taken here.
    pub fn new(precision: Precision, asked_ns: Option<u64>) -> Result<Self, CreationError> {
        Ok(Self { times: Buckets::new(precision)?, asked_ns, near: Default::default(), last_ns: Tally::new(u64::MAX) })
    }

    /// A packet comes, or leaves, at this time in nanoseconds. One that is before the last one's is counted as negative.
    #[inline]
    pub fn packet(&self, ns: u64) {
        let last = self.last_ns.own();
        self.last_ns.set(ns);
        if last != u64::MAX {
            self.between(last, ns);
        }
    }

    /// A gap between two packets of which both times are known.
    #[inline]
    pub fn between(&self, from_ns: u64, to_ns: u64) {
        let (Some(gap), Some(asked)) = (self.times.record_between(from_ns, to_ns), self.asked_ns) else { return };
        self.near[place(gap, asked)].add(1);
    }

    /// Packets come, or leave, at these times, in this order.
    #[inline]
    pub(crate) fn packets(&self, times: &[u64]) {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return };
        self.packet(*first);
        self.last_ns.set(*last);
        self.between_each(times);
    }

    /// So many gaps of no length.
    #[inline]
    fn none(&self, gaps: u64) {
        self.times.record_all(0, gaps);
        if let Some(asked) = self.asked_ns {
            self.near[place(0, asked)].add(gaps);
        }
    }

    /// The gaps between packets of which all times are known.
    #[inline]
    pub(crate) fn between_each(&self, times: &[u64]) {
        let later = times.get(1..).unwrap_or_default();
        if later.iter().all(|ns| *ns == times[0]) {
            // Stamped or read as a burst, as most are.
            return self.none(later.len() as u64);
        }
        if later.iter().zip(times).any(|(to, from)| to < from) {
            return later.iter().zip(times).for_each(|(to, from)| self.between(*from, *to));
        }
        let gaps = between(times, later);
        self.times.record_each(gaps.clone());
        let Some(asked) = self.asked_ns else { return };
        let mut near = [0; NEAR_NS.len() + 1];
        gaps.for_each(|gap| near[place(gap, asked)] += 1);
        self.near.iter().zip(near).for_each(|(sum, n)| sum.add(n));
    }

    /// What was counted so far.
    pub fn read(&self) -> GapTimes {
        let near = std::array::from_fn(|place| self.near[place].read());
        GapTimes { times: self.times.read(), asked_ns: self.asked_ns, near }
    }
}

/// Which of [`NEAR_NS`] a gap is within; their number, where it is within none.
#[inline]
fn place(gap: u64, asked: u64) -> usize {
    let distance = gap.abs_diff(asked);
    NEAR_NS.map(|near| usize::from(distance > near)).iter().sum()
}

/// Gaps as they were read, of one or of several lcores and flows.
#[derive(Clone, Debug)]
pub struct GapTimes {
    /// The gaps.
    pub times: Times,
    asked_ns: Option<u64>,
    near: [u64; NEAR_NS.len() + 1],
}

impl GapTimes {
    /// Adds what another lcore, or another flow, has counted. Where another gap was asked for there, none is told of.
    pub fn add(&mut self, other: &Self) {
        self.times.add(&other.times);
        self.asked_ns = self.asked_ns.filter(|asked| other.asked_ns == Some(*asked));
        self.near.iter_mut().zip(other.near).for_each(|(sum, n)| *sum += n);
    }

    /// As it is told.
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn told(&self) -> GapStats {
        let all: u64 = self.near.iter().sum();
        let share = |count| if all == 0 { 0.0 } else { count as f64 / all as f64 };
        let mut count = 0;
        let within = NEAR_NS.iter().zip(self.near).map(|(ns, n)| {
            count += n;
            GapShare { ns: *ns, count, share: share(count) }
        });
        let within = if self.asked_ns.is_some() { within.collect() } else { Vec::new() };
        GapStats { gaps: self.times.told(None), asked_ns: self.asked_ns, within, fit: None }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn shares_are_exact_at_their_bounds() {
        let gaps = Gaps::new(Precision::COARSE, Some(2_000)).unwrap();
        let mut now = 5;
        gaps.packet(now);
        for gap in [2_000, 2_064, 1_936, 2_065, 2_128, 1_744, 2_512, 1_487, 9_000] {
            now += gap;
            gaps.packet(now);
        }
        let told = gaps.read().told();
        assert_eq!(told.within.iter().map(|near| near.count).collect::<Vec<_>>(), [3, 5, 6, 7]);
        assert_eq!((told.within[0].share, told.gaps.count, told.gaps.max_ns), (3.0 / 9.0, 9, Some(9_000)));
        let mut twice = gaps.read();
        twice.add(&gaps.read());
        assert_eq!(twice.told().within[3].count, 14);
    }

    #[test]
    fn times_that_go_back_are_counted_and_no_gap() {
        let gaps = Gaps::new(Precision::COARSE, None).unwrap();
        [10, 30, 20, 40].into_iter().for_each(|ns| gaps.packet(ns));
        let told = gaps.read().told();
        assert_eq!((told.gaps.count, told.gaps.before_departure, told.within.len()), (2, 1, 0));
    }
}
