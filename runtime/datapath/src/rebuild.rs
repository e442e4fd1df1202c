//! Other stages for a chain, between two bursts: stages come, go and move. Those that stay keep their instances, with their
//! state and what they hold.

use super::chain::Chain;
use super::stage::{Place, Stage};
use perigee_core::clock::Now;
use perigee_core::counters::Counter;

/// One stage of a chain as it is to be.
#[allow(clippy::large_enum_variant, reason = "there are as many as a chain has stages")]
pub enum Part {
    /// The one at this position goes on, with new neighbours.
    Kept {
        /// The position that it has now.
        from: usize,
        /// What follows from its new neighbours.
        place: Place,
    },
    /// A new one, or one that was taken out and comes back.
    New(Box<Stage>),
}

impl Part {
    /// It will not be put in: its spare rooms go back.
    pub fn give_up(self) -> Option<Box<Stage>> {
        let Self::New(mut stage) = self else { return None };
        stage.free_spares();
        Some(stage)
    }
}

/// What became of a chain.
#[derive(Default)]
pub struct Rebuilt {
    /// Stages that were taken out, with the positions that they had.
    pub gone: Vec<(usize, Box<Stage>)>,
    /// From the end of the last poll before to the beginning of the next, nanoseconds.
    pub pause_ns: u64,
    /// Packets that those had held and gave back, and those that they did not.
    pub held_returned: usize,
    /// Held packets that were dropped.
    pub held_dropped: usize,
    /// Packets that the chain dropped meanwhile, for any cause.
    pub lost: u64,
}

impl Chain {
    /// Puts the parts in place of the stages. What a stage holds that goes is given back before, through those behind it.
    pub fn rebuild(&mut self, parts: Vec<Part>, now: Now) -> Rebuilt {
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
        if let Some(timing) = &self.timing {
            timing.change_stages();
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
