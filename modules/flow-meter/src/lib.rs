//! Counts packets and bytes of each flow, holds prefixes to a rate, and tells on request which flows are the largest and
//! how sizes and gaps are distributed.
#![cfg_attr(not(test), no_std)]

mod config;
mod five_tuple;
mod report;
mod saved;
#[cfg(test)]
mod tests;

use config::{Config, Limits};
use five_tuple::five_tuple;
use perigee_guest::state::{FiveTuple, FlowTable, Histogram, MILLISECOND, SECOND};
use perigee_guest::{Batch, Buffer, Module, Refusal, Setup, Verdict};

perigee_guest::module!(
    FlowMeter: process, tick, message, state;
    heap = 16 * MIB, mailbox = MIB, state_version = 1
);

perigee_guest::counters! {
    /// Packets that were passed on.
    PACKETS = "packets",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
    /// Packets dropped because their source's prefix was above its rate.
    LIMITED = "limited",
    /// Packets that are not IP, or are malformed: passed on, of no flow.
    OTHER = "other",
    /// Flows that were made.
    FLOWS = "flows",
    /// Flows that were forgotten: not used for too long, or alive for too long.
    EXPIRED = "flows.expired",
    /// Flows that went for a new one.
    EVICTED = "flows.evicted",
    /// Packets that were passed on without being counted in a flow, because there was no room for one.
    REFUSED = "flows.refused",
}

/// Most flows that are forgotten before a batch: each batch bears a part of the work, so that little is left for a tick.
const EXPIRE_IN_BATCH: usize = 64;
/// Most flows that are forgotten in a tick for each millisecond since the one before: ticks may be far apart.
const EXPIRE_IN_MILLISECOND: u64 = 1_024;

/// What is counted of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    packets: u64,
    bytes: u64,
    /// When its first and its latest packet came.
    first: u64,
    last: u64,
}

/// The meter.
pub struct FlowMeter {
    flows: FlowTable<FiveTuple, Tally>,
    limits: Limits,
    /// Bytes of packets.
    sizes: Histogram,
    /// Nanoseconds between two packets of a flow.
    gaps: Histogram,
    both_ways: bool,
    now: u64,
    ticked: u64,
    /// Nanoseconds without packets, and in all, after which a flow is forgotten.
    idle: u64,
    lifetime: u64,
}

impl Module for FlowMeter {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        let now = setup.now_ns();
        Ok(Self {
            flows: config.flow_table(setup)?,
            limits: config.limits(setup)?,
            sizes: Histogram::new(1, 65_535, 3)?,
            gaps: Histogram::new(1, 3_600 * SECOND, 2)?,
            both_ways: config.both_ways,
            now,
            ticked: 0,
            idle: config.idle(),
            lifetime: config.lifetime(),
        })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        self.now = batch.time_ns();
        self.expire(EXPIRE_IN_BATCH);
        let (mut packets, mut bytes) = (0, 0);
        for packet in batch {
            let len = u64::from(packet.len());
            let verdict = self.meter(packet.bytes(), len);
            if !verdict.is_drop() {
                packets += 1;
                bytes += len;
            }
            packet.finish(verdict);
        }
        PACKETS.add(packets);
        BYTES.add(bytes);
    }

    fn tick(&mut self, batch: &mut Batch<'_>) {
        self.now = batch.time_ns();
        let milliseconds = (self.now.saturating_sub(self.ticked) / MILLISECOND).max(1);
        self.ticked = self.now;
        self.expire(usize::try_from(milliseconds.saturating_mul(EXPIRE_IN_MILLISECOND)).unwrap_or(usize::MAX));
    }

    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        report::answer(self, request, reply)
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        saved::save(self, state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        saved::restore(self, state)
    }
}

impl FlowMeter {
    /// Counts a packet, and says what becomes of it.
    #[inline]
    fn meter(&mut self, bytes: &[u8], len: u64) -> Verdict {
        let now = self.now;
        let Some(flow) = five_tuple(bytes) else {
            OTHER.add(1);
            return Verdict::NEXT;
        };
        if !self.limits.pass(&flow, len, now) {
            LIMITED.add(1);
            return Verdict::DROP;
        }
        self.sizes.record(len);
        let key = if self.both_ways { flow.symmetric() } else { flow };
        let fresh = || Tally { packets: 0, bytes: 0, first: now, last: now };
        let (idle, lifetime) = (self.idle, self.lifetime);
        let is_over =
            |tally: &Tally| now.saturating_sub(tally.last) >= idle || now.saturating_sub(tally.first) >= lifetime;
        let mut found = self.flows.find_or_insert(key, now, fresh);
        if found.as_ref().is_some_and(|found| !found.is_new && is_over(found.value)) {
            // Its time was over before this packet came, whenever a tick would have found it.
            self.flows.remove(&key);
            EXPIRED.add(1);
            found = self.flows.find_or_insert(key, now, fresh);
        }
        let Some(found) = found else {
            REFUSED.add(1);
            return Verdict::NEXT;
        };
        if found.is_new {
            FLOWS.add(1);
            EVICTED.add(u64::from(found.evicted.is_some()));
        } else {
            self.gaps.record(now.saturating_sub(found.value.last));
        }
        found.value.packets += 1;
        found.value.bytes += len;
        found.value.last = now;
        Verdict::NEXT
    }

    /// Forgets flows whose time is over, at most so many.
    fn expire(&mut self, limit: usize) {
        let expired = self.flows.expire(self.now, limit, |_, _| ());
        EXPIRED.add(expired as u64);
    }

    /// Forgets all that was counted.
    fn forget(&mut self) {
        self.flows.clear();
        self.sizes.clear();
        self.gaps.clear();
    }
}
