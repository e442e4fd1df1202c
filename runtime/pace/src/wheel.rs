//! Keeps items until their time: buckets of equal spans, found by the lowest set bit of a bitmap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No node.
const NONE: u32 = u32::MAX;
/// Bits of a word, which is how many words a summary has at most.
const WORD: usize = 64;

/// Items that are released by time, in its order; those of the same time in the order in which they were pushed.
///
/// A bucket has the items of a span of time, in order. There are two levels of bitmaps, so that the first bucket that has an item is
/// found by two looks. Items beyond all buckets wait in a heap and come into their bucket when time has gone on. Nothing is allocated
/// after the construction, and an item leaves with the first [`Wheel::pop_due`] that is told of its time or a later one, whatever else
/// is pushed or not.
#[derive(Debug)]
pub struct Wheel<T> {
    nodes: Vec<Node<T>>,
    /// The first free node.
    free: u32,
    len: usize,
    /// First and last node of each bucket.
    buckets: Vec<(u32, u32)>,
    bits: Vec<u64>,
    /// Which words of `bits` are not 0.
    summary: u64,
    /// A bucket is 2^shift nanoseconds.
    shift: u32,
    /// The first span for which there is a bucket; all items in buckets are of this one and those behind it, or came too late.
    base: u64,
    /// By time and order: what is beyond the buckets.
    beyond: BinaryHeap<Reverse<(u64, u64, u32)>>,
    pushed: u64,
}

#[derive(Debug)]
struct Node<T> {
    time: u64,
    next: u32,
    previous: u32,
    item: Option<T>,
}

impl<T> Wheel<T> {
    /// A wheel for so many items. A bucket has `granularity_ns`, rounded up to a power of two; there are `buckets`, rounded up to a
    /// power of two from 64 to 4,096. The two multiplied are how far ahead an item is found without sorting.
    #[must_use]
    pub fn new(granularity_ns: u64, buckets: usize, capacity: usize) -> Self {
        let capacity = u32::try_from(capacity).unwrap_or(NONE).min(NONE - 1);
        let buckets = buckets.clamp(WORD, WORD * WORD).next_power_of_two();
        let node = |index: u32| {
            let next = if index + 1 < capacity { index + 1 } else { NONE };
            Node { time: 0, next, previous: NONE, item: None }
        };
        Self {
            nodes: (0..capacity).map(node).collect(),
            free: if capacity == 0 { NONE } else { 0 },
            len: 0,
            buckets: vec![(NONE, NONE); buckets],
            bits: vec![0; buckets / WORD],
            summary: 0,
            shift: granularity_ns.clamp(1, 1 << 40).next_power_of_two().trailing_zeros(),
            base: 0,
            beyond: BinaryHeap::with_capacity(capacity as usize),
            pushed: 0,
        }
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// None waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many items it has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.nodes.len()
    }

    /// Keeps an item until its time.
    ///
    /// # Errors
    /// The item, where the wheel is full.
    pub fn push(&mut self, time: u64, item: T) -> Result<(), T> {
        let index = self.free;
        let Some(node) = self.nodes.get_mut(index as usize) else { return Err(item) };
        self.free = node.next;
        (node.time, node.item) = (time, Some(item));
        self.len += 1;
        let span = time >> self.shift;
        if span.saturating_sub(self.base) < self.buckets.len() as u64 {
            self.put(index, span);
        } else {
            self.beyond.push(Reverse((time, self.pushed, index)));
            self.pushed += 1;
        }
        Ok(())
    }

    /// The item that is first in time, if that has come.
    pub fn pop_due(&mut self, now: u64) -> Option<(u64, T)> {
        if self.len == 0 {
            return None;
        }
        self.go_on(now >> self.shift);
        let bucket = self.first_bucket()?;
        let index = self.buckets[bucket].0;
        let node = &mut self.nodes[index as usize];
        if node.time > now {
            return None;
        }
        let (time, next, item) = (node.time, node.next, node.item.take());
        node.next = self.free;
        self.free = index;
        self.len -= 1;
        self.buckets[bucket].0 = next;
        match self.nodes.get_mut(next as usize) {
            Some(next) => next.previous = NONE,
            None => self.clear(bucket),
        }
        item.map(|item| (time, item))
    }

    /// When the first item is due.
    #[must_use]
    pub fn next_time(&self) -> Option<u64> {
        let first = self.first_bucket().map(|bucket| self.nodes[self.buckets[bucket].0 as usize].time);
        // Whatever is beyond the buckets is later than what is in them.
        first.or_else(|| self.beyond.peek().map(|Reverse((time, ..))| *time))
    }

    /// Gives out all items in their order, whatever their time. Those that are not asked for stay.
    pub fn drain(&mut self) -> impl Iterator<Item = (u64, T)> + '_ {
        std::iter::from_fn(|| self.pop_due(u64::MAX))
    }

    /// Moves the buckets on to that span of time, as far as their items let them; what was beyond them comes in.
    fn go_on(&mut self, span: u64) {
        let first = self.next_time().map_or(span, |time| time >> self.shift);
        let base = span.min(first);
        if base <= self.base {
            return;
        }
        self.base = base;
        while let Some(Reverse((time, _, index))) = self.beyond.peek().copied() {
            let span = time >> self.shift;
            if span.saturating_sub(self.base) >= self.buckets.len() as u64 {
                break;
            }
            self.beyond.pop();
            self.put(index, span);
        }
    }

    /// Puts a node into the bucket of its span; what comes too late into the first one.
    fn put(&mut self, index: u32, span: u64) {
        let time = self.nodes[index as usize].time;
        let bucket = self.bucket(span.max(self.base));
        let (first, last) = self.buckets[bucket];
        // Mostly it is the last one.
        let mut before = last;
        while let Some(node) = self.nodes.get(before as usize).filter(|node| node.time > time) {
            before = node.previous;
        }
        let after = self.nodes.get(before as usize).map_or(first, |node| node.next);
        (self.nodes[index as usize].previous, self.nodes[index as usize].next) = (before, after);
        match self.nodes.get_mut(before as usize) {
            Some(node) => node.next = index,
            None => self.buckets[bucket].0 = index,
        }
        match self.nodes.get_mut(after as usize) {
            Some(node) => node.previous = index,
            None => self.buckets[bucket].1 = index,
        }
        self.bits[bucket / WORD] |= 1 << (bucket % WORD);
        self.summary |= 1 << (bucket / WORD);
    }

    #[allow(clippy::cast_possible_truncation, reason = "there are 4,096 at most")]
    fn bucket(&self, span: u64) -> usize {
        (span & (self.buckets.len() as u64 - 1)) as usize
    }

    fn clear(&mut self, bucket: usize) {
        self.buckets[bucket] = (NONE, NONE);
        let word = &mut self.bits[bucket / WORD];
        *word &= !(1 << (bucket % WORD));
        if *word == 0 {
            self.summary &= !(1 << (bucket / WORD));
        }
    }

    /// The first bucket with an item, from that of `base` on and around.
    fn first_bucket(&self) -> Option<usize> {
        if self.summary == 0 {
            return None;
        }
        let start = self.bucket(self.base);
        let (word, bit) = (start / WORD, start % WORD);
        let here = self.bits[word] & (u64::MAX << bit);
        if here != 0 {
            return Some(word * WORD + here.trailing_zeros() as usize);
        }
        // The words behind this one; else those in front of it; else what is left of it.
        let behind = self.summary & u64::MAX.checked_shl(u32::try_from(word).ok()? + 1).unwrap_or(0);
        let word = if behind != 0 { behind } else { self.summary }.trailing_zeros() as usize;
        Some(word * WORD + self.bits[word].trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What a wheel does, without one.
    #[derive(Default)]
    struct Model(BTreeMap<(u64, u64), u64>, u64);

    impl Model {
        fn push(&mut self, time: u64) -> u64 {
            self.1 += 1;
            self.0.insert((time, self.1), self.1);
            self.1
        }

        fn pop_due(&mut self, now: u64) -> Option<(u64, u64)> {
            let first = self.0.first_entry().filter(|first| first.key().0 <= now)?;
            let time = first.key().0;
            Some((time, first.remove()))
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// So far from now, which may be behind it.
        Push(i64),
        Pop,
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let near = (-200_i64..2_000).prop_map(Step::Push);
        let far = (0_i64..2_000_000).prop_map(Step::Push);
        let same = Just(Step::Push(64));
        let pass = prop_oneof![0_u64..100, 0_u64..10_000, 0_u64..3_000_000].prop_map(Step::Pass);
        prop_oneof![4 => near, 1 => far, 1 => same, 5 => Just(Step::Pop), 1 => pass]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_does_what_a_sorted_list_does(
            steps in prop::collection::vec(step(), 1..400),
            granularity in 1_u64..200,
            buckets in 1_usize..5_000,
        ) {
            let (mut wheel, mut model, mut now) = (Wheel::new(granularity, buckets, 64), Model::default(), 1_000_u64);
            for step in steps {
                match step {
                    Step::Push(ahead) if wheel.len() == wheel.capacity() => {
                        prop_assert_eq!(wheel.push(now.saturating_add_signed(ahead), 7), Err(7));
                    }
                    Step::Push(ahead) => {
                        let time = now.saturating_add_signed(ahead);
                        prop_assert_eq!(wheel.push(time, model.push(time)), Ok(()));
                    }
                    Step::Pop => prop_assert_eq!(wheel.pop_due(now), model.pop_due(now)),
                    Step::Pass(by) => now += by,
                }
                prop_assert_eq!(wheel.len(), model.0.len());
                prop_assert_eq!(wheel.next_time(), model.0.keys().next().map(|(time, _)| *time));
            }
            let rest: Vec<_> = wheel.drain().collect();
            let expected: Vec<_> = std::iter::from_fn(|| model.pop_due(u64::MAX)).collect();
            prop_assert_eq!(rest, expected);
            prop_assert!(wheel.is_empty());
        }
    }

    #[test]
    fn the_tail_leaves_without_another_push() {
        let mut wheel = Wheel::new(1_000, 64, 4);
        for (time, item) in [(5, 'a'), (1 << 40, 'b'), (u64::MAX, 'c')] {
            assert_eq!(wheel.push(time, item), Ok(()));
        }
        assert_eq!((wheel.pop_due(4), wheel.pop_due(5)), (None, Some((5, 'a'))));
        assert_eq!((wheel.pop_due((1 << 40) - 1), wheel.next_time()), (None, Some(1 << 40)));
        assert_eq!(wheel.pop_due(1 << 40), Some((1 << 40, 'b')));
        assert_eq!((wheel.pop_due(u64::MAX), wheel.pop_due(u64::MAX)), (Some((u64::MAX, 'c')), None));
        assert_eq!(Wheel::new(1, 1, 0).push(0, 'x'), Err('x'));
    }
}
