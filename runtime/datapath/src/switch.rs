//! The switch on an lcore, between two bursts: here instances change places.
#![allow(clippy::vec_box, reason = "a stage comes and goes by its box")]

use super::rebuild::{Part, Rebuilt};
use crate::chain::Chain;
use crate::recorder::Returned;
use crate::stage::Stage;
use perigee_abi::batch_flags;
use perigee_core::clock::Now;
use perigee_core::counters::Counter;
use perigee_wasm::flat::{Ahead, RegionFile};
use perigee_wasm::trap::Trapped;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;

/// A place among the chains of an lcore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Position of the chain on its lcore.
    pub chain: usize,
    /// Position of the stage in the chain.
    pub stage: usize,
}

/// A new instance for a place.
pub struct Order {
    /// Where it shall work.
    pub place: At,
    /// The stage with the new instance.
    pub new: Box<Stage>,
    /// It takes over the state of the one before, and what that holds.
    pub inherits: bool,
    /// The flat state region of the one before.
    pub ahead: Option<Ahead>,
}

impl Order {
    fn give_up(mut self) -> impl Iterator<Item = Retired> {
        self.new.free_spares();
        std::iter::once(Retired::Stage(self.new)).chain(self.ahead.map(Retired::Ahead))
    }
}

/// What the control thread wants of an lcore in the course of a swap.
pub enum Task {
    /// What is there?
    Look {
        /// Where.
        place: At,
        /// Where the answer goes.
        reply: Sender<Option<Occupant>>,
    },
    /// Switch all of these, or none.
    Switch {
        /// One for each place.
        orders: Vec<Order>,
        /// Taken by whoever is first: the lcore, or an asker that has given up.
        ticket: Arc<Ticket>,
        /// Where the answer goes.
        reply: Sender<Switched>,
    },
    /// The new instances have proved themselves: the ones before go.
    Settle {
        /// Where.
        places: Vec<At>,
        /// Where the old instances go.
        reply: Sender<Vec<Box<Stage>>>,
    },
    /// The ones before go on.
    Undo {
        /// Where.
        places: Vec<At>,
        /// Why.
        why: String,
        /// Where the new instances go.
        reply: Sender<Vec<Box<Stage>>>,
    },
    /// A chain gets other stages.
    Rebuild {
        /// Position of the chain on its lcore.
        chain: usize,
        /// Its stages as they are to be.
        parts: Vec<Part>,
        /// As for a switch.
        ticket: Arc<Ticket>,
        /// Where the answer goes.
        reply: Sender<Rebuilt>,
    },
}

/// What an lcore does not drop, for that unmaps memory and closes files: it goes to the control thread, or with the lcore.
pub enum Retired {
    /// A stage with its instance.
    Stage(#[allow(dead_code, reason = "kept to be dropped")] Box<Stage>),
    /// Recorders whose record has ended.
    Recorders(#[allow(dead_code, reason = "kept to be dropped")] Returned),
    /// A region that was laid ready.
    Ahead(#[allow(dead_code, reason = "kept to be dropped")] Ahead),
}

/// What is told of a pause when it is over, and whom.
pub enum Answer {
    /// Instances have changed places.
    Switched(Sender<Switched>, Switched),
    /// A chain has other stages.
    Rebuilt(Sender<Rebuilt>, Rebuilt),
}

impl Answer {
    /// How long the pause was, nanoseconds.
    pub fn set_pause(&mut self, ns: u64) {
        match self {
            Self::Switched(_, switched) => switched.pause_ns = ns,
            Self::Rebuilt(_, rebuilt) => rebuilt.pause_ns = ns,
        }
    }

    /// Tells it. What nobody takes back is returned.
    pub fn tell(self) -> Vec<Retired> {
        match self {
            Self::Switched(reply, switched) => reply.send(switched).err().map_or_else(Vec::new, |unsent| {
                let Switched { gone, spent, .. } = unsent.0;
                gone.into_iter().map(Retired::Stage).chain(spent.into_iter().map(Retired::Ahead)).collect()
            }),
            Self::Rebuilt(reply, rebuilt) => reply.send(rebuilt).err().map_or_else(Vec::new, |unsent| {
                unsent.0.gone.into_iter().map(|(_, stage)| Retired::Stage(stage)).collect()
            }),
        }
    }
}

/// What is to be known of an instance before it is replaced.
pub struct Occupant {
    /// Its flat state region and its length; `None` where it has none.
    pub region: Option<(Arc<RegionFile>, usize)>,
    /// An earlier swap is not settled yet: its region is still becoming its own.
    pub settling: bool,
    /// The instance has failed.
    pub failed: bool,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

impl Task {
    /// It will not be done: the spare rooms of new instances go back. What is left is returned.
    pub fn give_up(self) -> Vec<Retired> {
        match self {
            Self::Switch { orders, .. } => orders.into_iter().flat_map(Order::give_up).collect(),
            Self::Rebuild { parts, .. } => parts.into_iter().filter_map(Part::give_up).map(Retired::Stage).collect(),
            Self::Look { .. } | Self::Settle { .. } | Self::Undo { .. } => Vec::new(),
        }
    }
}

/// An instance that has failed in its grace period, on its way to the control thread.
#[derive(Debug)]
pub struct Ousted {
    /// The lcore's CPU.
    pub cpu: u32,
    /// Where it was.
    pub place: At,
    /// The stage with the instance.
    pub stage: Box<Stage>,
}

/// Who was first: the lcore that begins, or the control thread that has lost its patience.
#[derive(Debug, Default)]
pub struct Ticket(AtomicU8);

impl Ticket {
    /// True for the first that asks.
    pub fn take(&self) -> bool {
        self.0.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// What became of a switch.
#[derive(Default)]
pub struct Switched {
    /// One for each order, unless it was refused.
    pub done: Vec<SwitchedPlace>,
    /// Why nothing was switched.
    pub refused: Option<String>,
    /// From the end of the last poll before to the beginning of the next, nanoseconds.
    pub pause_ns: u64,
    /// New instances that found no place: dropped where they came from.
    pub gone: Vec<Box<Stage>>,
    /// What was laid ready, and is used or not wanted.
    pub spent: Vec<Ahead>,
}

/// What was switched at one place.
#[derive(Clone, Copy, Debug, Default)]
pub struct SwitchedPlace {
    /// Where it was.
    pub place: Option<At>,
    /// State was handed over.
    pub moved: bool,
    /// Bytes of state through the mailbox.
    pub state_bytes: usize,
    /// Bytes of the flat state region.
    pub region_bytes: usize,
    /// Held packets that were handed over.
    pub held_moved: usize,
    /// Held packets that the old instance gave back.
    pub held_returned: usize,
    /// Held packets that were dropped.
    pub held_dropped: usize,
    /// Packets that the chain dropped meanwhile, for any cause.
    pub lost: u64,
}

impl Chain {
    /// Puts a new instance in place of the one that is there.
    fn replace(
        &mut self,
        order: &mut Option<Order>,
        spent: &mut Vec<Ahead>,
        now: Now,
    ) -> Result<SwitchedPlace, String> {
        let Some(mut taken) = order.take() else { return Err("the order was carried out before".to_owned()) };
        let before = self.out.counters.dropped();
        let result = self.hand_over(&mut taken, now);
        match result {
            Err(why) => {
                *order = Some(taken);
                Err(why)
            }
            Ok(done) => {
                let i = taken.place.stage;
                self.stages[i].replace_by(taken.new);
                spent.extend(taken.ahead);
                self.ended &= self.stages[0].failed.is_some();
                let lost = self.out.counters.dropped() - before;
                Ok(SwitchedPlace { place: Some(taken.place), lost, ..done })
            }
        }
    }

    fn hand_over(&mut self, order: &mut Order, now: Now) -> Result<SwitchedPlace, String> {
        let i = order.place.stage;
        let Some(old) = self.stages.get_mut(i) else { return Err("there is no such stage".to_owned()) };
        if old.succession.standby.is_some() {
            return Err("an earlier swap is still in its grace period".to_owned());
        }
        if old.failed.is_some() {
            return Ok(SwitchedPlace::default());
        }
        if order.inherits {
            let handed = order.new.inherit(old, order.ahead.as_mut(), &mut self.out, now)?;
            return Ok(SwitchedPlace {
                moved: true,
                state_bytes: handed.state,
                region_bytes: handed.region,
                held_moved: handed.held,
                ..SwitchedPlace::default()
            });
        }
        let held = old.held();
        self.drain_stage(i, now);
        let held_dropped = self.stages[i].drop_held(&mut self.out, Counter::Replaced);
        Ok(SwitchedPlace { held_returned: held.saturating_sub(held_dropped), held_dropped, ..SwitchedPlace::default() })
    }

    /// The last call of one stage, in which it gives back what it holds.
    pub fn drain_stage(&mut self, i: usize, now: Now) {
        self.tick_stage(i, Now { flags: batch_flags::TICK | batch_flags::DRAIN, ..now });
        self.out.flush();
    }

    /// The instance before goes on. The other one gives back what it has taken in since the switch.
    fn undo(&mut self, i: usize, why: &str, now: Now) -> Option<Box<Stage>> {
        let stage = self.stages.get_mut(i)?;
        stage.succession.standby.as_ref()?;
        if stage.failed.is_none() && stage.held() != 0 {
            stage.give_back_inherited();
            self.drain_stage(i, now);
        }
        // The drain may have failed, and gone back already.
        let mut gone = self.stages[i]
            .go_back(&mut self.out, Counter::Replaced)
            .or_else(|| self.stages[i].succession.ousted.take())?;
        gone.failed.get_or_insert_with(|| Arc::new(Trapped::answer(why.to_owned())));
        Some(gone)
    }
}

/// Carries out all orders, or none. What has no place is in `gone`.
pub fn switch(chains: &mut [Chain], orders: Vec<Order>, now: Now) -> Switched {
    let mut switched = Switched::default();
    let mut orders: Vec<(At, Option<Order>)> = orders.into_iter().map(|o| (o.place, Some(o))).collect();
    for (place, order) in &mut orders {
        let chain = chains.get_mut(place.chain).ok_or_else(|| "there is no such chain".to_owned());
        match chain.and_then(|chain| chain.replace(order, &mut switched.spent, now)) {
            Ok(done) => switched.done.push(done),
            Err(why) => {
                switched.refused = Some(why);
                break;
            }
        }
    }
    if let Some(why) = switched.refused.clone() {
        let places = std::mem::take(&mut switched.done).into_iter().filter_map(|done| done.place).collect::<Vec<_>>();
        switched.gone = undo(chains, &places, &why, now);
    }
    for order in orders.into_iter().filter_map(|(_, order)| order) {
        switched.gone.push(order.new);
        switched.spent.extend(order.ahead);
    }
    switched.gone.iter_mut().for_each(|stage| stage.free_spares());
    switched
}

/// Lets the instances before go on at these places, where there are any; returns the others.
pub fn undo(chains: &mut [Chain], places: &[At], why: &str, now: Now) -> Vec<Box<Stage>> {
    let one = |place: &At| chains.get_mut(place.chain)?.undo(place.stage, why, now);
    places.iter().filter_map(one).collect()
}

/// Lets the instances before go, at these places; returns them.
pub fn settle(chains: &mut [Chain], places: &[At]) -> Vec<Box<Stage>> {
    let one = |place: &At| {
        let stage = chains.get_mut(place.chain)?.stages.get_mut(place.stage)?;
        let mut old = stage.succession.standby.take()?;
        old.free_spares();
        stage.succession.settling = stage.instance.flat.is_some();
        Some(old)
    };
    places.iter().filter_map(one).collect()
}

/// What is at a place.
pub fn look(chains: &[Chain], place: At) -> Option<Occupant> {
    let stage = chains.get(place.chain)?.stages.get(place.stage)?;
    let flat = stage.instance.flat.as_ref();
    let file = flat.map(|flat| flat.file().map(|file| (file, flat.len())));
    Some(Occupant { settling: matches!(file, Some(None)), region: file.flatten(), failed: stage.failed.is_some() })
}
