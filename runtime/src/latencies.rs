//! Latencies of a run as histograms, for logs that have what came in each interval.

use crate::parts::Parts;
use crate::run::Run;
use perigee_measure::matcher::Passed;
use perigee_measure::readings::Readings;
use perigee_measure::times::Times;
use std::sync::{Arc, OnceLock};

/// Reads the latencies of a run, also when that is over.
#[derive(Clone, Debug)]
pub struct Latencies {
    readings: Arc<OnceLock<Readings>>,
    streams: Vec<String>,
    paths: Vec<(String, Arc<Passed>)>,
}

/// What was measured of a stream or a path since the run's beginning.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Its name in the configuration.
    pub name: String,
    /// From real departure; of a path, from the first place to the second.
    pub real: Times,
    /// From intended departure, which a path does not know.
    pub intended: Option<Times>,
}

impl Run {
    /// Who reads this run's latencies.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        let Parts { probes, streams, paths, .. } = &self.parts;
        Latencies {
            readings: Arc::clone(&probes.readings),
            streams: streams.iter().map(|stream| stream.asked.name.clone()).collect(),
            paths: paths.passed().collect(),
        }
    }
}

impl Latencies {
    /// Those of streams with probes, in the order of the configuration, then those of paths. It is always the same ones.
    #[must_use]
    pub fn read(&self) -> Vec<Latency> {
        let streams = (0..).zip(&self.streams).filter_map(|(number, name)| {
            let delays = self.readings.get()?.stream(number)?.delays;
            Some(Latency { name: name.clone(), real: delays.real, intended: Some(delays.intended) })
        });
        let paths = self.paths.iter().map(|(name, passed)| Latency {
            name: name.clone(),
            real: passed.latency(),
            intended: None,
        });
        streams.chain(paths).collect()
    }
}
