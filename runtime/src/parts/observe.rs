//! Reads what the kernel saw leave, where a port is to be observed: a thread beside the data path.

use super::Probes;
use perigee_config::Config;
use perigee_core::unix::UnixOrigin;
use perigee_datapath::port::Port;
use perigee_dpdk::observer::{Observer as Eyes, Socket};
use perigee_jail as jail;
use perigee_measure::observer::{Observed, Observer, Sight};
use perigee_measure::probe;
use perigee_report::{Error, ObservedStats};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two looks: the thread takes a CPU away from somebody each time, and the ring holds what comes meanwhile at 400,000
/// probes a second.
const LOOK: Duration = Duration::from_millis(10);

/// A port that is observed.
#[derive(Debug)]
struct Watch {
    eyes: Eyes,
    reader: Observer,
}

/// What was seen of one port's departures.
#[derive(Debug)]
struct Sighting {
    socket: Arc<Socket>,
    observed: Arc<Observed>,
}

/// The ports that are observed, and what was seen.
#[derive(Debug, Default)]
pub(crate) struct Observers {
    /// What the thread takes.
    watches: Vec<Watch>,
    sightings: Vec<Sighting>,
}

impl Observers {
    /// Opens their eyes: before the jail is entered, and before anything is sent.
    pub(crate) fn open(ports: &[Arc<dyn Port>], probes: &Probes, config: &Config) -> Result<Self, Error> {
        let mut made = Self::default();
        for opened in ports.iter().filter_map(|port| port.observer(probes.tag())) {
            let (eyes, reader) = (opened?, probes.observer(config)?);
            made.sightings.push(Sighting { socket: eyes.socket(), observed: reader.observed() });
            made.watches.push(Watch { eyes, reader });
        }
        Ok(made)
    }

    /// What was seen of a stream; `None` where nobody observes.
    pub(crate) fn stats(&self, stream: u16) -> Option<ObservedStats> {
        let seen = self.sightings.iter().filter_map(|one| one.observed.stream(stream));
        let sight = seen.reduce(Sight::plus)?;
        let by = self.sightings.iter().map(|one| one.socket.by().to_owned()).collect();
        Some(sight.told(by, self.sightings.iter().map(|one| one.socket.missed()).sum()))
    }

    /// Starts the thread; `None` where nobody observes.
    pub(crate) fn start(&mut self, unix: UnixOrigin) -> Result<Option<Observing>, Error> {
        let mut watches = std::mem::take(&mut self.watches);
        if watches.is_empty() {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move |()| {
            loop {
                let is_last = stopped.load(Ordering::Acquire);
                watches.iter_mut().for_each(|watch| watch.look(&unix));
                if is_last {
                    return;
                }
                std::thread::sleep(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("perigee-observer".to_owned());
        // It makes no system call but to sleep, as the one that looks whether lcores go on.
        let thread = jail::spawn(thread, jail::Kind::Watchdog, || (), work);
        let thread = thread.map_err(|e| Error::Lcore { lcore: 0, what: format!("no thread for the observer: {e}") })?;
        Ok(Some(Observing { stop, thread: Some(thread) }))
    }
}

impl Watch {
    fn look(&mut self, unix: &UnixOrigin) {
        let Self { eyes, reader } = self;
        eyes.drain(|unix_ns, tail| {
            // What the kernel saw before the run began is none of its probes.
            if let Some(ns) = unix.run_ns(unix_ns) {
                reader.saw(probe::words(tail), ns);
            }
        });
    }
}

/// The running thread. Dropped, it reads what is left, and ends.
#[derive(Debug)]
pub(crate) struct Observing {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Observing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing to say here.
            let _ = thread.join();
        }
    }
}
