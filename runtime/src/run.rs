//! A run, as the control thread sees it: start, look, ask, stop.

use crate::config::{Config, Severity};
use crate::counters::Counter;
use crate::error::Error;
use crate::fault::{Keeper, Pulse, Watchdog};
use crate::lcore::{Command, InstanceReport, Lcore, Request};
use crate::load::{Loader, Upload};
use crate::options::Options;
use crate::setup::{self, Parts};
use crate::stats::{
    Accounting, ChainStats, LcoreStats, ModuleStats, PoolLevel, PoolStats, RingStats, Snapshot, Summary,
};
use crate::swap::Ledger;
use crate::wasm::engine::{Engines, THREAD_STACK, Ticker, WASM_STACK};
use crate::wasm::module::ModuleInfo;
use crossbeam_queue::ArrayQueue;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an lcore may take to answer the control thread.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long the links of physical ports may take to come up: auto-negotiation takes some seconds.
const LINK_WAIT: Duration = Duration::from_secs(9);

/// Packets flowing through modules, until [`Run::stop`].
pub struct Run {
    pub(crate) lcores: Vec<(Arc<ArrayQueue<Command>>, JoinHandle<Lcore>)>,
    pub(crate) parts: Parts,
    ticker: Ticker,
    /// When the lcores started, in nanoseconds of the run's clock.
    started_ns: u64,
    keeper: Keeper,
    pub(crate) watchdog: Watchdog,
    pub(crate) swaps: Mutex<Ledger>,
    /// Held by whoever applies a configuration.
    pub(crate) applying: Mutex<()>,
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
        // The first of all: it starts a process, which has nothing of ours but a socket.
        let loader = Loader::start(&config.load, base, options)?;
        // Before any thread is started, so that all have it from this one.
        crate::dpdk::eal::block_port_signals();
        let engines = Engines::default();
        // With its first engine wasmtime takes the signals that traps are made of, which the jail allows nobody later on.
        engines.of(WASM_STACK as u64)?;
        // The ticker runs before the first guest code does.
        let ticker = Ticker::start(&engines);
        let (parts, lcores) = setup::build(config, base, &engines, loader, options)?;
        wait_for_links(&parts);
        let links = parts.ports.iter().map(|p| p.link_up()).collect();
        let queues: Vec<_> = lcores.iter().map(|lcore| Arc::clone(&lcore.commands)).collect();
        let keeper = Keeper::start(&parts, &queues, links)?;
        let started_ns = parts.clock.ns(parts.clock.cycles());
        let pulses = lcores.iter().map(|lcore| Arc::clone(&lcore.pulse)).collect();
        let watchdog = Watchdog::start(&parts, pulses)?;
        let (swaps, applying) = (Mutex::default(), Mutex::default());
        let mut run = Self { lcores: Vec::new(), keeper, watchdog, started_ns, parts, ticker, swaps, applying };
        for lcore in lcores {
            run.lcores.push(spawn(lcore)?);
        }
        Ok(run)
    }

    /// All counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.tend_swaps();
        let reports = self.lcores.iter().map(|(commands, _)| report(commands)).collect::<Vec<_>>();
        self.collect(&reports)
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

    /// True where nothing more will come: every source is a capture file that was read to its end, or a ring behind
    /// one, or a generator that has failed for good; or a module has failed on whose failure the run ends.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.tend_swaps();
        if self.parts.control.failed.load(Ordering::Relaxed) {
            return true;
        }
        let mut received = vec![0; self.parts.ports.len()];
        for chain in &self.parts.placed {
            if let Some(port) = chain.port {
                received[port] += chain.counters.read().get(Counter::Received);
            }
        }
        let port_ended = |port: usize| match self.parts.expected[port] {
            None => false,
            Some(expected) => {
                let stats = self.parts.ports[port].stats();
                received[port] + stats.rx_nombuf + stats.rx_errors >= expected
            }
        };
        let seats = self.parts.seats.now();
        let failed = |chain: usize| {
            seats.iter().any(|seat| seat.chain == chain && seat.generates && seat.health.status().state.is_final())
        };
        let ended = self.parts.placed.iter().enumerate().filter(|(number, chain)| match chain.port {
            Some(port) => port_ended(port),
            None => chain.ring.is_none() && failed(*number),
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

    fn ask(&self, module: &str, request: impl Fn(usize) -> Request) -> Result<Vec<Vec<u8>>, Error> {
        let mut replies = Vec::new();
        for seat in self.parts.seats.of_module(module) {
            let (lcore, number) = (seat.lcore, seat.at.0);
            let (reply, answer) = channel();
            let command = Command::Ask { seat, request: request(replies.len()), reply };
            let sent = self.lcores[number].0.push(command);
            sent.map_err(|_| Error::Request(format!("lcore {lcore} has too many requests waiting")))?;
            let answer = answer.recv_timeout(PATIENCE);
            let answer = answer.map_err(|_| Error::Request(format!("lcore {lcore} does not answer")))?;
            replies.push(answer.map_err(|what| Error::Module { name: module.to_owned(), what })?);
        }
        if replies.is_empty() {
            return Err(Error::Request(format!("no chain has a module {module:?}")));
        }
        Ok(replies)
    }

    /// Stops: sources first, then what is on its way leaves, and the rest is freed and counted. Ports are closed, and
    /// each pool must have its packets back.
    #[must_use]
    pub fn stop(mut self) -> Summary {
        let elapsed = self.elapsed_ns();
        let care = self.keeper.end();
        let lcores = self.join();
        if let Some(mut care) = care {
            care.look_last();
        }
        let reports = lcores.iter().map(|l| l.as_ref().map(Lcore::report).unwrap_or_default()).collect::<Vec<_>>();
        let mut snapshot = self.collect(&reports);
        snapshot.elapsed_ns = elapsed;
        // Instances go before the region that lies in their windows, chains before the ports they send to.
        drop(lcores);
        self.account_rings(&mut snapshot);
        self.parts.rings.clear();
        self.parts.ports.iter().for_each(|port| port.discard_waiting());
        crate::jail::with_rights(|| self.parts.ports.clear());
        let pools = self.parts.pools.iter().map(|pool| PoolStats::of(pool));
        let pools = pools.collect();
        let accounting = Accounting::of(&snapshot.chains);
        Summary { snapshot, accounting, pools, invalid: self.keeper.board().invalid() }
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

    /// Ends the lcores' threads and takes back what they had; `None` for one that panicked.
    fn join(&mut self) -> Vec<Option<Lcore>> {
        self.parts.control.stop.store(true, Ordering::Relaxed);
        let lcores = std::mem::take(&mut self.lcores);
        lcores.into_iter().map(|(_, thread)| thread.join().ok()).collect()
    }

    fn elapsed_ns(&self) -> u64 {
        self.parts.clock.ns(self.parts.clock.cycles()) - self.started_ns
    }

    fn collect(&self, reports: &[Vec<InstanceReport>]) -> Snapshot {
        let parts = &self.parts;
        let chains = parts.placed.iter().map(|c| ChainStats {
            batch_time: c.counters.times.read(&parts.clock),
            ..ChainStats::new(&c.name, c.lcore, &c.counters.read())
        });
        let (elapsed, seats) = (self.keeper.elapsed(), parts.seats.now());
        let modules = seats.iter().map(|seat| {
            let report = reports.get(seat.at.0).and_then(|r| r.iter().find(|r| r.seat.is(seat)));
            let loaded = parts.maker.loaded(&seat.module);
            let now = seat.health.status().clone();
            ModuleStats {
                name: seat.module.clone(),
                origin: loaded.map(|m| m.module.describe().origin.clone()).unwrap_or_default(),
                chain: seat.chain_name.clone(),
                lcore: seat.lcore,
                counters: report.map(|r| r.counters.iter().cloned().collect()).unwrap_or_default(),
                state: now.state,
                restart_in_ns: now.restart_at.map(|at| nanos(at.saturating_sub(elapsed))),
                failed: report.and_then(|r| r.failed.clone()),
                last_fault: now.last_fault,
                faults: seat.health.failures().map(|(class, n)| (class.to_string(), n)).collect(),
                installs: seat.health.installs(),
                log_lost: seat.log.lost(),
                hostcalls_denied: report.map(|r| r.denied).unwrap_or_default(),
            }
        });
        let gaps = self.ticker.gaps();
        Snapshot {
            elapsed_ns: self.elapsed_ns(),
            tsc_hz: parts.clock.hz(),
            ticker_worst_gap_ns: gaps.worst_ns,
            ticker_gap_p50_ns: gaps.p50_ns,
            ticker_gap_p999_ns: gaps.p999_ns,
            faults_lost: parts.maker.faults.lost(),
            ports: parts.ports.iter().map(|p| p.stats()).collect(),
            chains: chains.collect(),
            lcores: self.watchdog.pulses().iter().map(|pulse| lcore_stats(pulse)).collect(),
            modules: modules.collect(),
            evidence: parts.maker.evidence.as_ref().map(|e| e.stats()),
            rings: parts.rings.iter().map(|r| RingStats { name: r.name().to_owned(), count: r.count() }).collect(),
            pool_levels: parts.pools.iter().map(|pool| PoolLevel::of(pool)).collect(),
        }
    }
}

fn lcore_stats(pulse: &Pulse) -> LcoreStats {
    LcoreStats { lcore: pulse.cpu, stuck_ns: pulse.stuck_ns(), stuck_worst_ns: pulse.worst_ns() }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A run that is given up without [`Run::stop`] ends all the same, before the memory that its lcores use.
impl Drop for Run {
    fn drop(&mut self) {
        drop(self.keeper.end());
        drop(self.join());
    }
}

/// Asks an lcore for its instances; nothing where it does not answer in time.
fn report(commands: &ArrayQueue<Command>) -> Vec<InstanceReport> {
    let (reply, answer) = channel();
    match commands.push(Command::Report { reply }) {
        Ok(()) => answer.recv_timeout(PATIENCE).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

fn spawn(lcore: Lcore) -> Result<(Arc<ArrayQueue<Command>>, JoinHandle<Lcore>), Error> {
    let (cpu, commands) = (lcore.cpu as usize, Arc::clone(&lcore.commands));
    let thread = std::thread::Builder::new().name(format!("perigee-lcore{cpu}")).stack_size(THREAD_STACK);
    let thread = thread.spawn(move || lcore.run()).map_err(|e| Error::Lcore { lcore: cpu, what: e.to_string() })?;
    Ok((commands, thread))
}

fn wait_for_links(parts: &Parts) {
    let physical: Vec<_> = parts.ports.iter().filter(|p| p.is_physical()).collect();
    let start = Instant::now();
    while start.elapsed() < LINK_WAIT && physical.iter().any(|p| !p.link_up()) {
        std::thread::sleep(Duration::from_millis(50));
    }
    for port in physical.iter().filter(|p| !p.link_up()) {
        tracing::warn!(port = port.name(), "the link is still down after {LINK_WAIT:?}");
    }
}
