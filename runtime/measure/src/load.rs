//! Packets and bytes over time, and the fullest windows of 10 us and 100 us.

use crate::sliding::Sliding;
use crate::tally::Tally;
use perigee_report::{BurstStats, Interval, LoadStats};

/// Windows in which bursts are looked for, nanoseconds.
const WINDOWS_NS: [u64; 2] = [10_000, 100_000];

/// Packets and bytes by interval, as many intervals as are kept.
///
/// Bursts are as short as the times of packets are exact: where a whole burst of a port has one time, it came at once.
#[derive(Debug)]
pub struct Load {
    interval_ns: u64,
    /// When the interval ends that is being filled.
    end_ns: Tally,
    /// Its place in the ring.
    current: Tally,
    ring: Box<[Slot]>,
    windows: [Sliding; WINDOWS_NS.len()],
}

#[derive(Debug)]
struct Slot {
    /// Which interval it is, from 1; 0 while it is changed.
    number: Tally,
    packets: Tally,
    bytes: Tally,
}

impl Load {
    /// For intervals of this length, of which so many are kept. All memory is taken here.
    pub fn new(interval_ns: u64, kept: usize) -> Self {
        let slot = |_| Slot { number: Tally::default(), packets: Tally::default(), bytes: Tally::default() };
        Self {
            interval_ns: interval_ns.max(1),
            end_ns: Tally::default(),
            current: Tally::default(),
            ring: (0..kept.max(1)).map(slot).collect(),
            windows: WINDOWS_NS.map(Sliding::new),
        }
    }

    /// A packet of so many bytes at this time of the run's clock, nanoseconds.
    #[inline]
    pub fn packet(&self, ns: u64, bytes: u64) {
        self.packets(ns, 1, bytes);
    }

    /// Packets with these lengths at these times, in this order.
    #[inline]
    pub(crate) fn each(&self, times: &[u64], bytes: &[u16]) {
        let Some(first) = times.first() else { return };
        if times.iter().all(|ns| ns == first) {
            return self.packets(*first, times.len() as u64, bytes.iter().map(|bytes| u64::from(*bytes)).sum());
        }
        times.iter().zip(bytes).for_each(|(ns, bytes)| self.packet(*ns, (*bytes).into()));
    }

    /// So many packets at this time, with so many bytes in all.
    #[inline]
    fn packets(&self, ns: u64, packets: u64, bytes: u64) {
        if ns >= self.end_ns.own() {
            self.move_on(ns);
        }
        let slot = &self.ring[self.place(self.current.own())];
        slot.packets.add(packets);
        slot.bytes.add(bytes);
        self.windows.iter().for_each(|window| window.packets(ns, packets, bytes));
    }

    #[cold]
    fn move_on(&self, ns: u64) {
        let interval = ns / self.interval_ns;
        let place = self.place(interval);
        let slot = &self.ring[place];
        slot.number.set(0);
        slot.packets.set(0);
        slot.bytes.set(0);
        slot.number.set(interval + 1);
        self.current.set(place as u64);
        self.end_ns.set((interval + 1).saturating_mul(self.interval_ns));
    }

    /// The place of an interval, and of a place.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a remainder")]
    fn place(&self, interval: u64) -> usize {
        let kept = self.ring.len() as u64;
        if interval < kept { interval as usize } else { (interval % kept) as usize }
    }

    /// What was counted so far. An interval that is begun anew while it reads is left out.
    pub fn read(&self) -> LoadStats {
        // Where no packets came, a slot still holds an earlier interval.
        let newest = self.ring.iter().map(|slot| slot.number.read()).max().unwrap_or(0);
        let oldest = (newest + 1).saturating_sub(self.ring.len() as u64).max(1);
        let of = |slot: &Slot| {
            let number = slot.number.read();
            let [packets, bytes] = [slot.packets.read(), slot.bytes.read()];
            let is_whole = number >= oldest && packets > 0 && slot.number.read() == number;
            is_whole.then(|| Interval { start_ns: (number - 1) * self.interval_ns, packets, bytes })
        };
        let mut intervals: Vec<Interval> = self.ring.iter().filter_map(of).collect();
        intervals.sort_unstable_by_key(|interval| interval.start_ns);
        LoadStats { interval_ns: self.interval_ns, intervals, bursts: self.windows.iter().map(Sliding::read).collect() }
    }
}

/// Adds what another lcore, or another flow, has counted over the same intervals. Bursts do not add up, for they need not have been
/// at one time: the larger ones stay.
pub fn add(sum: &mut LoadStats, other: &LoadStats) {
    for interval in &other.intervals {
        match sum.intervals.binary_search_by_key(&interval.start_ns, |own| own.start_ns) {
            Ok(at) => {
                sum.intervals[at].packets += interval.packets;
                sum.intervals[at].bytes += interval.bytes;
            }
            Err(at) => sum.intervals.insert(at, *interval),
        }
    }
    for (own, other) in sum.bursts.iter_mut().zip(&other.bursts) {
        let BurstStats { window_ns, packets, bytes } = *own;
        *own = BurstStats { window_ns, packets: packets.max(other.packets), bytes: bytes.max(other.bytes) };
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_last_intervals_are_kept() {
        let load = Load::new(1_000_000, 4);
        // Ten intervals with one packet more each, and none in the eighth.
        for interval in (0..10_u64).filter(|interval| *interval != 8) {
            (0..=interval).for_each(|i| load.packet(interval * 1_000_000 + i * 1_000, 100));
        }
        let read = load.read();
        let packets: Vec<_> = read.intervals.iter().map(|i| (i.start_ns / 1_000_000, i.packets, i.bytes)).collect();
        assert_eq!(packets, [(6, 7, 700), (7, 8, 800), (9, 10, 1_000)]);
        assert_eq!(read.bursts.iter().map(|burst| burst.packets).collect::<Vec<_>>(), [10, 10]);
        let mut twice = load.read();
        add(&mut twice, &read);
        assert_eq!((twice.intervals[0].packets, twice.bursts[0].packets), (14, 10));
    }
}
