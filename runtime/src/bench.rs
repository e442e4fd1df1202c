//! The data path taken apart, for the benchmarks: the same code as a run's, polled by the caller on its own thread, so that
//! a native twin on the same port and pool can take turns with it. Not for any other use.

use crate::parts::Parts;
use crate::readers::Readers;
use crate::setup::{self, Plan, Time};
use crate::snapshot::{chain_stats, pool_stats};
use perigee_config::{Config, Severity};
use perigee_core::clock::Now;
use perigee_core::counters::Counters;
use perigee_datapath::lcore::Lcore;
use perigee_datapath::recorder::{Recorder, Spot};
use perigee_datapath::source::Source;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::eal::Registered;
use perigee_dpdk_sys::flags;
use perigee_machine::Affinity;
use perigee_pcap::filter;
use perigee_record::{Memory, Shape};
use perigee_report::Error;
use perigee_report::{Accounting, PoolStats};
use perigee_wasm::engine::Engines;
pub use perigee_wasm::engine::Target;
use perigee_wasm::ticker::Ticker;
use std::ffi::c_void;
use std::path::Path;
use std::sync::Arc;

/// CPU time of the calling thread, by the clock that deadlines are checked with.
#[must_use]
pub fn thread_cpu_time() -> std::time::Duration {
    perigee_core::clock::thread_cpu_time()
}

/// A run of one lcore on the calling thread. Packets flow when `poll` is called.
///
/// The pieces (`load`, `publish`, `call`, `collect`) work on one burst per chain, which stays loaded between them.
pub struct Loop {
    lcore: Lcore,
    #[allow(clippy::vec_box, reason = "a stage changes a burst for another one by its box")]
    loaded: Vec<Box<Burst>>,
    /// What each chain had counted when its burst was loaded: the pieces count the same packets again and again.
    counted: Vec<Counters>,
    /// The moment of the last `load`: a piece alone does not read the clock, which a poll does once for all of them.
    loaded_at: Now,
    _ticker: Ticker,
    _readers: Readers,
    parts: Parts,
    _registered: Registered,
}

impl std::fmt::Debug for Loop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loop").finish_non_exhaustive()
    }
}

impl Loop {
    /// Starts what the configuration says, which must be one chain or several on one lcore, and pins the thread to it. Modules
    /// are compiled for `target`.
    ///
    /// # Errors
    /// As for [`crate::Run::start`].
    pub fn start(config: &Config, base: &Path, target: Target) -> Result<Self, Error> {
        let problems: Vec<_> = config.problems(base).into_iter().filter(|p| p.severity == Severity::Error).collect();
        if !problems.is_empty() {
            return Err(Error::Config { problems });
        }
        let engines = Engines::for_target(target);
        let ticker = Ticker::start(&engines);
        let options = crate::Options::default();
        let loader = Arc::new(options.loader(&config.load, base)?);
        let uploads = &setup::read_modules(config, base, &loader)?;
        let config = &setup::with_secrets(config, base)?;
        let (engines, options, captures, time) = (&engines, &options, &config.captures(base), &Time::Real);
        let plan = Plan { config, base, engines, loader, options, captures, uploads, time };
        let (parts, mut lcores) = setup::build(&plan)?;
        let lcore = lcores.pop().ok_or_else(|| Error::Request("the benchmark has no chain".to_owned()))?;
        // Before this thread is pinned: they shall have another CPU.
        let readers = Readers::start(&parts.ports)?;
        let fail = |what: String| Error::Lcore { lcore: lcore.cpu as usize, what };
        Affinity::pin(lcore.cpu as usize).map_err(fail)?;
        let registered = Registered::register().map_err(fail)?;
        parts.ports.iter().try_for_each(|port| port.commit_outputs())?;
        let loaded = lcore.chains.iter().map(|_| Burst::new()).collect();
        let counted = lcore.chains.iter().map(|c| c.out.counters.clone()).collect();
        let loaded_at = Now { cycles: 0, ns: 0, flags: 0 };
        Ok(Self {
            lcore,
            loaded,
            counted,
            loaded_at,
            _ticker: ticker,
            _readers: readers,
            parts,
            _registered: registered,
        })
    }

    /// One turn of the data path of one chain. Returns the packets that came.
    pub fn poll(&mut self, chain: usize) -> usize {
        let now = self.now();
        self.lcore.chains[chain].poll(now)
    }

    fn now(&self) -> Now {
        let cycles = self.parts.clock.cycles();
        Now { cycles, ns: self.parts.clock.ns(cycles), flags: 0 }
    }

    /// Rate of the time stamp counter.
    #[must_use]
    pub fn tsc_hz(&self) -> u64 {
        self.parts.clock.hz()
    }

    /// DPDK's number of port `number`, for a twin.
    #[must_use]
    pub fn dpdk_port(&self, number: usize) -> u16 {
        self.parts.ports[number].dpdk_id().unwrap_or(u16::MAX)
    }

    /// The `rte_mempool` of a chain's rooms (generator), or of its port, for a twin.
    #[must_use]
    pub fn mempool(&self, chain: usize) -> *mut c_void {
        let pool = match &self.lcore.chains[chain].source {
            Source::Rooms(pool) => pool,
            Source::Port(rx) => self.parts.ports[usize::from(rx.facts.number)].pool(),
            Source::Ring(..) => &self.parts.pools[0],
        };
        pool.as_ptr().cast()
    }

    /// Takes `n` packets (or rooms) from a chain's source and publishes them to its first stage, for the pieces below.
    pub fn load(&mut self, chain: usize, n: usize) -> usize {
        self.loaded_at = self.now();
        self.counted[chain] = self.lcore.chains[chain].out.counters.clone();
        let (chain, burst) = (&mut self.lcore.chains[chain], &mut self.loaded[chain]);
        let taken = chain.source.fill(burst, n, &mut chain.out.counters);
        chain.stages[0].publish(burst, &self.loaded_at);
        // A tick in the middle of a piece would be measured with it.
        chain.stages[0].instance.suspend_deadline();
        taken
    }

    /// Where the batch area of a chain's first stage lies in the host, for a thread that writes there at the same time.
    #[must_use]
    pub fn batch_area(&self, chain: usize) -> *mut u8 {
        self.lcore.chains[chain].stages[0].instance.area.address()
    }

    /// The `rte_mbuf`s that are loaded, for a twin's kernel.
    pub fn loaded(&mut self, chain: usize, see: impl FnOnce(*mut *mut c_void, usize)) {
        self.loaded[chain].drain_raw(|mbufs, n| {
            see(mbufs.cast(), n.into());
            0
        });
    }

    /// Publishes the loaded burst again.
    pub fn publish(&mut self, chain: usize) {
        self.lcore.chains[chain].stages[0].publish(&mut self.loaded[chain], &self.loaded_at);
    }

    /// How many of the loaded packets pass a filter, which leaves them where they are.
    #[inline(never)]
    pub fn filter(&mut self, chain: usize, filter: &perigee_datapath::filter::Lone) -> usize {
        filter.count(&mut self.loaded[chain])
    }

    /// Calls the module with the first `n` loaded packets.
    pub fn call(&mut self, chain: usize, n: usize) {
        let stage = &mut self.lcore.chains[chain].stages[0];
        let callback = stage.callback;
        // A module of a benchmark does not trap; if it does, the figures are nonsense and it shall be seen.
        stage.instance.call(callback, u32::try_from(n).unwrap_or(0)).unwrap_or_else(|e| panic!("{e:?}"));
    }

    /// Collects the loaded burst, without letting it go: its packets are taken back from where they went.
    pub fn collect(&mut self, chain: usize) {
        let (chain, burst) = (&mut self.lcore.chains[chain], &mut self.loaded[chain]);
        let _ = chain.stages[0].collect(burst, &mut chain.out, &self.loaded_at);
        if burst.is_empty() {
            chain.out.take_back(burst);
        }
    }

    /// The loaded packets have a hash from now on: there is more to publish of each.
    pub fn give_hashes(&mut self, chain: usize) {
        for packet in self.loaded[chain].iter_mut() {
            packet.set_flags(packet.flags() | flags::RX_RSS_HASH);
        }
    }

    /// Sends the module of a chain's first stage a message; returns its answer.
    ///
    /// # Errors
    /// The module takes none, refuses this one, or traps.
    pub fn message(&mut self, chain: usize, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let answer = self.lcore.chains[chain].stages[0].instance.message(bytes);
        answer.map_err(|refusal| Error::Request(refusal.to_string()))
    }

    /// No deadline interrupts whole polls of a chain until [`Self::resume_deadline`].
    pub fn suspend_deadline(&mut self, chain: usize) {
        self.lcore.chains[chain].stages[0].instance.suspend_deadline();
    }

    /// Deadlines are as they were.
    pub fn resume_deadline(&mut self, chain: usize) {
        self.lcore.chains[chain].stages[0].instance.resume_deadline();
    }

    /// Frees the loaded burst, and forgets what the pieces counted.
    pub fn unload(&mut self, chain: usize) {
        self.loaded[chain].free_all();
        self.lcore.chains[chain].stages[0].instance.resume_deadline();
        *self.lcore.chains[chain].out.counters = self.counted[chain].clone();
    }

    /// What an lcore does for whoever asks for the run's figures: the state of all its instances. How many those are.
    #[must_use]
    pub fn report(&self) -> usize {
        self.lcore.report().len()
    }

    /// Records what a chain's first stage passes on from now on, as a capture does that nobody reads.
    ///
    /// # Errors
    /// The filter is none, or there is no memory.
    pub fn record(&mut self, chain: usize, filter: Option<&str>, snaplen: u16) -> Result<(), Error> {
        let shape = Shape { lanes: 1, chunks: 256 };
        let memory = Memory::new(shape).map_err(|e| Error::Capture(e.to_string()))?;
        let program = filter.map(filter::compile).transpose().map_err(Error::Capture)?;
        let writer = memory.writer().ok_or_else(|| Error::Capture("there is no lane".to_owned()))?;
        let chain = &mut self.lcore.chains[chain];
        let spot = Spot::After(chain.stages[0].place.seat.number);
        chain.out.counters.begin(Recorder::new((0, spot), writer, program, snaplen, self.parts.clock));
        Ok(())
    }

    /// Ends as a run does: what is on its way leaves, everything is freed and counted.
    #[must_use]
    pub fn finish(mut self) -> (Accounting, Vec<PoolStats>) {
        let now = self.now();
        for chain in &mut self.lcore.chains {
            while matches!(chain.source, Source::Ring(..)) && chain.poll(now) != 0 {}
            chain.drain(now);
        }
        self.close();
        let chains = self.lcore.chains.iter().zip(&self.parts.placed);
        let mut chains: Vec<_> = chains.map(|(c, p)| chain_stats(&p.name, p.lcore, &c.out.counters)).collect();
        let in_rings: u64 = self.parts.rings.iter().map(|r| u64::from(r.count())).sum();
        self.lcore.chains.clear();
        self.parts.rings.clear();
        self.parts.ports.clear();
        let pools = self.parts.pools.iter().map(|pool| pool_stats(pool));
        // A run counts them where their reader would have; here it does not matter whose they are.
        if let Some(chain) = chains.first_mut().filter(|_| in_rings != 0) {
            *chain.dropped.entry("stop".to_owned()).or_insert(0) += in_rings;
        }
        (Accounting::of(&chains, 0), pools.collect())
    }

    fn close(&mut self) {
        for (chain, burst) in self.lcore.chains.iter_mut().zip(&mut self.loaded) {
            burst.free_all();
            chain.close();
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.close();
    }
}
