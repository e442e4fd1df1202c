//! In which order probes come, by the definitions of RFC 4737; for one flow as one lcore reads it.
//!
//! Only first copies are looked at, as both RFCs want it.

use crate::density::Density;
use crate::tally::Tally;
use perigee_report::OrderStats;

/// Arrivals that are remembered, for extents.
const HISTORY: usize = 128;

/// Degrees of n-reordering that are told apart; the last one is `or more`.
const DEGREES: usize = 16;

/// The order of a flow's probes.
#[derive(Debug)]
pub struct Order {
    arrived: Tally,
    /// NextExp: one above the largest number so far.
    next_expected: Tally,
    reordered: Tally,
    discontinuities: Tally,
    extent_max: Tally,
    extent_sum: Tally,
    extent_beyond: Tally,
    degrees: [Tally; DEGREES],
    history: [Tally; HISTORY],
    density: Density,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            arrived: Tally::default(),
            next_expected: Tally::default(),
            reordered: Tally::default(),
            discontinuities: Tally::default(),
            extent_max: Tally::default(),
            extent_sum: Tally::default(),
            extent_beyond: Tally::default(),
            degrees: Default::default(),
            history: [const { Tally::new(0) }; HISTORY],
            density: Density::default(),
        }
    }
}

impl Order {
    /// The first copy of a probe has come.
    #[inline]
    pub fn arrive(&self, sequence: u64) {
        let (arrived, expected) = (self.arrived.own(), self.next_expected.own());
        if sequence == expected {
            self.next_expected.set(sequence + 1);
        } else {
            self.out_of_sequence(sequence, expected, arrived);
        }
        self.history[slot(arrived)].set(sequence);
        self.arrived.set(arrived + 1);
        self.density.arrive(sequence);
    }

    /// First copies have come whose numbers follow on each other.
    #[inline]
    pub(crate) fn run(&self, first: u64, n: u64) {
        let (mut next, end) = (first, first + n);
        // Behind a gap the first one is out of sequence; of those that come late, all are.
        while next < end && next != self.next_expected.own() {
            self.arrive(next);
            next += 1;
        }
        if next == end {
            return;
        }
        self.next_expected.set(end);
        let arrived = self.arrived.own();
        for (sequence, arrived) in (next..end).zip(arrived..) {
            self.history[slot(arrived)].set(sequence);
        }
        self.arrived.set(arrived + (end - next));
        self.density.run(next, end - next);
    }

    #[cold]
    fn out_of_sequence(&self, sequence: u64, expected: u64, arrived: u64) {
        if sequence > expected {
            self.discontinuities.add(1);
            self.next_expected.set(sequence + 1);
            return;
        }
        self.reordered.add(1);
        let seen = arrived.min(HISTORY as u64);
        // The extent reaches back to the earliest arrival with a larger number; the degree, as far as all are larger.
        let (mut extent, mut degree) = (0, None);
        for back in 1..=seen {
            if self.history[slot(arrived - back)].own() > sequence {
                extent = back;
            } else {
                degree.get_or_insert(back - 1);
            }
        }
        if extent == HISTORY as u64 && arrived > seen || extent == 0 {
            // Larger ones may have come, or did come, before what is remembered.
            extent = HISTORY as u64;
            self.extent_beyond.add(1);
        }
        self.extent_max.raise(extent);
        self.extent_sum.add(extent);
        let degree = degree.unwrap_or(seen);
        if degree > 0 {
            self.degrees[slot(degree.min(DEGREES as u64) - 1)].add(1);
        }
    }

    /// No more probes come.
    pub fn finish(&self) {
        self.density.finish();
    }

    /// What was counted so far.
    pub fn read(&self) -> OrderStats {
        OrderStats {
            reordered: self.reordered.read(),
            discontinuities: self.discontinuities.read(),
            extent_max: self.extent_max.read(),
            extent_sum: self.extent_sum.read(),
            extent_beyond: self.extent_beyond.read(),
            n_reordered: self.degrees.iter().map(Tally::read).collect(),
            density: self.density.read().collect(),
            density_beyond: self.density.beyond(),
            arrived: self.arrived.read(),
        }
    }
}

/// The place of an arrival in the history.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "a remainder")]
fn slot(at: u64) -> usize {
    at as usize % HISTORY
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    fn order(arrivals: &[u64]) -> OrderStats {
        let order = Order::default();
        arrivals.iter().for_each(|sequence| order.arrive(*sequence));
        order.finish();
        order.read()
    }

    #[test]
    fn the_examples_of_the_text() {
        // RFC 4737, 7.1: packet 4 comes behind 5, 6, 7 (its numbers begin at 1).
        let late = order(&[0, 1, 2, 4, 5, 6, 3, 7, 8, 9]);
        assert_eq!((late.reordered, late.extent_max, late.discontinuities), (1, 3, 1));
        assert_eq!(late.n_reordered[..4], [0, 0, 1, 0]);
        // RFC 4737, 7.2: 1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11: extents 4, 5, 6.
        let block = order(&[0, 1, 2, 6, 7, 8, 9, 3, 4, 5, 10]);
        assert_eq!((block.reordered, block.extent_max, block.extent_sum), (3, 6, 15));
        // Only the first of them follows larger ones alone.
        assert_eq!(block.n_reordered.iter().sum::<u64>(), 1);
    }

    #[test]
    fn in_order_and_with_loss_nothing_is_reordered() {
        let read = order(&(0..10_000).filter(|n| n % 50 != 7).collect::<Vec<_>>());
        assert_eq!((read.arrived, read.reordered, read.discontinuities, read.extent_max), (9_800, 0, 200, 0));
    }

    #[test]
    fn an_extent_beyond_the_history_is_told() {
        let mut arrivals: Vec<u64> = (0..1_000).filter(|n| *n != 300).collect();
        arrivals.push(300);
        let read = order(&arrivals);
        assert_eq!((read.extent_max, read.extent_beyond, read.n_reordered[DEGREES - 1]), (HISTORY as u64, 1, 1));
    }

    proptest! {
        #[test]
        fn it_is_what_the_definitions_say(arrivals in Just((0..100_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let read = order(&arrivals);
            let larger = |i: usize| arrivals[..i].iter().position(|before| *before > arrivals[i]);
            let extents: Vec<u64> = (0..100).filter_map(|i| Some((i - larger(i)?) as u64)).collect();
            prop_assert_eq!(read.reordered, extents.len() as u64);
            prop_assert_eq!(read.extent_sum, extents.iter().sum::<u64>());
            prop_assert_eq!(Some(&read.extent_max), extents.iter().max().or(Some(&0)));
            for n in 1..DEGREES {
                let is_n = |i: usize| arrivals[..i].iter().rev().take_while(|before| **before > arrivals[i]).count() == n;
                prop_assert_eq!(read.n_reordered[n - 1], (0..100).filter(|i| is_n(*i)).count() as u64);
            }
        }
    }
}
