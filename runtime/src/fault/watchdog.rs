//! A thread outside the data path that looks whether the lcores go on. Deadlines stop what runs in a module too long; this
//! sees what they cannot: a long bulk operation, a driver that does not come back, a bug of the host.

use crate::parts::{Parts, Seats};
use perigee_config::Config;
use perigee_core::lock;
use perigee_datapath::health::Pulse;
use perigee_jail as jail;
use perigee_machine::Affinity;
use perigee_report::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// When an lcore that gives no sign of life is told of, and when the process ends.
#[derive(Clone, Copy, Debug)]
struct Patience {
    warn: Duration,
    abort: Option<Duration>,
}

impl Patience {
    fn of(config: &Config) -> Self {
        Self { warn: config.watchdog(), abort: config.run.watchdog_abort }
    }
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Watchdog {
    stop: Arc<AtomicBool>,
    patience: Arc<Mutex<Patience>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the thread; `pulses` are the lcores', by number.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(parts: &Parts, pulses: Vec<Arc<Pulse>>) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let config = parts.maker.config();
        let patience = Arc::new(Mutex::new(Patience::of(&config)));
        let mut watched: Vec<_> = pulses.iter().map(|pulse| Watched::new(&parts.seats, pulse)).collect();
        let now_patience = Arc::clone(&patience);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("perigee-watchdog".to_owned());
        let work = move |()| {
            let mut last = Instant::now();
            let mut next_place = last;
            while !stopped.load(Ordering::Relaxed) {
                let Patience { warn, abort } = *lock(&now_patience);
                let period = (warn / 8).clamp(Duration::from_millis(1), Duration::from_millis(100));
                // Whoever ends it does not wait that long.
                std::thread::park_timeout(period);
                let now = Instant::now();
                // Where this thread did not run either, the machine or a debugger held up the process: nobody is late by that.
                let passed = now.duration_since(last).min(period * 2);
                last = now;
                watched.iter_mut().for_each(|lcore| lcore.look(passed, warn, abort));
                if now >= next_place {
                    next_place = now + PLACES;
                    watched.iter_mut().for_each(Watched::look_where);
                }
            }
        };
        let thread = jail::spawn(thread, jail::Kind::Watchdog, || (), work);
        let thread = thread.map_err(|e| Error::Lcore { lcore: 0, what: format!("no thread for the watchdog: {e}") })?;
        Ok(Self { stop, patience, thread: Some(thread) })
    }

    /// Its times are those of another configuration from now on.
    pub(crate) fn set(&self, config: &Config) {
        *lock(&self.patience) = Patience::of(config);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked has nothing to say here.
            let _ = thread.join();
        }
    }
}

/// How often it looks where lcores may run.
const PLACES: Duration = Duration::from_secs(1);

/// One lcore, as the watchdog sees it.
struct Watched {
    pulse: Arc<Pulse>,
    /// All seats: its own are looked for when there is something to tell.
    seats: Arc<Seats>,
    beat: u64,
    silent: Duration,
    told: bool,
    /// Its thread may run elsewhere than on its CPU alone, which was told.
    moved: bool,
}

impl Watched {
    fn new(seats: &Arc<Seats>, pulse: &Arc<Pulse>) -> Self {
        Self {
            pulse: Arc::clone(pulse),
            seats: Arc::clone(seats),
            beat: 0,
            silent: Duration::ZERO,
            told: false,
            moved: false,
        }
    }

    /// Looks whether the thread is pinned as it was. The kernel moves it where its CPU is taken away.
    fn look_where(&mut self) {
        let lcore = self.pulse.cpu;
        let thread = self.pulse.thread.load(Ordering::Relaxed);
        if thread == 0 || self.pulse.done.load(Ordering::Relaxed) {
            return;
        }
        let Some(cpus) = Affinity::of(thread).map(|set| set.cpus()) else { return };
        let moved = !matches!(cpus[..], [only] if u32::try_from(only) == Ok(lcore));
        if moved == std::mem::replace(&mut self.moved, moved) {
            return;
        }
        if moved {
            tracing::warn!(
                lcore,
                "its thread has lost its CPU (taskset, a cpuset, or the CPU is offline) and runs on CPUs {cpus:?}: rates and \
                 times vary now. Give the CPU back and pin thread {thread} to it (taskset -cp {lcore} {thread}), or start anew"
            );
        } else {
            tracing::warn!(lcore, "its thread is pinned to its CPU again");
        }
    }

    /// Looks again after some time has passed.
    fn look(&mut self, passed: Duration, warn: Duration, abort: Option<Duration>) {
        let beat = self.pulse.beat.load(Ordering::Relaxed);
        let lcore = self.pulse.cpu;
        if beat != self.beat || self.pulse.done.load(Ordering::Relaxed) {
            if self.told {
                tracing::warn!(lcore, "goes on after {:.1?}", self.silent);
                self.pulse.set_stuck(Duration::ZERO);
            }
            (self.beat, self.silent, self.told) = (beat, Duration::ZERO, false);
            return;
        }
        self.silent += passed;
        if self.silent < warn {
            return;
        }
        self.pulse.set_stuck(self.silent);
        if !std::mem::replace(&mut self.told, true) {
            tracing::error!(lcore, "gives no sign of life for {:.1?}: it is {}", self.silent, self.place());
        }
        if abort.is_some_and(|abort| self.silent >= abort) {
            tracing::error!(
                lcore,
                "gives no sign of life for {:.1?} (run.watchdog_abort): it is {}; the process ends",
                self.silent,
                self.place()
            );
            std::process::abort();
        }
    }

    /// Where the lcore is.
    fn place(&self) -> String {
        let seats = self.seats.now();
        let inside = seats.iter().find(|seat| seat.lcore == self.pulse.cpu && seat.health.is_called());
        inside.map_or_else(
            || "outside all modules, in a driver or in the host itself".to_owned(),
            |seat| format!("in module {:?} of chain {:?}", seat.module, seat.chain_name),
        )
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_thread_that_loses_its_cpu_is_seen_and_seen_again_when_it_is_back() {
        let all = Affinity::read();
        let (cpus, only) = (all.cpus(), all.cpus().len() == 1);
        let (cpu, other) = (cpus[0], cpus[cpus.len() - 1]);
        let pulse = Arc::new(Pulse::new(u32::try_from(cpu).unwrap()));
        let mut watched = Watched::new(&Arc::default(), &pulse);
        let mut has_moved = || {
            watched.look_where();
            watched.moved
        };
        assert!(!has_moved(), "it is not pinned yet");
        Affinity::pin(cpu).unwrap();
        pulse.pinned(Affinity::thread());
        assert!(!has_moved());
        all.restore();
        assert_eq!(has_moved(), !only, "it may run anywhere");
        Affinity::pin(other).unwrap();
        assert_eq!(has_moved(), !only, "it runs elsewhere");
        Affinity::pin(cpu).unwrap();
        assert!(!has_moved());
        all.restore();
        pulse.done();
        assert!(!has_moved(), "it has ended");
    }
}
