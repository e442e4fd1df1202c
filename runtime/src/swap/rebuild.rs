//! Other stages for a chain, while packets flow: between two bursts on each lcore stages come, go and move. Those that stay
//! keep their instances, with their state and what they hold.

use super::Swapping;
use crate::parts::PlacedChain;
use crate::parts::orders::{full, silent};
use perigee_config::{Action, Config};
use perigee_core::lock;
use perigee_datapath::orders::Command;
use perigee_datapath::rebuild::{Part, Rebuilt};
use perigee_datapath::seat::{Seat, Spot};
use perigee_datapath::stage::Stage;
use perigee_datapath::switch::{Task, Ticket};
use perigee_report::ChainReport;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// A chain on an lcore that is to change.
struct ChainPlan {
    chain: usize,
    before: Vec<Arc<Seat>>,
    /// Beside each the position of the stage that stays.
    after: Vec<(Arc<Seat>, Option<usize>)>,
}

/// A change that was made, and what it takes to go back.
pub(super) struct RebuiltChain {
    plan: ChainPlan,
    rebuilt: Rebuilt,
}

impl Swapping<'_> {
    /// Gives the chains the stages that `new` says, whose modules are loaded. All of them, or none.
    pub(super) fn rebuild(&self, actions: &[Action], new: &Config) -> Result<Vec<RebuiltChain>, String> {
        let mut made = Vec::new();
        for plan in self.plans(actions, new) {
            let result = self.parts_of(&plan, new).and_then(|parts| self.order_rebuild(&plan, parts));
            match result {
                Ok(rebuilt) => made.push(RebuiltChain { plan, rebuilt }),
                Err(what) => {
                    self.unbuild(made);
                    return Err(what);
                }
            }
        }
        Ok(made)
    }

    /// The changes are undone: the stages that went come back, in the state in which they went.
    pub(super) fn unbuild(&self, made: Vec<RebuiltChain>) {
        let config = self.config();
        for RebuiltChain { plan, rebuilt } in made.into_iter().rev() {
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
    pub(super) fn chain_reports(&self, made: &[RebuiltChain]) -> Vec<ChainReport> {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let report = |RebuiltChain { plan, rebuilt }: &RebuiltChain| ChainReport {
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
    fn plans(&self, actions: &[Action], new: &Config) -> Vec<ChainPlan> {
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
            Some(ChainPlan { chain: number, before, after })
        };
        self.parts.placed.iter().enumerate().filter_map(plan).collect()
    }

    /// Makes what is new in a chain.
    fn parts_of(&self, plan: &ChainPlan, new: &Config) -> Result<Vec<Part>, String> {
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

    fn order_rebuild(&self, plan: &ChainPlan, parts: Vec<Part>) -> Result<Rebuilt, String> {
        // Nobody puts an instance in a place that is about to move.
        let _changes = lock(&self.parts.maker.changes);
        let Spot { lcore, chain } = self.parts.placed[plan.chain].at;
        let (reply, answer): (_, Receiver<Rebuilt>) = channel();
        let ticket = Arc::new(Ticket::default());
        let task = Task::Rebuild { chain, parts, ticket: Arc::clone(&ticket), reply };
        if let Err(refused) = self.parts.orders.push(lcore, Command::Swap(task)) {
            if let Command::Swap(task) = refused {
                drop(task.give_up());
            }
            return Err(full(lcore));
        }
        let rebuilt = self.parts.orders.outcome(lcore, &ticket, &answer).ok_or_else(|| silent(lcore))?;
        self.parts.seats.put(plan.chain, plan.after.iter().map(|(seat, _)| Arc::clone(seat)));
        Ok(rebuilt)
    }
}
