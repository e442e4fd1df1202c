//! Other stages for a chain, while packets flow: between two bursts on each lcore stages come, go and move. Those that stay
//! keep their instances, with their state and what they hold.

use super::control::{order_error, outcome};
use super::report::ChainReport;
use super::switch::{Task, Ticket};
use crate::chain::Chain;
use crate::config::{Action, Config};
use crate::counters::Counter;
use crate::lcore::Command;
use crate::run::Run;
use crate::setup::{PlacedChain, Seat};
use crate::stage::{Now, Place, Stage};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// One stage of a chain as it is to be.
#[allow(clippy::large_enum_variant, reason = "there are as many as a chain has stages")]
pub(crate) enum Part {
    /// The one at this position goes on, with new neighbours.
    Kept { from: usize, place: Place },
    /// A new one, or one that was taken out and comes back.
    New(Box<Stage>),
}

impl Part {
    /// It will not be put in: its spare rooms go back.
    pub(super) fn give_up(self) -> Option<Box<Stage>> {
        let Self::New(mut stage) = self else { return None };
        stage.free_spares();
        Some(stage)
    }
}

/// What became of a chain.
#[derive(Default)]
pub(crate) struct Rebuilt {
    /// Stages that were taken out, with the positions that they had.
    pub(crate) gone: Vec<(usize, Box<Stage>)>,
    /// From the end of the last poll before to the beginning of the next, nanoseconds.
    pub(crate) pause_ns: u64,
    /// Packets that those had held and gave back, and those that they did not.
    pub(crate) held_returned: usize,
    pub(crate) held_dropped: usize,
    /// Packets that the chain dropped meanwhile, for any cause.
    pub(crate) lost: u64,
}

impl Chain {
    /// Puts the parts in place of the stages. What a stage holds that goes is given back before, through those behind it.
    pub(crate) fn rebuild(&mut self, parts: Vec<Part>, now: Now) -> Rebuilt {
        let before = self.out.counters.dropped();
        let stays = |i: usize| parts.iter().any(|part| matches!(part, Part::Kept { from, .. } if *from == i));
        let (mut held_returned, mut held_dropped) = (0, 0);
        for i in (0..self.stages.len()).filter(|i| !stays(*i)) {
            let held = self.stages[i].held();
            self.drain_stage(i, now);
            let dropped = self.stages[i].drop_held(&mut self.out, Counter::Replaced);
            self.stages[i].free_spares();
            held_returned += held.saturating_sub(dropped);
            held_dropped += dropped;
        }
        let mut old: Vec<Option<Stage>> = std::mem::take(&mut self.stages).into_iter().map(Some).collect();
        for part in parts {
            match part {
                Part::New(stage) => self.stages.push(*stage),
                Part::Kept { from, place } => {
                    if let Some(mut stage) = old.get_mut(from).and_then(Option::take) {
                        stage.place = place;
                        self.stages.push(stage);
                    }
                }
            }
        }
        let gone = old.into_iter().enumerate().filter_map(|(i, stage)| Some((i, Box::new(stage?))));
        let (gone, lost) = (gone.collect(), self.out.counters.dropped() - before);
        Rebuilt { gone, pause_ns: 0, held_returned, held_dropped, lost }
    }
}

/// A chain on an lcore that is to change.
struct Plan {
    chain: usize,
    before: Vec<Arc<Seat>>,
    /// Beside each the position of the stage that stays.
    after: Vec<(Arc<Seat>, Option<usize>)>,
}

/// A change that was made, and what it takes to go back.
pub(super) struct Made {
    plan: Plan,
    rebuilt: Rebuilt,
}

impl Run {
    /// Gives the chains the stages that `new` says, whose modules are loaded. All of them, or none.
    pub(super) fn rebuild(&self, actions: &[Action], new: &Config) -> Result<Vec<Made>, String> {
        let mut made = Vec::new();
        for plan in self.plans(actions, new) {
            let result = self.parts_of(&plan, new).and_then(|parts| self.order_rebuild(&plan, parts));
            match result {
                Ok(rebuilt) => made.push(Made { plan, rebuilt }),
                Err(what) => {
                    self.unbuild(made);
                    return Err(what);
                }
            }
        }
        Ok(made)
    }

    /// The changes are undone: the stages that went come back, in the state in which they went.
    pub(super) fn unbuild(&self, made: Vec<Made>) {
        let config = self.config();
        for Made { plan, rebuilt } in made.into_iter().rev() {
            let mut gone: BTreeMap<usize, Box<Stage>> = rebuilt.gone.into_iter().collect();
            let back = |(i, seat): (usize, &Arc<Seat>)| match gone.remove(&i) {
                Some(stage) => Some(Part::New(stage)),
                None => {
                    let from = plan.after.iter().position(|(_, from)| *from == Some(i))?;
                    let grants = self.parts.maker.loaded(&seat.module).ok()?;
                    Some(Part::Kept { from, place: self.parts.maker.place(seat, &grants.entry.grants, &config) })
                }
            };
            let parts = plan.before.iter().enumerate().filter_map(back).collect();
            match self.order_rebuild(&plan, parts) {
                Ok(_) => self.parts.seats.put(plan.chain, plan.before),
                Err(what) => tracing::error!(chain = self.parts.placed[plan.chain].name, "is not as it was: {what}"),
            }
        }
    }

    /// What is told of the changes.
    pub(super) fn chain_reports(&self, made: &[Made]) -> Vec<ChainReport> {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let report = |Made { plan, rebuilt }: &Made| ChainReport {
            chain: self.parts.placed[plan.chain].name.clone(),
            lcore: self.parts.placed[plan.chain].lcore,
            modules: plan.after.iter().map(|(seat, _)| seat.module.clone()).collect(),
            pause_ns: rebuilt.pause_ns,
            held_returned: number(rebuilt.held_returned),
            held_dropped: number(rebuilt.held_dropped),
            lost: rebuilt.lost,
        };
        made.iter().map(report).collect()
    }

    /// The chains that differ; and those in which a module has its share of a rate that more or fewer have to share now.
    fn plans(&self, actions: &[Action], new: &Config) -> Vec<Plan> {
        let (now, maker) = (self.config(), &self.parts.maker);
        let is_named = |placed: &PlacedChain| {
            actions.iter().any(|action| matches!(action, Action::Stages { chain, .. } if *chain == placed.name))
        };
        let shares = |seat: &Arc<Seat>| {
            let limited = new.module(&seat.module).is_some_and(|module| new.modules[module].grants.limits_rate());
            limited && now.instances(&seat.module) != new.instances(&seat.module)
        };
        let plan = |(number, placed): (usize, &PlacedChain)| {
            let before = self.parts.seats.of_chain(number);
            if !is_named(placed) && !before.iter().any(shares) {
                return None;
            }
            let entry = new.chains.iter().find(|chain| chain.name == placed.name)?;
            let after = placed.seats(entry, new, &maker.domains, &before, &self.parts.seats);
            Some(Plan { chain: number, before, after })
        };
        self.parts.placed.iter().enumerate().filter_map(plan).collect()
    }

    /// Makes what is new in a chain.
    fn parts_of(&self, plan: &Plan, new: &Config) -> Result<Vec<Part>, String> {
        let maker = &self.parts.maker;
        let part = |(seat, from): &(Arc<Seat>, Option<usize>)| {
            let loaded = maker.loaded(&seat.module).map_err(|e| e.to_string())?;
            Ok(match from {
                Some(from) => Part::Kept { from: *from, place: maker.place(seat, &loaded.entry.grants, new) },
                None => {
                    let stage = maker.stage_of(seat, &self.parts.ports, &loaded, new);
                    Part::New(Box::new(stage.map_err(|e| e.to_string())?))
                }
            })
        };
        let mut parts = Vec::new();
        for place in &plan.after {
            match part(place) {
                Ok(part) => parts.push(part),
                Err(what) => {
                    parts.into_iter().for_each(|part| drop(part.give_up()));
                    return Err(what);
                }
            }
        }
        Ok(parts)
    }

    fn order_rebuild(&self, plan: &Plan, parts: Vec<Part>) -> Result<Rebuilt, String> {
        // Nobody puts an instance in a place that is about to move.
        let _changes = self.parts.maker.changes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (lcore, chain) = self.parts.placed[plan.chain].at;
        let (reply, answer): (_, Receiver<Rebuilt>) = channel();
        let ticket = Arc::new(Ticket::default());
        let task = Task::Rebuild { chain, parts, ticket: Arc::clone(&ticket), reply };
        if let Err(refused) = self.lcores[lcore].0.push(Command::Swap(task)) {
            if let Command::Swap(task) = refused {
                drop(task.give_up());
            }
            return Err(order_error(lcore));
        }
        let rebuilt = outcome(&ticket, &answer).ok_or_else(|| format!("lcore number {lcore} does not answer"))?;
        self.parts.seats.put(plan.chain, plan.after.iter().map(|(seat, _)| Arc::clone(seat)));
        Ok(rebuilt)
    }
}
