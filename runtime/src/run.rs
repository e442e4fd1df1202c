//! A run, as the control thread sees it: start, look, ask, stop.

use crate::capture::{self, Capture, CaptureRequest};
use crate::fault::{Keeper, Links, Watchdog, lcores_have_left, wait_for_links};
use crate::lcores::Lcores;
use crate::losses;
use crate::manifest;
use crate::options::Options;
use crate::parts::{Observing, Parts, PlacedChain, PlacedStream};
use crate::profiling::Profiling;
use crate::readers::Readers;
use crate::setup::{self, Plan, Time};
use crate::snapshot::{self, Sources};
use crate::swap::{Changes, SwapOptions};
use perigee_config::stream::Stream as Asked;
use perigee_config::{Captures, Config, Severity};
use perigee_core::counters::{Counter, Counters};
use perigee_core::lock;
use perigee_datapath::health::Pulse;
use perigee_datapath::lcore::Lcore;
use perigee_datapath::orders::{Command, InstanceReport};
use perigee_datapath::stream::Change;
use perigee_load::Upload;
use perigee_report::ModuleInfo;
use perigee_report::{Accounting, ApplyReport, Error, Manifest, PaceStats, Snapshot, Summary, SwapReport, Swaps};
use perigee_wasm::engine::{Engines, WASM_STACK};
use perigee_wasm::request::Request;
use perigee_wasm::ticker::Ticker;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Packets flowing through modules, until [`Run::stop`].
pub struct Run {
    lcores: Lcores,
    pub(crate) parts: Parts,
    /// `None` in a simulation, which has no other threads.
    ticker: Option<Ticker>,
    /// When the lcores started, in nanoseconds of the run's clock.
    started_ns: u64,
    pub(crate) keeper: Keeper,
    pulses: Vec<Arc<Pulse>>,
    watchdog: Option<Watchdog>,
    /// Who reads what others saw leave.
    observing: Option<Observing>,
    /// Who counts what the lcores were seen in.
    profiling: Option<Profiling>,
    /// Of files that are not in memory. They end with the run.
    _readers: Readers,
    pub(crate) changes: Changes,
    /// Captures under way.
    pub(crate) captures: capture::Captures,
    /// What it remembers of its packets.
    pub(crate) histories: capture::Histories,
    /// Captures that began before the first packet, until somebody takes them.
    begun: Vec<Capture>,
    /// What it is made of; `None` of a simulation.
    manifest: Option<Manifest>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("lcores", &self.lcores.len()).finish_non_exhaustive()
    }
}

impl Run {
    /// Starts everything that the configuration says; paths in it start from `base`.
    ///
    /// # Errors
    /// The first thing that is wrong; nothing runs then, and all that was made is gone again.
    pub fn start(config: &Config, base: &Path) -> Result<Self, Error> {
        Self::start_with(config, base, &Options::default())
    }

    /// As [`Self::start`], with options that are no part of the configuration.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn start_with(config: &Config, base: &Path, options: &Options) -> Result<Self, Error> {
        let problems = config.problems(base).into_iter().filter(|p| p.severity == Severity::Error).collect::<Vec<_>>();
        if !problems.is_empty() {
            return Err(Error::Config { problems });
        }
        let (captures, machine) = (captures(config, base)?, manifest::machine());
        // The first of all: it starts a process, which has nothing of ours but a socket.
        let loader = Arc::new(options.loader(&config.load, base)?);
        let engines = Engines::default();
        // With its first engine wasmtime takes the signals that traps are made of, which the jail allows nobody later on.
        engines.of(WASM_STACK as u64)?;
        // The ticker runs before the first guest code does.
        let ticker = Ticker::start(&engines);
        let uploads = &setup::read_modules(config, base, &loader)?;
        let config = &setup::with_secrets(config, base)?;
        let (engines, captures, time) = (&engines, &captures, &Time::Real);
        let built = setup::build(&Plan { config, base, engines, loader, options, captures, uploads, time });
        // What DPDK said comes before the error that it explains.
        perigee_dpdk::log::emit();
        let (mut parts, placed) = built?;
        wait_for_links(&parts);
        let links = Links::new(&mut parts);
        let keeper = Keeper::start(&parts, links)?;
        let started_ns = parts.clock.ns(parts.clock.cycles());
        let pulses: Vec<_> = placed.iter().map(|lcore| Arc::clone(&lcore.pulse)).collect();
        let watchdog = Some(Watchdog::start(&parts, pulses.clone())?);
        let readers = Readers::start(&parts.ports)?;
        let (ticker, changes, lcores) = (Some(ticker), Changes::default(), Lcores::Threads(Vec::new()));
        let manifest = Some(manifest::of(&parts, machine, config));
        let observing = parts.observers.start(parts.unix)?;
        let profiler = options.profiler.as_ref();
        let profiling = profiler.map(|profiler| Profiling::start(profiler, &parts.seats)).transpose()?;
        let mut run = Self {
            lcores,
            keeper,
            pulses,
            watchdog,
            observing,
            profiling,
            _readers: readers,
            started_ns,
            parts,
            ticker,
            changes,
            captures: capture::Captures::default(),
            histories: capture::Histories::default(),
            begun: Vec::new(),
            manifest,
        };
        // All else has started: what files had in them before may go.
        run.parts.ports.iter().try_for_each(|port| port.commit_outputs())?;
        let waits = &run.parts.control.waits;
        waits.store(true, Ordering::Release);
        for lcore in placed {
            run.lcores.spawn(lcore, profiler)?;
        }
        // They have the first packet, too.
        run.histories = capture::Histories::begin(&run.captures, &run.parts, config)?;
        run.begun = options.captures.iter().map(|request| run.capture(request)).collect::<Result<_, _>>()?;
        run.started_ns = run.parts.clock.now_ns();
        run.parts.control.waits.store(false, Ordering::Release);
        Ok(run)
    }

    /// A run without threads, whose lcores the caller turns: for a simulation. What it consists of was built.
    pub(crate) fn here(mut parts: Parts, lcores: Vec<Lcore>) -> (Self, Arc<Mutex<Vec<Lcore>>>) {
        let pulses = lcores.iter().map(|lcore| Arc::clone(&lcore.pulse)).collect();
        let (clock, lcores) = (parts.clock, Arc::new(Mutex::new(lcores)));
        let served = Arc::clone(&lcores);
        let serve = move |lcore: usize| {
            if let Some(lcore) = lock(&served).get_mut(lcore) {
                lcore.serve(clock.cycles());
            }
        };
        parts.orders = std::mem::take(&mut parts.orders).served_by(Arc::new(serve));
        let links = Links::new(&mut parts);
        let keeper = Keeper::here(&parts, links);
        let run = Self {
            lcores: Lcores::Here(Arc::clone(&lcores)),
            keeper,
            pulses,
            watchdog: None,
            observing: None,
            profiling: None,
            _readers: Readers::default(),
            started_ns: clock.now_ns(),
            parts,
            ticker: None,
            changes: Changes::default(),
            captures: capture::Captures::default(),
            histories: capture::Histories::default(),
            begun: Vec::new(),
            manifest: None,
        };
        (run, lcores)
    }

    /// All counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.changes.of(&self.parts).tend();
        self.observed()
    }

    /// As [`Self::snapshot`], and does nothing that would not be done without it.
    pub(crate) fn observed(&self) -> Snapshot {
        self.collect(&self.lcores.reports(&self.parts.orders), self.parts.clock.now_ns())
    }

    /// The configuration as it is in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.parts.maker.config()
    }

    /// How long the run is to last, by the configuration that is in force now.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.config().run.duration
    }

    /// Whether an lcore gives a sign of life. False where all have been stuck for longer than `[run] watchdog`.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.pulses.iter().any(|pulse| pulse.stuck_ns() == 0)
    }

    /// True where nothing more will come: every source is a capture file that was read to its end, or a ring behind
    /// one, or a generator that has made all that it was to make or has failed for good; or a module has failed on whose
    /// failure the run ends.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.changes.of(&self.parts).tend();
        // Here, because the control thread has the right to.
        let pause = || lcores_have_left(&self.parts.orders);
        self.parts.ports.iter().for_each(|port| port.connect_again(&pause));
        if self.parts.control.failed.load(Ordering::Relaxed) {
            return true;
        }
        let counters: Vec<Counters> = self.parts.placed.iter().map(|chain| chain.counters.read()).collect();
        let lost = |port: usize| losses::lost(&self.parts.ports[port].stats());
        let seats = self.parts.seats.now();
        let failed = |chain: usize| {
            seats.iter().any(|seat| seat.chain == chain && seat.generates && seat.health.status().state.is_final())
        };
        let ended = self.parts.placed.iter().zip(&counters).enumerate().filter(|(number, (chain, counters))| {
            if chain.port.is_some() {
                return self.parts.ends.has_ended(*number, losses::given(counters), lost);
            }
            chain.ring.is_none() && (counters.get(Counter::Finished) != 0 || failed(*number))
        });
        let ended = ended.count();
        ended != 0 && ended == self.parts.control.sources.load(Ordering::Relaxed)
    }

    /// Sends a message to all instances of a module; one answer per instance, in the order of the configuration.
    ///
    /// # Errors
    /// No such module, an instance that refuses, or an lcore that does not answer.
    pub fn message(&self, module: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        self.ask(module, |_| Request::Message(bytes.to_vec()))
    }

    /// Asks all instances of a module for their state, as [`Self::restore`] takes it.
    ///
    /// # Errors
    /// As for [`Self::message`].
    pub fn save(&self, module: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.ask(module, |_| Request::Save)
    }

    /// Hands each instance of a module a state; where there are fewer states than instances, from the first one again.
    ///
    /// # Errors
    /// As for [`Self::message`].
    pub fn restore(&self, module: &str, states: &[Vec<u8>]) -> Result<(), Error> {
        self.ask(module, |i| Request::Restore(states.get(i % states.len().max(1)).cloned().unwrap_or_default()))?;
        Ok(())
    }

    /// Loads a module as the configuration's entry `module` would have it, and lets it go again: says whether it could take
    /// that one's place. Packets flow on meanwhile.
    ///
    /// # Errors
    /// No such entry, or what keeps it from being loaded.
    pub fn examine(&self, module: &str, upload: &Upload) -> Result<ModuleInfo, Error> {
        let maker = &self.parts.maker;
        let loaded = maker.loaded(module)?;
        Ok(maker.load(&loaded.entry, upload)?.module.describe().clone())
    }

    /// Makes new instances of a module now in the place of those that have failed, even where they failed too often. How many
    /// that are; they come within some milliseconds, if they start.
    ///
    /// # Errors
    /// No such module.
    pub fn restart(&self, module: &str) -> Result<usize, Error> {
        self.parts.maker.loaded(module)?;
        let seats = self.parts.seats.of_module(module);
        let down = seats.iter().filter(|seat| seat.health.is_down());
        Ok(down.inspect(|seat| seat.health.want()).count())
    }

    /// Gives a stream another rate or pattern while packets flow, or lets it pause or go on; how it stands then. The change comes to
    /// each lcore within a millisecond.
    ///
    /// # Errors
    /// No such stream, a rate that its pattern or its link cannot have, a pattern that cannot come while packets flow, or an lcore that
    /// does not answer.
    pub fn change_stream(&self, name: &str, change: Change) -> Result<PaceStats, Error> {
        let stream = self.parts.streams.iter().find(|stream| stream.asked.name == name);
        let stream = stream.ok_or_else(|| Error::Request(format!("there is no stream {name:?}")))?;
        let refuse = |what| Error::Request(format!("stream {name:?}: {what}"));
        let (next, change) = stream.going_on(change).map_err(refuse)?;
        if matches!(change, Change::Rate(_) | Change::Pattern(..)) {
            self.fits_method(stream, &next).map_err(refuse)?;
        }
        let at_ns = self.parts.clock.now_ns();
        for chain in self.parts.placed.iter().filter(|chain| chain.name == stream.asked.chain) {
            let order = |reply| Command::Stream { chain: chain.at.chain, change: change.clone(), at_ns, reply };
            let done = self.parts.orders.ask(chain.at.lcore, order).map_err(Error::Request)?;
            done.map_err(refuse)?;
        }
        stream.set(next);
        Ok(stream.stats(&self.parts.placed, self.parts.clock.now_ns()))
    }

    /// Whether the method of a stream does what it is to be from now on, and has its port do it.
    fn fits_method(&self, stream: &PlacedStream, next: &Asked) -> Result<(), String> {
        let (config, means) = (self.config(), &stream.means);
        let chain = config.chains.iter().find(|chain| chain.name == next.chain);
        if let Some((why, help)) = chain.and_then(|chain| config.unfit(next, chain, means.method)) {
            return Err(format!("method {:?}: {why}; {help}", means.method.name()));
        }
        let width = chain.map_or(1, |chain| chain.width());
        next.rate.map_or(Ok(()), |rate| means.limit(rate, width))
    }

    /// Replaces a module while packets flow. The new one is loaded, checked and tried on packets that nobody misses; then
    /// its instances take the places of the old ones between two bursts, with their state and the packets that they hold.
    /// The old ones are kept for a grace period, and go on if a new one fails; look at the run ([`Self::snapshot`],
    /// [`Self::is_finished`]) now and then, for that is when the period ends.
    ///
    /// # Errors
    /// [`Error::Swap`]: the step that failed, and why. The old module goes on, without having lost a packet.
    pub fn swap(&self, module: &str, upload: impl Into<Upload>, options: &SwapOptions) -> Result<SwapReport, Error> {
        self.changes.of(&self.parts).swap(module, &upload.into(), options)
    }

    /// The swaps of this run so far.
    #[must_use]
    pub fn swaps(&self) -> Swaps {
        self.changes.swaps()
    }

    /// The captures of [`Options::captures`], in their order: they end when they are dropped, or with the run.
    pub fn take_captures(&mut self) -> Vec<Capture> {
        std::mem::take(&mut self.begun)
    }

    /// Captures packets from now on, into memory that whoever gets its descriptor may read; until the answer is dropped, or the run stops.
    ///
    /// # Errors
    /// A point that is not there, a filter that is none, or more memory or captures at a time than `[run] capture_memory` has.
    pub fn capture(&self, request: &CaptureRequest) -> Result<Capture, Error> {
        let asked = capture::Asked { parts: &self.parts, config: &self.config(), request };
        self.captures.begin(&asked).map_err(Error::Capture)
    }

    /// Applies a changed configuration while packets flow. `files` are the modules' files by the path that the configuration
    /// has for them: a running process may not read files any more. Modules that are new are loaded and tried; chains get the
    /// stages that they are to have, where those that stay keep their instances; a module whose bytes, configuration or
    /// grants differ is replaced, as by [`Self::swap`]. Where a difference needs a restart, nothing is done, and the report
    /// says which.
    ///
    /// # Errors
    /// The new configuration has a problem, a file is missing, or a module is refused: then what was done before it is
    /// undone.
    pub fn apply(&self, new: &Config, files: &BTreeMap<String, Upload>) -> Result<ApplyReport, Error> {
        let report = self.changes.of(&self.parts).apply(new, files)?;
        if report.restart.is_empty() {
            self.watchdog.iter().for_each(|watchdog| watchdog.set(new));
        }
        Ok(report)
    }

    fn collect(&self, reports: &[Vec<InstanceReport>], until_ns: u64) -> Snapshot {
        let sources = Sources {
            parts: &self.parts,
            pulses: &self.pulses,
            elapsed_ns: self.elapsed_ns(),
            until_ns,
            kept_for: self.keeper.elapsed(),
            ticker: self.ticker.as_ref().map(Ticker::gaps).unwrap_or_default(),
        };
        sources.snapshot(reports)
    }

    fn ask(&self, module: &str, request: impl Fn(usize) -> Request) -> Result<Vec<Vec<u8>>, Error> {
        let mut replies = Vec::new();
        for seat in self.parts.seats.of_module(module) {
            let (lcore, request) = (seat.at.lcore, request(replies.len()));
            let answer = self.parts.orders.ask(lcore, |reply| Command::Ask { seat, request, reply });
            let answer = answer.map_err(Error::Request)?;
            replies
                .push(answer.map_err(|refusal| Error::Module { name: module.to_owned(), what: refusal.to_string() })?);
        }
        if replies.is_empty() {
            return Err(Error::Request(format!("no chain has a module {module:?}")));
        }
        Ok(replies)
    }

    /// Stops: sources first, then what is on its way leaves, and the rest is freed and counted. Ports are closed, and
    /// each pool must have its packets back.
    #[must_use]
    pub fn stop(self) -> Summary {
        self.stop_and_tell().0
    }

    /// As [`Self::stop`]; and what modules have said is broken.
    pub(crate) fn stop_and_tell(mut self) -> (Summary, Vec<String>) {
        // What the keeper is about to write may take a while. Until then nothing more flows, and nothing more is counted.
        self.parts.control.stop.store(true, Ordering::Relaxed);
        let (elapsed, until_ns) = (self.elapsed_ns(), self.parts.clock.now_ns());
        let restarts = self.keeper.end();
        let mut lcores = self.join();
        let chains = lcores.iter_mut().flatten().flat_map(|lcore| &mut lcore.chains);
        chains.filter_map(|chain| chain.paths.as_mut()).for_each(|paths| paths.finish());
        self.profiling = None;
        // It reads what left last.
        self.observing = None;
        if let Some(mut restarts) = restarts {
            restarts.look_last();
        }
        let reports = lcores.iter().map(|l| l.as_ref().map(Lcore::report).unwrap_or_default()).collect::<Vec<_>>();
        let mut snapshot = self.collect(&reports, until_ns);
        snapshot.elapsed_ns = elapsed;
        // Instances go before the region that lies in their windows, chains before the ports they send to.
        drop(lcores);
        self.account_rings(&mut snapshot);
        self.account_inboxes(&mut snapshot);
        self.parts.rings.clear();
        self.parts.flows.clear();
        for (port, stats) in self.parts.ports.iter().zip(&mut snapshot.ports) {
            stats.discarded = port.discard_waiting();
        }
        let mut told = losses::shortfalls(&self.parts, &snapshot.ports);
        told.extend(losses::of_wires(&self.parts));
        let outputs: Vec<_> = self.parts.ports.iter().map(|port| port.outputs().map(Arc::clone)).collect();
        perigee_jail::with_rights(|| self.parts.ports.clear());
        told.extend(losses::correct(&mut snapshot, &outputs));
        perigee_dpdk::log::emit();
        let pools = self.parts.pools.iter().map(|pool| snapshot::pool_stats(pool));
        let pools = pools.collect();
        let accounting = Accounting::of(&snapshot.chains, snapshot.ports.iter().map(|port| port.unwritten).sum());
        let board = self.keeper.board();
        let clock = manifest::clock_quality(&self.parts.clock);
        let manifest = self.manifest.take().map(|manifest| Manifest { clock, ..manifest });
        (Summary { snapshot, accounting, pools, losses: told, manifest, invalid: board.invalid() }, board.broken())
    }

    /// What is left in a ring is freed with it, and counted where it would have gone.
    fn account_rings(&self, snapshot: &mut Snapshot) {
        for (number, ring) in self.parts.rings.iter().enumerate().filter(|(_, ring)| ring.count() != 0) {
            let reader = self.parts.placed.iter().position(|chain| chain.ring == Some(number));
            if let Some(chain) = reader.and_then(|reader| snapshot.chains.get_mut(reader)) {
                *chain.dropped.entry("stop".to_owned()).or_insert(0) += u64::from(ring.count());
            }
        }
    }

    /// As [`Self::account_rings`], for what flow rules had brought to rx queues.
    fn account_inboxes(&self, snapshot: &mut Snapshot) {
        for (number, flows) in self.parts.flows.iter().enumerate() {
            for (queue, packets) in flows.iter().flat_map(|flows| flows.in_inboxes()).filter(|(_, n)| *n != 0) {
                let reads = |chain: &PlacedChain| chain.port == Some(number) && chain.queue == Some(queue);
                let reader = self.parts.placed.iter().position(reads);
                if let Some(chain) = reader.and_then(|reader| snapshot.chains.get_mut(reader)) {
                    *chain.dropped.entry("stop".to_owned()).or_insert(0) += packets;
                }
            }
        }
    }

    /// Ends the lcores' threads and takes back what they had; `None` for one that panicked.
    fn join(&mut self) -> Vec<Option<Lcore>> {
        self.parts.control.stop.store(true, Ordering::Relaxed);
        self.lcores.take()
    }

    fn elapsed_ns(&self) -> u64 {
        self.parts.clock.now_ns() - self.started_ns
    }
}

/// Looks at what ports will read, and tells what is surprising about it.
pub(crate) fn captures(config: &Config, base: &Path) -> Result<Captures, Error> {
    let captures = config.captures(base);
    let (problems, warnings): (Vec<_>, Vec<_>) =
        captures.problems.iter().cloned().partition(|problem| problem.severity == Severity::Error);
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    if problems.is_empty() { Ok(captures) } else { Err(Error::Config { problems }) }
}

/// A run that is given up without [`Run::stop`] ends all the same, before the memory that its lcores use.
impl Drop for Run {
    fn drop(&mut self) {
        drop(self.keeper.end());
        drop(self.join());
    }
}
