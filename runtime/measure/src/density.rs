//! Reorder density (RFC 5236, section 4): how far from their places packets come.

use crate::tally::Tally;

/// The displacement threshold DT: what is farther out of place counts as lost.
pub const THRESHOLD: u64 = IN_PLACE as u64;

/// Arrivals that the algorithm looks at.
const WINDOW: usize = IN_PLACE + 1;

/// The place of displacement 0 among the frequencies.
const IN_PLACE: usize = 8;

/// No number.
const NONE: u64 = u64::MAX;

/// The algorithm of RFC 5236, section 4.3, with the names of its text, for numbers from 0.
///
/// It looks DT + 1 arrivals ahead. While all is in order it has nothing to keep: its window holds the last arrivals, each in its
/// place. Only around a gap or a packet out of place it works step by step.
#[derive(Debug)]
pub struct Density {
    /// FD: packets by displacement, from -DT to DT; without those that came while all was in order.
    frequencies: [Tally; 2 * IN_PLACE + 1],
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
    /// The number behind the window's, while that is full and holds RI, RI + 1, and so on, and nothing is early: what comes in order
    /// only moves this on. Else [`NONE`].
    ahead: Tally,
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
            ahead: Tally::new(NONE),
        }
    }
}

impl Density {
    /// The first copy of a packet has come.
    #[inline]
    pub fn arrive(&self, sequence: u64) {
        if sequence == self.ahead.own() {
            self.ahead.set(sequence + 1);
        } else {
            self.arrive_slowly(sequence);
        }
    }

    /// First copies have come whose numbers follow on each other.
    #[inline]
    pub(crate) fn run(&self, first: u64, n: u64) {
        let (mut next, end) = (first, first + n);
        while next < end && next != self.ahead.own() {
            self.arrive_slowly(next);
            next += 1;
        }
        if next < end {
            self.ahead.set(end);
        }
    }

    #[cold]
    #[inline(never)]
    fn arrive_slowly(&self, sequence: u64) {
        self.catch_up();
        if self.waiting.own() == WINDOW as u64 {
            self.place_oldest();
        }
        let waiting = self.waiting.own();
        self.window[slot(waiting)].set(sequence);
        self.waiting.set(waiting + 1);
        let index = self.receive_index.own();
        let is_in_order = (index..).zip(self.waiting()).all(|(number, waiting)| waiting == number);
        if is_in_order && waiting + 1 == WINDOW as u64 && self.early.own() == 0 {
            self.ahead.set(sequence + 1);
        }
    }

    /// Makes up for what was not kept while all was in order.
    fn catch_up(&self) {
        let placed = self.placed_in_order();
        if self.ahead.own() != NONE {
            let index = self.receive_index.own() + placed;
            self.frequencies[IN_PLACE].add(placed);
            self.receive_index.set(index);
            self.ahead.set(NONE);
            self.window.iter().zip(index..).for_each(|(place, number)| place.set(number));
        }
    }

    /// Packets that came while all was in order, since that began.
    fn placed_in_order(&self) -> u64 {
        match self.ahead.read() {
            NONE => 0,
            // Read in the middle, it may have begun anew.
            ahead => (ahead - WINDOW as u64).saturating_sub(self.receive_index.read()),
        }
    }

    /// No more packets come: the last ones are placed.
    pub fn finish(&self) {
        self.catch_up();
        while self.waiting.own() > 0 {
            self.place_oldest();
        }
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
        let in_order = self.placed_in_order();
        let of = move |(at, n): (usize, &Tally)| n.read() + if at == IN_PLACE { in_order } else { 0 };
        displacements.zip(self.frequencies.iter().enumerate().map(of)).filter(|(_, n)| *n != 0)
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
                    *found.entry(i32::try_from(displacement).unwrap()).or_default() += 1;
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
