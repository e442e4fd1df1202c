//! What one lcore has seen of a path, on its way to the lcore that matches: a ring of identities and times with one writer and one
//! reader. What it has no place for is counted, never waited for.

use crate::tally::Tally;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A packet that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The hash of what identifies it.
    pub id: u64,
    /// When, nanoseconds of the run's clock.
    pub ns: u64,
}

/// A position that one side writes and the other reads, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Position(AtomicU64);

struct Ring {
    places: Box<[[AtomicU64; 2]]>,
    written: Position,
    read: Position,
    unlooked: Tally,
    nameless: Tally,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("places", &self.places.len()).finish_non_exhaustive()
    }
}

impl Ring {
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a remainder")]
    fn place(&self, position: u64) -> &[AtomicU64; 2] {
        &self.places[position as usize & (self.places.len() - 1)]
    }
}

/// Makes a ring of so many places, rounded up to a power of two: the end that sees, and the one that matches.
#[must_use]
pub fn ring(places: usize) -> (Eye, Sights) {
    let places = (0..places.max(1).next_power_of_two()).map(|_| Default::default()).collect();
    let ring = Arc::new(Ring {
        places,
        written: Position::default(),
        read: Position::default(),
        unlooked: Tally::default(),
        nameless: Tally::default(),
    });
    let eye = Eye { ring: Arc::clone(&ring), written: 0, limit: ring.places.len() as u64 };
    (eye, Sights { ring, read: 0, limit: 0 })
}

/// Where packets are seen.
#[derive(Debug)]
pub struct Eye {
    ring: Arc<Ring>,
    written: u64,
    /// Up to here there is room, as it was known last.
    limit: u64,
}

impl Eye {
    /// A packet was seen. The other end has it after [`Self::show`].
    #[inline]
    pub fn see(&mut self, sight: Sight) {
        if self.written == self.limit {
            self.limit = self.ring.read.0.load(Ordering::Acquire) + self.ring.places.len() as u64;
            if self.written == self.limit {
                self.ring.unlooked.add(1);
                return;
            }
        }
        let [id, ns] = self.ring.place(self.written);
        id.store(sight.id, Ordering::Relaxed);
        ns.store(sight.ns, Ordering::Relaxed);
        self.written += 1;
    }

    /// So many packets had nothing that identifies them.
    #[inline]
    pub fn add_nameless(&self, packets: u64) {
        if packets > 0 {
            self.ring.nameless.add(packets);
        }
    }

    /// Shows what was seen, once for a burst.
    #[inline]
    pub fn show(&self) {
        self.ring.written.0.store(self.written, Ordering::Release);
    }
}

/// Where sights come out.
#[derive(Debug)]
pub struct Sights {
    ring: Arc<Ring>,
    read: u64,
    /// Up to here there are some, as it was known last.
    limit: u64,
}

impl Sights {
    /// The oldest one, which stays.
    #[inline]
    pub fn first(&mut self) -> Option<Sight> {
        if self.read == self.limit {
            self.limit = self.ring.written.0.load(Ordering::Acquire);
            if self.read == self.limit {
                return None;
            }
        }
        let [id, ns] = self.ring.place(self.read);
        Some(Sight { id: id.load(Ordering::Relaxed), ns: ns.load(Ordering::Relaxed) })
    }

    /// Takes the oldest one away, where there is one.
    #[inline]
    pub fn pop(&mut self) {
        if self.read != self.limit {
            self.read += 1;
            self.ring.read.0.store(self.read, Ordering::Release);
        }
    }

    /// What the control side reads of it.
    #[must_use]
    pub fn counts(&self) -> SightCounts {
        SightCounts(Arc::clone(&self.ring))
    }
}

/// What was not matched because it did not come so far.
#[derive(Clone, Debug)]
pub struct SightCounts(Arc<Ring>);

impl SightCounts {
    /// Packets for which the ring had no place.
    #[must_use]
    pub fn unlooked(&self) -> u64 {
        self.0.unlooked.read()
    }

    /// Packets that had nothing that identifies them.
    #[must_use]
    pub fn nameless(&self) -> u64 {
        self.0.nameless.read()
    }

    /// Nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let read = self.0.read.0.load(Ordering::Acquire);
        self.0.written.0.load(Ordering::Acquire) == read
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn sight(n: u64) -> Sight {
        Sight { id: n, ns: n * 10 }
    }

    #[test]
    fn what_is_seen_comes_out_in_order_after_it_is_shown() {
        let (mut eye, mut sights) = ring(4);
        eye.see(sight(1));
        assert_eq!(sights.first(), None);
        sights.pop();
        eye.show();
        eye.see(sight(2));
        assert_eq!((sights.first(), sights.first()), (Some(sight(1)), Some(sight(1))));
        sights.pop();
        assert_eq!(sights.first(), None);
        eye.show();
        assert_eq!(sights.first(), Some(sight(2)));
        assert!(!sights.counts().is_empty());
    }

    #[test]
    fn what_finds_no_place_is_counted() {
        let (mut eye, mut sights) = ring(4);
        (0..6).for_each(|n| eye.see(sight(n)));
        eye.show();
        assert_eq!(sights.counts().unlooked(), 2);
        assert_eq!(sights.first(), Some(sight(0)));
        sights.pop();
        (6..8).for_each(|n| eye.see(sight(n)));
        eye.show();
        let mut left = Vec::new();
        while let Some(sight) = sights.first() {
            left.push(sight.id);
            sights.pop();
        }
        assert_eq!((left, sights.counts().unlooked()), (vec![1, 2, 3, 6], 3));
    }

    #[test]
    fn two_threads_lose_nothing() {
        const MANY: u64 = 200_000;
        let (mut eye, mut sights) = ring(64);
        let counts = sights.counts();
        let writer = std::thread::spawn(move || {
            for n in 0..MANY {
                eye.see(sight(n));
                eye.show();
            }
        });
        let (mut seen, mut last) = (0, None);
        loop {
            let is_over = writer.is_finished();
            let Some(sight) = sights.first() else {
                if is_over {
                    break;
                }
                continue;
            };
            assert!(last < Some(sight.id) && sight.ns == sight.id * 10, "{last:?} {sight:?}");
            last = Some(sight.id);
            seen += 1;
            sights.pop();
        }
        assert_eq!(seen + counts.unlooked(), MANY);
    }
}
