//! Backpressure between chains, as NFVnice has it (Kulkarni et al., SIGCOMM 2017): a ring that is filled above its mark stops
//! those flows that go there, where they come in, and no others.
//!
//! Flows are hashed into buckets. Whoever puts a packet into a ring that presses writes into the packet's bucket which ring that is,
//! and its epoch; a flow is stopped as long as its bucket has the present epoch of a ring that presses. So nothing has to be walked when
//! a ring has been emptied: with its next epoch all of its marks are void. A bucket has one mark; of a flow that goes to two
//! rings that press, the one that it met last counts.
//!
//! All lcores share this, by single relaxed loads and stores: a mark that is seen a moment later is one packet more in a ring.

use perigee_config::flow::key::Key;
use perigee_core::clock::Clock;
use perigee_core::frame::Frame;
use perigee_report::RingPressure;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use twox_hash::XxHash3_64;

/// Buckets of flows: half a megabyte, of which a run touches as many as it has flows.
const BUCKETS: usize = 1 << 16;
/// A mark has the ring's number above, its epoch below.
const EPOCH_BITS: u32 = 48;
const EPOCH: u64 = (1 << EPOCH_BITS) - 1;

/// One ring that may press.
#[derive(Debug)]
struct Level {
    high: u64,
    low: u64,
    /// Odd while it presses: then it begins or ends.
    epoch: AtomicU64,
    /// When it began last, nanoseconds of the run's clock.
    since_ns: AtomicU64,
    /// For how long it pressed in the epochs that have ended.
    ended_ns: AtomicU64,
}

impl Level {
    /// Goes from one epoch to the next one; false where another lcore was faster.
    fn goes_on(&self, epoch: u64) -> bool {
        self.epoch.compare_exchange(epoch, epoch + 1, Relaxed, Relaxed).is_ok()
    }
}

/// The rings of a run, and which flows go to those that press.
#[derive(Debug)]
pub struct Pressure {
    rings: Box<[Option<Level>]>,
    buckets: Box<[AtomicU64]>,
    seed: u64,
    clock: Clock,
}

/// What is written into the buckets of the flows that go to a ring that presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Pressure {
    /// Of rings by number, each with the packets in it at which it begins to press and at which it ends; nothing where none does.
    #[must_use]
    pub fn new(rings: impl Iterator<Item = Option<(u32, u32)>>, seed: u64, clock: Clock) -> Option<Self> {
        let level = |(high, low): (u32, u32)| Level {
            high: high.into(),
            low: low.into(),
            epoch: AtomicU64::new(0),
            since_ns: AtomicU64::new(0),
            ended_ns: AtomicU64::new(0),
        };
        let rings: Box<[_]> = rings.map(|marks| marks.map(level)).collect();
        let buckets = || (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        rings.iter().any(Option::is_some).then(|| Self { buckets: buckets(), rings, seed, clock })
    }

    fn level(&self, ring: usize) -> Option<&Level> {
        self.rings.get(ring)?.as_ref()
    }

    /// Somebody is about to put packets into a ring that has so many. The mark for their flows, where it presses.
    #[must_use]
    pub fn filling(&self, ring: usize, packets: u32) -> Option<Mark> {
        let level = self.level(ring)?;
        let mut epoch = level.epoch.load(Relaxed);
        if epoch.is_multiple_of(2) {
            if u64::from(packets) < level.high {
                return None;
            }
            level.since_ns.store(self.clock.now_ns(), Relaxed);
            level.goes_on(epoch);
            epoch += 1;
        }
        Some(Mark((ring as u64) << EPOCH_BITS | epoch & EPOCH))
    }

    /// Its reader has left so many packets in a ring.
    #[inline]
    pub fn emptied(&self, ring: usize, packets: u32) {
        let Some(level) = self.level(ring) else { return };
        let epoch = level.epoch.load(Relaxed);
        if !epoch.is_multiple_of(2) && u64::from(packets) <= level.low && level.goes_on(epoch) {
            let took = self.clock.now_ns().saturating_sub(level.since_ns.load(Relaxed));
            level.ended_ns.fetch_add(took, Relaxed);
        }
    }

    fn bucket(&self, hash: u32) -> &AtomicU64 {
        &self.buckets[hash as usize % BUCKETS]
    }

    /// Flows of this hash go to a ring that presses.
    #[inline]
    pub fn mark(&self, hash: u32, Mark(mark): Mark) {
        let bucket = self.bucket(hash);
        // Read before it is written: others read it all the time.
        if bucket.load(Relaxed) != mark {
            bucket.store(mark, Relaxed);
        }
    }

    /// Whether a flow of this hash is stopped, by one of the rings `behind` (by number) to which it can come from where it is now.
    #[inline]
    #[must_use]
    pub fn stops(&self, hash: u32, behind: &[bool]) -> bool {
        let mark = self.bucket(hash).load(Relaxed);
        mark != 0 && {
            let ring = usize::try_from(mark >> EPOCH_BITS).unwrap_or(usize::MAX);
            let present = |level: &Level| level.epoch.load(Relaxed) & EPOCH == mark & EPOCH;
            behind.get(ring) == Some(&true) && self.level(ring).is_some_and(present)
        }
    }

    /// A frame's flow as a number that is never 0: the same for both directions. Of IP: addresses, ports where they are known of each packet, protocol and
    /// VLAN; of all else, what Ethernet says.
    #[must_use]
    pub fn hash(&self, frame: &impl Frame) -> u32 {
        let key = Key::of(frame);
        let (one, other) = match key.ip {
            Some(ip) => {
                let (from, to) = ip.ports.unwrap_or_default();
                ((ip.src, from), (ip.dst, to))
            }
            None => {
                let address = |at| frame.bytes::<8>(at).map_or(0, |bytes| u64::from_be_bytes(bytes) >> 16);
                ((address(6).into(), 0), (address(0).into(), 0))
            }
        };
        let mut bytes = [0; 41];
        let (ends, rest) = bytes.split_at_mut(36);
        for (place, (address, port)) in ends.chunks_exact_mut(18).zip([one.min(other), one.max(other)]) {
            place[..16].copy_from_slice(&u128::to_be_bytes(address));
            place[16..].copy_from_slice(&u16::to_be_bytes(port));
        }
        rest[..2].copy_from_slice(&key.ether_type.to_be_bytes());
        rest[2..4].copy_from_slice(&key.vlan.unwrap_or(u16::MAX).to_be_bytes());
        rest[4] = key.ip.map_or(0, |ip| ip.protocol);
        #[allow(clippy::cast_possible_truncation, reason = "takes the half")]
        let hash = XxHash3_64::oneshot_with_seed(self.seed, &bytes) as u32;
        hash.max(1)
    }

    /// How a ring fares; `None` of one that never presses.
    #[must_use]
    pub fn told(&self, ring: usize) -> Option<RingPressure> {
        let level = self.level(ring)?;
        let epoch = level.epoch.load(Relaxed);
        let presses = !epoch.is_multiple_of(2);
        let since = presses.then(|| self.clock.now_ns().saturating_sub(level.since_ns.load(Relaxed)));
        let ns = level.ended_ns.load(Relaxed) + since.unwrap_or(0);
        Some(RingPressure { presses, times: epoch.div_ceil(2), ns })
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn pressure(rings: &[Option<(u32, u32)>]) -> Pressure {
        static HAND: AtomicU64 = AtomicU64::new(0);
        Pressure::new(rings.iter().copied(), 7, Clock::set_by(&HAND, 0)).expect("a ring that presses")
    }

    #[test]
    fn a_ring_presses_from_its_upper_mark_to_its_lower_one() {
        let pressure = pressure(&[None, Some((80, 50))]);
        let presses = || pressure.told(1).is_some_and(|told| told.presses);
        assert_eq!((pressure.filling(0, 1_000), pressure.told(0)), (None, None));
        assert_eq!(pressure.filling(1, 79), None);
        let first = pressure.filling(1, 80).expect("it presses");
        // Between the marks it goes on with what it does.
        pressure.emptied(1, 51);
        assert_eq!((pressure.filling(1, 51), presses()), (Some(first), true));
        pressure.emptied(1, 50);
        assert_eq!((pressure.filling(1, 79), presses()), (None, false));
        let second = pressure.filling(1, 90).expect("it presses again");
        assert_ne!(first, second);
        assert_eq!(pressure.told(1).map(|told| told.times), Some(2));
    }

    #[test]
    fn flows_are_stopped_by_their_ring_as_long_as_it_presses() {
        let pressure = pressure(&[Some((8, 4)), Some((8, 4))]);
        let (both, only_first) = ([true, true], [true, false]);
        let mark = pressure.filling(1, 8).expect("it presses");
        pressure.mark(5, mark);
        assert!(pressure.stops(5, &both) && !pressure.stops(6, &both), "that flow alone");
        assert!(!pressure.stops(5, &only_first), "not where it cannot come to that ring");
        // Another ring that presses means nothing to it; after the end of its own, an old mark is void for ever.
        assert!(pressure.filling(0, 8).is_some());
        pressure.emptied(1, 4);
        assert!(!pressure.stops(5, &both));
        assert!(pressure.filling(1, 8).is_some());
        assert!(!pressure.stops(5, &both));
    }

    #[test]
    fn a_flow_has_one_hash_in_both_directions() {
        let pressure = pressure(&[Some((8, 4))]);
        let frame = |kind: [u8; 2], flip: bool, port: u8, fragment: u8| {
            let (mut one, mut other) = ([10, 0, 0, 1], [10, 0, 0, 2]);
            let (mut from, mut to) = ([4, port], [0, 53]);
            if flip {
                (one, other, from, to) = (other, one, to, from);
            }
            let header = [0x45, 0, 0, 28, 0, 0, fragment, 0, 64, 17, 0, 0];
            [&[one, other, one].concat(), &kind[..], &header, &one, &other, &from, &to, &[0, 8, 0, 0]].concat()
        };
        let hash = |frame: &[u8]| {
            let mut lone = perigee_dpdk::packet::Lone::new(frame);
            pressure.hash(lone.packet())
        };
        let ip = [8, 0];
        assert_eq!(hash(&frame(ip, false, 1, 0)), hash(&frame(ip, true, 1, 0)));
        assert_ne!(hash(&frame(ip, false, 1, 0)), hash(&frame(ip, false, 2, 0)));
        // Only the first fragment has ports: a fragmented datagram is one flow without them.
        assert_eq!(hash(&frame(ip, false, 1, 0x20)), hash(&frame(ip, false, 2, 0x20)));
        assert_ne!(
            hash(&frame([8, 6], false, 1, 0)),
            hash(&frame([8, 7], false, 1, 0)),
            "by its type, where it is no IP"
        );
        (0..60).for_each(|len| assert_ne!(hash(&vec![0xff; len]), 0));
    }
}
