//! An item as the host's compiler reads it, and its state in cells.

use super::{Item, Source, View};
use crate::vary::called;
use perigee_abi::fields::{self, cells, source, view};

impl Item {
    /// The item in the host's words.
    pub(in crate::vary) fn plan(&self) -> fields::Item {
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
            Source::Earlier { item, part } => {
                (plan.earlier, plan.part) = (*item as u64, *part as u64);
                source::EARLIER
            }
            Source::Length => source::LENGTH,
            Source::Zipf(zipf) => {
                [plan.arg_0, plan.arg_1, plan.arg_2, plan.arg_3, plan.arg_4] = zipf.to_bits();
                plan.kind = called::ZIPF;
                source::CALLED
            }
            Source::Normal { normal, last } => {
                ([plan.arg_0, plan.arg_1], plan.arg_2) = (normal.to_bits(), *last);
                plan.kind = called::NORMAL;
                source::CALLED
            }
        };
        match &self.view {
            View::Range { base, step } => (plan.base, plan.step) = (*base, *step),
            View::List { first } => (plan.view, plan.list) = (view::LIST, *first as u64),
            View::Clients(clients) => {
                clients.plan(&mut plan);
                plan.view = view::CLIENTS;
            }
        }
        if let Some(write) = &self.write {
            write.plan(&mut plan);
        }
        plan
    }

    /// Puts its state into its cells.
    pub(in crate::vary) fn store(&mut self, to: &mut [u64]) {
        let [left, first, drawn @ .., index, crossed] = to else { return };
        (*left, *first) = (self.left.into(), self.first);
        drawn.iter_mut().zip(self.drawn).for_each(|(cell, value)| *cell = value);
        if let Some(steps) = self.source.steps() {
            (*index, *crossed) = steps.state();
        }
    }

    /// Takes its state from its cells.
    pub(in crate::vary) fn load(&mut self, from: &[u64]) {
        let &[left, first, ref drawn @ .., index, crossed] = from else { return };
        (self.left, self.first) = (u32::try_from(left).unwrap_or(self.times), first);
        self.drawn.iter_mut().zip(drawn).for_each(|(value, cell)| *value = *cell);
        if let Some(steps) = self.source.steps() {
            steps.set_state(index, crossed);
        }
    }
}

const _: () = assert!(cells::PER_ITEM == 7, "`store` and `load` name them all, in their order");

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
