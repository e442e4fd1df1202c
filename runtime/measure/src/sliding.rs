//! The fullest window: the most packets and bytes that came within one length of time.

use crate::tally::Tally;
use perigee_report::BurstStats;

/// Parts of a window; it moves on by one of them.
const PARTS: usize = 10;

/// Packets and bytes of windows of one length. They begin at each tenth of it, and for these the most is exact. Of a window that
/// begins elsewhere it is known that it has no more than two of these that overlap it; a burst that is shorter than nine tenths of a
/// window lies whole in one of them.
#[derive(Debug)]
pub struct Sliding {
    part_ns: u64,
    /// When the part ends that is being filled.
    end_ns: Tally,
    /// Which part that is.
    current: Tally,
    parts: [Load; PARTS],
    sum: Load,
    most: Load,
}

/// Packets and bytes.
#[derive(Debug, Default)]
struct Load {
    packets: Tally,
    bytes: Tally,
}

impl Load {
    #[inline]
    fn add(&self, packets: u64, bytes: u64) {
        self.packets.add(packets);
        self.bytes.add(bytes);
    }
}

impl Sliding {
    /// For windows of this length, nanoseconds; rounded to tens.
    pub fn new(window_ns: u64) -> Self {
        Self {
            part_ns: (window_ns / PARTS as u64).max(1),
            end_ns: Tally::default(),
            current: Tally::default(),
            parts: Default::default(),
            sum: Load::default(),
            most: Load::default(),
        }
    }

    /// So many packets at this time, with so many bytes in all. Those from before the last packet's part count in that.
    #[inline]
    pub fn packets(&self, ns: u64, packets: u64, bytes: u64) {
        if ns >= self.end_ns.own() {
            self.move_on(ns);
        }
        self.parts[slot(self.current.own())].add(packets, bytes);
        self.sum.add(packets, bytes);
        self.most.packets.raise(self.sum.packets.own());
        self.most.bytes.raise(self.sum.bytes.own());
    }

    #[cold]
    fn move_on(&self, ns: u64) {
        let part = ns / self.part_ns;
        let current = self.current.own();
        // Parts that fall out of the window, oldest first.
        let steps = part.saturating_sub(current).min(PARTS as u64);
        for step in 1..=steps {
            let place = &self.parts[slot(current + step)];
            self.sum.add(place.packets.own().wrapping_neg(), place.bytes.own().wrapping_neg());
            place.packets.set(0);
            place.bytes.set(0);
        }
        self.current.set(part);
        self.end_ns.set((part + 1).saturating_mul(self.part_ns));
    }

    /// The most so far.
    pub fn read(&self) -> BurstStats {
        let [packets, bytes] = [self.most.packets.read(), self.most.bytes.read()];
        BurstStats { window_ns: self.part_ns * PARTS as u64, packets, bytes }
    }
}

/// The place of a part.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "a remainder")]
fn slot(part: u64) -> usize {
    (part % PARTS as u64) as usize
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_most_of_all_windows(gaps in proptest::collection::vec(prop_oneof![5 => 0..3_000_u64, 1 => 0..200_000_u64], 1..200)) {
            let sliding = Sliding::new(10_000);
            let mut now = 123_456;
            let packets: Vec<(u64, u64)> = gaps.iter().map(|gap| { now += gap; (now, 60 + gap % 1_400) }).collect();
            packets.iter().for_each(|(ns, bytes)| sliding.packets(*ns, 1, *bytes));
            let windows = packets.iter().map(|(ns, _)| {
                // The window whose last part this packet is in.
                let end = (ns / 1_000 + 1) * 1_000;
                let inside = || packets.iter().filter(|(at, _)| (end - 10_000..end).contains(at));
                (inside().count() as u64, inside().map(|(_, bytes)| bytes).sum::<u64>())
            });
            let all: Vec<_> = windows.collect();
            let read = sliding.read();
            prop_assert_eq!(Some(read.packets), all.iter().map(|(packets, _)| *packets).max());
            prop_assert_eq!(Some(read.bytes), all.iter().map(|(_, bytes)| *bytes).max());
        }
    }
}
