//! The host's side of an instance: its store's data, the hostcalls and its limits.

use super::deadline::Deadline;
use super::log::{LastLines, LogLine};
use super::share::{Reader, Shared};
use super::tell::Teller;
use super::wasi::{self, Wasi, WasiState};
use perigee_abi::{MAX_COUNTERS, names};
use perigee_config::secret::Secrets;
use perigee_config::{ClockGrant, Grants, Hostcall};
use perigee_core::clock::Clock;
use perigee_report::text;
use std::sync::Arc;
use wasmtime::{Caller, Engine, Extern, Linker, ResourceLimiter, StoreContextMut, UpdateDeadline};

pub use super::log::LogQueue;

const SECOND_NS: u64 = 1_000_000_000;

/// Answers of the clock, and of [`Host::tell`], that are written down for one call, at most.
const MOST_TIMES: usize = 1 << 20;

/// Where the time comes from, and whether it is written down, with what else a hostcall answers.
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

/// Log lines that may still be written.
#[derive(Clone, Copy)]
struct LineBudget {
    /// In billionths of a line.
    left: u64,
    /// When they were counted, nanoseconds of the run's clock.
    since_ns: u64,
}

/// Data of an instance's store.
pub struct Host {
    clock: Clock,
    log: Arc<LogQueue>,
    /// Names of counters, given in `init` only.
    pub counter_names: Vec<Option<String>>,
    /// Its `init` is under way, in which counters get names.
    pub naming: bool,
    grants: Grants,
    /// Log lines that it may still write.
    lines: LineBudget,
    /// What it wrote last.
    last: LastLines,
    /// Elements of all tables together.
    table: usize,
    /// Hostcalls that did nothing because they are not granted.
    denied: u64,
    /// How long its calls may take.
    pub deadline: Deadline,
    /// What the clock says, where that is recorded or replayed.
    times: Times,
    /// What the calls of WASI keep.
    pub(super) wasi: Wasi,
    /// What the instance knows and nobody is to read.
    secrets: Secrets,
    /// Whom it may tell something; `None` where nobody.
    teller: Option<Teller>,
    /// Who has to do with its state region.
    pub(super) region: Link,
}

/// Who has to do with the state region of an instance.
pub(super) enum Link {
    /// Nobody else; turns are counted all the same.
    Alone(u64),
    /// Others may read it. `waits`: they do not see what it writes now.
    Own { shared: Arc<Shared>, waits: bool },
    /// It is another's, and this one is to read it.
    Others(Option<Reader>),
}

impl Host {
    /// `seed` is where the random numbers of WASI begin.
    pub fn new(clock: Clock, log: Arc<LogQueue>, grants: Grants, seed: u64) -> Self {
        // Where there is nobody whose region it could read, it sees zeros.
        let region = if grants.state_of.is_some() { Link::Others(None) } else { Link::Alone(0) };
        Self {
            clock,
            log,
            counter_names: vec![None; MAX_COUNTERS],
            naming: false,
            // A second's worth: what a module says of itself in `init` is not cut off.
            lines: LineBudget { left: u64::from(grants.log_lines) * SECOND_NS, since_ns: 0 },
            deadline: Deadline::new(grants.deadline, grants.control_deadline),
            last: LastLines::default(),
            grants,
            table: 0,
            denied: 0,
            times: Times::Free,
            wasi: Wasi::new(seed),
            secrets: Secrets::default(),
            teller: None,
            region,
        }
    }

    /// The instance may tell others something.
    pub fn may_tell(&mut self, teller: Teller) {
        self.teller = Some(teller);
    }

    /// The state region is one that others may read.
    pub fn shares(&mut self, shared: Arc<Shared>) {
        self.region = Link::Own { shared, waits: false };
    }

    /// The state region is another instance's.
    pub fn reads(&mut self, reader: Reader) {
        self.region = Link::Others(Some(reader));
    }

    /// The instance gets these with its configuration, and what it says has none of them.
    pub fn keep(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// What the instance knows and nobody is to read.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
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
    pub fn denied(&self) -> u64 {
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
        let line = LogLine::new(level, line).without(&self.secrets);
        self.last.add(line);
        let most = u64::from(self.grants.log_lines) * SECOND_NS;
        let now = self.clock.ns(self.clock.cycles());
        let LineBudget { left, since_ns } = self.lines;
        let come = now.saturating_sub(since_ns).saturating_mul(self.grants.log_lines.into());
        let left = left.saturating_add(come).min(most);
        self.lines = LineBudget { left: left.saturating_sub(SECOND_NS), since_ns: now };
        if left < SECOND_NS {
            self.lines.left = left;
            return self.log.lose();
        }
        self.log.push(line);
    }

    /// What it wrote last, the oldest first, also what was too much for the log; then what has no end yet.
    pub fn last_lines(&self) -> Vec<LogLine> {
        self.last.iter().chain(self.wasi.open_lines().map(|line| line.without(&self.secrets))).collect()
    }

    /// From now on what the clock says is written down.
    pub fn record_times(&mut self) {
        self.times = Times::Recorded { said: Vec::new(), asked: 0 };
    }

    /// What the clock said since the last time, where that is written down; or how often it was asked, if too often.
    pub fn take_times(&mut self) -> Result<Vec<u64>, u64> {
        let Times::Recorded { said, asked } = &mut self.times else { return Ok(Vec::new()) };
        let asked = std::mem::take(asked);
        let said = std::mem::take(said);
        if asked == said.len() as u64 { Ok(said) } else { Err(asked) }
    }

    /// The clock says this, one after the other, and then the last again.
    pub fn replay_times(&mut self, mut times: Vec<u64>) {
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

    /// Tells the instances of a module something; in a replay nobody, with the answer of the run.
    fn tell(&mut self, target: u32, message: &[u8]) -> i32 {
        let answer = match (&self.teller, &mut self.times) {
            // All that was answered is on one tape, in the order of the calls.
            (_, Times::Replayed { left, .. }) => return left.pop().map_or(0, answer_of),
            _ if target as usize >= self.grants.tell.len() => names::TELL_NOT_GRANTED,
            // Nobody hears of an instance that may never work.
            _ if self.naming => names::TELL_FULL,
            (Some(teller), _) => teller.tell(target, message),
            // It is no more than tried: there is nobody who could hear it.
            (None, _) => 0,
        };
        self.denied += u64::from(answer == names::TELL_NOT_GRANTED);
        self.write_down(answer.cast_unsigned().into());
        answer
    }

    /// Answers what an instance asks about its state region; in a replay, as in the run. Nothing: there is no such question.
    fn region(&mut self, question: i32) -> Option<u64> {
        let answer = match (question, &mut self.times, &mut self.region) {
            (names::REGION_WHOSE..=names::REGION_REACHED, Times::Replayed { left, .. }, _) => {
                return Some(left.pop().unwrap_or(0));
            }
            (names::REGION_WHOSE, _, Link::Others(_)) => names::REGION_OTHERS,
            (names::REGION_WHOSE, _, Link::Own { shared, waits: true }) if shared.is_read() => names::REGION_WAITS,
            (names::REGION_WHOSE, ..) => names::REGION_OWN,
            (names::REGION_TURN, _, Link::Own { shared, .. }) => shared.next_turn(),
            (names::REGION_REACHED, _, Link::Own { shared, .. }) => shared.reached(),
            (names::REGION_TURN, _, Link::Alone(turn)) => {
                *turn += 1;
                *turn
            }
            (names::REGION_REACHED, _, Link::Alone(turn)) => *turn,
            // Who reads begins no turn.
            (names::REGION_TURN | names::REGION_REACHED, _, Link::Others(_)) => 0,
            _ => return None,
        };
        self.write_down(answer);
        Some(answer)
    }

    /// Writes an answer down, where that is done.
    fn write_down(&mut self, answer: u64) {
        if let Times::Recorded { said, asked } = &mut self.times {
            *asked += 1;
            if said.len() < MOST_TIMES {
                said.push(answer);
            }
        }
    }

    /// What the calls of WASI keep.
    pub fn wasi_state(&self) -> WasiState {
        self.wasi.state()
    }

    /// Lets the calls of WASI go on from a state.
    pub fn restore_wasi(&mut self, state: &WasiState) {
        self.wasi.restore(state);
    }

    /// From now on the batch area at this address tells the time.
    pub(super) fn set_batch(&mut self, batch: u32) {
        self.wasi.set_batch(batch);
    }
}

/// The epoch has passed the deadline. Ticks count wall time, in which this thread may not have run: what the call itself used
/// decides.
pub fn on_deadline(mut store: StoreContextMut<'_, Host>) -> wasmtime::Result<UpdateDeadline> {
    store.data_mut().deadline.on_tick().map_err(wasmtime::Error::new)?;
    Ok(UpdateDeadline::Continue(1))
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

    /// The module's, and what was made of its plan ([`crate::fields`]).
    fn instances(&self) -> usize {
        2
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        8
    }
}

/// Offers the hostcalls to instances.
pub fn link(engine: &Engine, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    wasi::link(engine, linker)?;
    linker.func_wrap(names::HOST, names::HOST_LOG, log)?;
    linker.func_wrap(names::HOST, names::HOST_COUNTER, counter)?;
    linker.func_wrap(names::HOST, names::HOST_TIME, |mut caller: Caller<'_, Host>| -> i64 {
        caller.data_mut().may(Hostcall::Time);
        wasi::time_ns(caller).cast_signed()
    })?;
    linker.func_wrap(names::HOST, names::HOST_TELL, tell)?;
    linker.func_wrap(names::HOST, names::HOST_REGION, |mut caller: Caller<'_, Host>, question: i32| {
        let answer = caller.data_mut().region(question).map(u64::cast_signed);
        answer.ok_or_else(|| wasmtime::Error::msg(format!("perigee.region: there is no question {question}")))
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
    let mut bytes = [0; 64];
    let n = read_guest(&mut caller, at, len, &mut bytes)?;
    let host = caller.data_mut();
    if !host.naming {
        return Err(wasmtime::Error::msg("perigee.counter may be called in init only"));
    }
    host.secrets.hide(&mut bytes[..n]);
    let name = text::line_of_bytes(&bytes[..n], text::NAME);
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

fn tell(mut caller: Caller<'_, Host>, target: u32, at: u32, len: u32) -> wasmtime::Result<i32> {
    let Some(Extern::Memory(memory)) = caller.get_export(names::MEMORY) else {
        return Err(wasmtime::Error::msg("the module has no memory"));
    };
    let (bytes, host) = memory.data_and_store_mut(&mut caller);
    let (at, len) = (at as usize, len as usize);
    let Some(message) = at.checked_add(len).and_then(|end| bytes.get(at..end)) else {
        return Err(wasmtime::Error::msg(format!("perigee.tell: {len} bytes at {at} do not lie in the memory")));
    };
    Ok(host.tell(target, message))
}

/// An answer as it stands on the tape.
#[allow(clippy::cast_possible_truncation, reason = "an i32 was written")]
fn answer_of(written: u64) -> i32 {
    (written as u32).cast_signed()
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
