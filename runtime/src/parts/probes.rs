//! What is measured of the run's streams: a flow for each lcore that sends one, and who reads it.

use super::{PlacedStream, splitmix};
use perigee_config::stream::{Pattern, Rate, Stream as Asked};
use perigee_config::{Config, Placed};
use perigee_core::clock::{Clock, nanos};
use perigee_core::lock;
use perigee_datapath::probing::{Listening, Probing};
use perigee_datapath::stream::Stream;
use perigee_dpdk::timestamp::{RxTimestamp, TxMarks};
use perigee_measure::arrivals::{ArrivalOptions, GapOptions, LoadOptions};
use perigee_measure::buckets::Precision;
use perigee_measure::flow::{Flow, FlowOptions};
use perigee_measure::observer::{FlowToSee, Observer};
use perigee_measure::probe::Key;
use perigee_measure::readings::{Readings, Received};
use perigee_measure::receiver::Receiver;
use perigee_measure::sender::Sender;
use perigee_measure::window::Readers;
use perigee_report::{Error, Stamps};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

/// Loads are kept by tenths of a second, for the last hour.
const LOAD: LoadOptions = LoadOptions { interval_ns: 100_000_000, kept: 36_000 };

/// Who takes times where no port does.
const DEPARTURE: &str = "software, before the port call";
const ARRIVAL: &str = "software, when the lcore looked";

/// What is measured of a run.
pub(crate) struct Probes {
    key: Key,
    flows: Vec<PlacedFlow>,
    received: Mutex<Vec<Arc<Received>>>,
    /// All of it, once all ends are made.
    pub(crate) readings: Arc<OnceLock<Readings>>,
    /// All streams, by number.
    streams: Vec<Arc<Stream>>,
    /// Packets of each stream whose turn it was, and that are too short.
    pub(crate) too_short: Vec<Arc<AtomicU64>>,
    clock: Clock,
    /// Who takes the times of arrival, by stream.
    arrivals: Mutex<Vec<(u16, &'static str)>>,
}

/// A flow, and the placed chain that sends it.
struct PlacedFlow {
    number: u16,
    stream: u16,
    /// Position of the chain among those placed.
    chain: usize,
    flow: Arc<Flow>,
}

impl Probes {
    /// The flows of all streams that are measured. In a simulation the key follows from the seed.
    pub(crate) fn new(
        config: &Config,
        streams: &[PlacedStream],
        placed: &[Placed],
        clock: Clock,
        is_real: bool,
    ) -> Self {
        let mut flows = Vec::new();
        for (number, stream) in (0..).zip(streams) {
            let Some(probes) = &stream.asked.probes else { continue };
            let readers = placed.iter().filter(|p| probes.received_by.contains(&config.chains[p.chain].name)).count();
            let senders = placed.iter().enumerate().filter(|(_, p)| config.chains[p.chain].name == stream.asked.chain);
            for (chain, sender) in senders {
                let options = FlowOptions {
                    stream: number,
                    lane: u16::try_from(sender.worker).unwrap_or(u16::MAX),
                    timeout_ns: nanos(probes.timeout),
                    window: probes.places.into(),
                    readers: if readers > 1 { Readers::Several } else { Readers::One },
                };
                let flow = Arc::new(Flow::new(options));
                let number_of_flow = u16::try_from(flows.len()).unwrap_or(u16::MAX);
                flows.push(PlacedFlow { number: number_of_flow, stream: number, chain, flow });
            }
        }
        Self {
            key: key(config.run.seed, is_real),
            flows,
            received: Mutex::default(),
            readings: Arc::default(),
            streams: streams.iter().map(|stream| Arc::clone(&stream.stream)).collect(),
            too_short: streams.iter().map(|_| Arc::default()).collect(),
            clock,
            arrivals: Mutex::default(),
        }
    }

    /// The bytes that all probes of the run have in common.
    pub(crate) fn tag(&self) -> [u8; 2] {
        self.key.tag()
    }

    /// What reads probes that somebody else has seen leave.
    pub(crate) fn observer(&self, config: &Config) -> Result<Observer, Error> {
        let asked = |stream: u16| config.streams.get(usize::from(stream)).and_then(|stream| gap_ns(config, stream));
        let flow =
            |flow: &PlacedFlow| FlowToSee { number: flow.number, stream: flow.stream, asked_ns: asked(flow.stream) };
        let flows: Vec<_> = self.flows.iter().map(flow).collect();
        Observer::new(self.key, &flows).map_err(|what| Error::Request(format!("observer: histograms: {what}")))
    }

    /// Who takes the times of a stream's latency.
    pub(crate) fn stamps(&self, stream: u16) -> Stamps {
        let mut arrival: Vec<String> = Vec::new();
        for (_, by) in lock(&self.arrivals).iter().filter(|(number, _)| *number == stream) {
            if !arrival.iter().any(|known| known == by) {
                arrival.push((*by).to_owned());
            }
        }
        Stamps { departure: DEPARTURE.to_owned(), arrival, ..Stamps::default() }
    }

    /// What makes probes of the packets of a placed chain, which are handed over before their times or not; `None` where nothing is
    /// measured of them.
    pub(crate) fn sender(&self, config: &Config, chain: usize, ahead: bool) -> Option<Box<Probing>> {
        let placed = self.flows.iter().find(|flow| flow.chain == chain)?;
        let probes = config.streams.get(usize::from(placed.stream))?.probes.as_ref()?;
        let sender = Sender::new(self.key, placed.number, Arc::clone(&placed.flow));
        let too_short = Arc::clone(&self.too_short[usize::from(placed.stream)]);
        Some(Box::new(Probing::new(sender, probes.every, TxMarks::get()?.offset, too_short, ahead)))
    }

    /// What reads probes from a queue for a chain; `None` where none is to come.
    pub(crate) fn listener(
        &self,
        config: &Config,
        chain: usize,
        timestamp: Option<RxTimestamp>,
    ) -> Result<Option<Box<Listening>>, Error> {
        let name = &config.chains[chain].name;
        let is_read = |flow: &&PlacedFlow| {
            let probes = config.streams.get(usize::from(flow.stream)).and_then(|stream| stream.probes.as_ref());
            probes.is_some_and(|probes| probes.received_by.contains(name))
        };
        let mine: Vec<_> = self.flows.iter().filter(is_read).collect();
        let Some(first) = mine.first() else { return Ok(None) };
        let asked_ns = config.streams.get(usize::from(first.stream)).and_then(|stream| gap_ns(config, stream));
        let options = ArrivalOptions {
            gaps: Some(GapOptions { precision: Precision::FINE, asked_ns }),
            load: Some(LOAD),
            ..ArrivalOptions::default()
        };
        let flows: Vec<_> = mine.iter().map(|flow| (flow.number, Arc::clone(&flow.flow))).collect();
        let receiver = Receiver::new(self.key, &flows, &options);
        let receiver = receiver.map_err(|what| Error::Request(format!("chain {name:?}: histograms: {what}")))?;
        lock(&self.received).push(receiver.received());
        let mut numbers: Vec<_> = mine.iter().map(|flow| flow.stream).collect();
        numbers.dedup();
        let of = |number: u16| Some((number, Arc::clone(self.streams.get(usize::from(number))?)));
        let by = timestamp.map_or(ARRIVAL, |timestamp| timestamp.taken_by());
        lock(&self.arrivals).extend(numbers.iter().map(|number| (*number, by)));
        let streams = numbers.into_iter().filter_map(of).collect();
        let readings = Arc::clone(&self.readings);
        Ok(Some(Box::new(Listening::new(receiver, streams, readings, timestamp, self.clock))))
    }

    /// All ends are made.
    pub(crate) fn complete(&self) {
        let flows = self.flows.iter().map(|flow| (flow.number, Arc::clone(&flow.flow))).collect();
        let received = std::mem::take(&mut *lock(&self.received));
        let _ = self.readings.set(Readings::new(flows, received));
    }
}

/// The gap that a stream of a constant rate has, where all of its packets are probes and one lcore sends it.
fn gap_ns(config: &Config, stream: &Asked) -> Option<u64> {
    let probes = stream.probes.as_ref()?;
    let chain = config.chains.iter().find(|chain| chain.name == stream.chain)?;
    let is_even = stream.pattern == Pattern::Constant && chain.width() == 1;
    let Rate::Packets(rate) = stream.rate.filter(|_| is_even)? else { return None };
    let over = u128::from(rate.denominator()) * 1_000_000_000 * u128::from(probes.every);
    u64::try_from((over + u128::from(rate.numerator()) / 2) / u128::from(rate.numerator().max(1))).ok()
}

/// Keeps strangers apart. Drawn for each run; in a simulation it is the same for a seed.
fn key(seed: u64, is_real: bool) -> Key {
    let drawn = RandomState::new();
    let word = |n: u64| if is_real { drawn.hash_one(n) } else { splitmix(seed ^ splitmix(n)) };
    Key::new([word(1), word(2), word(3), word(4)])
}
