//! The ticker, which lets no call run for ever.

use super::engine::Engines;
use hdrhistogram::Histogram;
use perigee_core::clock::nanos;
use perigee_core::lock;
use perigee_jail as jail;
use perigee_report::TickerGaps;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two epoch ticks.
pub const EPOCH: Duration = Duration::from_millis(1);

/// Ticks of all tickers of this process together.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Advances with each tick, by more where several engines have tickers: whether a call may have been late is seen by this
/// without asking the system for the time.
#[inline]
pub fn ticks() -> u64 {
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
        lock(&self.0)
    }

    fn record(&self, gap: Duration) {
        self.lock().saturating_record(nanos(gap));
    }

    fn read(&self) -> TickerGaps {
        let counts = self.lock();
        let at = |quantile| counts.value_at_quantile(quantile);
        TickerGaps { ticks: counts.len(), p50_ns: at(0.5), p999_ns: at(0.999), worst_ns: counts.max() }
    }
}

/// Advances the engines' epochs each millisecond from a thread of its own.
#[derive(Debug)]
pub struct Ticker {
    stop: Arc<AtomicBool>,
    gaps: Option<Gaps>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread that ticks for these engines.
    pub fn start(engines: &Engines) -> Self {
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
    pub fn gaps(&self) -> TickerGaps {
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
