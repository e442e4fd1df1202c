//! Counts how packets spread: over rx queues, RSS hashes, batches and sizes. Each instance of a chain counts for itself, so that
//! the host shows the spread over lcores.
#![cfg_attr(not(test), no_std)]

#[cfg(test)]
mod tests;

use perigee_guest::serde::{self, Deserialize};
use perigee_guest::{Batch, Counter, Module, Refusal, Setup, Text, Verdict};

perigee_guest::module!(Distribution: process; mailbox = 4 * KIB);

perigee_guest::counters! {
    /// Packets.
    PACKETS = "packets",
    /// Their bytes, without frame check sequence.
    BYTES = "bytes",
    /// Calls with packets.
    BATCHES = "batches",
    /// Packets of which the host does not say from which queue they came.
    NO_QUEUE = "queue.unknown",
    /// Packets of later queues than those that have a counter.
    LATER_QUEUE = "queue.16-",
    /// Packets without a hash.
    NO_HASH = "hash.none",
}

/// The first counter of a batch's size.
const BATCH: usize = 6;
const BATCH_NAMES: [&str; 9] = ["1", "2-3", "4-7", "8-15", "16-31", "32-63", "64-127", "128-255", "256"];
/// The first one of a packet's size: the classes of RFC 2819, which counts the frame check sequence of 4 bytes.
const SIZE: usize = BATCH + BATCH_NAMES.len();
const SIZE_NAMES: [&str; 7] = ["64", "65-127", "128-255", "256-511", "512-1023", "1024-1518", "1519-"];
/// The first one of a queue, and of a hash's lowest four bits.
const QUEUE: usize = SIZE + SIZE_NAMES.len();
const QUEUES: usize = 16;
const HASH: usize = QUEUE + QUEUES;
const HASHES: usize = 16;

/// The configuration; README.md has the table.
#[derive(Default, Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Config {
    then: Then,
}

/// What becomes of packets after they were counted.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Then {
    /// They go on to the next stage or port of the chain.
    #[default]
    Next,
    /// They are dropped.
    Drop,
}

/// The counter of spreads.
pub struct Distribution {
    verdict: Verdict,
}

impl Module for Distribution {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        name_counters(setup);
        for (first, prefix, names) in [(BATCH, "batch.", &BATCH_NAMES[..]), (SIZE, "size.", &SIZE_NAMES)] {
            for (index, name) in names.iter().enumerate() {
                let mut text = Text::<32>::from(prefix);
                setup.counter(Counter::at(first + index), text.push(name).as_str());
            }
        }
        for (first, prefix, count) in [(QUEUE, "queue.", QUEUES), (HASH, "hash.", HASHES)] {
            for index in 0..count {
                let mut text = Text::<32>::from(prefix);
                setup.counter(Counter::at(first + index), text.push_number(index as u64).as_str());
            }
        }
        Ok(Self { verdict: if config.then == Then::Drop { Verdict::DROP } else { Verdict::NEXT } })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        // A call without packets is no batch.
        let Some(size) = batch.len().checked_ilog2() else { return };
        BATCHES.add(1);
        Counter::at(BATCH + (size as usize).min(BATCH_NAMES.len() - 1)).add(1);
        PACKETS.add(batch.len() as u64);
        let mut bytes = 0;
        for packet in batch {
            bytes += u64::from(packet.len());
            Counter::at(SIZE + size_class(packet.len())).add(1);
            let queue = packet.rx_queue().map(|queue| place(QUEUE, QUEUES, queue.into()));
            queue.map_or(NO_QUEUE, |found| found.unwrap_or(LATER_QUEUE)).add(1);
            let hash = packet.hash().and_then(|hash| place(HASH, HASHES, (hash & 0xf) as usize));
            hash.unwrap_or(NO_HASH).add(1);
            packet.finish(self.verdict);
        }
        BYTES.add(bytes);
    }
}

/// The counter at a place of a group, where the group is so large.
#[inline]
fn place(first: usize, count: usize, index: usize) -> Option<Counter> {
    (index < count).then(|| Counter::at(first + index))
}

/// The size class of a packet of `len` bytes without frame check sequence.
#[inline]
fn size_class(len: u16) -> usize {
    match u32::from(len) + 4 {
        ..=64 => 0,
        1519.. => 6,
        // 65 to 127 begin with bit 6, 128 to 255 with bit 7, and so on.
        size => (size.ilog2() - 5) as usize,
    }
}
