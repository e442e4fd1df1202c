//! Limits of rate: token buckets, filled by the time of the batch.

use perigee_config::Grants;

/// A bucket holds what is granted in this time.
const BURST_NS: i128 = 10_000_000;
/// A generator's bucket holds this beside its next packet: what an lcore missed while others had its CPU is made up for.
const BACKLOG_NS: i128 = 100_000_000;
/// A generator is asked for what is granted in this time: at least one packet, at most a burst.
const SLICE_NS: i128 = 100_000;
/// Tokens are counted in this part of a packet or bit, so that no rate is rounded.
const UNIT: i128 = 1_000_000_000;
/// The longest packet that there is: even the lowest rate lets one go at a time.
const LONGEST_BITS: i128 = 8 * 65_536;
/// A generator's packets count as long as this until it has made one.
const FIRST_LEN: u32 = 60;
/// The mean length is kept in this part of a byte, and a packet counts as much in it.
const MEAN_PARTS: u32 = 16;

/// What an instance may still let go.
#[derive(Clone, Debug)]
pub struct Rate {
    packets: Option<Bucket>,
    bits: Option<Bucket>,
    /// When tokens were put in last; a generator's time begins when it is asked first.
    since_ns: Option<u64>,
    made: Generated,
}

/// The packets that a generator has made.
#[derive(Clone, Copy, Debug)]
struct Generated {
    /// Their mean length.
    mean: u32,
    /// Until there is one: how many instances send theirs after this one's, so that they take turns.
    ahead: Option<i128>,
}

impl Generated {
    /// So many packets of this mean length count as much as one by one, nearly: none of those before is left after [`MEAN_PARTS`].
    fn add(&mut self, packets: u64, len: u64) {
        let new = u32::try_from(packets).unwrap_or(u32::MAX).min(MEAN_PARTS);
        let len = u32::try_from(len).unwrap_or(u32::MAX / MEAN_PARTS);
        self.mean = self.mean - self.mean * new / MEAN_PARTS + len * new;
    }
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

    /// Holds enough for a generator, and begins with `tokens`: its next packet may be of any length.
    fn pace(&mut self, at_least: i128, tokens: i128) {
        self.most = BACKLOG_NS * self.per_ns + at_least * self.price;
        self.tokens = tokens;
    }

    fn fill(&mut self, ns: u64) {
        self.tokens = (self.tokens + i128::from(ns) * self.per_ns).min(self.most);
    }

    fn cost(&self, n: u64) -> i128 {
        i128::from(n) * self.price
    }

    /// How many packets that cost `each` may be made now: none until there is enough for a slice of time.
    fn affords(&self, max: usize, each: i128) -> usize {
        let burst = each * max.max(1) as i128;
        if self.tokens < (SLICE_NS * self.per_ns).clamp(each, burst) {
            return 0;
        }
        let most = self.tokens.min(BACKLOG_NS * self.per_ns + each) / each;
        usize::try_from(most).map_or(max, |n| n.min(max))
    }

    /// Pays for a packet, with what comes later too. What had piled up for longer than it may is gone.
    fn owe(&mut self, cost: i128, next: i128) {
        self.tokens = (self.tokens - cost).min(BACKLOG_NS * self.per_ns + next);
    }
}

impl Rate {
    /// The share of one of so many instances, empty at `now_ns`: an instance that is made anew gains nothing by it, or less
    /// than a packet where it takes turns. `None` where there is no limit.
    pub fn new(grants: &Grants, instances: u32, now_ns: u64) -> Option<Self> {
        let packets = grants.packets_per_second.map(|rate| Bucket::new(rate, instances, 1));
        let bits = grants.bits_per_second.map(|rate| Bucket::new(rate, instances, LONGEST_BITS));
        let made = Generated { mean: FIRST_LEN * MEAN_PARTS, ahead: None };
        (packets.is_some() || bits.is_some()).then_some(Self { packets, bits, since_ns: Some(now_ns), made })
    }

    /// For a generator, which is asked for packets when they are due ([`Self::affords`]). It is instance number `number`: each
    /// has its turn, so that together they send as evenly as one would.
    pub fn paced(mut self, number: u32) -> Self {
        let instances = [&self.packets, &self.bits].into_iter().flatten().map(|bucket| bucket.price / UNIT).max();
        let instances = instances.unwrap_or(1);
        let ahead = instances - 1 - i128::from(number) % instances;
        if let Some(packets) = &mut self.packets {
            packets.pace(1, ahead * UNIT);
        }
        if let Some(bits) = &mut self.bits {
            bits.pace(LONGEST_BITS, ahead * UNIT * 8 * i128::from(FIRST_LEN));
        }
        self.made.ahead = Some(ahead);
        self.since_ns = None;
        self
    }

    /// Adds what has come since the last call.
    pub fn fill(&mut self, now_ns: u64) {
        let since = self.since_ns.unwrap_or(now_ns);
        let passed = now_ns.saturating_sub(since);
        self.since_ns = Some(since.max(now_ns));
        self.packets.iter_mut().chain(&mut self.bits).for_each(|bucket| bucket.fill(passed));
    }

    /// Takes what a packet of `len` bytes costs. False, and nothing taken, where there is not enough.
    pub fn take(&mut self, len: u16) -> bool {
        self.take_all(1, len.into())
    }

    /// [`Self::take`] for a whole batch: of so many packets, with so many bytes in all. False, and nothing taken, where there is
    /// not enough for all of them.
    pub fn take_all(&mut self, packets: u64, bytes: u64) -> bool {
        let pays = |bucket: &Option<Bucket>, n: u64| bucket.as_ref().is_none_or(|b| b.tokens >= b.cost(n));
        let ok = pays(&self.packets, packets) && pays(&self.bits, 8 * bytes);
        if ok {
            for (bucket, n) in [(&mut self.packets, packets), (&mut self.bits, 8 * bytes)] {
                if let Some(bucket) = bucket {
                    bucket.tokens -= bucket.cost(n);
                }
            }
        }
        ok
    }

    /// Gives back what a batch was to cost that did not go as a whole.
    pub fn give_back(&mut self, packets: u64, bytes: u64) {
        for (bucket, n) in [(&mut self.packets, packets), (&mut self.bits, 8 * bytes)] {
            if let Some(bucket) = bucket {
                bucket.tokens += bucket.cost(n);
            }
        }
    }

    /// As [`Self::take`] for a packet that a generator was asked for. How long it would be was not known then: where there is
    /// not enough, what comes later pays for it.
    pub fn owe(&mut self, len: u16) {
        self.note(len);
        self.pay(1, len.into(), len.into());
    }

    /// [`Self::owe`] for a whole batch: of so many packets, with so many bytes in all. False, and nothing done, for a generator's
    /// first packets, whose lengths are to be known one by one.
    pub fn owe_all(&mut self, packets: u64, bytes: u64) -> bool {
        if self.made.ahead.is_some() || packets == 0 {
            return false;
        }
        let len = bytes / packets;
        self.made.add(packets, len);
        self.pay(packets, bytes, len);
        true
    }

    /// What had piled up for too long is gone with the first packet, of `first` bytes; the others are paid for as they are.
    fn pay(&mut self, packets: u64, bytes: u64, first: u64) {
        let each = self.each_bits();
        if let Some(bucket) = &mut self.packets {
            bucket.owe(bucket.price, bucket.price);
            bucket.tokens -= bucket.cost(packets - 1);
        }
        if let Some(bucket) = &mut self.bits {
            bucket.owe(bucket.cost(8 * first), each);
            bucket.tokens -= bucket.cost(8 * (bytes - first));
        }
    }

    /// How many packets may be made now, at most `max`: as many as are due, by the mean length of those that were made. The
    /// first one comes alone where lengths count: it tells how long they are.
    pub fn affords(&self, max: usize) -> usize {
        let max = if self.bits.is_some() && self.made.ahead.is_some() { max.min(1) } else { max };
        let packets = self.packets.as_ref().map_or(max, |bucket| bucket.affords(max, bucket.price));
        let bits = self.bits.as_ref().map_or(max, |bucket| bucket.affords(max, self.each_bits()));
        packets.min(bits)
    }

    /// What a packet of the mean length costs in bits.
    fn each_bits(&self) -> i128 {
        let price = self.bits.as_ref().map_or(0, |bucket| bucket.price);
        price * 8 * i128::from(self.made.mean.max(MEAN_PARTS)) / i128::from(MEAN_PARTS)
    }

    /// Counts a packet into the mean length.
    fn note(&mut self, len: u16) {
        let Some(ahead) = self.made.ahead.take() else { return self.made.add(1, len.into()) };
        self.made.mean = u32::from(len) * MEAN_PARTS;
        if let Some(bits) = &mut self.bits {
            // Its turn was reckoned with another length.
            bits.tokens += ahead * UNIT * 8 * (i128::from(len) - i128::from(FIRST_LEN));
        }
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

    /// Generators on so many lcores in virtual time, each polled every `poll` nanoseconds and from 30 ms to 60 ms not at all,
    /// with packets of these lengths in turn, which are paid for one by one or as a batch. Times and lengths of what is sent, in order.
    fn generate(
        limit: (Option<u64>, Option<u64>),
        (instances, whole): (u32, bool),
        lens: &[u16],
        poll: u64,
        end: u64,
    ) -> Vec<(u64, u16)> {
        let mut sent = Vec::new();
        for number in 0..instances {
            let (mut rate, mut lens) = (rate(limit.0, limit.1, instances).paced(number), lens.iter().cycle());
            for now in (0..=end).step_by(usize::try_from(poll).unwrap()) {
                if (30_000_000..60_000_000).contains(&now) {
                    continue;
                }
                rate.fill(now);
                let batch: Vec<u16> = lens.by_ref().take(rate.affords(64)).copied().collect();
                let bytes = batch.iter().map(|&len| u64::from(len)).sum();
                if !(whole && rate.owe_all(batch.len() as u64, bytes)) {
                    batch.iter().for_each(|&len| rate.owe(len));
                }
                sent.extend(batch.into_iter().map(|len| (now, len)));
            }
        }
        sent.sort_by_key(|&(now, _)| now);
        sent
    }

    /// Checks that as much was sent as was granted, at the end and at all times, and evenly.
    #[allow(clippy::cast_possible_truncation, reason = "some seconds in nanoseconds, and a ratio of lengths")]
    fn check(limit: (Option<u64>, Option<u64>), by: (u32, bool), lens: &[u16], per_packet_ns: f64) {
        let instances = by.0;
        // Some thousand packets, or some of the slowest.
        let end = (3_000.0 * per_packet_ns).clamp(2e8, 4e9).max(12.0 * per_packet_ns) as u64;
        let poll = (per_packet_ns as u64 / 2).clamp(2_000, 1_000_000);
        let sent = generate(limit, by, lens, poll, end);
        let what = format!("{limit:?}, {by:?}, {lens:?}: {} packets", sent.len());
        let cost = |len: u16| if limit.0.is_some() { 1 } else { 8 * u128::from(len) };
        let per_second = u128::from(limit.0.or(limit.1).unwrap());
        let granted = |now: u64| u128::from(now) * per_second / 1_000_000_000;
        // Each instance may be a slice of time, two packets and a poll away from what it is granted.
        let longest = cost(*lens.iter().max().unwrap());
        let slack = u128::from(instances) * 2 * longest + granted(SLICE_NS as u64 + 2 * poll);
        // And ahead by a burst of packets that are longer than the mean.
        let mean: u128 = lens.iter().map(|&len| cost(len)).sum::<u128>() / lens.len() as u128;
        let uneven = if lens.len() == 1 { 1 } else { 2 * (longest / mean) as u64 };
        let surprise = slack + granted(SLICE_NS as u64 * uneven);
        let (mut total, mut before) = (0, 0_u64);
        for &(now, len) in &sent {
            let gap = now - before;
            let even = (longest as f64 * 1e9 / per_second as f64) * f64::from(instances + 1)
                + (SLICE_NS as u64 + 2 * poll) as f64;
            let stalled = before <= 30_000_000 && now >= 60_000_000;
            assert!(gap as f64 <= 1.1 * even * uneven as f64 || stalled, "{what}: nothing for {gap} ns");
            (total, before) = (total + cost(len), now);
            assert!(total <= granted(now) + surprise, "{what}: {total} at {now}, {} granted", granted(now));
        }
        assert!(total + slack >= granted(end), "{what}: {total} of {}", granted(end));
    }

    #[test]
    fn a_generator_sends_what_it_is_granted_and_evenly() {
        for by in [1, 2, 3, 8].into_iter().flat_map(|instances| [(instances, false), (instances, true)]) {
            for per_second in [1, 3, 50, 999, 3_000, 6_399, 64_000, 1_000_000] {
                check((Some(per_second), None), by, &[60], 1e9 / per_second as f64);
            }
            for lens in [&[60][..], &[62], &[1_514], &[60, 60, 60, 566, 1_514], &[9_014]] {
                let mean = lens.iter().map(|&len| u64::from(len)).sum::<u64>() / lens.len() as u64;
                for bits in [1_000, 64_000, 1_000_000, 100_000_000, 1_000_000_000] {
                    check((None, Some(bits)), by, lens, 8e9 * mean as f64 / bits as f64);
                }
            }
        }
    }

    #[test]
    fn whole_bursts_are_made_at_the_highest_rates_and_single_packets_at_the_lowest() {
        for (per_second, ns, packets) in [
            (1_000_000_000_000, 1_000, 64),
            (1_000_000, 63_999, 0),
            (1_000_000, 64_000, 64),
            (10, 99_999_999, 0),
            (10, 100_000_000, 1),
        ] {
            let mut rate = rate(Some(per_second), None, 1).paced(0);
            // What passed before it was asked first is none of its time.
            rate.fill(1_000_000_000);
            rate.fill(1_000_000_000 + ns);
            assert_eq!(rate.affords(64), packets, "{per_second} after {ns} ns");
        }
    }

    #[test]
    fn instances_take_turns() {
        for (packets, bits) in [(Some(10), None), (None, Some(10 * 8 * 1_000))] {
            let times: Vec<u64> = generate((packets, bits), (5, false), &[1_000], 1_000_000, 5_000_000_000)
                .iter()
                .map(|&(now, _)| now)
                .collect();
            let gaps = times.windows(2).skip(9).map(|pair| pair[1] - pair[0]);
            assert!(times.len() >= 49 && gaps.clone().all(|gap| (98_000_000..103_000_000).contains(&gap)), "{times:?}");
        }
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
                // A batch as a whole, where it may go so.
                let (all, bytes) = (n as u64, n as u64 * u64::from(len));
                packets += if rates.0.take_all(all, bytes) { u128::from(all) } else { 0 };
                bits += if rates.1.take_all(all, bytes) { 8 * u128::from(bytes) } else { 0 };
                packets += (0..n).filter(|_| rates.0.take(len)).count() as u128;
                bits += (0..n).filter(|_| rates.1.take(len)).count() as u128 * 8 * u128::from(len);
                let granted = u128::from(now) * u128::from(per_second) / u128::from(instances) / 1_000_000_000;
                prop_assert!(packets <= granted && bits <= granted, "{packets} packets, {bits} bits of {granted}");
            }
        }
    }
}
