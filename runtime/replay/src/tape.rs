//! When each packet is due. All of it is worked out from the first packet's time, in whole numbers: rounded once for a packet and
//! once for a round, so that the error stays below a nanosecond however many there are.

use perigee_config::file::{Chunks, FileDevice, Pace};
use perigee_config::wire::{FRAME_BESIDE, SHORTEST};
use perigee_pcap::file::{Facts, Recording, queue};
use std::sync::Arc;

/// A packet of one rx queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cue {
    /// Nanoseconds after the beginning: of the round, where all is in memory; of the first one, where it was read ahead.
    pub(crate) due: u64,
    pub(crate) begin: usize,
    pub(crate) len: u16,
}

impl Cue {
    /// Its packet, among those that it was made with.
    #[inline]
    pub(crate) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.begin..self.begin + usize::from(self.len)).unwrap_or_default()
    }
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

/// Says when a round's packets are due, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pace: Pace,
    /// `None`: as fast as packets are taken.
    scale: Option<Scale>,
    /// Packets or bits of this round so far.
    passed: u64,
}

impl Schedule {
    fn new(pace: Pace) -> Self {
        const SECOND: u64 = 1_000_000_000;
        let scale = match pace {
            Pace::Times { num, den } => Some(Scale { num: den, den: num }),
            Pace::Packets(rate) | Pace::Bits(rate) => Some(Scale { num: SECOND, den: rate }),
            Pace::Max => None,
        };
        Self { pace, scale, passed: 0 }
    }

    /// When the next packet of the round is due, after the round's beginning.
    pub(crate) fn due(&mut self, at: u64, len: u16) -> u64 {
        let position = if matches!(self.pace, Pace::Times { .. }) { at } else { self.passed };
        self.passed = self.passed.saturating_add(match self.pace {
            Pace::Bits(_) => u64::from(u32::from(len).max(SHORTEST) + FRAME_BESIDE) * 8,
            _ => 1,
        });
        self.scale.map_or(0, |scale| scale.ns(position.into()))
    }

    /// Ends the round. Returns where the next one begins: by the files' times, or by what was counted.
    pub(crate) fn end_round(&mut self, period: u64) -> u64 {
        let passed = std::mem::take(&mut self.passed);
        if matches!(self.pace, Pace::Times { .. }) { period } else { passed }
    }

    /// When a round of that number begins, from 0, after the first one, where each is so long.
    pub(crate) fn begin_of(&self, round: u64, period: u64) -> u64 {
        self.scale.map_or(0, |scale| scale.ns(u128::from(period) * u128::from(round)))
    }
}

/// A recording as it is played.
#[derive(Debug)]
pub struct Tape {
    recording: Arc<Recording>,
    /// Of each queue, where all is in memory.
    queues: Vec<Vec<Cue>>,
    /// What is read ahead for each queue, where it is not.
    ahead: Option<Chunks>,
    /// Where a round ends, which the next one follows.
    period: u64,
    schedule: Schedule,
    rounds: Option<u64>,
    memory: u64,
}

impl Tape {
    /// A recording, as that device is to play it from so many queues.
    pub fn new(recording: &Arc<Recording>, device: &FileDevice, queues: u16) -> Self {
        let mut schedule = Schedule::new(device.pace);
        let facts = recording.facts();
        let shares = facts.shares.iter().map(|share| usize::try_from(*share).unwrap_or(0));
        let ahead = recording.files().is_some().then(|| device.chunks(queues, facts));
        let mut lists: Vec<Vec<Cue>> =
            shares.map(|share| Vec::with_capacity(if ahead.is_none() { share } else { 0 })).collect();
        let mut begin = 0;
        for (number, packet) in recording.packets().iter().enumerate() {
            let bytes = recording.bytes_of(number);
            let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            let due = schedule.due(packet.at, len);
            let queue = queue(bytes, lists.len());
            lists[queue].push(Cue { due, begin, len });
            begin = packet.end;
        }
        let period = schedule.end_round(facts.period);
        let memory = device.takes(queues, facts);
        Self { recording: Arc::clone(recording), queues: lists, ahead, period, schedule, rounds: device.rounds, memory }
    }

    /// Packets that come from a queue in all; `None` where there is no end.
    pub fn packets(&self, queue: usize) -> Option<u64> {
        Some(self.rounds?.saturating_mul(self.in_round(queue)))
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

    /// The bytes that those cues are of.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.recording.bytes()
    }

    /// Packets of a queue in one round.
    pub(crate) fn in_round(&self, queue: usize) -> u64 {
        self.facts().shares.get(queue).copied().unwrap_or(0)
    }

    /// Packets have times at which they are due.
    pub(crate) fn is_timed(&self) -> bool {
        self.schedule.scale.is_some()
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// What is read ahead for each queue; `None` where all is in memory.
    pub(crate) fn ahead(&self) -> Option<Chunks> {
        self.ahead
    }

    pub(crate) fn recording(&self) -> &Arc<Recording> {
        &self.recording
    }

    /// Says when the packets of a round are due.
    pub(crate) fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// A round of that number, from 0, is played.
    pub(crate) fn has_round(&self, round: u64) -> bool {
        self.rounds.is_none_or(|rounds| round < rounds)
    }

    /// When a round begins, in nanoseconds after the first one; `None` where there is none of that number, from 0.
    pub(crate) fn begin_of(&self, round: u64) -> Option<u64> {
        self.has_round(round).then(|| self.schedule.begin_of(round, self.period))
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
        let wanted = Wanted {
            makes_ethernet: false,
            snapped: Snapped::Refuse,
            longest: 1_522,
            memory: Some(1 << 30),
            gap: None,
            queues: 1,
        };
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
