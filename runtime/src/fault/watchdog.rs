//! A thread outside the data path that looks whether the lcores go on. Deadlines stop what runs in a module too long; this
//! sees what they cannot: a long bulk operation, a driver that does not come back, a bug of the host.

use crate::config::Config;
use crate::error::Error;
use crate::jail;
use crate::setup::{Parts, Seats};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An lcore's sign of life. Written by the lcore each millisecond, read by the watchdog.
#[derive(Debug)]
pub(crate) struct Pulse {
    pub(crate) cpu: u32,
    beat: AtomicU64,
    done: AtomicBool,
    stuck_ns: AtomicU64,
    worst_ns: AtomicU64,
}

impl Pulse {
    pub(crate) fn new(cpu: u32) -> Self {
        let zero = || AtomicU64::new(0);
        Self { cpu, beat: zero(), done: AtomicBool::new(false), stuck_ns: zero(), worst_ns: zero() }
    }

    /// The lcore goes on; `cycles` differ from the last time.
    pub(crate) fn beat(&self, cycles: u64) {
        self.beat.store(cycles, Ordering::Relaxed);
    }

    /// The lcore has come to its end.
    pub(crate) fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// For how long it gives no sign of life, nanoseconds; 0 within the watchdog's time.
    pub(crate) fn stuck_ns(&self) -> u64 {
        self.stuck_ns.load(Ordering::Relaxed)
    }

    /// The longest such time so far.
    pub(crate) fn worst_ns(&self) -> u64 {
        self.worst_ns.load(Ordering::Relaxed)
    }

    fn set_stuck(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.stuck_ns.store(ns, Ordering::Relaxed);
        self.worst_ns.fetch_max(ns, Ordering::Relaxed);
    }
}

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
    pulses: Vec<Arc<Pulse>>,
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
        let thread = std::thread::Builder::new().name("perigee-watchdog".to_owned()).spawn(move || {
            jail::enter_thread(jail::Kind::Watchdog);
            let mut last = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let Patience { warn, abort } = *now_patience.lock().unwrap_or_else(PoisonError::into_inner);
                let period = (warn / 8).clamp(Duration::from_millis(1), Duration::from_millis(100));
                std::thread::sleep(period);
                let now = Instant::now();
                // Where this thread did not run either, the machine or a debugger held up the process: nobody is late by that.
                let passed = now.duration_since(last).min(period * 2);
                last = now;
                watched.iter_mut().for_each(|lcore| lcore.look(passed, warn, abort));
            }
        });
        let thread = thread.map_err(|e| Error::Lcore { lcore: 0, what: format!("no thread for the watchdog: {e}") })?;
        Ok(Self { stop, pulses, patience, thread: Some(thread) })
    }

    /// Its times are those of another configuration from now on.
    pub(crate) fn set(&self, config: &Config) {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = Patience::of(config);
    }

    /// The lcores' signs of life, by number.
    pub(crate) fn pulses(&self) -> &[Arc<Pulse>] {
        &self.pulses
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing to say here.
            let _ = thread.join();
        }
    }
}

/// One lcore, as the watchdog sees it.
struct Watched {
    pulse: Arc<Pulse>,
    /// All seats: its own are looked for when there is something to tell.
    seats: Arc<Seats>,
    beat: u64,
    silent: Duration,
    told: bool,
}

impl Watched {
    fn new(seats: &Arc<Seats>, pulse: &Arc<Pulse>) -> Self {
        Self { pulse: Arc::clone(pulse), seats: Arc::clone(seats), beat: 0, silent: Duration::ZERO, told: false }
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
