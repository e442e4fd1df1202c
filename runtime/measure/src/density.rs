//! Reorder density (RFC 5236, section 4): how far from their places packets come.

use crate::tally::Tally;

/// The displacement threshold DT: what is farther out of place counts as lost.
pub const THRESHOLD: u64 = 8;

/// Arrivals that the algorithm looks at.
const WINDOW: usize = THRESHOLD as usize + 1;

/// The algorithm of RFC 5236, section 4.3, with the names of its text, for numbers from 0.
///
/// It looks DT + 1 arrivals ahead. While all is in order it has nothing to keep: its window holds the last arrivals, each in its
/// place. Only around a gap or a packet out of place it works step by step.
#[derive(Debug)]
pub struct Density {
    /// FD: packets by displacement, from -DT to DT.
    frequencies: [Tally; 2 * THRESHOLD as usize + 1],
    /// Farther out of place.
    beyond: Tally,
    /// RI: the number that is due.
    receive_index: Tally,
    /// Arrivals that have not been placed yet, oldest first.
    window: [Tally; WINDOW],
    /// How many of them there are.
    waiting: Tally,
    /// Early arrivals whose place has not come, as bits from RI.
    early: Tally,
    /// The window holds RI, RI + 1, and so on, and nothing is early: what comes in order only moves both on.
    is_in_order: Tally,
}

impl Default for Density {
    fn default() -> Self {
        Self {
            frequencies: Default::default(),
            beyond: Tally::default(),
            receive_index: Tally::default(),
            window: Default::default(),
            waiting: Tally::default(),
            early: Tally::default(),
            is_in_order: Tally::new(1),
        }
    }
}

impl Density {
    /// The first copy of a packet has come.
    #[inline]
    pub fn arrive(&self, sequence: u64) {
        let (index, waiting) = (self.receive_index.own(), self.waiting.own());
        if self.is_in_order.own() == 1 && waiting == WINDOW as u64 && sequence == index.wrapping_add(waiting) {
            self.frequencies[THRESHOLD as usize].add(1);
            self.receive_index.set(index + 1);
        } else {
            self.arrive_slowly(sequence);
        }
    }

    #[cold]
    #[inline(never)]
    fn arrive_slowly(&self, sequence: u64) {
        if self.is_in_order.own() == 1 {
            // The window was not kept while all was in order.
            let index = self.receive_index.own();
            for at in 0..self.waiting.own() {
                self.window[slot(at)].set(index + at);
            }
            self.is_in_order.set(0);
        }
        if self.waiting.own() == WINDOW as u64 {
            self.place_oldest();
        }
        let waiting = self.waiting.own();
        self.window[slot(waiting)].set(sequence);
        self.waiting.set(waiting + 1);
        let index = self.receive_index.own();
        let is_in_order =
            self.early.own() == 0 && (0..).zip(self.waiting()).all(|(at, waiting): (u64, _)| waiting == index + at);
        self.is_in_order.set(u64::from(is_in_order));
    }

    /// No more packets come: the last ones are placed.
    pub fn finish(&self) {
        if self.is_in_order.own() == 1 {
            self.frequencies[THRESHOLD as usize].add(self.waiting.own());
            self.receive_index.add(self.waiting.own());
            self.waiting.set(0);
        }
        while self.waiting.own() > 0 {
            self.place_oldest();
        }
        self.is_in_order.set(u64::from(self.early.own() == 0));
    }

    fn waiting(&self) -> impl Iterator<Item = u64> {
        self.window[..slot(self.waiting.own())].iter().map(Tally::own)
    }

    /// One turn of the algorithm's loop that places a packet, and those before it that only find RI.
    fn place_oldest(&self) {
        self.find_index();
        let index = self.receive_index.own();
        let oldest = self.window[0].own();
        let waiting = slot(self.waiting.own());
        for (to, from) in self.window.iter().zip(&self.window[1..waiting]) {
            to.set(from.own());
        }
        self.waiting.add(u64::MAX);
        let displacement = index.wrapping_sub(oldest).cast_signed();
        if displacement.unsigned_abs() > THRESHOLD {
            // It has no place; and whose turn it is does not change.
            self.beyond.add(1);
            return;
        }
        let at = displacement + THRESHOLD.cast_signed();
        self.frequencies[slot(at.unsigned_abs())].add(1);
        // The turn of the early one that was due, if it was one, is over as well.
        let mut early = self.early.own();
        if displacement < 0 {
            early |= 1 << (oldest - index);
        }
        self.early.set(early >> 1);
        self.receive_index.set(index + 1);
    }

    /// Moves RI to the least number that is there, in the window or among the early ones; what is skipped is lost. Where all that
    /// wait are below RI it stays: the text's loop would not end there.
    fn find_index(&self) {
        let (index, early) = (self.receive_index.own(), self.early.own());
        let first_early = (early != 0).then(|| index + u64::from(early.trailing_zeros()));
        let present = self.waiting().filter(|waiting| *waiting >= index).chain(first_early);
        if let Some(next) = present.min() {
            self.early.set(early.checked_shr(u32::try_from(next - index).unwrap_or(u32::MAX)).unwrap_or(0));
            self.receive_index.set(next);
        }
    }

    /// Packets by displacement: below 0 early, above late. The last DT + 1 arrivals are not in it before [`Self::finish`].
    pub fn read(&self) -> impl Iterator<Item = (i32, u64)> {
        let displacements = -i32::try_from(THRESHOLD).unwrap_or(0)..;
        displacements.zip(self.frequencies.iter().map(Tally::read)).filter(|(_, n)| *n != 0)
    }

    /// Packets farther out of place than DT.
    pub fn beyond(&self) -> u64 {
        self.beyond.read()
    }
}

/// A small number as an index.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "counts of a few places")]
fn slot(at: u64) -> usize {
    at as usize
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn density(arrivals: &[u64]) -> BTreeMap<i32, u64> {
        let density = Density::default();
        arrivals.iter().for_each(|sequence| density.arrive(*sequence));
        density.finish();
        let mut read: BTreeMap<i32, u64> = density.read().collect();
        if density.beyond() > 0 {
            read.insert(i32::MAX, density.beyond());
        }
        read
    }

    /// The steps of the RFC, with lists, as they stand there.
    fn by_the_text(arrivals: &[u64]) -> BTreeMap<i32, u64> {
        let mut coming = arrivals.iter().copied();
        let mut window: Vec<u64> = coming.by_ref().take(WINDOW).collect();
        let (mut buffer, mut index, mut found) = (Vec::<u64>::new(), 0_u64, BTreeMap::new());
        while !window.is_empty() {
            let is_below = window.iter().chain(&buffer).all(|number| *number < index);
            if window.contains(&index) || buffer.contains(&index) || is_below {
                let oldest = window.remove(0);
                let displacement = index as i64 - oldest as i64;
                if displacement.unsigned_abs() <= THRESHOLD {
                    *found.entry(displacement as i32).or_default() += 1;
                    buffer.retain(|early| *early != index);
                    if displacement < 0 {
                        buffer.push(oldest);
                    }
                    index += 1;
                } else {
                    *found.entry(i32::MAX).or_default() += 1;
                }
                window.extend(coming.next());
            } else {
                let least = window.iter().chain(&buffer).min().copied().unwrap();
                index = if index < least { least } else { index + 1 };
            }
        }
        found
    }

    #[test]
    fn the_example_of_the_text() {
        assert_eq!(density(&[0, 1, 2, 4, 3, 5]), [(-1, 1), (0, 4), (1, 1)].into());
        let all: Vec<u64> = (0..1_000).collect();
        assert_eq!(density(&all), [(0, 1_000)].into());
        let lossy: Vec<u64> = (0..1_000).filter(|n| n % 10 != 3).collect();
        assert_eq!(density(&lossy), [(0, 900)].into(), "loss is no reordering");
    }

    proptest! {
        #[test]
        fn it_is_the_algorithm_of_the_text(
            lost in proptest::collection::hash_set(0..150_u64, 0..30),
            delays in proptest::collection::vec(prop_oneof![6 => Just(0_u64), 2 => 0..4_u64, 1 => 0..30_u64], 150),
        ) {
            let mut arrivals: Vec<u64> = (0..150).filter(|n| !lost.contains(n)).collect();
            arrivals.sort_by_key(|n| n + delays[usize::try_from(*n).unwrap()]);
            prop_assert_eq!(density(&arrivals), by_the_text(&arrivals));
        }
    }
}
