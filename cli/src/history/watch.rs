//! What `perigee trigger` waits for: packets of a kind, too much at once, what a module says, a module's failure.

use super::module::Watcher;
use super::tape;
use crate::capture::Session;
use crate::client::Client;
use perigee_pcap::file::Flow;
use perigee_pcap::filter::Program;
use perigee_record::Record;
use perigee_runtime::Snapshot;
use perigee_runtime::config::trigger::Burst;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether a module has failed.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Something has happened that is waited for.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// When, nanoseconds of the run's clock.
    pub(super) ns: u64,
    /// The flow that it is about; `None`: all of them.
    pub(super) flow: Option<Flow>,
    /// What it was.
    pub(super) why: String,
}

/// Who waits.
pub(super) enum Watch {
    Filter(Arc<Program>, String),
    Burst(Bursts),
    Module(Box<Watcher>),
    Faults(Faults),
}

impl Watch {
    /// Looks at a packet.
    pub(super) fn see(&mut self, place: usize, record: &Record<'_>, events: &mut Vec<Event>) {
        match self {
            Self::Filter(program, text) => {
                if program.passes(record.bytes) {
                    let flow = Some(Flow::of(record.bytes));
                    events.push(Event { ns: record.ns, flow, why: format!("filter {text}") });
                }
            }
            Self::Burst(burst) => {
                if let Some(why) = burst.see(record.ns, u64::from(record.original)) {
                    events.push(Event { ns: record.ns, flow: None, why });
                }
            }
            Self::Module(watcher) => watcher.see(place, record, events),
            Self::Faults(_) => {}
        }
    }

    /// What is due without a packet.
    pub(super) fn tend(&mut self, session: &mut Session, events: &mut Vec<Event>) {
        match self {
            Self::Module(watcher) => watcher.flush(events),
            Self::Faults(faults) => {
                let why = faults.look(session);
                events.extend(why.map(|why| Event { ns: tape::now_ns(session), flow: None, why }));
            }
            Self::Filter(..) | Self::Burst(_) => {}
        }
    }
}

/// More bytes within a length of time than there should be.
pub(super) struct Bursts {
    bytes: u64,
    window_ns: u64,
    within: VecDeque<(u64, u64)>,
    sum: u64,
    /// It was told; it is over when there is half as much.
    told: bool,
}

impl Bursts {
    pub(super) fn new(most: Burst) -> Self {
        Self { bytes: most.bytes, window_ns: tape::ns(most.window), within: VecDeque::new(), sum: 0, told: false }
    }

    fn see(&mut self, ns: u64, bytes: u64) -> Option<String> {
        self.within.push_back((ns, bytes));
        self.sum += bytes;
        while let Some((first, bytes)) = self.within.front().copied().filter(|(first, _)| first + self.window_ns <= ns)
        {
            debug_assert!(first <= ns);
            self.sum -= bytes;
            self.within.pop_front();
        }
        if self.told {
            self.told = self.sum > self.bytes / 2;
            return None;
        }
        self.told = self.sum > self.bytes;
        let packets = self.within.len();
        self.told
            .then(|| format!("burst: {} bytes in {packets} packets within {} us", self.sum, self.window_ns / 1_000))
    }
}

/// Failures of the run's modules.
pub(super) enum Faults {
    /// This process asks for them.
    Asked { client: Box<Client>, known: Option<u64>, looked: Instant },
    /// The run tells of them, a line for each time.
    Told,
}

impl Faults {
    pub(super) fn of(client: Client) -> Self {
        Self::Asked { client: Box::new(client), known: None, looked: Instant::now() }
    }

    /// Why it is one, where one has happened.
    fn look(&mut self, session: &mut Session) -> Option<String> {
        match self {
            Self::Told => serde_json::from_slice(&session.told()?).ok(),
            Self::Asked { client, known, looked } => {
                if known.is_some() && looked.elapsed() < LOOK {
                    return None;
                }
                *looked = Instant::now();
                // A run that does not answer has ended, or will.
                news(known, &client.snapshot().ok()?)
            }
        }
    }
}

/// What is to be said of failures since the last look.
pub(super) fn news(known: &mut Option<u64>, snapshot: &Snapshot) -> Option<String> {
    let faults = count(snapshot);
    let before = known.replace(faults)?;
    (faults > before).then(|| format!("a module failed: {}", last(snapshot)))
}

fn count(snapshot: &Snapshot) -> u64 {
    snapshot.modules.iter().flat_map(|module| module.faults.values()).sum()
}

fn last(snapshot: &Snapshot) -> String {
    let mut failed =
        snapshot.modules.iter().filter_map(|module| Some(format!("{}: {}", module.name, module.last_fault.as_ref()?)));
    failed.next_back().unwrap_or_default()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_burst_is_told_once_until_it_is_over() {
        let mut burst = Bursts::new(Burst::parse("1000/100us").expect("a burst"));
        let mut told = Vec::new();
        // 60 bytes each 10 us: 600 in a window. Then each 5 us: 1,200.
        let times = (0..50)
            .map(|i| i * 10_000)
            .chain((0..100).map(|i| 500_000 + i * 5_000))
            .chain((0..50).map(|i| 2_000_000 + i * 10_000));
        for ns in times.clone().chain(times.map(|ns| ns + 10_000_000)) {
            told.extend(burst.see(ns, 60).map(|_| ns));
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert!((500_000..600_000).contains(&told[0]) && told[1] > 10_000_000);
    }
}
