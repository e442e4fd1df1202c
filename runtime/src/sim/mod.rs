//! Simulations: the same configuration and the same modules in virtual time. All lcores are turned on one thread, each when it
//! has something to do, and nothing that a result depends on comes from the machine: a seed gives the same packets at the same
//! times, wherever it is tried.
//!
//! - `timeline.rs`: what happens when, as the configuration and a seed say it.
//! - `drive.rs`: lets time pass.
//! - `happen.rs`: swaps, links that go down, failures, and all else that is scripted.
//! - `verdict.rs`: what must hold at the end, and the digest.

mod drive;
mod happen;
mod timeline;
mod verdict;

use crate::latencies::Latencies;
use crate::options::Options;
use crate::run::{Run, captures};
use crate::setup::{self, Plan, Time};
use drive::Drive;
use perigee_config::sim::Happening;
use perigee_config::{Captures, Config, Severity};
use perigee_core::clock::{Clock, nanos};
use perigee_dpdk::eal::Registered;
use perigee_load::{Loader, Upload};
use perigee_report::{Error, Snapshot, Summary};
use perigee_wasm::engine::{Engines, Metering, WASM_STACK};
use perigee_wasm::stack::with_guest_stack;
use perigee_wire::trace::Trace;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When a simulation's clock begins, Unix time: the first second of the year 2000.
pub const BEGIN_UNIX_NS: u64 = 946_684_800_000_000_000;

/// Simulates one configuration, with one seed after the other. What they share is made once: DPDK's environment, the loader, the
/// compiled code.
pub struct Simulator {
    config: Config,
    base: PathBuf,
    options: Options,
    engines: Engines,
    loader: Arc<Loader>,
    captures: Captures,
    uploads: Vec<Upload>,
    /// The files of swaps, by the path that the configuration has for them.
    swaps: BTreeMap<String, Upload>,
    /// The modules' files, likewise.
    files: BTreeMap<String, Upload>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Somebody else owns the time, another simulator, say; or looks at it as it passes.
pub trait Pace {
    /// The simulation has come to this time, in nanoseconds since its beginning, and all before it has happened. Returns until
    /// when it may go on. That it stands still changes nothing of what happens.
    ///
    /// # Errors
    /// Nobody says so any more, or it lies before `reached`.
    fn until(&mut self, reached: u64, seen: &Seen<'_>) -> Result<u64, Error>;
}

/// What there is to see while time stands still.
pub struct Seen<'a>(&'a Run);

impl std::fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").finish_non_exhaustive()
    }
}

impl Seen<'_> {
    /// All counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.observed()
    }

    /// Who reads the latencies, now and later.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        self.0.latencies()
    }
}

/// What came out of a simulation.
#[derive(Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// All that has happened, as a number in hexadecimal: every packet with its time and way, every counter, failure, message
    /// and log line. Two are compared within one version of the engine only, whose name stands before the colon.
    pub digest: String,
    /// Packets that were put on wires, and that were taken from them.
    pub packets: u64,
    /// Turns of all lcores.
    pub turns: u64,
    /// What of the script has happened, in order: when, in nanoseconds; the number of its event; what, in words.
    pub happened: Vec<(u64, usize, String)>,
    /// What a run tells at its end.
    pub summary: Summary,
    /// What should hold and does not.
    pub broken: Vec<String>,
}

impl Simulator {
    /// Makes everything ready that seeds share.
    ///
    /// # Errors
    /// The configuration cannot be simulated, a module's file cannot be read, or DPDK does not start.
    pub fn new(config: &Config, base: &Path, options: &Options) -> Result<Self, Error> {
        let mut problems = config.problems_on(base, &config.simulated_cpus());
        problems.extend(config.validate_sim());
        problems.retain(|problem| problem.severity == Severity::Error);
        if !problems.is_empty() {
            return Err(Error::Config { problems });
        }
        let loader = Arc::new(options.loader_for(&config.load, base, Metering::Fuel)?);
        let engines = Engines::metered(Metering::Fuel);
        // With its first engine wasmtime takes the signals that traps are made of, which the jail allows nobody later on.
        engines.of(WASM_STACK as u64)?;
        let uploads = setup::read_modules(config, base, &loader)?;
        let config = setup::with_secrets(config, base)?;
        let files = config.sim.events.iter().filter_map(|event| match &event.what {
            Happening::Swap(swap) => Some(&swap.file),
            _ => None,
        });
        let swaps = files.map(|file| Ok((file.clone(), loader.read(&base.join(file))?)));
        let swaps = swaps.collect::<Result<_, Error>>()?;
        let captures = captures(&config, base)?;
        let files = config.modules.iter().map(|entry| entry.file.clone()).zip(uploads.iter().cloned()).collect();
        let (base, options) = (base.to_owned(), options.clone());
        Ok(Self { config, base, options, engines, loader, captures, uploads, swaps, files })
    }

    /// How many events the script has.
    #[must_use]
    pub fn events(&self) -> usize {
        self.config.sim.events.len()
    }

    /// Numbers of the events that happen all or none.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<usize>> {
        self.config.sim.groups()
    }

    /// Simulates with a seed. Of the script's events only those happen whose numbers `only` has, if it is there; `pace` says how far
    /// time may go, if it is there.
    ///
    /// # Errors
    /// The run does not start, or who owns the time is lost.
    pub fn simulate(
        &self,
        seed: u64,
        only: Option<&[usize]>,
        pace: Option<&mut (dyn Pace + Send)>,
    ) -> Result<Outcome, Error> {
        let simulated = with_guest_stack(|| self.simulate_here(seed, only, pace));
        simulated.map_err(|e| Error::Lcore { lcore: 0, what: e.to_string() })?
    }

    fn simulate_here(
        &self,
        seed: u64,
        only: Option<&[usize]>,
        pace: Option<&mut (dyn Pace + Send)>,
    ) -> Result<Outcome, Error> {
        let mut config = self.config.clone();
        config.run.seed = seed;
        // A clock's hand lives as long as whatever may read it: these eight bytes are never given back.
        let hand: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
        let (clock, trace) = (Clock::set_by(hand, BEGIN_UNIX_NS), Arc::new(Trace::default()));
        let time = Time::Virtual { clock, trace: Arc::clone(&trace) };
        let (parts, lcores) = setup::build(&Plan {
            config: &config,
            base: &self.base,
            engines: &self.engines,
            loader: Arc::clone(&self.loader),
            options: &self.options,
            captures: &self.captures,
            uploads: &self.uploads,
            time: &time,
        })?;
        // Taken back when all else of the simulation is gone.
        let _registered = Registered::register().map_err(|what| Error::Lcore { lcore: 0, what })?;
        let (run, lcores) = Run::here(parts, lcores);
        let timeline = timeline::draw(&config.sim.events, seed, only);
        let end = config.run.duration.map_or(0, nanos);
        let mut drive = Drive::new(&config, run, lcores, hand, timeline, [&self.swaps, &self.files]);
        let driven = drive.until(end, pace);
        hand.fetch_max(end, Ordering::Relaxed);
        let finished = drive.finish();
        driven?;
        Ok(verdict::of(seed, &trace, finished))
    }
}
