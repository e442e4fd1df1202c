//! An item as the host's compiler reads it, and its state in cells.

use super::{Item, Source, View};
use perigee_abi::fields::{self, cells, source};

impl Item {
    /// The item in the host's words; what it draws, where that is not compiled.
    pub(in crate::vary) fn plan(&self) -> Result<fields::Item, &'static str> {
        let mut plan = fields::Item {
            times: self.times.into(),
            every: self.every,
            carry: self.carry.map_or(0, |carry| carry as u64 + 1),
            add: self.add,
            shift: i64::from(self.shift).cast_unsigned(),
            swapped: self.swapped.into(),
            ..fields::Item::default()
        };
        plan.source = match &self.source {
            Source::Steps(steps) => {
                steps.plan(&mut plan);
                source::STEPS
            }
            Source::Uniform(uniform) => {
                uniform.plan(&mut plan);
                source::UNIFORM
            }
            Source::Shuffle(shuffle) => {
                shuffle.plan(&mut plan);
                source::SHUFFLE
            }
            Source::Repeatable(repeatable) => {
                repeatable.plan(&mut plan);
                source::REPEATABLE
            }
            Source::Weighted { first, len } => {
                (plan.table, plan.table_len) = (*first as u64, *len as u64);
                source::WEIGHTED
            }
            Source::Earlier { item, part: 0 } => {
                plan.earlier = *item as u64;
                source::EARLIER
            }
            Source::Length => source::LENGTH,
            Source::Earlier { .. } => return Err("clients"),
            Source::Zipf(_) => return Err("\"zipf\""),
            Source::Normal { .. } => return Err("\"normal\""),
        };
        match &self.view {
            View::Range { base, step } => (plan.base, plan.step) = (*base, *step),
            View::List { first } => (plan.is_list, plan.list) = (1, *first as u64),
            View::Clients(_) => return Err("clients"),
        }
        if let Some(write) = &self.write {
            write.plan(&mut plan);
        }
        Ok(plan)
    }

    /// Puts its state into its cells.
    pub(in crate::vary) fn store(&mut self, to: &mut [u64]) {
        let [left, first, drawn, index, crossed] = to else { return };
        (*left, *first, *drawn) = (self.left.into(), self.first, self.drawn[0]);
        if let Some(steps) = self.source.steps() {
            (*index, *crossed) = steps.state();
        }
    }

    /// Takes its state from its cells.
    pub(in crate::vary) fn load(&mut self, from: &[u64]) {
        let &[left, first, drawn, index, crossed] = from else { return };
        (self.left, self.first, self.drawn[0]) = (u32::try_from(left).unwrap_or(self.times), first, drawn);
        if let Some(steps) = self.source.steps() {
            steps.set_state(index, crossed);
        }
    }
}

const _: () = assert!(cells::PER_ITEM == 5, "`store` and `load` name them all, in their order");

impl Source {
    /// Where in its round it is, where there are rounds.
    fn steps(&mut self) -> Option<&mut crate::vary::Steps> {
        match self {
            Self::Steps(steps) => Some(steps),
            Self::Shuffle(shuffle) => Some(shuffle.steps()),
            Self::Repeatable(repeatable) => Some(repeatable.steps()),
            _ => None,
        }
    }
}
