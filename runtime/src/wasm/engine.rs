//! The engine: how modules are compiled, and the ticker that lets no call run for ever.

use super::memory::Creator;
use crate::jail;
use crate::stats::TickerGaps;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wasmtime::{Config, OptLevel, WasmBacktraceDetails};

/// Time between two epoch ticks.
pub(crate) const EPOCH: Duration = Duration::from_millis(1);
/// Stack of a guest, unless it is granted another. An lcore's thread has this and plenty for the host's frames.
pub(crate) const WASM_STACK: usize = 512 << 10;
/// Stack of a thread that runs guests.
pub(crate) const THREAD_STACK: usize = 4 << 20;

/// The engines of a run: the size of a guest's stack is a fact of its engine, so there is one for each size in use. They
/// differ in nothing else, and what one has compiled the others can run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Engines(Arc<Mutex<BTreeMap<u64, wasmtime::Engine>>>);

impl Engines {
    /// The engine for guests with a stack of so many bytes; made when it is first asked for.
    pub(crate) fn of(&self, stack: u64) -> Result<wasmtime::Engine, crate::Error> {
        let mut engines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&stack) {
            return Ok(engine.clone());
        }
        let engine = with_stack(usize::try_from(stack).unwrap_or(WASM_STACK))?;
        engines.insert(stack, engine.clone());
        Ok(engine)
    }

    /// Advances all epochs.
    fn tick(&self) {
        let engines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        engines.values().for_each(wasmtime::Engine::increment_epoch);
    }
}

/// One engine, for guests with the usual stack, and the ticker that it needs.
pub(crate) fn new() -> Result<(wasmtime::Engine, Ticker), crate::Error> {
    let engines = Engines::default();
    let engine = engines.of(WASM_STACK as u64)?;
    Ok((engine, Ticker::start(&engines)))
}

fn with_stack(stack: usize) -> Result<wasmtime::Engine, crate::Error> {
    make(settings().max_wasm_stack(stack))
}

/// An engine for a process that compiles one module: with one thread, whose memory can be limited. What it compiles, all
/// engines of a run can run.
pub(crate) fn for_worker() -> Result<wasmtime::Engine, crate::Error> {
    make(settings().parallel_compilation(false))
}

fn make(config: &Config) -> Result<wasmtime::Engine, crate::Error> {
    wasmtime::Engine::new(config).map_err(|e| crate::Error::Memory(format!("the wasm engine did not start: {e:#}")))
}

/// Our memories, and as few features as modules need.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .with_host_memory(Arc::new(Creator))
        // A copy-on-write image would be mapped over a memory that is not the engine's own (wasmtime#10740).
        .memory_init_cow(false)
        .memory_may_move(false)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .guard_before_linear_memory(false)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}

/// Ticks of all tickers of this process together.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Advances with each tick, by more where several engines have tickers: whether a call may have been late is seen by this
/// without asking the system for the time.
#[inline]
pub(crate) fn ticks() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// Times between ticks. Only the ticker writes, once a tick; its counts are there from the start, so it never allocates.
#[derive(Clone, Debug)]
struct Gaps(Arc<Mutex<Histogram<u64>>>);

impl Gaps {
    /// From a microsecond to a minute, in nanoseconds, to two digits. A gap beyond counts as the end.
    fn new() -> Option<Self> {
        let counts = Histogram::new_with_bounds(1_000, 60_000_000_000, 2).ok()?;
        Some(Self(Arc::new(Mutex::new(counts))))
    }

    fn lock(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, gap: Duration) {
        self.lock().saturating_record(u64::try_from(gap.as_nanos()).unwrap_or(u64::MAX));
    }

    fn read(&self) -> TickerGaps {
        let counts = self.lock();
        let at = |quantile| counts.value_at_quantile(quantile);
        TickerGaps { ticks: counts.len(), p50_ns: at(0.5), p999_ns: at(0.999), worst_ns: counts.max() }
    }
}

/// Advances the engines' epochs each millisecond from a thread of its own.
#[derive(Debug)]
pub(crate) struct Ticker {
    stop: Arc<AtomicBool>,
    gaps: Option<Gaps>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engines: &Engines) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let gaps = Gaps::new();
        let (engines, stopped, seen) = (engines.clone(), Arc::clone(&stop), gaps.clone());
        let thread = std::thread::Builder::new().name("perigee-ticker".to_owned()).spawn(move || {
            prefer_this_thread();
            jail::enter_thread(jail::Kind::Ticker);
            let mut last = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(EPOCH);
                engines.tick();
                TICKS.fetch_add(1, Ordering::Relaxed);
                let now = Instant::now();
                if let Some(gaps) = &seen {
                    gaps.record(now - last);
                }
                last = now;
            }
        });
        Self { stop, gaps, thread: thread.ok() }
    }

    /// Times between two ticks so far: deadlines are late by up to these.
    pub(crate) fn gaps(&self) -> TickerGaps {
        self.gaps.as_ref().map(Gaps::read).unwrap_or_default()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has nothing to say here.
            let _ = thread.join();
        }
    }
}

/// Where every core polls, the ticker must get its turn at once: real-time priority where that is permitted. It sleeps
/// nearly always, so it cannot starve anybody.
#[allow(unsafe_code, reason = "the standard library has no scheduling classes")]
fn prefer_this_thread() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY:
    // - 0 is the calling thread, and the parameter is valid; without the right to it nothing changes.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
}
