//! An lcore: a pinned thread that polls its chains until the run stops.

use crate::chain::Chain;
use crate::health::Pulse;
use crate::orders::{Command, Control, InstanceReport};
use crate::shares::Shares;
use crate::source::Source;
use crate::stage::Stage;
use crate::switch::{self, Answer, At, Ousted, Retired, Task};
use crossbeam_queue::ArrayQueue;
use perigee_core::clock::Clock;
use perigee_core::clock::Now;
use perigee_core::counters::Counter;
use perigee_dpdk::eal::Registered;
use perigee_machine::Affinity;
use perigee_wasm::instance::Refusal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How far a chain is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Its last packets leave, until this moment at the latest.
    Flushing(u64),
    Done,
}

/// How far an lcore is on its way to the end.
#[derive(Debug)]
pub struct Ending {
    begin: u64,
    phases: Vec<Phase>,
    last_packet: Vec<u64>,
}

/// An lcore's thread takes this and gives it back.
pub struct Lcore {
    /// Its CPU.
    pub cpu: u32,
    /// Its chains, in the order of the configuration.
    pub chains: Vec<Chain>,
    /// What it is asked to do.
    pub commands: Arc<ArrayQueue<Command>>,
    /// What it shares with the control side.
    pub control: Arc<Control>,
    /// The run's clock.
    pub clock: Clock,
    /// It sleeps a little where nothing comes.
    pub nap: bool,
    /// Whose turn it is.
    pub shares: Shares,
    /// What turns cost in a simulation: of each chain. Empty in a run, where they take what they take.
    pub costs: Vec<Cost>,
    /// Its sign of life.
    pub pulse: Arc<Pulse>,
    /// Instances that nobody took back: dropped with the lcore, on the control thread.
    pub retired: Vec<Retired>,
    /// Changes whose pause has just ended, to be told at the next look.
    pub changed: Vec<Answer>,
    /// Instances have been told more than they have heard.
    pub is_told: bool,
}

/// What a turn costs in a simulation, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// A poll in which packets come.
    pub batch: u64,
    /// Each of them that backpressure does not turn away.
    pub packet: u64,
    /// Each unit of fuel that its modules use.
    pub fuel: u64,
    /// How many times slower the lcore is than it should be.
    pub factor: u64,
}

impl Cost {
    fn of(self, packets: usize, chain: &mut Chain) -> u64 {
        let batch = if packets == 0 { 0 } else { self.batch };
        let packets = packets - chain.source.take_turned_away().min(packets);
        let fuel = if self.fuel == 0 { 0 } else { chain.take_used_fuel().saturating_mul(self.fuel) };
        let cost = batch.saturating_add(self.packet.saturating_mul(packets as u64)).saturating_add(fuel);
        cost.saturating_mul(self.factor.max(1))
    }
}

/// Empty polls before an lcore naps, and for how long: long enough to leave the core to others, short enough for the
/// smallest ring of a virtual port.
const EMPTY_POLLS: u32 = 256;
const NAP: Duration = Duration::from_micros(50);
/// A ring that stays empty for this long after all sources ended gets nothing any more.
const RING_REST_NS: u64 = 5_000_000;
/// The longest that the end may take, whatever the chains still do.
const END_NS: u64 = 2_000_000_000;
/// For so long an lcore hands on what instances tell each other, before packets have their turn again: what it has begun it ends.
const HEARING_NS: u64 = 20_000;
/// How long a full port may keep the last packets waiting.
const FLUSH_NS: u64 = 200_000_000;

impl Lcore {
    /// What the calling thread needs the rights for that the jail takes from it. The registration lasts as long as its value.
    pub fn prepare(self) -> (Self, Option<Registered>) {
        match Affinity::pin(self.cpu as usize) {
            Ok(()) => self.pulse.pinned(Affinity::thread()),
            Err(e) => {
                tracing::warn!(cpu = self.cpu, "the lcore's thread cannot be pinned ({e}): numbers will vary more")
            }
        }
        let registered = Registered::register();
        if let Err(e) = &registered {
            tracing::warn!(cpu = self.cpu, "DPDK does not register the thread ({e}): pools work without a cache");
        }
        (self, registered.ok())
    }

    /// Runs on the calling thread until the run stops.
    pub fn run(mut self) -> Self {
        self.wait_to_begin();
        self.poll_until_stop();
        let mut ending = self.begin_end();
        while !self.end_step(&mut ending) {}
        self
    }

    /// Answers orders, until all is there that is to see the first packets.
    fn wait_to_begin(&mut self) {
        while self.control.waits.load(Ordering::Acquire) && !self.control.stop.load(Ordering::Relaxed) {
            let cycles = self.clock.cycles();
            self.pulse.beat(cycles);
            self.serve(cycles);
            std::thread::sleep(NAP);
        }
    }

    fn poll_until_stop(&mut self) {
        let mut empty = 0_u32;
        let mut next_look = 0;
        let look = self.clock.cycles_in(1_000_000);
        let mut cycles = self.clock.cycles();
        while !self.control.stop.load(Ordering::Relaxed) {
            let packets = self.turn(&mut cycles);
            if cycles >= next_look {
                self.pulse.beat(cycles);
                self.serve(cycles);
                cycles = self.clock.cycles();
                next_look = if self.commands.is_empty() && !self.is_told { cycles + look } else { cycles };
            }
            empty = if packets == 0 { empty.saturating_add(1) } else { 0 };
            if self.nap && empty > EMPTY_POLLS && !self.chains.iter().any(|chain| chain.is_near(self.clock.ns(cycles)))
            {
                std::thread::sleep(NAP);
                cycles = self.clock.cycles();
            }
        }
    }

    /// One turn: each chain polls once, unless it waits for its share. Returns how many packets came; `cycles` is the time, and
    /// goes on meanwhile.
    #[inline]
    pub fn turn(&mut self, cycles: &mut u64) -> usize {
        let (mut packets, round) = (0, *cycles);
        for (i, chain) in self.chains.iter_mut().enumerate() {
            if self.shares.waits(i) {
                continue;
            }
            let now = Now { cycles: *cycles, ns: self.clock.ns(*cycles), flags: 0 };
            let n = chain.poll(now);
            if let Some(cost) = self.costs.get(i) {
                self.clock.pass(cost.of(n, chain));
            }
            *cycles = self.clock.cycles();
            account(chain, n, *cycles - now.cycles);
            self.shares.charge(i, n, now.cycles, *cycles);
            packets += n;
        }
        let clock = self.clock;
        if self.shares.settle(*cycles, || clock.thread_time(), &clock) {
            self.count_waiting(*cycles - round);
        }
        packets
    }

    /// Somebody waits: so long for chains that have used their share.
    #[cold]
    fn count_waiting(&mut self, cycles: u64) {
        for (_, chain) in self.chains.iter_mut().enumerate().filter(|(i, _)| self.shares.waits(*i)) {
            chain.out.counters.add(Counter::WaitedCycles, usize::try_from(cycles).unwrap_or(0));
        }
    }

    /// Does one thing that the control thread asked for. The last poll has ended at `since`. One only: an answer wakes the
    /// asker, which may take this CPU to prepare what it asks for next, and packets should flow before that is looked at.
    pub fn serve(&mut self, since: u64) {
        self.tend();
        self.hear();
        if let Some(command) = self.commands.pop() {
            match command {
                Command::Ask { seat, request, reply } => {
                    let cycles = self.clock.cycles();
                    let now = Now { cycles, ns: self.clock.ns(cycles), flags: 0 };
                    let chain = self.chains.get_mut(seat.at.chain);
                    let answer = chain.ok_or_else(|| Refusal::No("no such chain".to_owned()));
                    let answer = answer.and_then(|chain| chain.ask(&seat, &request, now));
                    self.shares.charge(seat.at.chain, 1, cycles, self.clock.cycles());
                    // The asker may have given up; then nobody wants the answer.
                    let _ = reply.send(answer);
                }
                Command::Install { new, reply } => {
                    let old = match self.chains.get_mut(new.place.seat.at.chain) {
                        Some(chain) => chain.install(new),
                        None => new,
                    };
                    if let Err(unsent) = reply.send(old) {
                        self.retired.push(Retired::Stage(unsent.0));
                    }
                }
                Command::Swap(task) => self.swap(task, since),
                Command::Tick { cycles } => self.chains.iter_mut().for_each(|chain| chain.set_tick(cycles)),
                Command::Port { number, info } => {
                    for chain in &mut self.chains {
                        chain.set_port(number, info);
                    }
                }
                Command::Stream { chain, change, at_ns, reply } => {
                    let pacer = self.chains.get_mut(chain).and_then(|chain| chain.out.pacer.as_mut());
                    let done = pacer.map(|pacer| pacer.change(&change, at_ns));
                    let _ = reply.send(done.unwrap_or_else(|| Err("no stream paces this chain".to_owned())));
                }
                Command::Record { recorders, reply } => {
                    for (chain, recorder) in recorders {
                        if let Some(chain) = self.chains.get_mut(chain) {
                            chain.out.counters.begin(recorder);
                        }
                    }
                    let _ = reply.send(());
                }
                Command::EndRecord { id, reply } => {
                    let ended = self.chains.iter_mut().map(|chain| chain.out.counters.end(id)).collect();
                    if let Err(unsent) = reply.send(ended) {
                        self.retired.extend(unsent.0.into_iter().map(Retired::Recorders));
                    }
                }
                Command::Report { reply } => {
                    let _ = reply.send(self.report());
                }
            }
        }
        let pause_ns = self.clock.ns(self.clock.cycles()).saturating_sub(self.clock.ns(since));
        self.changed.iter_mut().for_each(|changed| changed.set_pause(pause_ns));
    }

    /// Hands instances what others have told them, for a short while; what is left waits until each chain has polled once more.
    fn hear(&mut self) {
        self.is_told = self.chains.iter().any(Chain::is_told);
        if !self.is_told {
            return;
        }
        let begin = self.clock.cycles();
        let until = begin + self.clock.cycles_in(HEARING_NS);
        self.is_told = false;
        for (i, chain) in self.chains.iter_mut().enumerate().filter(|(_, chain)| chain.is_told()) {
            let cycles = self.clock.cycles();
            let now = Now { cycles, ns: self.clock.ns(cycles), flags: 0 };
            self.is_told |= chain.hear(&self.clock, until, now);
            self.shares.charge(i, 1, cycles, self.clock.cycles());
        }
    }

    fn swap(&mut self, task: Task, since: u64) {
        let now = Now { cycles: since, ns: self.clock.ns(since), flags: 0 };
        let chains = &mut self.chains;
        // An asker that has given up gets no answer; what it should have dropped is dropped with the lcore.
        match task {
            Task::Look { place, reply } => drop(reply.send(switch::look(chains, place))),
            Task::Switch { orders, ticket, reply } if ticket.take() => {
                self.changed.push(Answer::Switched(reply, switch::switch(chains, orders, now)));
            }
            Task::Rebuild { chain, parts, ticket, reply } if ticket.take() => {
                if let Some(chain) = chains.get_mut(chain) {
                    self.changed.push(Answer::Rebuilt(reply, chain.rebuild(parts, now)));
                }
            }
            task @ (Task::Switch { .. } | Task::Rebuild { .. }) => self.retired.extend(task.give_up()),
            Task::Settle { places, reply } => {
                if let Err(unsent) = reply.send(switch::settle(chains, &places)) {
                    self.retired.extend(unsent.0.into_iter().map(Retired::Stage));
                }
            }
            Task::Undo { places, why, reply } => {
                if let Err(unsent) = reply.send(switch::undo(chains, &places, &why, now)) {
                    self.retired.extend(unsent.0.into_iter().map(Retired::Stage));
                }
            }
        }
    }

    /// What swaps have left to do: an answer that waited until the pause was over, an instance that failed, a piece of a
    /// region. And regions that others read are theirs who work now.
    fn tend(&mut self) {
        for changed in self.changed.drain(..) {
            self.retired.extend(changed.tell());
        }
        for (c, chain) in self.chains.iter_mut().enumerate() {
            for (s, stage) in chain.stages.iter_mut().enumerate() {
                if let Some(ousted) = stage.succession.ousted.take() {
                    let gone = Ousted { cpu: self.cpu, place: At { chain: c, stage: s }, stage: ousted };
                    stage.succession.ousted = self.control.gone.push(gone).err().map(|gone| gone.stage);
                }
                if stage.failed.is_none() {
                    stage.instance.tend();
                }
                if stage.succession.settling {
                    stage.settle();
                }
            }
        }
    }

    /// State of all instances.
    pub fn report(&self) -> Vec<InstanceReport> {
        let stages = self.chains.iter().flat_map(|chain| &chain.stages);
        let report = |stage: &Stage| InstanceReport {
            seat: Arc::clone(&stage.place.seat),
            counters: stage.counters(),
            failed: stage.failed.clone(),
            denied: stage.instance.denied(),
        };
        stages.map(report).collect()
    }

    /// As [`Self::report`], after all counters were shown as they are now; else they are as old as a tick.
    pub fn report_all(&mut self) -> Vec<InstanceReport> {
        self.chains.iter_mut().for_each(Chain::publish);
        self.report()
    }

    /// The run stops: what is on its way leaves by [`Self::end_step`].
    pub fn begin_end(&mut self) -> Ending {
        self.tend();
        let begin = self.clock.cycles();
        for paths in self.chains.iter_mut().filter_map(|chain| chain.paths.as_mut()) {
            paths.stop(self.clock.ns(begin));
        }
        Ending { begin, phases: vec![Phase::Running; self.chains.len()], last_packet: vec![begin; self.chains.len()] }
    }

    /// Lets everything leave that is on its way: sources first, then the rings that they filled. True at the end.
    pub fn end_step(&mut self, ending: &mut Ending) -> bool {
        for i in 0..self.chains.len() {
            let cycles = self.clock.cycles();
            self.pulse.beat(cycles);
            let now = Now { cycles, ns: self.clock.ns(cycles), flags: 0 };
            let late = self.clock.ns(cycles) - self.clock.ns(ending.begin) > END_NS;
            ending.phases[i] = match ending.phases[i] {
                Phase::Running => self.end_source(i, now, ending, late),
                Phase::Flushing(until) if self.flush(i, cycles >= until || late) => Phase::Done,
                Phase::Flushing(until) => Phase::Flushing(until),
                Phase::Done => Phase::Done,
            };
        }
        let is_over = ending.phases.iter().all(|phase| *phase == Phase::Done);
        if is_over {
            self.pulse.done();
        }
        is_over
    }

    fn end_source(&mut self, i: usize, now: Now, ending: &mut Ending, late: bool) -> Phase {
        let last_packet = &mut ending.last_packet[i];
        let chain = &mut self.chains[i];
        if chain.sorts() {
            // What flow rules have brought from other queues is received already, and goes its way like what a ring has.
            let is_over = chain.end_sorting(late);
            let n = chain.poll(now);
            account(chain, n, 0);
            if !is_over {
                return Phase::Running;
            }
        }
        if chain.source.listening().is_some() {
            // What is under way when the run stops is not lost: it is waited for, as long as it would have been.
            let n = chain.poll(now);
            account(chain, n, 0);
            if n != 0 {
                *last_packet = now.cycles;
            }
            let rests = now.cycles.saturating_sub(*last_packet) > self.clock.cycles_in(RING_REST_NS);
            if !late && (!rests || chain.source.listens()) {
                return Phase::Running;
            }
        }
        if let (Source::Port(_), true) = (&chain.source, chain.paths.is_some()) {
            // So is what was seen at a path's first place. Others may go on to send, so it is not waited for silence.
            let n = chain.poll(now);
            account(chain, n, 0);
            let is_early = now.cycles.saturating_sub(ending.begin) <= self.clock.cycles_in(RING_REST_NS);
            if !late && (is_early || chain.paths.as_ref().is_some_and(|paths| paths.waits())) {
                return Phase::Running;
            }
        }
        if matches!(chain.source, Source::Ring(..)) {
            let n = chain.poll(now);
            account(chain, n, 0);
            if n != 0 {
                *last_packet = now.cycles;
            }
            let rests = now.cycles.saturating_sub(*last_packet) > self.clock.cycles_in(RING_REST_NS);
            if !late && (!rests || self.control.sources.load(Ordering::Acquire) != 0) {
                return Phase::Running;
            }
        }
        chain.drain(now);
        Phase::Flushing(now.cycles + self.clock.cycles_in(FLUSH_NS))
    }

    /// True where the chain has come to its end.
    fn flush(&mut self, i: usize, give_up: bool) -> bool {
        let chain = &mut self.chains[i];
        chain.out.flush();
        if chain.out.pending() + chain.out.paced() != 0 && !give_up {
            return false;
        }
        chain.close();
        if !matches!(chain.source, Source::Ring(..)) {
            self.control.sources.fetch_sub(1, Ordering::Release);
        }
        true
    }
}

fn account(chain: &mut Chain, packets: usize, cycles: u64) {
    chain.out.counters.add(Counter::Polls, 1);
    if packets != 0 && cycles != 0 {
        chain.account(cycles);
    }
}
