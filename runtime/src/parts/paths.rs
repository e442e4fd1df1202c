//! What is measured of packets that pass by: who sees them, and who matches what was seen.

use super::splitmix;
use perigee_config::path::{MeasuredPath, Sighting};
use perigee_config::{Config, Placed};
use perigee_core::clock::{Clock, nanos};
use perigee_core::lock;
use perigee_datapath::taps::{PathWork, Tap, Taps};
use perigee_dpdk::timestamp::RxTimestamp;
use perigee_measure::matcher::{Matcher, Passed, PathOptions, Place};
use perigee_measure::sights::{Eye, Sights, ring};
use perigee_report::{Error, PathStats};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

/// Places of a ring from one who sees to the one who matches: some milliseconds of a port's packets.
const RING: usize = 1 << 16;

/// All paths of a run.
pub(crate) struct Paths {
    paths: Vec<PlacedPath>,
    seed: u64,
    clock: Clock,
}

/// One path.
struct PlacedPath {
    asked: MeasuredPath,
    passed: Arc<Passed>,
    /// The chain that matches, by its position among those placed: the first that sees packets at the second place.
    owner: usize,
    /// Who sees it, by their positions.
    seen_by: Vec<usize>,
    /// Until its chain is made.
    matcher: Mutex<Option<Matcher>>,
    ends: Mutex<Ends>,
}

/// Where a path's packets are seen: until the chains are made, and what is known of them then.
#[derive(Default)]
struct Ends {
    eyes: Vec<(At, Eye)>,
    /// Whose times those of the two places are.
    times: [Vec<&'static str>; 2],
}

/// Where an end is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct At {
    place: Place,
    /// Position of the chain among those placed.
    chain: usize,
    /// The port that it sends to; `None` where packets are seen as they come.
    port: Option<usize>,
}

impl Paths {
    /// Those of a configuration. In a simulation their seed follows from that of the run.
    pub(crate) fn new(config: &Config, placed: &[Placed], clock: Clock, is_real: bool) -> Result<Self, Error> {
        let drawn = if is_real { RandomState::new().hash_one(0) } else { splitmix(config.run.seed ^ splitmix(5)) };
        let paths = config.paths.iter().map(|path| PlacedPath::new(config, path, placed)).collect::<Result<_, _>>()?;
        Ok(Self { paths, seed: drawn, clock })
    }

    /// What sees packets as they come from a queue; `None` where no path wants that.
    pub(crate) fn received(&self, chain: usize, timestamp: Option<RxTimestamp>) -> Option<Box<Taps>> {
        self.taps(chain, None, timestamp)
    }

    /// What sees packets as they leave by the next of a chain's queues of a port.
    pub(crate) fn sent(&self, chain: usize, port: usize) -> Option<Box<Taps>> {
        self.taps(chain, Some(port), None)
    }

    fn taps(&self, chain: usize, port: Option<usize>, timestamp: Option<RxTimestamp>) -> Option<Box<Taps>> {
        let tap = |path: &PlacedPath| {
            let mut ends = lock(&path.ends);
            let found = ends.eyes.iter().position(|(at, _)| at.chain == chain && at.port == port)?;
            let (at, eye) = ends.eyes.remove(found);
            let whose = if timestamp.is_some() { "port" } else { "lcore" };
            let times = &mut ends.times[usize::from(at.place == Place::Then)];
            if !times.contains(&whose) {
                times.push(whose);
            }
            Some(Tap::new(path.asked.identity, self.seed, eye))
        };
        let taps: Vec<_> = self.paths.iter().filter_map(tap).collect();
        (!taps.is_empty()).then(|| Box::new(Taps::new(taps, timestamp, self.clock)))
    }

    /// What a chain does beside its packets; `None` where it has no part in a path.
    pub(crate) fn work(&self, chain: usize) -> Option<Box<PathWork>> {
        let mine = self.paths.iter().filter(|path| path.owner == chain);
        let matchers: Vec<_> = mine.filter_map(|path| lock(&path.matcher).take()).collect();
        let seen = self.paths.iter().filter(|path| path.seen_by.contains(&chain));
        let seen: Vec<_> = seen.map(|path| Arc::clone(&path.passed)).collect();
        (!seen.is_empty()).then(|| Box::new(PathWork::new(matchers, seen)))
    }

    /// What is measured, by the names of the paths.
    pub(crate) fn passed(&self) -> impl Iterator<Item = (String, Arc<Passed>)> + '_ {
        self.paths.iter().map(|path| (path.asked.name.clone(), Arc::clone(&path.passed)))
    }

    /// What was measured.
    pub(crate) fn told(&self) -> Vec<PathStats> {
        let told = |path: &PlacedPath| PathStats {
            identity: path.asked.identity.to_string(),
            times: lock(&path.ends).times.clone().map(|times| times.join(", ")),
            ..path.passed.told(&path.asked.name)
        };
        self.paths.iter().map(told).collect()
    }
}

impl PlacedPath {
    fn new(config: &Config, asked: &MeasuredPath, placed: &[Placed]) -> Result<Self, Error> {
        let mut ends: Vec<(At, Eye)> = Vec::new();
        let mut sights: Vec<(Place, Sights)> = Vec::new();
        for (place, sighting) in [(Place::First, &asked.first), (Place::Then, &asked.then)] {
            for at in places(config, place, sighting, placed) {
                let (eye, mine) = ring(RING);
                ends.push((at, eye));
                sights.push((place, mine));
            }
        }
        let owner = ends.iter().find(|(at, _)| at.place == Place::Then).map_or(0, |(at, _)| at.chain);
        let options = PathOptions { timeout_ns: nanos(asked.timeout), places: asked.places };
        let matcher = Matcher::new(options, sights)
            .map_err(|what| Error::Request(format!("path {:?}: histograms: {what}", asked.name)))?;
        Ok(Self {
            asked: asked.clone(),
            passed: matcher.passed(),
            owner,
            seen_by: ends.iter().map(|(at, _)| at.chain).collect(),
            matcher: Mutex::new(Some(matcher)),
            ends: Mutex::new(Ends { eyes: ends, times: [Vec::new(), Vec::new()] }),
        })
    }
}

/// Each queue at which packets are seen.
fn places(config: &Config, place: Place, sighting: &Sighting, placed: &[Placed]) -> Vec<At> {
    let mut found = Vec::new();
    for (chain, placed) in placed.iter().enumerate() {
        let name = &config.chains[placed.chain].name;
        if !sighting.chains().contains(name) {
            continue;
        }
        match sighting {
            Sighting::Received { .. } => found.push(At { place, chain, port: None }),
            Sighting::Sent { .. } => {
                let Some(port) = config.seen_leaving_by(name, sighting) else { continue };
                let queues = config.ports[port].tx_queues_per_lcore;
                found.extend((0..queues).map(|_| At { place, chain, port: Some(port) }));
            }
        }
    }
    found
}
