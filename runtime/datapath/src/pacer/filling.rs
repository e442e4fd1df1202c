//! Keeps a line busy, so that where a packet stands among the bytes says when it leaves: between packets lie fillers, which whoever
//! receives them drops. It is the way of MoonGen's CRC-based rate control (P. Emmerich et al., "MoonGen: A Scriptable High-Speed
//! Packet Generator", IMC 2015, 8.1): gaps are as exact as a byte is long.

use perigee_config::wire::{FRAME_BESIDE, SHORTEST};
use perigee_wire::line::service_ps;

const PS: u64 = 1_000;
/// Bytes that the shortest filler takes on the line.
const LEAST: u64 = (SHORTEST + FRAME_BESIDE) as u64;

/// Where the line is, and what of it is still to be filled.
#[derive(Debug)]
pub struct Filling {
    /// Bits per second on layer 1.
    rate: u64,
    /// Bytes that the longest filler takes on the line.
    most: u64,
    /// All that was handed to the port has left by then, in picoseconds of the run's clock.
    free_at: u64,
}

impl Filling {
    /// Nothing was sent; `longest` is the longest frame of the port, without check sequence.
    pub fn new(rate: u64, longest: u16) -> Self {
        Self { rate, most: u64::from(longest).max(2 * u64::from(SHORTEST)) + u64::from(FRAME_BESIDE), free_at: 0 }
    }

    /// Where nothing is left to send, the next frame leaves now and no earlier.
    pub(super) fn go_on(&mut self, now_ns: u64) {
        self.free_at = self.free_at.max(now_ns.saturating_mul(PS));
    }

    /// When a packet leaves that is handed over next, nanoseconds.
    pub(super) fn free_at_ns(&self) -> u64 {
        self.free_at / PS
    }

    /// A frame of this length, without check sequence, is handed over.
    pub(super) fn send(&mut self, len: u16) {
        self.free_at = self.free_at.saturating_add(service_ps(Some(self.rate), len.into()));
    }

    /// The length of the filler that is to come next, so that a packet can leave at `at_ns`: `None` where that packet is next. What is
    /// shorter than the shortest filler is rounded to none or one, and made up for before the packet behind it: no packet is farther from
    /// its time than half of that filler, and nothing adds up.
    pub(super) fn before(&self, at_ns: u64) -> Option<u16> {
        let gap = self.bytes_until(at_ns);
        let bytes = match gap {
            _ if gap < LEAST / 2 => return None,
            _ if gap <= self.most => gap.max(LEAST),
            // What is left behind it must hold a filler.
            _ => self.most.min(gap - LEAST),
        };
        Self::len(bytes)
    }

    /// The length of a filler, where nothing is known to leave before `at_ns`, and packets may leave from then on.
    pub(super) fn until(&self, at_ns: u64) -> Option<u16> {
        let is_far = self.bytes_until(at_ns) >= self.most + LEAST;
        is_far.then(|| Self::len(self.most)).flatten()
    }

    fn len(bytes: u64) -> Option<u16> {
        u16::try_from(bytes.checked_sub(FRAME_BESIDE.into())?).ok()
    }

    /// Bytes between what was handed over and a packet that leaves at that time, to the nearest.
    fn bytes_until(&self, at_ns: u64) -> u64 {
        let ps = at_ns.saturating_mul(PS).saturating_sub(self.free_at);
        let bits = u128::from(ps) * u128::from(self.rate);
        u64::try_from((bits + 4_000_000_000_000) / 8_000_000_000_000).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// Fills up to each of these times, and sends a packet of 60 bytes then: how far from it each is, in picoseconds.
    fn distances(rate: u64, times: impl Iterator<Item = u64>) -> Vec<i64> {
        let mut line = Filling::new(rate, 1_514);
        let one = |at: u64| {
            while let Some(len) = line.before(at) {
                assert!((60..=1_514).contains(&len), "{len}");
                line.send(len);
            }
            let distance = line.free_at.cast_signed() - (at * PS).cast_signed();
            line.send(60);
            distance
        };
        times.map(one).collect()
    }

    #[test]
    fn packets_leave_within_half_a_byte_of_their_times() {
        // At rates at which a byte takes a whole number of picoseconds, and at one where it does not.
        for (rate, half) in [(1_000_000_000, 4_000), (10_000_000_000, 400), (100_000_000_000, 40), (7_000_000_000, 572)]
        {
            let gap = 1_000_000_007 / (rate / 1_000_000);
            let all = distances(rate, (0..100_000).map(|n| 5_000 + n * gap));
            assert!(all.iter().all(|ps| ps.abs() <= half), "{rate}: {:?}", all.iter().max());
        }
    }

    #[test]
    fn gaps_below_the_shortest_filler_are_made_up_for() {
        // 1.5 times as long as a packet: 42 bytes are too few for a filler.
        let all = distances(10_000_000_000, (0..100_000).map(|n| 5_000 + n * 1_008 / 10));
        let half = 42 * 800;
        assert!(all.iter().all(|ps| ps.abs() <= half + 1_000), "{:?} {:?}", all.iter().min(), all.iter().max());
        #[allow(clippy::cast_possible_wrap, reason = "a small number")]
        let mean = all.iter().sum::<i64>() / all.len() as i64;
        assert!(mean.abs() < half, "{mean}");
    }

    #[test]
    fn a_line_is_filled_as_far_as_nothing_else_is_known() {
        let mut line = Filling::new(10_000_000_000, 1_514);
        line.go_on(1_000);
        // 1,538 bytes are 1,230.4 ns, and 84 bytes 67.2 ns.
        assert_eq!((line.until(1_000 + 1_297), line.until(1_000 + 1_298)), (None, Some(1_514)));
        line.send(1_514);
        assert_eq!((line.free_at_ns(), line.before(2_230), line.before(2_230 + 67)), (2_230, None, Some(60)));
        line.go_on(2_000);
        assert_eq!(line.free_at_ns(), 2_230);
        line.go_on(3_000);
        assert_eq!(line.free_at_ns(), 3_000);
    }
}
