//! How long packets take in the parts of a chain: by burst, with one reading of the clock between two parts, so that a packet costs
//! next to nothing.

use crate::buckets::{Buckets, Precision};
use crate::tally::Tally;
use hdrhistogram::CreationError;
use perigee_report::{PartTimes, StageTimes};

/// What one lcore counts of one of its chains, and others read.
#[derive(Debug)]
pub struct Parts {
    /// From a packet's arrival, by its port, until its burst was taken.
    arrival: Buckets,
    /// In each stage.
    stages: Box<[Buckets]>,
    /// From the last stage until ports and rings were called.
    out: Buckets,
    /// From when the burst was taken until then.
    all: Buckets,
    /// The stages are others by now.
    changed: Tally,
}

impl Parts {
    /// Of a chain with so many stages. All memory is taken here.
    ///
    /// # Errors
    /// There is a histogram's precision that `hdrhistogram` does not have.
    pub fn new(stages: usize) -> Result<Self, CreationError> {
        let times = || Buckets::new(Precision::FINE);
        Ok(Self {
            arrival: times()?,
            stages: (0..stages).map(|_| times()).collect::<Result<_, _>>()?,
            out: times()?,
            all: times()?,
            changed: Tally::default(),
        })
    }

    /// A packet that came then is taken now.
    #[inline]
    pub fn taken(&self, arrival_ns: u64, now_ns: u64) {
        self.arrival.record_between(arrival_ns, now_ns);
    }

    /// So many packets were in a stage for so long.
    #[inline]
    pub fn stage(&self, number: usize, ns: u64, packets: usize) {
        if self.changed.own() == 0
            && let Some(times) = self.stages.get(number)
        {
            times.record_all(ns, packets as u64);
        }
    }

    /// So many packets were handed over within `out_ns`, and `all_ns` after they were taken.
    #[inline]
    pub fn handed_over(&self, out_ns: u64, all_ns: u64, packets: usize) {
        self.out.record_all(out_ns, packets as u64);
        self.all.record_all(all_ns, packets as u64);
    }

    /// The chain gets other stages: times of stages are counted no more, for nobody could say of which module they are.
    pub fn change_stages(&self) {
        self.changed.set(1);
    }

    /// As it is told; the modules are those of the stages.
    #[must_use]
    pub fn told(&self, chain: &str, lcore: u32, modules: &[String]) -> StageTimes {
        let part = |part: String, times: &Buckets| PartTimes { part, times: times.read().told(None) };
        let arrival = std::iter::once(part("wire to host".to_owned(), &self.arrival));
        let stages = modules.iter().zip(&self.stages).map(|(module, times)| part(format!("module {module}"), times));
        let rest = [part("to ports and rings".to_owned(), &self.out), part("host to port".to_owned(), &self.all)];
        StageTimes {
            chain: chain.to_owned(),
            lcore,
            parts: arrival
                .chain(stages)
                .chain(rest)
                .filter(|part| part.times.count + part.times.before_departure > 0)
                .collect(),
            is_changed: self.changed.read() != 0,
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn each_packet_of_a_burst_has_its_time_and_stages_that_change_are_left_out() {
        let parts = Parts::new(2).unwrap();
        parts.taken(1_000, 1_400);
        parts.taken(1_500, 1_400);
        parts.stage(0, 300, 32);
        parts.stage(1, 100, 16);
        parts.stage(7, 100, 16);
        parts.handed_over(50, 450, 32);
        let modules = ["a", "b"].map(str::to_owned);
        let told = parts.told("c", 3, &modules);
        let names: Vec<_> = told.parts.iter().map(|part| part.part.as_str()).collect();
        assert_eq!(names, ["wire to host", "module a", "module b", "to ports and rings", "host to port"]);
        let counts: Vec<_> =
            told.parts.iter().map(|part| (part.times.count, part.times.min_ns, part.times.max_ns)).collect();
        let some = |count, ns| (count, Some(ns), Some(ns));
        assert_eq!(counts, [some(1, 400), some(32, 300), some(16, 100), some(32, 50), some(32, 450)]);
        assert_eq!((told.parts[0].times.before_departure, told.parts[1].times.mean_ns), (1, Some(300.0)));
        parts.change_stages();
        parts.stage(0, 300, 32);
        let told = parts.told("c", 3, &modules);
        assert!(told.is_changed && told.parts[1].times.count == 32);
    }
}
