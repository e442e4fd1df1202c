//! Limits of rate: token buckets, filled by the time of the batch.

use super::Grants;

/// A bucket holds what is granted in this time.
const BURST_NS: i128 = 10_000_000;
/// Tokens are counted in this part of a packet or bit, so that no rate is rounded.
const UNIT: i128 = 1_000_000_000;
/// The longest packet that there is: even the lowest rate lets one go at a time.
const LONGEST_BITS: i128 = 8 * 65_536;

/// What an instance may still let go.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    packets: Option<Bucket>,
    bits: Option<Bucket>,
    since_ns: u64,
}

/// Tokens of one kind. All instances of a module share its rate, so each pays as often as there are instances.
#[derive(Clone, Debug)]
struct Bucket {
    per_ns: i128,
    price: i128,
    most: i128,
    tokens: i128,
}

impl Bucket {
    fn new(per_second: u64, instances: u32, at_least: i128) -> Self {
        let (per_ns, price) = (i128::from(per_second), UNIT * i128::from(instances.max(1)));
        Self { per_ns, price, most: (BURST_NS * per_ns).max(at_least * price), tokens: 0 }
    }

    fn fill(&mut self, ns: u64) {
        self.tokens = (self.tokens + i128::from(ns) * self.per_ns).min(self.most);
    }

    fn cost(&self, n: u64) -> i128 {
        i128::from(n) * self.price
    }
}

impl Rate {
    /// The share of one of so many instances, empty at `now_ns`: an instance that is made anew gains nothing by it. `None`
    /// where there is no limit.
    pub(crate) fn new(grants: &Grants, instances: u32, now_ns: u64) -> Option<Self> {
        let packets = grants.packets_per_second.map(|rate| Bucket::new(rate, instances, 1));
        let bits = grants.bits_per_second.map(|rate| Bucket::new(rate, instances, LONGEST_BITS));
        (packets.is_some() || bits.is_some()).then_some(Self { packets, bits, since_ns: now_ns })
    }

    /// Adds what has come since the last call.
    pub(crate) fn fill(&mut self, now_ns: u64) {
        let passed = now_ns.saturating_sub(self.since_ns);
        self.since_ns = self.since_ns.max(now_ns);
        self.packets.iter_mut().chain(&mut self.bits).for_each(|bucket| bucket.fill(passed));
    }

    /// Takes what a packet of `len` bytes costs. False, and nothing taken, where there is not enough.
    pub(crate) fn take(&mut self, len: u16) -> bool {
        let enough = |bucket: &Option<Bucket>, n: u64| bucket.as_ref().is_none_or(|b| b.tokens >= b.cost(n));
        let ok = enough(&self.packets, 1) && enough(&self.bits, 8 * u64::from(len));
        if ok {
            self.owe(len);
        }
        ok
    }

    /// As [`Self::take`], where there is not enough too: what comes later pays for it.
    pub(crate) fn owe(&mut self, len: u16) {
        for (bucket, n) in [(&mut self.packets, 1), (&mut self.bits, 8 * u64::from(len))] {
            if let Some(bucket) = bucket {
                bucket.tokens -= bucket.cost(n);
            }
        }
    }

    /// How many packets of `len` bytes there is enough for, at most `max`. Where that is less than `max`, none until the
    /// bucket is full: a generator makes whole bursts.
    pub(crate) fn affords(&self, max: usize, len: u16) -> usize {
        let affords = |bucket: &Option<Bucket>, n: u64| {
            let Some(bucket) = bucket else { return max };
            let most = bucket.tokens / bucket.cost(n).max(1);
            let n = usize::try_from(most.clamp(0, max as i128)).unwrap_or(0);
            if n == max || bucket.tokens >= bucket.most { n } else { 0 }
        };
        affords(&self.packets, 1).min(affords(&self.bits, 8 * u64::from(len.max(1))))
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    fn rate(packets: Option<u64>, bits: Option<u64>, instances: u32) -> Rate {
        let grants = Grants { packets_per_second: packets, bits_per_second: bits, ..Grants::default() };
        Rate::new(&grants, instances, 0).expect("a limit")
    }

    #[test]
    fn it_begins_empty_and_keeps_ten_milliseconds() {
        let mut rate = rate(Some(1_000), None, 1);
        assert!(!rate.take(60));
        rate.fill(1_000_000);
        assert!(rate.take(60) && !rate.take(60));
        rate.fill(1_000_000_000);
        assert_eq!((0..100).filter(|_| rate.take(60)).count(), 10);
        // Time that goes back gives nothing, and what was given is not given again.
        rate.fill(0);
        rate.fill(1_000_000_000);
        assert!(!rate.take(60));
    }

    #[test]
    fn the_lowest_rate_lets_the_longest_packet_go_at_last() {
        let mut slow = rate(Some(1), Some(1), 64);
        slow.fill(u64::MAX / 4);
        assert!(slow.take(u16::MAX));
    }

    #[test]
    fn a_generator_makes_whole_bursts_and_pays_for_longer_packets_later() {
        let mut rate = rate(Some(64_000), Some(64_000 * 800), 1);
        rate.fill(500_000);
        assert_eq!(rate.affords(64, 100), 0);
        rate.fill(1_000_000);
        assert_eq!(rate.affords(64, 100), 64);
        (0..64).for_each(|_| rate.owe(200));
        rate.fill(2_000_000);
        assert_eq!(rate.affords(64, 100), 0, "twice the length takes twice the time");
        rate.fill(3_000_000);
        assert_eq!(rate.affords(64, 100), 64);
    }

    proptest! {
        /// Whatever comes when: no more than the rate and a bucket, over any time from the beginning.
        #[test]
        fn no_more_than_the_rate(
            per_second in 1_u64..1 << 43,
            instances in 1_u32..64,
            steps in prop::collection::vec((0_u64..50_000_000, 0_usize..64, 60_u16..1_500), 1..50),
        ) {
            let mut rates = (rate(Some(per_second), None, instances), rate(None, Some(per_second), instances));
            let (mut now, mut packets, mut bits) = (0_u64, 0_u128, 0_u128);
            for (wait, n, len) in steps {
                now += wait;
                rates.0.fill(now);
                rates.1.fill(now);
                packets += (0..n).filter(|_| rates.0.take(len)).count() as u128;
                bits += (0..n).filter(|_| rates.1.take(len)).count() as u128 * 8 * u128::from(len);
                let granted = u128::from(now) * u128::from(per_second) / u128::from(instances) / 1_000_000_000;
                prop_assert!(packets <= granted && bits <= granted, "{packets} packets, {bits} bits of {granted}");
            }
        }
    }
}
