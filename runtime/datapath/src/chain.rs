//! A chain on one lcore: source, stages, ways out. `poll` is the whole data path.

use crate::outlet::Outlets;
use crate::phases::Phase;
use crate::recorder::Spot;
use crate::seat::Seat;
use crate::source::Source;
use crate::stage::Stage;
use crate::taps::PathWork;
use crate::timing::Timing;
use perigee_abi::{PortInfo, batch_flags};
use perigee_core::clock::{Clock, Now};
use perigee_core::counters::{Counter, Shared};
use perigee_dpdk::burst::Burst;
use perigee_wasm::instance::Refusal;
use perigee_wasm::request::Request;
use std::sync::Arc;

/// Most messages of other modules that an instance hears between two bursts.
const HEARD: usize = 8;

/// One chain as it runs on one lcore.
pub struct Chain {
    /// Where its packets come from.
    pub source: Source,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// Its ways out.
    pub out: Outlets,
    /// What it does for paths.
    pub paths: Option<Box<PathWork>>,
    /// Where it is measured how long packets take in its parts.
    pub timing: Option<Box<Timing>>,
    burst: Box<Burst>,
    burst_size: usize,
    tick_cycles: u64,
    next_tick: u64,
    shared: Arc<Shared>,
    /// A generator whose first instance failed, or has said that it is finished, makes no more.
    pub ended: bool,
}

impl Chain {
    /// A chain that polls its source for `burst_size` packets at a time, and ticks each `tick_cycles`.
    pub fn new(
        source: Source,
        stages: Vec<Stage>,
        out: Outlets,
        burst_size: usize,
        tick_cycles: u64,
        shared: Arc<Shared>,
    ) -> Self {
        let burst = Burst::new();
        Self {
            source,
            stages,
            out,
            paths: None,
            timing: None,
            burst,
            burst_size,
            tick_cycles,
            next_tick: 0,
            shared,
            ended: false,
        }
    }

    /// Takes one burst from the source through all stages to where its packets go. Returns how many came.
    #[inline]
    pub fn poll(&mut self, mut now: Now) -> usize {
        if now.cycles >= self.next_tick {
            self.next_tick = now.cycles + self.tick_cycles;
            self.tick(Now { flags: batch_flags::TICK, ..now });
        }
        self.out.counters.begin_phases();
        if self.out.paced() != 0 {
            // What is due leaves first: then packets are made while the next one is furthest away.
            self.out.flush();
            self.out.counters.over(Phase::Tx);
        }
        if let Some(paths) = &mut self.paths {
            paths.work(now.ns);
        }
        let n = self.fill(now);
        self.out.counters.over(Phase::Rx);
        if n == 0 {
            self.out.flush();
            return 0;
        }
        now.flags = if n == self.burst_size { batch_flags::MORE } else { 0 };
        self.through(0, &now);
        self.out.counters.over(Phase::Tx);
        self.out.counters.end_phases(n);
        n
    }

    /// Takes nothing while packets wait for a full port or ring, which they do where `when_full` says so: a generator makes
    /// no more, and an rx queue or ring holds what comes.
    #[inline]
    fn fill(&mut self, now: Now) -> usize {
        let room = self.out.room();
        if self.ended || room == 0 {
            return 0;
        }
        // A generator that has used up its rate makes fewer, or none.
        let most = self.out.wants(self.burst_size.min(room), now);
        if most == 0 {
            return 0;
        }
        let max = self.stages.first_mut().map_or(most, |stage| stage.affords(most, now));
        if max == 0 {
            return 0;
        }
        self.source.fill(&mut self.burst, max, &mut self.out.counters)
    }

    /// Leads the burst through the stages from `first` on, and what is passed on by the last one out.
    #[inline]
    fn through(&mut self, first: usize, now: &Now) {
        if self.timing.is_some() || self.out.counters.records() {
            return self.through_watched(first, now);
        }
        let mut shape = None;
        for stage in &mut self.stages[first..] {
            shape = stage.run(&mut self.burst, &mut self.out, now);
        }
        self.out.forward(&mut self.burst, shape);
        self.out.flush();
    }

    /// As [`Self::through`], and reads the clock between the parts, and lets packets be recorded there. What a stage gives back at a
    /// tick was not taken just now.
    #[inline(never)]
    fn through_watched(&mut self, first: usize, now: &Now) {
        let Self { stages, out, burst, timing, .. } = self;
        let packets = burst.len();
        if first == 0 {
            out.counters.look(Spot::Rx, burst, 0);
        }
        let taken = |timing: &mut Box<Timing>| if first == 0 { timing.taken(burst) } else { timing.now_ns() };
        let taken_ns = timing.as_mut().map_or(0, taken);
        let (mut through_ns, mut shape) = (taken_ns, None);
        for (number, stage) in stages.iter_mut().enumerate().skip(first) {
            let (packets, seat) = (burst.len(), stage.place.seat.number);
            out.counters.look(Spot::Before(seat), burst, 0);
            shape = stage.run(burst, out, now);
            if let Some(timing) = timing {
                through_ns = timing.stage(number, through_ns, packets);
            }
            out.counters.look(Spot::After(seat), burst, 0);
        }
        out.forward(burst, shape);
        out.flush();
        if let (0, Some(timing)) = (first, timing) {
            timing.handed_over(taken_ns, through_ns, packets);
        }
    }

    /// Lets each stage do what is due without packets; what it passes on goes through the stages behind it.
    fn tick(&mut self, now: Now) {
        // Its modules' first packets may ask for times.
        if self.out.pacer.is_none() {
            self.out.pacer = self.stages.iter_mut().find_map(|stage| stage.pacer.take());
        }
        for i in 0..self.stages.len() {
            self.tick_stage(i, now);
        }
        let is_over = |first: &Stage| first.failed.is_some() || first.instance.area.is_finished();
        self.ended |= matches!(self.source, Source::Rooms(_)) && self.stages.first().is_some_and(is_over);
        self.tell_pace(now);
        if let Some(listening) = self.source.listening() {
            listening.tend(now.ns);
        }
        if let Some(paths) = &mut self.paths {
            paths.tick(now.ns);
        }
        self.out.counters.tick(now.ns);
        self.publish();
    }

    /// Begins and ends its stream, and tells its modules how many packets have left late.
    fn tell_pace(&mut self, now: Now) {
        let Some(pacer) = &mut self.out.pacer else { return };
        pacer.tend(now.ns);
        self.ended |= pacer.is_over() && matches!(self.source, Source::Rooms(_));
        self.out.counters.set(Counter::Owed, pacer.owed(now.ns));
        let late = self.out.counters.get(Counter::SentLate);
        for stage in self.stages.iter_mut().filter(|stage| stage.may_pace()) {
            stage.instance.area.update_header(|header| header.late = late);
        }
    }

    /// As `tick`, for one stage.
    pub fn tick_stage(&mut self, i: usize, now: Now) {
        self.stages[i].tick(&mut self.burst, &mut self.out, now);
        if !self.burst.is_empty() {
            let seat = self.stages[i].place.seat.number;
            self.out.counters.look(Spot::After(seat), &mut self.burst, 0);
            self.through(i + 1, &Now { flags: 0, ..now });
        }
    }

    /// Modules are called at least so often from now on.
    pub fn set_tick(&mut self, cycles: u64) {
        (self.tick_cycles, self.next_tick) = (cycles, 0);
    }

    /// Fuel that its instances have used since this was asked last, in a simulation.
    pub fn take_used_fuel(&mut self) -> u64 {
        self.stages.iter_mut().map(|stage| stage.instance.take_used_fuel()).sum()
    }

    /// Counts a poll in which packets came.
    #[inline]
    pub fn account(&mut self, cycles: u64) {
        self.out.counters.add(Counter::BusyCycles, usize::try_from(cycles).unwrap_or(0));
        self.shared.times.record(cycles);
    }

    /// Shows the counters to the control thread.
    pub fn publish(&mut self) {
        let held: usize = self.stages.iter().map(Stage::held).sum();
        self.out.counters.set(Counter::Held, held as u64);
        let pending = self.out.pending() + self.out.paced() + self.source.waiting();
        self.out.counters.set(Counter::Pending, pending as u64);
        let is_finished = self.is_finished();
        self.out.counters.set(Counter::Finished, is_finished.into());
        self.shared.publish(&self.out.counters);
    }

    /// Its generator has said that it makes no more.
    fn is_finished(&self) -> bool {
        let has_said = |first: &Stage| first.failed.is_none() && first.instance.area.is_finished();
        let is_over = self.out.pacer.as_ref().is_some_and(|pacer| pacer.is_over());
        matches!(self.source, Source::Rooms(_)) && (is_over || self.stages.first().is_some_and(has_said))
    }

    /// When the next packet leaves that waits for its time.
    pub fn leaves_at(&self) -> Option<u64> {
        self.out.pacer.as_ref()?.next_leaves()
    }

    /// It makes packets: when it has none, it waits for rooms that are about to come back.
    pub fn generates(&self) -> bool {
        matches!(self.source, Source::Rooms(_)) && !self.ended
    }

    /// Packets leave it at times of their own, which are known.
    pub fn is_paced(&self) -> bool {
        self.out.pacer.is_some()
    }

    /// It makes packets, or one is due so soon that an lcore that slept would be late for it, or it waits for probes, whose time of arrival is
    /// the moment at which somebody looks.
    pub fn is_near(&self, now: u64) -> bool {
        self.generates() || self.source.is_near(now) || self.leaves_at().is_some() || self.source.is_awake()
    }

    /// When it has something to do next, in nanoseconds of the run's clock (0: at once), as far as it can be known; and whether it
    /// must be asked again after a while, because it cannot.
    pub fn due(&mut self, clock: &Clock) -> (u64, bool) {
        let (tick, waiting) = (clock.ns(self.next_tick), self.out.due());
        let waits = waiting.is_some() && self.out.room() == 0;
        let (source, again) = match &mut self.source {
            _ if waits => (None, waiting == Some(0)),
            Source::Rooms(_) => match self.out.pacer.as_ref().and_then(|pacer| pacer.next_made()) {
                // Its rooms may be on their way still.
                Some(at) if at > clock.now_ns() => (Some(at), false),
                _ => (None, !self.ended),
            },
            Source::Ring(end) => ((end.ring.count() != 0).then_some(0), false),
            Source::Port(rx) => (
                rx.end.due(),
                rx.end.comes_when_asked() || rx.sorter.as_ref().is_some_and(|sorter| sorter.waiting() != 0),
            ),
        };
        let waiting = waiting.filter(|at| *at != 0);
        let leaves = if waits { None } else { self.leaves_at() };
        ([source, waiting, leaves].into_iter().flatten().fold(tick, u64::min), again)
    }

    /// Tells all instances what has become of a port's link.
    pub fn set_port(&mut self, number: usize, info: PortInfo) {
        let wired = self.out.may_tx(number);
        for stage in &mut self.stages {
            let may_tx = (wired && stage.may_tx(number)).into();
            stage.instance.area.set_port(number, PortInfo { may_tx, ..info });
        }
    }

    /// Puts another instance into a stage, between two bursts. Gives back the one that was there, without its packets; or the
    /// new one, where its seat is gone, or has got other neighbours since the instance was made.
    #[must_use]
    pub fn install(&mut self, mut new: Box<Stage>) -> Box<Stage> {
        let seat = Arc::clone(&new.place.seat);
        if let Some(stage) = self.stages.get_mut(seat.stage).filter(|stage| Arc::ptr_eq(&stage.place.seat, &seat)) {
            stage.retire(&mut self.out);
            std::mem::swap(stage, &mut *new);
            stage.installed();
            self.ended &= seat.stage != 0;
        } else {
            new.free_spares();
        }
        new
    }

    /// Asks an instance something.
    pub fn ask(&mut self, seat: &Seat, request: &Request, now: Now) -> Result<Vec<u8>, Refusal> {
        let stage = self.stages.get_mut(seat.stage).filter(|stage| stage.place.seat.is(seat));
        stage.ok_or_else(|| Refusal::No("it has been taken out of its chain".to_owned()))?.ask(
            request,
            &mut self.out,
            now,
        )
    }

    /// Hands its instances what others have told them: some messages each, and no further one from `until` on. True: there is more.
    pub fn hear(&mut self, clock: &Clock, until: u64, now: Now) -> bool {
        for stage in &mut self.stages {
            for _ in 0..HEARD {
                if !stage.hear(&mut self.out, now) || clock.cycles() >= until {
                    break;
                }
            }
        }
        self.is_told()
    }

    /// Somebody has told one of its instances something that it has not heard yet.
    #[inline]
    pub fn is_told(&self) -> bool {
        self.stages.iter().any(|stage| !stage.place.seat.inbox.is_empty())
    }

    /// The last call of each stage, in which it may give back what it holds.
    pub fn drain(&mut self, now: Now) {
        self.tick(Now { flags: batch_flags::TICK | batch_flags::DRAIN, ..now });
    }

    /// It carries flow rules out.
    pub fn sorts(&mut self) -> bool {
        self.source.sorter().is_some()
    }

    /// Reads its rx queue no more; true when other queues bring nothing more, either. With `give_up`, what waits is dropped.
    pub fn end_sorting(&mut self, give_up: bool) -> bool {
        self.source.sorter().is_none_or(|sorter| sorter.end(give_up, &mut self.out.counters))
    }

    /// Frees and counts all that is still here.
    pub fn close(&mut self) {
        if let Some(listening) = self.source.listening() {
            listening.finish();
        }
        for stage in &mut self.stages {
            stage.close(&mut self.out);
        }
        self.out.give_up();
        self.publish();
    }
}
