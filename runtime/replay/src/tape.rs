//! When each packet is due. All of it is worked out from the first packet's time, in whole numbers: rounded once for a packet and
//! once for a round, so that the error stays below a nanosecond however many there are.

use crate::flow;
use perigee_config::file::{FileDevice, Pace};
use perigee_config::wire::{FRAME_BESIDE, SHORTEST};
use perigee_pcap::file::{Facts, Recording};
use std::sync::Arc;

/// A packet of one rx queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cue {
    /// Nanoseconds after the round's beginning.
    pub(crate) due: u64,
    begin: usize,
    len: u16,
}

/// Turns positions (in time, in packets, in bits) into nanoseconds: so many over so many.
#[derive(Clone, Copy, Debug)]
struct Scale {
    num: u64,
    den: u64,
}

impl Scale {
    /// To the nearest nanosecond; the most that a number holds where there are more.
    fn ns(self, position: u128) -> u64 {
        let half = u128::from(self.den / 2);
        let scaled = position.checked_mul(self.num.into()).and_then(|scaled| scaled.checked_add(half));
        scaled.and_then(|scaled| u64::try_from(scaled / u128::from(self.den.max(1))).ok()).unwrap_or(u64::MAX)
    }
}

/// A recording as it is played.
#[derive(Debug)]
pub struct Tape {
    recording: Arc<Recording>,
    queues: Vec<Vec<Cue>>,
    /// Where a round ends, which the next one follows.
    period: u64,
    /// `None`: as fast as packets are taken.
    scale: Option<Scale>,
    rounds: Option<u64>,
}

impl Tape {
    /// A recording, as that device is to play it from so many queues.
    pub fn new(recording: &Arc<Recording>, device: &FileDevice, queues: u16) -> Self {
        const SECOND: u64 = 1_000_000_000;
        let scale = match device.pace {
            Pace::Times { num, den } => Some(Scale { num: den, den: num }),
            Pace::Packets(rate) | Pace::Bits(rate) => Some(Scale { num: SECOND, den: rate }),
            Pace::Max => None,
        };
        let mut lists = vec![Vec::new(); usize::from(queues.max(1))];
        let (mut begin, mut passed) = (0, 0_u64);
        for (number, packet) in recording.packets().iter().enumerate() {
            let bytes = recording.bytes_of(number);
            let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            let position = if matches!(device.pace, Pace::Times { .. }) { packet.at } else { passed };
            let due = scale.map_or(0, |scale| scale.ns(position.into()));
            let queue = flow::queue(bytes, lists.len());
            lists[queue].push(Cue { due, begin, len });
            begin = packet.end;
            passed += match device.pace {
                Pace::Bits(_) => u64::from(u32::from(len).max(SHORTEST) + FRAME_BESIDE) * 8,
                _ => 1,
            };
        }
        let period = if matches!(device.pace, Pace::Times { .. }) { recording.facts().period } else { passed };
        Self { recording: Arc::clone(recording), queues: lists, period, scale, rounds: device.rounds }
    }

    /// Packets that come from a queue in all; `None` where there is no end.
    pub fn packets(&self, queue: usize) -> Option<u64> {
        Some(self.rounds?.saturating_mul(self.cues(queue).len() as u64))
    }

    /// What was found in the files.
    pub fn facts(&self) -> &Facts {
        self.recording.facts()
    }

    pub(crate) fn queues(&self) -> usize {
        self.queues.len()
    }

    /// A queue's packets in one round.
    #[inline]
    pub(crate) fn cues(&self, queue: usize) -> &[Cue] {
        self.queues.get(queue).map_or(&[], |cues| cues)
    }

    #[inline]
    pub(crate) fn bytes(&self, cue: &Cue) -> &[u8] {
        self.recording.bytes().get(cue.begin..cue.begin + usize::from(cue.len)).unwrap_or_default()
    }

    /// Packets have times at which they are due.
    pub(crate) fn is_timed(&self) -> bool {
        self.scale.is_some()
    }

    /// When a round begins, in nanoseconds after the first one; `None` where there is none of that number, from 0.
    pub(crate) fn begin_of(&self, round: u64) -> Option<u64> {
        if self.rounds.is_some_and(|rounds| round >= rounds) {
            return None;
        }
        Some(self.scale.map_or(0, |scale| scale.ns(u128::from(self.period) * u128::from(round))))
    }
}

#[cfg(test)]
pub(crate) mod test {
    use super::*;
    use perigee_pcap::file::{Snapped, Wanted};

    /// A recording of packets of 60 bytes at these times, in nanoseconds.
    pub(crate) fn recording(times: impl Iterator<Item = u64>) -> Arc<Recording> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat();
        for time in times {
            let (sec, ns) = (time / 1_000_000_000, time % 1_000_000_000);
            for number in [sec, ns, 60, 60] {
                bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
            }
            bytes.extend([7; 60]);
        }
        std::fs::write(file.path(), bytes).unwrap();
        let wanted =
            Wanted { makes_ethernet: false, snapped: Snapped::Refuse, longest: 1_522, memory: 1 << 30, gap: None };
        Arc::new(Recording::read(&[file.path().to_str().unwrap()], &wanted).unwrap())
    }

    fn tape(recording: &Arc<Recording>, arguments: &str) -> Tape {
        Tape::new(recording, &FileDevice::parse(&format!("file:a{arguments}")).unwrap(), 1)
    }

    /// A million packets at gaps that no fraction divides, in several rounds: each is where arithmetic without rounding has it.
    #[test]
    fn the_error_does_not_grow_with_packets_or_rounds() {
        const PACKETS: u64 = 1_000_000;
        let at = |n: u64| 1_000_000_000 + n * 1_237 + n % 7 * 11;
        let recording = recording((0..PACKETS).map(at));
        let period = u128::from(at(PACKETS - 1) - at(0) + (at(PACKETS - 1) - at(0)) / (PACKETS - 1));
        for (speed, num, den) in [("1", 1, 1), ("20000", 20_000, 1), ("0.5", 1, 2), ("0.3", 3, 10), ("7", 7, 1)] {
            let tape = tape(&recording, &format!(",speed={speed},loop=1000000000"));
            for round in [0, 1, 999_999_999] {
                let begin = tape.begin_of(round).unwrap();
                for (n, cue) in tape.cues(0).iter().enumerate() {
                    let own = u128::from(round) * period + u128::from(at(n as u64) - at(0));
                    let exact = own * den * 1_000 / num;
                    let got = u128::from(begin + cue.due) * 1_000;
                    assert!(got.abs_diff(exact) <= 1_000, "{speed}: round {round}, packet {n}: {got} and {exact}");
                    assert!(round != 0 || got.abs_diff(exact) <= 500, "half a nanosecond in the first round");
                }
            }
            assert_eq!(tape.begin_of(1_000_000_000), None);
        }
    }

    #[test]
    fn rates_do_not_look_at_times() {
        let recording = recording([5, 5, 9, 1_000].into_iter());
        let dues = |arguments: &str| {
            let tape = tape(&recording, arguments);
            (tape.cues(0).iter().map(|cue| cue.due).collect::<Vec<_>>(), tape.begin_of(1))
        };
        assert_eq!(dues(",rate=3Mpps,loop=2"), (vec![0, 333, 667, 1_000], Some(1_333)));
        assert_eq!(dues(",rate=10Gbit/s,loop=2"), (vec![0, 67, 134, 202], Some(269)), "67.2 ns each");
        assert_eq!(dues(",speed=max,loop=2"), (vec![0; 4], Some(0)));
        assert_eq!(dues(",speed=2"), (vec![0, 0, 2, 498], None));
        assert_eq!(tape(&recording, ",loop=3").packets(0), Some(12));
        assert_eq!(tape(&recording, ",loop=forever").packets(0), None);
    }

    #[test]
    fn times_beyond_all_numbers_are_the_last_one() {
        let recording = recording([0, 4_000_000_000_000_000_000].into_iter().map(|t| t.min(4_294_967_295_000_000_000)));
        let slow = tape(&recording, ",speed=0.00000000000001,loop=forever");
        assert_eq!((slow.cues(0)[1].due, slow.begin_of(u64::MAX)), (u64::MAX, Some(u64::MAX)));
    }
}
