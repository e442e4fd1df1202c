//! Backpressure between chains, as NFVnice has it (Kulkarni et al., SIGCOMM 2017): a ring that is filled above its mark stops
//! those flows that go there, where they come in, and no others.
//!
//! Flows are hashed into buckets, which each ring that may press has of its own. Whoever puts packets into such a ring writes its epoch
//! into their buckets: the epoch in which it presses, or will press next. A flow is stopped while a ring presses in whose buckets it has that
//! epoch. So a ring knows its flows before it is too full, nothing has to be walked when it has been emptied, and a flow that goes
//! elsewhere by now is forgotten with the next epoch.
//!
//! All lcores share this, by single relaxed loads and stores: what is seen a moment later is a packet more in a ring.

use perigee_config::flow::key::Key;
use perigee_core::clock::Clock;
use perigee_core::frame::Frame;
use perigee_report::RingPressure;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use twox_hash::XxHash3_64;

/// Buckets of flows: a quarter of a megabyte by ring, of which a run touches as many as it has flows.
const BUCKETS: usize = 1 << 16;

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
    /// The last epoch in which each flow was to be stopped, as far as a bucket holds it.
    buckets: Box<[AtomicU32]>,
}

impl Level {
    fn new((high, low): (u32, u32)) -> Self {
        Self {
            high: high.into(),
            low: low.into(),
            epoch: AtomicU64::new(0),
            since_ns: AtomicU64::new(0),
            ended_ns: AtomicU64::new(0),
            buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Goes from one epoch to the next one; false where another lcore was faster.
    fn goes_on(&self, epoch: u64) -> bool {
        self.epoch.compare_exchange(epoch, epoch + 1, Relaxed, Relaxed).is_ok()
    }

    fn bucket(&self, hash: u32) -> &AtomicU32 {
        &self.buckets[hash as usize % BUCKETS]
    }

    fn stops(&self, hash: u32) -> bool {
        let epoch = self.epoch.load(Relaxed);
        !epoch.is_multiple_of(2) && self.bucket(hash).load(Relaxed) == low_half(epoch)
    }
}

/// As it stands in a bucket.
#[allow(clippy::cast_possible_truncation, reason = "takes the half")]
fn low_half(epoch: u64) -> u32 {
    epoch as u32
}

/// The rings of a run that may press, and the flows that go there.
#[derive(Debug)]
pub struct Pressure {
    rings: Box<[Option<Level>]>,
    seed: u64,
    clock: Clock,
}

impl Pressure {
    /// Of rings by number, each with the packets in it at which it begins to press and at which it ends; nothing where none does.
    #[must_use]
    pub fn new(rings: impl Iterator<Item = Option<(u32, u32)>>, seed: u64, clock: Clock) -> Option<Self> {
        let rings: Box<[_]> = rings.map(|marks| marks.map(Level::new)).collect();
        rings.iter().any(Option::is_some).then_some(Self { rings, seed, clock })
    }

    fn level(&self, ring: usize) -> Option<&Level> {
        self.rings.get(ring)?.as_ref()
    }

    /// Somebody is about to put packets of flows with these hashes into a ring that has so many packets.
    pub fn filling(&self, ring: usize, packets: u32, hashes: impl Iterator<Item = u32>) {
        let Some(level) = self.level(ring) else { return };
        let epoch = level.epoch.load(Relaxed);
        if epoch.is_multiple_of(2) && u64::from(packets) >= level.high {
            level.since_ns.store(self.clock.now_ns(), Relaxed);
            level.goes_on(epoch);
        }
        let mark = low_half(epoch | 1);
        for bucket in hashes.map(|hash| level.bucket(hash)) {
            // Read before it is written: others read it all the time.
            if bucket.load(Relaxed) != mark {
                bucket.store(mark, Relaxed);
            }
        }
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

    /// Whether a flow of this hash is stopped by one of the rings `behind`, to which it can come from where it is now.
    #[inline]
    #[must_use]
    pub fn stops(&self, hash: u32, behind: &[usize]) -> bool {
        behind.iter().any(|ring| self.level(*ring).is_some_and(|level| level.stops(hash)))
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
        let put = |packets| pressure.filling(1, packets, [7].into_iter());
        let told = || pressure.told(1).map(|told| (told.presses, told.times));
        pressure.filling(0, 1_000, [7].into_iter());
        put(79);
        assert_eq!((pressure.told(0), told()), (None, Some((false, 0))));
        put(80);
        assert_eq!(told(), Some((true, 1)));
        // Between the marks it goes on with what it does.
        pressure.emptied(1, 51);
        put(51);
        assert_eq!(told(), Some((true, 1)));
        pressure.emptied(1, 50);
        put(79);
        assert_eq!(told(), Some((false, 1)));
        put(90);
        assert_eq!(told(), Some((true, 2)));
    }

    #[test]
    fn flows_are_stopped_by_their_ring_as_long_as_it_presses() {
        let pressure = pressure(&[Some((8, 4)), Some((8, 4))]);
        let put = |ring, packets, flow| pressure.filling(ring, packets, [flow].into_iter());
        put(1, 0, 5);
        assert!(!pressure.stops(5, &[0, 1]), "it has been there, and the ring is empty");
        put(1, 8, 6);
        assert!(pressure.stops(5, &[0, 1]) && pressure.stops(6, &[0, 1]) && !pressure.stops(7, &[0, 1]));
        assert!(!pressure.stops(5, &[0]), "not where it cannot come to that ring");
        // Another ring that presses means nothing to it.
        put(0, 8, 7);
        pressure.emptied(1, 4);
        assert!(!pressure.stops(5, &[0, 1]) && pressure.stops(7, &[0, 1]));
        // Who has not been there since is no more of its flows.
        put(1, 8, 6);
        assert!(pressure.stops(6, &[0, 1]) && !pressure.stops(5, &[0, 1]));
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
