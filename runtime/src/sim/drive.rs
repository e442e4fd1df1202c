//! Lets time pass: whatever is due next happens next. In the order of their numbers, where several things are due at one moment:
//! first what is scripted, then the keeper, then the lcores.

use super::happen::Ends;
use super::timeline::Scheduled;
use super::{Pace, Seen};
use crate::run::Run;
use perigee_config::Config;
use perigee_config::sim::Cost as Asked;
use perigee_core::clock::nanos;
use perigee_core::lock;
use perigee_datapath::chain::Chain;
use perigee_datapath::lcore::{Cost, Lcore};
use perigee_load::Upload;
use perigee_report::{Error, Summary, Swaps};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// An lcore looks for orders this often, nanoseconds.
const LOOK: u64 = 1_000_000;
/// At the end time goes on by so much from step to step, nanoseconds.
const END_STEP: u64 = 10_000;

/// When an lcore has its turns.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    /// Its last one began then.
    last: Option<u64>,
    /// And ended then.
    free: u64,
    next_look: u64,
}

pub(super) struct Drive<'a> {
    pub(super) run: Run,
    pub(super) lcores: Arc<Mutex<Vec<Lcore>>>,
    hand: &'static AtomicU64,
    /// The least that a turn takes of an lcore that could make packets at any time.
    turn: u64,
    turns: Vec<Turns>,
    /// The last turn began then: none begins before.
    reached: u64,
    count: u64,
    /// What is scripted and has not happened, the next last.
    timeline: Vec<Scheduled>,
    /// What comes to its end later.
    pub(super) ends: Ends,
    /// Failures that wait for a batch: module, number of the batch, event.
    pub(super) traps: Vec<(String, u64, usize)>,
    /// How often a scripted failure was ordered, by module.
    pub(super) ordered: BTreeMap<String, u64>,
    pub(super) swaps: &'a BTreeMap<String, Upload>,
    /// The modules' files, by the paths that the configuration has for them.
    pub(super) files: &'a BTreeMap<String, Upload>,
    pub(super) happened: Vec<(u64, usize, String)>,
    /// The keeper looks then.
    next_care: u64,
}

/// What is left when time has passed.
pub(super) struct Finished {
    pub(super) summary: Summary,
    pub(super) swaps: Swaps,
    pub(super) said: Vec<String>,
    pub(super) ordered: BTreeMap<String, u64>,
    pub(super) happened: Vec<(u64, usize, String)>,
    pub(super) turns: u64,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        config: &Config,
        run: Run,
        lcores: Arc<Mutex<Vec<Lcore>>>,
        hand: &'static AtomicU64,
        mut timeline: Vec<Scheduled>,
        [swaps, files]: [&'a BTreeMap<String, Upload>; 2],
    ) -> Self {
        timeline.reverse();
        set_costs(config, &run, &mut lock(&lcores));
        let turns = vec![Turns::default(); lock(&lcores).len()];
        Self {
            run,
            lcores,
            hand,
            turn: nanos(config.sim.turn).max(1),
            turns,
            reached: 0,
            count: 0,
            timeline,
            ends: Ends::default(),
            traps: Vec::new(),
            ordered: BTreeMap::new(),
            swaps,
            files,
            happened: Vec::new(),
            next_care: 0,
        }
    }

    /// Lets time pass until `end`.
    pub(super) fn until(&mut self, end: u64, mut pace: Option<&mut (dyn Pace + Send)>) -> Result<(), Error> {
        let mut allowed = if pace.is_some() { 0 } else { end };
        loop {
            let (at, lcore) = self.next();
            while at.min(end) > allowed || at >= end && allowed < end {
                self.hand.store(allowed, Ordering::Relaxed);
                let Some(pace) = &mut pace else { return Ok(()) };
                allowed = pace.until(allowed, &Seen(&self.run))?.min(end);
            }
            if at >= end {
                return Ok(());
            }
            self.hand.store(at, Ordering::Relaxed);
            if self.happens_at(at) {
                continue;
            }
            match lcore {
                Some(lcore) if at < self.next_care => self.turn(lcore, at),
                _ => self.next_care = at + nanos(self.run.keeper.look()).max(1),
            }
            if self.run.parts.control.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    /// When something is due next; and which lcore's turn it is, where it is one's.
    fn next(&mut self) -> (u64, Option<usize>) {
        let scripted = self.timeline.last().map(|event| event.at).into_iter().chain(self.ends.next());
        let other = scripted.fold(self.next_care, u64::min);
        let mut lcores = lock(&self.lcores);
        // What is to be done at once is done now, and not when the lcore has been idle since.
        let next = |(lcore, turns): (&mut Lcore, &Turns)| turns.next(lcore, self.turn).max(self.reached);
        let turns = lcores.iter_mut().zip(&self.turns).map(next);
        match turns.enumerate().min_by_key(|(number, at)| (*at, *number)) {
            Some((number, at)) if at < other => (at, Some(number)),
            _ => (other, None),
        }
    }

    /// No lcore has a turn before this moment.
    pub(super) fn hold_up(&mut self, until: u64) {
        self.turns.iter_mut().for_each(|turns| turns.free = turns.free.max(until));
        self.next_care = self.next_care.max(until);
    }

    /// Does what is scripted for this moment; true where there was something.
    fn happens_at(&mut self, at: u64) -> bool {
        if let Some(end) = self.ends.due(at) {
            self.end(at, end);
            return true;
        }
        if self.timeline.last().is_some_and(|event| event.at <= at)
            && let Some(event) = self.timeline.pop()
        {
            self.happen(at, event);
            self.serve();
            return true;
        }
        false
    }

    /// Lets the lcores look at orders that nobody waits for.
    fn serve(&mut self) {
        for lcore in &mut *lock(&self.lcores) {
            while !lcore.commands.is_empty() {
                lcore.serve(self.hand.load(Ordering::Relaxed));
            }
        }
    }

    fn turn(&mut self, number: usize, at: u64) {
        self.count += 1;
        self.reached = at;
        let mut lcores = lock(&self.lcores);
        let lcore = &mut lcores[number];
        let turns = &mut self.turns[number];
        let mut cycles = at;
        lcore.turn(&mut cycles);
        if at >= turns.next_look || !lcore.commands.is_empty() {
            lcore.serve(cycles);
            turns.next_look = if lcore.is_told { at } else { at + LOOK };
        }
        let makes = lcore.chains.iter().any(|chain| chain.generates() && !chain.is_paced());
        turns.last = Some(at);
        turns.free = self.hand.load(Ordering::Relaxed).max(at + if makes { self.turn } else { 1 });
        if !self.traps.is_empty() {
            trap_at_batches(&mut self.traps, &mut lcores, &mut self.ordered, &mut self.happened, at);
        }
    }

    /// The run stops: what is on its way leaves, and all is freed and counted.
    pub(super) fn finish(mut self) -> Finished {
        self.end_all(self.hand.load(Ordering::Relaxed));
        self.run.keeper.look();
        self.serve();
        self.run.parts.control.stop.store(true, Ordering::Relaxed);
        let mut lcores = std::mem::take(&mut *lock(&self.lcores));
        let mut endings: Vec<_> = lcores.iter_mut().map(Lcore::begin_end).collect();
        let mut is_over = vec![false; lcores.len()];
        while is_over.contains(&false) {
            for (number, lcore) in
                lcores.iter_mut().enumerate().filter(|(number, _)| !is_over[*number]).collect::<Vec<_>>()
            {
                is_over[number] = lcore.end_step(&mut endings[number]);
            }
            let now = self.hand.load(Ordering::Relaxed);
            let leaves = lcores.iter().flat_map(|lcore| &lcore.chains).filter_map(Chain::leaves_at);
            let next = leaves.fold(now + END_STEP, u64::min).max(now + 1);
            self.hand.store(next, Ordering::Relaxed);
        }
        *lock(&self.lcores) = lcores;
        let swaps = self.run.swaps();
        let (summary, said) = self.run.stop_and_tell();
        let (ordered, happened, turns) = (self.ordered, self.happened, self.count);
        Finished { summary, swaps, said, ordered, happened, turns }
    }
}

impl Turns {
    /// When the lcore's next turn is.
    fn next(&self, lcore: &mut Lcore, period: u64) -> u64 {
        let clock = lcore.clock;
        let again = self.last.map_or(0, |last| last + period);
        let shares = &lcore.shares;
        let due = |(number, chain): (usize, &mut Chain)| {
            let (at, asks) = chain.due(&clock);
            let at = if asks { at.min(again) } else { at };
            // One that waits for its share is passed over, however much waits for it.
            if shares.waits(number) { at.max(again) } else { at }
        };
        let first = lcore.chains.iter_mut().enumerate().map(due).min().unwrap_or(u64::MAX);
        first.max(self.free)
    }
}

fn set_costs(config: &Config, run: &Run, lcores: &mut [Lcore]) {
    let cost = |asked: &Asked| Cost {
        batch: nanos(asked.batch),
        packet: nanos(asked.packet),
        fuel: nanos(asked.fuel),
        factor: 1,
    };
    for (number, lcore) in lcores.iter_mut().enumerate() {
        let here = run.parts.placed.iter().filter(|placed| placed.at.lcore == number);
        let of = |name: &str| cost(config.sim.costs.get(name).unwrap_or(&config.sim.cost));
        lcore.costs = here.map(|placed| of(&placed.name)).collect();
    }
}

fn trap_at_batches(
    traps: &mut Vec<(String, u64, usize)>,
    lcores: &mut [Lcore],
    ordered: &mut BTreeMap<String, u64>,
    happened: &mut Vec<(u64, usize, String)>,
    at: u64,
) {
    traps.retain(|(module, batch, number)| {
        let mut stages = lcores.iter_mut().flat_map(|lcore| &mut lcore.chains).flat_map(|chain| &mut chain.stages);
        let stage = stages.find(|stage| stage.place.seat.module == *module && stage.batches() + 1 >= *batch);
        let Some(stage) = stage else { return true };
        stage.instance.exhaust();
        *ordered.entry(module.clone()).or_insert(0) += 1;
        happened.push((at, *number, format!("module {module:?} fails in its batch {}", stage.batches() + 1)));
        false
    });
}
