//! The thread that keeps a run going beside the data path: it hears of failures and does what the modules' entries say,
//! hands log lines on, and tells instances of links.

use super::backoff::Backoff;
use super::board::Board;
use super::links::Links;
use crate::parts::{Maker, Orders, Parts, Seats};
use perigee_config::{OnFault, Restart};
use perigee_core::clock::Clock;
use perigee_core::lock;
use perigee_core::unix::UnixOrigin;
use perigee_datapath::faults::Fault;
use perigee_datapath::orders::{Command, Control};
use perigee_datapath::port::Port;
use perigee_datapath::seat::Seat;
use perigee_datapath::stage::Stage;
use perigee_jail as jail;
use perigee_report::Error;
use perigee_report::{FaultClass, ModuleState};
use perigee_wasm::engine::THREAD_STACK;
use perigee_wasm::log::emit;
use perigee_wire::trace::Trace;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two looks while some instance is down: the least that a restart takes.
const BUSY: Duration = Duration::from_micros(500);
/// And while all run.
const IDLE: Duration = Duration::from_millis(5);
/// A new instance is watched closely for this long: what fails soon fails again.
const RESTLESS: Duration = Duration::from_millis(50);

/// How a module begins the line in which it says that something is broken.
const INVARIANT: &str = "invariant:";

/// Whoever keeps the run going: a thread, or in a simulation the one that lets time pass.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: Arc<AtomicBool>,
    board: Arc<Board>,
    clock: Clock,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Thread(JoinHandle<Restarts>),
    /// Behind a lock, because a run can be looked at from other threads; nobody waits for it.
    Here(Mutex<Box<Restarts>>),
    Over,
}

impl Keeper {
    /// Starts the thread; `links` are the ports'.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(parts: &Parts, links: Links) -> Result<Self, Error> {
        let board = Arc::new(Board::default());
        let mut restarts = Restarts::new(parts, links, &board);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("perigee-keeper".to_owned()).stack_size(THREAD_STACK);
        let work = move |()| {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(restarts.look());
            }
            restarts
        };
        let thread = jail::spawn(thread, jail::Kind::Control, || (), work);
        let thread = thread.map_err(|e| Error::Lcore { lcore: 0, what: format!("no thread for the keeper: {e}") })?;
        Ok(Self { stop, board, clock: parts.clock, work: Work::Thread(thread) })
    }

    /// Without a thread: [`Self::look`] is called where it would look.
    pub(crate) fn here(parts: &Parts, links: Links) -> Self {
        let board = Arc::new(Board::default());
        let restarts = Mutex::new(Box::new(Restarts::new(parts, links, &board)));
        Self { stop: Arc::default(), board, clock: parts.clock, work: Work::Here(restarts) }
    }

    /// Does what is due, where there is no thread for it; when to call it again.
    pub(crate) fn look(&mut self) -> Duration {
        if let Work::Here(restarts) = &mut self.work { lock(restarts).look() } else { IDLE }
    }

    /// What is known of the run.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// The clock of the times on its board.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.now_ns())
    }

    /// Ends the thread; what it had is dropped with the value that this returns.
    pub(crate) fn end(&mut self) -> Option<Restarts> {
        self.stop.store(true, Ordering::Relaxed);
        match std::mem::replace(&mut self.work, Work::Over) {
            Work::Thread(thread) => thread.join().ok(),
            Work::Here(restarts) => restarts.into_inner().ok().map(|restarts| *restarts),
            Work::Over => None,
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// What it works with.
#[derive(Debug)]
pub(crate) struct Restarts {
    maker: Arc<Maker>,
    ports: Vec<Arc<dyn Port>>,
    orders: Orders,
    control: Arc<Control>,
    board: Arc<Board>,
    all: Arc<Seats>,
    /// The list that `seats` follows.
    known: Arc<Vec<Arc<Seat>>>,
    seats: Vec<SeatRestart>,
    links: Links,
    clock: Clock,
    unix: UnixOrigin,
    trace: Option<Arc<Trace>>,
    busy_until: Duration,
}

/// One seat, and what is done about it.
#[derive(Debug)]
struct SeatRestart {
    seat: Arc<Seat>,
    step: Step,
    backoff: Backoff,
}

/// How far a seat is from failure to a new instance.
#[derive(Debug)]
enum Step {
    Running,
    /// A new instance is made at this moment.
    Waiting(Duration),
    /// It is made; its lcore had no place for the order yet.
    Ready(Box<Stage>),
    /// Its lcore will send the old one back.
    Installing(Receiver<Box<Stage>>),
    /// It stays down.
    Down,
    /// As `Down`, because it failed too often.
    BreakerOpen,
}

impl SeatRestart {
    fn new(seat: &Arc<Seat>) -> Self {
        Self { seat: Arc::clone(seat), step: Step::Running, backoff: Backoff::default() }
    }
}

impl Restarts {
    fn new(parts: &Parts, links: Links, board: &Arc<Board>) -> Self {
        Self {
            maker: Arc::clone(&parts.maker),
            ports: parts.ports.clone(),
            orders: parts.orders.clone(),
            control: Arc::clone(&parts.control),
            board: Arc::clone(board),
            all: Arc::clone(&parts.seats),
            known: Arc::default(),
            seats: Vec::new(),
            links,
            clock: parts.clock,
            unix: parts.unix,
            trace: parts.trace.clone(),
            busy_until: Duration::ZERO,
        }
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.now_ns())
    }

    /// Does what is due; when to look again: soon where some seat is on its way to a new instance, or was a moment ago.
    fn look(&mut self) -> Duration {
        self.hear();
        self.follow();
        for number in 0..self.seats.len() {
            self.tend(number);
            if matches!(self.seats[number].step, Step::Waiting(_) | Step::Ready(_) | Step::Installing(_)) {
                self.busy_until = self.now() + RESTLESS;
            }
        }
        self.links.look();
        self.unix.look();
        if self.now() < self.busy_until { BUSY } else { IDLE }
    }

    /// Seats have come, gone or moved since the last look.
    fn follow(&mut self) {
        let now = self.all.now();
        if Arc::ptr_eq(&now, &self.known) {
            return;
        }
        let mut before = std::mem::take(&mut self.seats);
        self.seats = now
            .iter()
            .map(|seat| {
                let known = before.iter().position(|cared| cared.seat.is(seat)).map(|i| before.swap_remove(i));
                SeatRestart { seat: Arc::clone(seat), ..known.unwrap_or_else(|| SeatRestart::new(seat)) }
            })
            .collect();
        // An instance that was made for a seat which is gone: its lcore never had it.
        for cared in before {
            if let Step::Ready(mut stage) = cared.step {
                stage.free_spares();
            }
        }
        self.known = now;
    }

    /// The lcores have ended: what they said last.
    pub(crate) fn look_last(&mut self) {
        self.hear();
        self.follow();
        for number in 0..self.seats.len() {
            if matches!(self.seats[number].step, Step::Running) && self.seats[number].seat.health.is_down() {
                self.decide(number);
            }
        }
    }

    /// Takes in the lcores' words: failures and log lines. DPDK's as well.
    fn hear(&mut self) {
        perigee_dpdk::log::emit();
        for cared in &self.seats {
            let module = &cared.seat.module;
            while let Some((level, line)) = cared.seat.log.pop() {
                if let Some(trace) = &self.trace {
                    trace.note(line.as_bytes());
                }
                if level == 1 && line.starts_with(INVARIANT) {
                    self.board.breaks(format!("module {module:?}: {line}"));
                }
                emit(module, level, &line);
            }
        }
        while let Some(fault) = self.maker.faults.pop() {
            self.note(&fault);
        }
    }

    fn note(&self, fault: &Fault) {
        let seat = &fault.seat;
        tracing::error!(
            module = seat.module, chain = seat.chain_name, lcore = seat.lcore, class = %fault.trapped.class,
            at_ns = fault.at_ns, batch = fault.sequence, "{}", fault.trapped
        );
        let text = fault.trapped.to_string();
        if let Some(trace) = &self.trace {
            trace.note(format!("{} {} {text}", fault.at_ns, fault.sequence).as_bytes());
        }
        seat.health.status().last_fault = Some(text);
        if let Some(case) = &fault.evidence {
            self.maker.keep(seat, fault.trapped.class.name(), case);
        }
    }

    /// One step of one seat.
    fn tend(&mut self, number: usize) {
        let now = self.now();
        let cared = &mut self.seats[number];
        let is_down = cared.seat.health.is_down();
        let wanted = cared.seat.health.take_wanted();
        match std::mem::replace(&mut cared.step, Step::Running) {
            Step::Running if !is_down => return,
            Step::Running => return self.decide(number),
            // Somebody has replaced the module: that is a new beginning.
            Step::Waiting(_) | Step::Down | Step::BreakerOpen if !is_down => {
                cared.backoff = Backoff::default();
                cared.backoff.installed(now);
            }
            Step::Waiting(at) if now >= at => return self.make(number),
            // Somebody asks for it: a new beginning, too.
            Step::Waiting(_) | Step::Down | Step::BreakerOpen if wanted => {
                cared.backoff = Backoff::default();
                return self.make(number);
            }
            Step::Ready(stage) => return self.install(number, stage),
            Step::Installing(reply) => match reply.try_recv() {
                Ok(old) => {
                    drop(old);
                    cared.backoff.installed(now);
                    let Seat { module, chain_name: chain, lcore, .. } = &*cared.seat;
                    tracing::info!(module, chain, lcore, "restarted");
                }
                Err(TryRecvError::Empty) => cared.step = Step::Installing(reply),
                Err(TryRecvError::Disconnected) => cared.step = Step::Down,
            },
            as_before => {
                cared.step = as_before;
                return;
            }
        }
        self.show(number);
    }

    /// An instance has failed, or a new one did not start: what its entry says.
    fn decide(&mut self, number: usize) {
        let now = self.now();
        let cared = &mut self.seats[number];
        let Seat { module, chain_name: chain, lcore, .. } = &*cared.seat;
        // The entry is that of the module as it is now. It is there as long as its instances are.
        let loaded = self.maker.loaded(&cared.seat.module).ok();
        let rule = loaded.map_or((OnFault::Closed, Restart::default()), |loaded| {
            (loaded.entry.on_fault(cared.seat.generates), loaded.entry.restart)
        });
        cared.step = match rule.0 {
            OnFault::Closed | OnFault::Open => Step::Down,
            OnFault::Restart => match cared.backoff.failed(&rule.1, now) {
                Some(at) => Step::Waiting(at),
                None => {
                    tracing::error!(module, chain, lcore, "failed too often: it stays down until it is replaced");
                    Step::BreakerOpen
                }
            },
            OnFault::Stop => {
                let last = cared.seat.health.status().last_fault.clone().unwrap_or_default();
                let cause = last.lines().next().unwrap_or_default();
                let why = format!("module {module:?} in chain {chain:?} on lcore {lcore} failed: {cause}");
                tracing::error!("the run ends: {why}");
                self.board.invalidate(why);
                self.control.failed.store(true, Ordering::Release);
                Step::Down
            }
        };
        self.show(number);
    }

    /// Makes a new instance aside. That it does not start is a failure like any other.
    fn make(&mut self, number: usize) {
        let maker = Arc::clone(&self.maker);
        // Between here and the order to the lcore nobody else replaces the module: else the old one would come after the new.
        let _changes = lock(&maker.changes);
        let cared = &mut self.seats[number];
        if !cared.seat.health.is_down() {
            // Replaced meanwhile; the next look finds it.
            cared.step = Step::Down;
            return;
        }
        match maker.stage(&cared.seat, &self.ports) {
            Ok(stage) => self.install(number, Box::new(stage)),
            Err(error) => {
                cared.seat.health.failed(FaultClass::Start);
                let Seat { module, chain_name: chain, lcore, .. } = &*cared.seat;
                tracing::error!(module, chain, lcore, class = %FaultClass::Start, "{error}");
                cared.seat.health.status().last_fault = Some(error.to_string());
                self.decide(number);
            }
        }
    }

    fn install(&mut self, number: usize, new: Box<Stage>) {
        let cared = &mut self.seats[number];
        let (reply, answer) = channel();
        let order = Command::Install { new, reply };
        cared.step = match self.orders.push(cared.seat.at.lcore, order) {
            Ok(()) => Step::Installing(answer),
            Err(Command::Install { new, .. }) => Step::Ready(new),
            Err(_) => Step::Down,
        };
        self.show(number);
    }

    fn show(&self, number: usize) {
        let (state, restart_at) = match &self.seats[number].step {
            Step::Running => (ModuleState::Running, None),
            Step::Waiting(at) => (ModuleState::Waiting, Some(*at)),
            Step::Ready(_) | Step::Installing(_) => (ModuleState::Waiting, None),
            Step::Down => (ModuleState::Down, None),
            Step::BreakerOpen => (ModuleState::BreakerOpen, None),
        };
        let mut status = self.seats[number].seat.health.status();
        status.state = state;
        status.restart_at = restart_at;
    }
}
