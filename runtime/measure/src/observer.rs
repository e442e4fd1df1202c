//! What somebody else saw of departures: the kernel, where a port is an interface of its. Read beside the data path, by one thread.

use crate::buckets::{Buckets, Precision};
use crate::gaps::{GapTimes, Gaps};
use crate::probe::{self, Key, Seen, Tail};
use crate::tally::Tally;
use crate::times::Times;
use hdrhistogram::CreationError;
use perigee_report::{GapStats, ObservedStats, TimeStats};
use std::sync::Arc;

/// Reads the probes that another observer has seen leave.
#[derive(Debug)]
pub struct Observer {
    key: Key,
    observed: Arc<Observed>,
}

/// What was seen, by the number of the flow.
#[derive(Debug)]
pub struct Observed {
    flows: Box<[Option<SeenFlow>]>,
}

/// A flow that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct FlowToSee {
    /// Its number in the run's table.
    pub number: u16,
    /// The stream that it is a part of.
    pub stream: u16,
    /// The gap between its probes that was asked for, nanoseconds.
    pub asked_ns: Option<u64>,
}

#[derive(Debug)]
struct SeenFlow {
    stream: u16,
    after_stamp: Buckets,
    gaps: Gaps,
    /// When the last one was seen, and the number behind it.
    last_ns: Tally,
    next: Tally,
}

/// What was seen of a stream, over flows and observers.
#[derive(Clone, Debug)]
pub struct Sight {
    after_stamp: Times,
    gaps: GapTimes,
}

impl Observer {
    /// For these flows. All memory is taken here; fails where a precision is one that `hdrhistogram` does not have.
    pub fn new(key: Key, flows: &[FlowToSee]) -> Result<Self, CreationError> {
        let len = flows.iter().map(|flow| usize::from(flow.number) + 1).max().unwrap_or(0);
        let mut seen: Box<[Option<SeenFlow>]> = (0..len).map(|_| None).collect();
        for flow in flows {
            seen[usize::from(flow.number)] = Some(SeenFlow {
                stream: flow.stream,
                after_stamp: Buckets::new(Precision::FINE)?,
                gaps: Gaps::new(Precision::FINE, flow.asked_ns)?,
                last_ns: Tally::default(),
                next: Tally::new(u64::MAX),
            });
        }
        Ok(Self { key, observed: Arc::new(Observed { flows: seen }) })
    }

    /// What others read.
    pub fn observed(&self) -> Arc<Observed> {
        Arc::clone(&self.observed)
    }

    /// A frame with these last bytes was seen to leave at this time of the run's clock. False where it is no probe of these flows.
    pub fn saw(&mut self, tail: Tail, ns: u64) -> bool {
        let Seen::Probe(probe) = probe::read(tail, &self.key) else { return false };
        let Some(Some(flow)) = self.observed.flows.get(usize::from(probe.flow)) else { return false };
        flow.after_stamp.record_between(probe.real(), ns);
        // A gap is one between neighbours: where one was not seen in between there is none to tell.
        if probe.sequence == flow.next.own() {
            flow.gaps.between(flow.last_ns.own(), ns);
        }
        flow.last_ns.set(ns);
        flow.next.set(probe.sequence + 1);
        true
    }
}

impl Observed {
    /// What was seen of a stream so far; `None` where it is not looked for here.
    pub fn stream(&self, stream: u16) -> Option<Sight> {
        let flows = self.flows.iter().flatten().filter(|flow| flow.stream == stream);
        let sights = flows.map(|flow| Sight { after_stamp: flow.after_stamp.read(), gaps: flow.gaps.read() });
        sights.reduce(Sight::plus)
    }
}

impl Sight {
    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.after_stamp.add(&other.after_stamp);
        self.gaps.add(&other.gaps);
        self
    }

    /// As it is told: by these observers, who have missed so many packets.
    pub fn told(&self, by: Vec<String>, missed: u64) -> ObservedStats {
        let (after_stamp, gaps): (TimeStats, GapStats) = (self.after_stamp.told(None), self.gaps.told());
        ObservedStats { by, seen: after_stamp.count + after_stamp.before_departure, missed, after_stamp, gaps }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::probe::{Probe, written};

    #[test]
    fn departures_are_told_beside_their_stamps_and_gaps_are_between_neighbours() {
        let key = Key::new([1, 2, 3, 4]);
        let flows = [(2, 0), (0, 1)].map(|(number, stream)| FlowToSee { number, stream, asked_ns: Some(1_000) });
        let mut observer = Observer::new(key, &flows).unwrap();
        let mut see = |flow, sequence, real: u64, seen| {
            observer.saw(written([7; 4], &Probe::new(flow, sequence, real - 5, real), &key), seen)
        };
        // 3 was not seen: no gap from 2 to 4. 5 was seen before it left.
        let seen =
            [(0, 10_000, 12_000), (1, 11_000, 13_050), (2, 12_000, 14_000), (4, 14_000, 16_500), (5, 15_000, 14_999)];
        assert!(seen.into_iter().all(|(sequence, real, seen)| see(2, sequence, real, seen)));
        assert!(!see(1, 0, 10, 20) && !see(9, 0, 10, 20), "flows that nobody looks for");
        assert!(!observer.saw([7; 4], 5));
        let told = observer.observed().stream(0).unwrap().told(vec!["x".to_owned()], 3);
        assert_eq!((told.seen, told.missed, told.after_stamp.count, told.after_stamp.before_departure), (5, 3, 4, 1));
        assert_eq!((told.after_stamp.min_ns, told.after_stamp.max_ns), (Some(2_000), Some(2_500)));
        assert_eq!((told.gaps.gaps.count, told.gaps.gaps.min_ns, told.gaps.gaps.max_ns), (2, Some(950), Some(1_050)));
        assert_eq!(told.gaps.within.iter().map(|near| near.count).collect::<Vec<_>>(), [2, 2, 2, 2]);
        assert_eq!(observer.observed().stream(1).unwrap().told(Vec::new(), 0).seen, 0);
        assert!(observer.observed().stream(7).is_none());
    }
}
