//! The host's side of an instance: its store's data, the hostcalls, its limits and its deadline.

use super::wasi::{self, Wasi, WasiState};
use crate::clock::Clock;
use crate::fault::Overrun;
use crate::grants::{ClockGrant, Grants, Hostcall};
use crossbeam_queue::ArrayQueue;
use perigee_abi::{MAX_COUNTERS, names};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::{Caller, Engine, Extern, Linker, ResourceLimiter, StoreContextMut, UpdateDeadline};

const SECOND_NS: u64 = 1_000_000_000;

/// Log lines of modules on their way to the control thread. Bounded: what does not fit is counted.
#[derive(Debug)]
pub(crate) struct LogQueue {
    lines: ArrayQueue<LogLine>,
    lost: AtomicU64,
}

/// One line, in place: the data path allocates nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLine {
    level: i32,
    len: u8,
    text: [u8; names::LOG_MAX],
}

impl LogQueue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { lines: ArrayQueue::new(256), lost: AtomicU64::new(0) })
    }

    /// Adds a line, cut to what fits; one that finds the queue full is counted.
    fn push(&self, level: i32, line: &[u8]) {
        let mut text = [0; names::LOG_MAX];
        let n = line.len().min(text.len());
        text[..n].copy_from_slice(&line[..n]);
        if self.lines.push(LogLine { level, len: u8::try_from(n).unwrap_or(u8::MAX), text }).is_err() {
            self.lose();
        }
    }

    /// Counts a line that does not come.
    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Lines lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Takes the oldest line, with its level.
    pub(crate) fn pop(&self) -> Option<(i32, String)> {
        let line = self.lines.pop()?;
        let text = String::from_utf8_lossy(&line.text[..usize::from(line.len)]);
        // A guest's escapes shall not reach the operator's terminal.
        Some((line.level, text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()))
    }

    /// Hands what came to the host's log.
    pub(crate) fn emit(&self, module: &str) {
        while let Some((level, text)) = self.pop() {
            match level {
                1 => tracing::error!(module, "{text}"),
                2 => tracing::warn!(module, "{text}"),
                3 => tracing::info!(module, "{text}"),
                4 => tracing::debug!(module, "{text}"),
                _ => tracing::trace!(module, "{text}"),
            }
        }
    }
}

/// Answers of the clock that are written down for one call, at most.
const MOST_TIMES: usize = 1 << 20;

/// Where the time comes from, and whether it is written down.
enum Times {
    Free,
    Recorded {
        said: Vec<u64>,
        asked: u64,
    },
    Replayed {
        /// What is to be said, the last first.
        left: Vec<u64>,
        last: u64,
    },
}

/// Data of an instance's store.
pub(crate) struct Host {
    clock: Clock,
    log: Arc<LogQueue>,
    /// Names of counters, given in `init` only.
    pub(crate) counter_names: Vec<Option<String>>,
    pub(crate) naming: bool,
    grants: Grants,
    /// Log lines that it may still write, in billionths; when they were counted last.
    lines: (u64, u64),
    /// Elements of all tables together.
    table: usize,
    /// Hostcalls that did nothing because they are not granted.
    denied: u64,
    /// This thread's CPU time when the deadline was last set.
    cpu_at_start: Duration,
    /// What the clock says, where that is recorded or replayed.
    times: Times,
    /// What the calls of WASI keep.
    pub(super) wasi: Wasi,
}

impl Host {
    /// `seed` is where the random numbers of WASI begin.
    pub(crate) fn new(clock: Clock, log: Arc<LogQueue>, grants: Grants, seed: u64) -> Self {
        Self {
            clock,
            log,
            counter_names: vec![None; MAX_COUNTERS],
            naming: false,
            // A second's worth: what a module says of itself in `init` is not cut off.
            lines: (u64::from(grants.log_lines) * SECOND_NS, 0),
            grants,
            table: 0,
            denied: 0,
            cpu_at_start: Duration::ZERO,
            times: Times::Free,
            wasi: Wasi::new(seed),
        }
    }

    /// Unix time at the run's beginning, nanoseconds.
    pub(super) fn start_unix_ns(&self) -> u64 {
        self.clock.start_unix_ns()
    }

    /// Whether a hostcall is granted; one that is not is counted.
    pub(super) fn may(&mut self, hostcall: Hostcall) -> bool {
        let granted = self.grants.hostcalls.contains(&hostcall);
        self.denied += u64::from(!granted);
        granted
    }

    /// Hostcalls that did nothing so far.
    pub(crate) fn denied(&self) -> u64 {
        self.denied
    }

    /// The time of the moment, nanoseconds, where it is granted.
    pub(super) fn precise_ns(&mut self) -> Option<u64> {
        let granted = self.grants.clock == ClockGrant::Precise && self.grants.hostcalls.contains(&Hostcall::Time);
        granted.then(|| self.time())
    }

    /// Adds a line to the instance's log, where that is granted and not too often.
    pub(super) fn log_line(&mut self, level: i32, line: &[u8]) {
        if !self.may(Hostcall::Log) {
            return;
        }
        let most = u64::from(self.grants.log_lines) * SECOND_NS;
        let now = self.clock.ns(self.clock.cycles());
        let (left, since) = self.lines;
        let come = now.saturating_sub(since).saturating_mul(self.grants.log_lines.into());
        let left = left.saturating_add(come).min(most);
        self.lines = (left.saturating_sub(SECOND_NS), now);
        if left < SECOND_NS {
            self.lines.0 = left;
            return self.log.lose();
        }
        self.log.push(level, line);
    }

    /// From now on what the clock says is written down.
    pub(crate) fn record_times(&mut self) {
        self.times = Times::Recorded { said: Vec::new(), asked: 0 };
    }

    /// What the clock said since the last time, where that is written down; or how often it was asked, if too often.
    pub(crate) fn take_times(&mut self) -> Result<Vec<u64>, u64> {
        let Times::Recorded { said, asked } = &mut self.times else { return Ok(Vec::new()) };
        let asked = std::mem::take(asked);
        let said = std::mem::take(said);
        if asked == said.len() as u64 { Ok(said) } else { Err(asked) }
    }

    /// The clock says this, one after the other, and then the last again.
    pub(crate) fn replay_times(&mut self, mut times: Vec<u64>) {
        times.reverse();
        self.times = Times::Replayed { left: times, last: 0 };
    }

    /// The time of the moment; in a replay, what it was in the run. All else that a guest asks follows from its state.
    fn time(&mut self) -> u64 {
        let now = self.clock.ns(self.clock.cycles());
        match &mut self.times {
            Times::Free => now,
            Times::Recorded { said, asked } => {
                *asked += 1;
                if said.len() < MOST_TIMES {
                    said.push(now);
                }
                now
            }
            Times::Replayed { left, last } => {
                *last = left.pop().unwrap_or(*last);
                *last
            }
        }
    }

    /// What the calls of WASI keep.
    pub(crate) fn wasi_state(&self) -> WasiState {
        self.wasi.state()
    }

    /// Lets the calls of WASI go on from a state.
    pub(crate) fn restore_wasi(&mut self, state: &WasiState) {
        self.wasi.restore(state);
    }

    /// From now on the batch area at this address tells the time.
    pub(super) fn set_batch(&mut self, batch: u32) {
        self.wasi.set_batch(batch);
    }

    /// A deadline begins: at most once a tick, since it asks the system for the time.
    pub(crate) fn restart_deadline(&mut self) {
        self.cpu_at_start = thread_cpu_time();
    }

    /// Whether this thread has used more time than a call may, since the deadline was set last.
    pub(crate) fn check_deadline(&self) -> wasmtime::Result<()> {
        let used = thread_cpu_time().saturating_sub(self.cpu_at_start);
        let allowed = self.grants.deadline;
        if used < allowed { Ok(()) } else { Err(wasmtime::Error::new(Overrun { used, allowed })) }
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.grants.deadline
    }
}

/// The epoch has passed the deadline. Ticks count wall time, in which this thread may not have run: what it used itself
/// decides.
pub(crate) fn on_deadline(store: StoreContextMut<'_, Host>) -> wasmtime::Result<UpdateDeadline> {
    store.data().check_deadline().map(|()| UpdateDeadline::Continue(1))
}

/// CPU time of the calling thread.
#[allow(unsafe_code, reason = "the standard library has no clock of a thread")]
pub(crate) fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY:
    // - the place for the answer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, _now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired as u64 <= self.grants.memory)
    }

    fn table_growing(&mut self, now: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.table.saturating_add(desired.saturating_sub(now));
        let granted = all as u64 <= self.grants.table.into();
        // A table that then cannot grow for lack of memory stays counted: that only makes the limit tighter.
        self.table = if granted { all } else { self.table };
        Ok(granted)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        8
    }
}

/// Offers the hostcalls to instances.
pub(crate) fn link(engine: &Engine, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    wasi::link(engine, linker)?;
    linker.func_wrap(names::HOST, names::HOST_LOG, log)?;
    linker.func_wrap(names::HOST, names::HOST_COUNTER, counter)?;
    linker.func_wrap(names::HOST, names::HOST_TIME, |mut caller: Caller<'_, Host>| -> i64 {
        caller.data_mut().may(Hostcall::Time);
        wasi::time_ns(caller).cast_signed()
    })?;
    Ok(())
}

fn log(mut caller: Caller<'_, Host>, level: i32, at: u32, len: u32) -> wasmtime::Result<()> {
    let mut text = [0; names::LOG_MAX];
    // Without the grant nothing is read: the call only counts.
    let n = if caller.data().grants.hostcalls.contains(&Hostcall::Log) {
        read_guest(&mut caller, at, len, &mut text)?
    } else {
        0
    };
    caller.data_mut().log_line(level, &text[..n]);
    Ok(())
}

fn counter(mut caller: Caller<'_, Host>, index: u32, at: u32, len: u32) -> wasmtime::Result<()> {
    if !caller.data_mut().may(Hostcall::Counter) {
        return Ok(());
    }
    let mut text = [0; 64];
    let n = read_guest(&mut caller, at, len, &mut text)?;
    let host = caller.data_mut();
    if !host.naming {
        return Err(wasmtime::Error::msg("perigee.counter may be called in init only"));
    }
    let name: String = String::from_utf8_lossy(&text[..n]).chars().filter(|c| !c.is_control()).collect();
    let named = host.counter_names.iter().flatten().count();
    match host.counter_names.get_mut(index as usize) {
        Some(None) if named >= host.grants.counters as usize => {
            host.denied += 1;
            Ok(())
        }
        Some(place) => {
            *place = Some(name);
            Ok(())
        }
        None => Err(wasmtime::Error::msg(format!("perigee.counter: index {index}, there are {MAX_COUNTERS}"))),
    }
}

/// Copies up to `to.len()` of `len` bytes out of the guest's memory.
fn read_guest(caller: &mut Caller<'_, Host>, at: u32, len: u32, to: &mut [u8]) -> wasmtime::Result<usize> {
    let Some(Extern::Memory(memory)) = caller.get_export(names::MEMORY) else {
        return Err(wasmtime::Error::msg("the module has no memory"));
    };
    let n = (len as usize).min(to.len());
    memory.read(caller, at as usize, &mut to[..n])?;
    Ok(n)
}
